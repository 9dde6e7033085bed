"""Decides whether an event passes filters: inline ones (`*string:~*req.Account:x`) and filter profiles. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from omnicrm.domain.charging.gotime import parse_time

Event = dict[str, Any]
Lookup = Callable[[str], dict[str, Any] | None]


def is_inline(filter_id: str) -> bool:
    return filter_id.startswith("*")


def passes(filter_ids: list[str] | None, event: Event, lookup: Lookup, now: datetime) -> bool:
    """True when the event passes every filter; a filter that does not exist is not passed. `lookup` finds profiles."""
    for filter_id in filter_ids or ():
        if is_inline(filter_id):
            kind, _, rest = filter_id.partition(":")
            element, _, values = rest.partition(":")
            if not _rule(kind, element, values.split(";") if values else [], event):
                return False
            continue
        profile = lookup(filter_id)
        if profile is None or not active(profile.get("ActivationInterval"), now):
            return False
        for rule in profile.get("Rules") or ():
            if not _rule(rule["Type"], rule["Element"], rule["Values"] or [], event):
                return False
    return True


def active(interval: dict[str, Any] | None, now: datetime) -> bool:
    """True inside an ActivationInterval; a zero time does not limit."""
    if not interval:
        return True
    begin = parse_time(interval["ActivationTime"], now)
    end = parse_time(interval["ExpiryTime"], now)
    return (begin is None or begin <= now) and (end is None or now < end)


def value_of(element: str, event: Event) -> str | None:
    """Text that `~*req.Field` stands for in the event, None when it is not there; other text stands for itself."""
    if not element.startswith("~"):
        return element
    name = element.removeprefix("~").removeprefix("*req.")
    value = event.get(name)
    return None if value is None else str(value)


def _rule(kind: str, element: str, values: list[str], event: Event) -> bool:
    positive = kind.removeprefix("*not")
    negated = positive != kind
    test = _TESTS.get(positive.removeprefix("*"))
    if test is None:
        return False
    return test(value_of(element, event), values) is not negated


def _compare(accept: Callable[[Decimal, Decimal], bool]) -> Callable[[str | None, list[str]], bool]:
    def test(value: str | None, values: list[str]) -> bool:
        try:
            return value is not None and any(accept(Decimal(value), Decimal(limit)) for limit in values)
        except InvalidOperation:
            return False

    return test


_TESTS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "string": lambda value, values: value in values,
    "prefix": lambda value, values: value is not None and any(value.startswith(text) for text in values),
    "suffix": lambda value, values: value is not None and any(value.endswith(text) for text in values),
    "exists": lambda value, values: value is not None,
    "empty": lambda value, values: not value,
    "gt": _compare(lambda value, limit: value > limit),
    "gte": _compare(lambda value, limit: value >= limit),
    "lt": _compare(lambda value, limit: value < limit),
    "lte": _compare(lambda value, limit: value <= limit),
}
