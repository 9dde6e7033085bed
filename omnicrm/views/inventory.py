"""JSON routes of inventory that the generic set does not give, beside it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from omnicrm.domain.inventory import queries
from omnicrm.domain.inventory.models import Inventory
from omnicrm.domain.inventory.resource import inventory, templates
from omnicrm.views import http
from omnicrm.views.resources import paged, reading, routes_for, whole_list

AnyRequest = Request[Any, Any, Any]


@get("/crm/inventory", opt=http.json(*reading(inventory)), summary="Items; available=true is selectable stock")
async def item_list(request: AnyRequest) -> dict[str, Any]:
    door = http.door(request)
    wanted = request.query_params.get("available", "").lower() == "true"
    where = queries.available(door.clock(), door.settings) if wanted else []
    return await paged(request, inventory, *where)


@get("/crm/inventory/service_id/{service_id:int}", opt=http.json(*reading(inventory)), summary="Items of a service")
async def of_service(request: AnyRequest, service_id: FromPath[int]) -> Response[Any]:
    return await whole_list(request, inventory, "data", Inventory.service_id == service_id)


HANDLERS = [
    item_list,
    of_service,
    *routes_for(inventory, skip=frozenset({"list"})),
    *routes_for(templates, alias="/crm/inventory/template"),
]
