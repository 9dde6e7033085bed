"""The usage view of a service: cards, bars, buckets and plans, refreshing in place; and its export (OCS-076..090)."""

from __future__ import annotations

import csv
import io
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from omnicrm.domain.charging.units import Reading
from omnicrm.domain.charging.usage_cards import UsageCard, usage_cards, visible_kinds
from omnicrm.domain.errors import NotFound
from omnicrm.domain.services.resource import services
from omnicrm.views import http
from omnicrm.views.page import page
from omnicrm.views.services import may_see_usage
from omnicrm.views.usage import SharedReads

AnyRequest = Request[Any, Any, Any]
_SHOW = http.page("view_customer_service")
_TONES = {"green": "success", "yellow": "warning", "red": "danger"}
ICONS = {"DATA": "globe", "DATA_DONGLE": "wifi", "VOICE": "phone", "SMS": "comment-sms", "MONETARY": "wallet"}


async def _read(request: AnyRequest, key: int) -> tuple[Any, dict[str, Any] | None, str, list[UsageCard]]:
    """The service, its `cgrates` object (None while the engine is out of reach), the reason, and the cards."""
    door, actor = http.door(request), http.actor(request)
    service = await door.read(services.get, actor, key)
    if not may_see_usage(actor, service):
        raise NotFound("The usage of this service is not shown.")
    reads: SharedReads = request.app.state.usage_reads
    found, error = await reads.account_of(request, service.service_uuid)
    kinds = visible_kinds(service.service_type)
    cards = usage_cards(found, Reading.of(door.settings), door.clock(), kinds) if found else []
    return service, found, error, cards


@get("/services/{key:int}/usage", opt=_SHOW, include_in_schema=False)
async def usage(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    """The whole view, or with `?part=cards` the cards alone, as the overview shows them."""
    service, found, error, cards = await _read(request, key)
    brief = request.query_params.get("part") == "cards"
    return page(
        request,
        "service_usage.html",
        "cards" if brief else "tab",
        always_block=brief,
        title=f"Usage of {service.service_name}",
        service=service,
        cards=cards,
        plans=(found or {}).get("ActionPlans", []),
        is_known=bool(found and found["BalanceMap"]),
        problem=error,
        brief=brief,
        tones=_TONES,
        icons=ICONS,
        every=http.settings(request).ui.usage_refresh_seconds,
    )


@get("/services/{key:int}/usage.csv", opt=_SHOW, include_in_schema=False)
async def export(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    """The balances as a table for a spreadsheet (OCS-088)."""
    service, found, error, cards = await _read(request, key)
    if found is None:
        return Response(error, status_code=503, media_type="text/plain")
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(("Type", "Balance", "Remaining", "Used", "Total", "Expires", "Weight"))
    for card in cards:
        for line in card.buckets:
            values = (card.label, line.name, line.remaining, line.used, line.total, line.expiry, line.weight)
            sheet.writerow([_harmless(value) for value in values])
    name = f"usage-{service.service_id}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _harmless(value: str) -> str:
    """A spreadsheet must not take a balance's name for a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "@", "\t", "\r") else value


HANDLERS = [usage, export]
