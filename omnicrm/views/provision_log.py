"""The log of a job as one text, for support: every event with what it said and gave, redacted as it was stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from omnicrm.domain.provisioning import leftovers, queries
from omnicrm.domain.provisioning.resource import provisions
from omnicrm.views import http
from omnicrm.views.alerts import staff

AnyRequest = Request[Any, Any, Any]
_WORDS = {0: "ok", 1: "running", 2: "FAILED", 3: "failed, ignored"}
_JOB = {0: "succeeded", 1: "in progress", 2: "failed"}


def pretty(text: str) -> str:
    """Stored JSON with one value a line; other text as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


@get(
    "/provisioning/{key:int}/log",
    opt={"access": http.Access("download", ("view_provision_event",))},
    include_in_schema=False,
)
async def log(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    actor = staff(request)
    found = await http.door(request).read(
        lambda session: queries.progress(session, provisions.get(session, actor, key))
    )
    headers = {"Content-Disposition": f'attachment; filename="provisioning-{key}.txt"', "Cache-Control": "no-store"}
    return Response("\n".join(_lines(found)) + "\n", media_type="text/plain", headers=headers)


def _lines(found: queries.Progress) -> Iterator[str]:
    row = found.provision
    yield f"Provisioning job {row.provision_id}: {_JOB.get(row.provisioning_status, row.provisioning_status)}"
    for label, value in (
        ("Error", row.error),
        ("Play", row.provisioning_play),
        ("Description", row.playbook_description),
        ("Action", row.action),
        ("Customer", f"{found.customer_name} (ID {row.customer_id})"),
        ("Product", found.product_name and f"{found.product_name} (ID {row.product_id})"),
        ("Service", found.service and f"{found.service.service_name} (ID {found.service.service_id})"),
        ("Started by", row.initiating_name),
        ("Created", row.created.isoformat()),
        ("Started", row.started_at and row.started_at.isoformat()),
        ("Ended", row.finished_at and row.finished_at.isoformat()),
    ):
        if value:
            yield f"{label + ':':<13}{value}"
    for left in leftovers.load(row.leftovers):
        yield f"{'Left:':<13}{left.what} ({left.where}): {left.text}"
    yield "\nVariables\n" + pretty(row.provisioning_json_vars)
    for event in found.events:
        word = "skipped" if event.skipped else _WORDS.get(event.provisioning_status, str(event.provisioning_status))
        yield f"\n{event.event_number}. {event.event_name} [{word}]"
        ended = f" to {event.ended_at.isoformat()}" if event.ended_at else ""
        yield f"   {event.timestamp.isoformat()}{ended}"
        if event.message:
            yield f"   {event.message}"
        if event.provisioning_result_json not in ("", "{}"):
            yield pretty(event.provisioning_result_json)
