"""The two addresses that charging engines and payment systems call to charge a service (PROV-198..205, PC-26).

What they send is read and dropped: nothing of a body becomes a variable. Callers are trusted addresses, API keys and
staff.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, post
from litestar.params import FromPath

from omnicrm.domain.provisioning import simple
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.views import http

AnyRequest = Request[Any, Any, Any]
_PATH = "/service_id/{service_id:int}/product_id/{product_id:int}"
_ACCESS = http.json("create_provision")
_ROUND, _ROUNDS = 0.2, 25


async def _start(request: AnyRequest, call: simple.Call) -> tuple[Provision, bool]:
    await request.body()  # an engine that is still sending would take an early answer for a broken connection
    answer = await http.door(request).act(simple.start, http.actor(request), call)
    return answer.accepted(), answer.repeated


def _shown(row: Provision, repeated: bool) -> dict[str, Any]:
    text = {
        int(Status.RUNNING): "Provisioning job created",
        int(Status.SUCCESS): "Done",
        int(Status.FAILED): row.error or "Provisioning failed",
    }[row.provisioning_status]
    shown: dict[str, Any] = {"provision_id": row.provision_id, "provisioning_status": row.provisioning_status}
    if repeated:
        return {**shown, "repeated": True, "message": f"Job {row.provision_id} does or did this already"}
    return {**shown, "message": text}


@post(
    f"/crm/provision/simple_provision_addon{_PATH}",
    opt=_ACCESS,
    status_code=200,
    summary="Charge a service for a product; answers at once",
)
async def addon(request: AnyRequest, service_id: FromPath[int], product_id: FromPath[int]) -> dict[str, Any]:
    """Start the product's play for a service (PROV-198)."""
    return _shown(*await _start(request, simple.Call(service_id, product_id)))


@post(
    f"/crm/provision/simple_provision_addon_recharge{_PATH}",
    opt=_ACCESS,
    status_code=200,
    summary="Recharge a service; waits up to five seconds for the outcome",
)
async def recharge(request: AnyRequest, service_id: FromPath[int], product_id: FromPath[int]) -> dict[str, Any]:
    """Start it and wait for its end; a job that takes longer is answered with status 1 (PROV-199)."""
    row, repeated = await _start(request, simple.Call(service_id, product_id, recharge=True))
    door = http.door(request)
    for _ in range(_ROUNDS):
        if row.provisioning_status != Status.RUNNING:
            break
        await asyncio.sleep(_ROUND)
        row = await door.read(lambda session, key: session.get_one(Provision, key), row.provision_id)
    return _shown(row, repeated)


HANDLERS = [addon, recharge]
