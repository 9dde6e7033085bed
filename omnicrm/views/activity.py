"""JSON routes of the activity log: read, and add a note; nothing changes or deletes an entry (CRM-225..227)."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.params import FromPath

from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.activity_log import activities
from omnicrm.views import http
from omnicrm.views.resources import paged, reading, routes_for


@get("/crm/activity/customer_id/{customer_id:int}", opt=http.json(*reading(activities)), summary="A customer's log")
async def of_customer(request: Request[Any, Any, Any], customer_id: FromPath[int]) -> dict[str, Any]:
    return await paged(request, activities, CustomerActivity.customer_id == customer_id)


HANDLERS = [of_customer, *routes_for(activities, skip=frozenset({"by_customer"}))]
