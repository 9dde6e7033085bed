"""JSON routes of services: the record merged with its balances, look-up by UUID, cancelling (OCS-066..075)."""

from __future__ import annotations

from typing import Any

from litestar import Request, delete, get
from litestar.params import FromPath

from omnicrm.domain.actor import Actor
from omnicrm.domain.provisioning import actions as provisioning
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
    """A job removes the row that it made; for staff a deprovision job cancels the service (PC-30)."""
    door, actor = http.door(request), http.actor(request)
    if actor.job is not None:
        await door.act(services.actions["delete"], actor, Write(key))
        return DONE
    row = await door.act(provisioning.cancel_service, actor, key)
    return {**DONE, "provision_id": row.provision_id, "message": "Deprovisioning job created"}


HANDLERS = [read_one, read_by_uuid, remove, *routes_for(services, skip=frozenset({"get", "delete"}))]
