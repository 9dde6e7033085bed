"""JSON routes of services: the record merged with its balances, look-up by UUID, cancelling (OCS-066..075)."""

from __future__ import annotations

from typing import Any

from litestar import Request, delete, get, post
from litestar.params import FromPath

from omnicrm.domain.actor import Actor
from omnicrm.domain.provisioning import cancelling, suspending
from omnicrm.domain.resource import Write
from omnicrm.domain.services import queries
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.resource import services
from omnicrm.views import http
from omnicrm.views.resources import DONE, reading, routes_for
from omnicrm.views.usage import account_of

AnyRequest = Request[Any, Any, Any]
_SINGLE = ["/crm/service/{key:int}", "/crm/service/service_id/{key:int}"]


async def _shown(request: AnyRequest, row: CustomerService) -> dict[str, Any]:
    """The record with `cgrates`, read live; unreachable: null and `cgrates_error`, status 200 (OC-36)."""
    door, actor = http.door(request), http.actor(request)
    shown = services.dump(row, door.settings, actor)
    if may_see_usage(actor, row):
        found, error = await account_of(request, row.service_uuid)
        shown["cgrates"] = found
        if error:
            shown["cgrates_error"] = error
    return shown


def may_see_usage(actor: Actor, row: CustomerService) -> bool:
    """Staff always, customers where the service says so (OCS-074, OCS-075). A play asks the engine itself."""
    return actor.job is None and (not actor.is_customer or row.service_usage_visible_to_customer)


@get(_SINGLE, opt=http.json(*reading(services)), summary="A service with its balances and plans")
async def read_one(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    door = http.door(request)
    return await _shown(request, await door.read(services.get, http.actor(request), key))


@get("/crm/service/service_uuid/{service_uuid:str}", opt=http.json(*reading(services)), summary="A service by its UUID")
async def read_by_uuid(request: AnyRequest, service_uuid: FromPath[str]) -> dict[str, Any]:
    door = http.door(request)
    return await _shown(request, await door.read(queries.by_uuid, http.actor(request), service_uuid))


@delete(_SINGLE, opt=http.json("delete_customer_service"), status_code=200, summary="Cancel a service")
async def remove(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """A job removes the row that it made; staff cancel the service, at once with `?at_once=true` (PC-30, PROV-231)."""
    door, actor = http.door(request), http.actor(request)
    if actor.job is not None:
        await door.act(services.actions["delete"], actor, Write(key))
        return DONE
    at_once = request.query_params.get("at_once", "").lower() in ("true", "1", "yes")
    found = await door.act(cancelling.cancel_service, actor, cancelling.Cancel(key, at_once))
    if found.job is not None:
        return {**DONE, "provision_id": found.job.provision_id, "message": "Deprovisioning job created"}
    shown = services.dump(found.service, door.settings, actor)
    text = "The service is cancelled; it stays usable and can be reinstated until then"
    return {**DONE, "service_status": shown["service_status"], "cancel_at": shown["cancel_at"], "message": text}


@post("/crm/service/{key:int}/reinstate", opt=http.json("delete_customer_service"), status_code=200)
async def reinstate(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """Take a cancellation back while its grace period lasts (PROV-231)."""
    row = await http.door(request).act(cancelling.reinstate, http.actor(request), key)
    return {**DONE, "service_status": row.service_status}


@post("/crm/service/{key:int}/suspend", opt=http.json("update_customer_service"), status_code=200)
async def suspend(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """Suspend an active service; its status changes once the charging engine has followed (OCS-118, OCS-121)."""
    job = await http.door(request).act(suspending.suspend, http.actor(request), key)
    return {**DONE, "job_id": job.job_id, "message": "The service is being suspended"}


@post("/crm/service/{key:int}/unsuspend", opt=http.json("update_customer_service"), status_code=200)
async def unsuspend(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """Let a suspended service work again."""
    job = await http.door(request).act(suspending.unsuspend, http.actor(request), key)
    return {**DONE, "job_id": job.job_id, "message": "The service is being resumed"}


HANDLERS = [
    read_one,
    read_by_uuid,
    remove,
    reinstate,
    suspend,
    unsuspend,
    *routes_for(services, skip=frozenset({"get", "delete"})),
]
