"""The queue as people and programs see it: what runs, what waits behind it, and since when."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from litestar import Request, Response, get

from omnicrm.domain.provisioning import queue
from omnicrm.views import http
from omnicrm.views.alerts import staff
from omnicrm.views.page import page

AnyRequest = Request[Any, Any, Any]


@get("/provisioning/queue", opt=http.page("view_provision"), include_in_schema=False)
async def show(request: AnyRequest) -> Response[str]:
    """Refreshes itself; `live` is the part that changes."""
    staff(request)
    door = http.door(request)
    found = await door.read(queue.entries, door.clock())
    workers = {"plays": door.settings.provisioning.workers, "short": door.settings.jobs.workers}
    lanes = [(lane, count, [entry for entry in found if entry.lane == lane]) for lane, count in workers.items()]
    return page(request, "provision_queue.html", "live", title="Queue", lanes=lanes)


@get("/crm/provision/queue", opt=http.json("view_provision"), summary="Jobs that run or wait, in order")
async def listed(request: AnyRequest) -> dict[str, Any]:
    """`{"data": [{"job_id", "lane", "kind", "state", "place", "begins_at", "since", "attempt", …}]}`."""
    staff(request)
    door = http.door(request)
    return {"data": [_shown(entry) for entry in await door.read(queue.entries, door.clock())]}


def _shown(entry: queue.Entry) -> dict[str, Any]:
    return {
        name: value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
        for name, value in asdict(entry).items()
    }


HANDLERS = [show, listed]
