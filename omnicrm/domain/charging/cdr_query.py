"""Selects charging records by the filter of `GetCDRs` (cgrates.md §6.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, func, not_, or_, select

from omnicrm.domain.charging import models
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.cdr import Cdr, decode_cdr
from omnicrm.domain.charging.goparams import INT, STR, STRS, GoStruct
from omnicrm.domain.charging.gotime import parse_time, parse_usage
from omnicrm.domain.charging.ports import EngineError

_c = models.cdr.c
_LISTS = {
    "CGRIDs": _c.cgrid,
    "RunIDs": _c.run_id,
    "OriginIDs": _c.origin_id,
    "OriginHosts": _c.origin_host,
    "Sources": _c.source,
    "ToRs": _c.tor,
    "RequestTypes": _c.request_type,
    "Tenants": _c.tenant,
    "Categories": _c.category,
    "Accounts": _c.account,
    "Subjects": _c.subject,
}
_TIMES = {"SetupTime": _c.setup_at, "AnswerTime": _c.answer_at, "CreatedAt": _c.created_at}
_ORDER = {"OrderID": _c.id, "SetupTime": _c.setup_at, "AnswerTime": _c.answer_at, "Usage": _c.usage_units}

FILTER = GoStruct(
    "RPCCDRsFilter",
    **dict.fromkeys([*_LISTS, *(f"Not{name}" for name in _LISTS), "DestinationPrefixes"], STRS),
    **dict.fromkeys([f"{name}{end}" for name in _TIMES for end in ("Start", "End")], STR),
    MinUsage=STR,
    MaxUsage=STR,
    OrderBy=STR,
    Limit=INT,
    Offset=INT,
)


def find_cdrs(call: Call, params: dict[str, Any]) -> list[tuple[int, Cdr]]:
    """(OrderID, record) of those that match; in the order of their making unless OrderBy says otherwise."""
    statement = select(_c.id, _c.body).where(*_conditions(call, params)).order_by(*_order(params["OrderBy"]))
    if params["Limit"] > 0:
        statement = statement.limit(params["Limit"])
    if params["Offset"] > 0:
        # MySQL and SQLite want a limit before an offset.
        statement = statement.limit(params["Limit"] or 2**31).offset(params["Offset"])
    return [(row.id, decode_cdr(row.body)) for row in call.rows.connection.execute(statement)]


def count_cdrs(call: Call, params: dict[str, Any]) -> int:
    statement = select(func.count()).select_from(models.cdr).where(*_conditions(call, params))
    return int(call.rows.connection.execute(statement).scalar_one())


def _conditions(call: Call, params: dict[str, Any]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for name, column in _LISTS.items():
        if params[name]:
            found.append(column.in_(params[name]))
        if params[f"Not{name}"]:
            found.append(not_(column.in_(params[f"Not{name}"])))
    if params["DestinationPrefixes"]:
        found.append(or_(*(_c.destination.startswith(text, autoescape=True) for text in params["DestinationPrefixes"])))
    for name, column in _TIMES.items():
        begin, end = (parse_time(params[f"{name}{edge}"], call.now, call.zone) for edge in ("Start", "End"))
        if begin is not None:
            found.append(column >= begin.astimezone(UTC).replace(tzinfo=None))
        if end is not None:
            found.append(column < end.astimezone(UTC).replace(tzinfo=None))
    if params["MinUsage"]:
        found.append(_c.usage_units >= parse_usage(params["MinUsage"]))
    if params["MaxUsage"]:
        found.append(_c.usage_units < parse_usage(params["MaxUsage"]))
    return found


def _order(text: str) -> Sequence[ColumnElement[Any]]:
    name, _, direction = text.partition(";")
    if not name:
        return [_c.id]
    if name not in _ORDER:
        raise EngineError(f"SERVER_ERROR: Invalid value : {name}")
    column = _ORDER[name]
    return [column.desc() if direction == "desc" else column.asc(), _c.id]
