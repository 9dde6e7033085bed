"""JSON routes of provisioning jobs (PROV-123..134)."""

from __future__ import annotations

from typing import Any

from litestar import Request, post, route
from litestar.enums import HttpMethod
from litestar.params import FromPath

from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.resource import provisions
from omnicrm.views import http
from omnicrm.views.resources import routes_for

AnyRequest = Request[Any, Any, Any]


def created(row: Provision) -> dict[str, Any]:
    return {"provision_id": row.provision_id, "provisioning_status": 1, "message": "Provisioning job created"}


@route(
    "/crm/provision",
    http_method=[HttpMethod.PUT, HttpMethod.POST],
    status_code=200,
    opt=http.json("create_provision", "view_own_provision"),
    summary="Order a product, or deprovision a service",
)
async def order(request: AnyRequest) -> dict[str, Any]:
    body = await http.json_body(request)
    return created(await http.door(request).act(actions.order, http.actor(request), actions.Order(body)))


@post("/crm/provision/provision_id/{key:int}/retry", opt=http.json("create_provision"), status_code=200)
async def retry(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """A new job with the same inputs (PROV-085)."""
    return created(await http.door(request).act(actions.retry, http.actor(request), actions.Started(key)))


@post("/crm/provision/provision_id/{key:int}/cancel", opt=http.json("update_provision"), status_code=200)
async def cancel(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    row = await http.door(request).act(actions.cancel, http.actor(request), actions.Started(key))
    return {"result": "success", "provision_id": row.provision_id}


@post("/crm/provision/provision_id/{key:int}/clean", opt=http.json("update_provision"), status_code=200)
async def clean(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """Try the clean-up of a failed job once more (PROV-168)."""
    row = await http.door(request).act(actions.clean_again, http.actor(request), actions.Started(key))
    return {"result": "success", "provision_id": row.provision_id}


@post("/crm/provision/provision_id/{key:int}/mended", opt=http.json("update_provision"), status_code=200)
async def mended(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """What a job had left behind was removed by hand."""
    row = await http.door(request).act(actions.mended_by_hand, http.actor(request), actions.Started(key))
    return {"result": "success", "provision_id": row.provision_id}


HANDLERS = [order, retry, cancel, clean, mended, *routes_for(provisions)]
