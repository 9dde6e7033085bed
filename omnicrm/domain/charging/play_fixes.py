"""Corrects requests of documented plays that CGRateS would misread (decision 11); switched by `ocs.play_fixes`.

Each correction is pure: it changes the parameters and says in words what it did. Fixes that need to see the stored
state (OC-05, OC-08, OC-09, and the removal by prefix of OC-06) sit in the methods, under `call.fixes`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from omnicrm.domain.charging.amounts import parse_number
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import API_VERSIONS

VOICE = "*voice"
# Below this a plain voice number is meant in seconds: 999999999 s is the documented "unlimited" (OC-01).
NS_FROM = 10**9
_BALANCE_KEYS = {
    key.casefold(): key
    for key in (
        "ID", "UUID", "Value", "ExpiryTime", "Weight", "DestinationIDs", "RatingSubject", "Categories", "SharedGroups",
        "TimingIDs", "Disabled", "Blocker", "Factors",
    )
}  # fmt: skip
_ALIASES = {f"{prefix}.ReloadCache": "CacheSv1.ReloadCache" for prefix in API_VERSIONS}


def real_name(method: str) -> str:
    """The name that CGRateS knows: plays ask `APIerSv1.ReloadCache` (OC-13)."""
    return _ALIASES.get(method, method)


def fix(method: str, params: Any) -> tuple[Any, list[str]]:
    """The parameter as it was meant, and notes. `method` is the part after the dot; the given object is not changed."""
    repair = _REPAIRS.get(method)
    if repair is None or not isinstance(params, dict):
        return params, []
    notes: list[str] = []
    fixed = dict(params)
    repair(fixed, notes)
    return fixed, notes


def _field(params: dict[str, Any], name: str) -> str | None:
    """The key under which a field was sent, whatever its case."""
    folded = name.casefold()
    return next((key for key in params if key.casefold() == folded), None)


def _balance(params: dict[str, Any], notes: list[str]) -> None:
    key = _field(params, "Balance")
    if key and isinstance(params[key], dict):
        params[key] = {_BALANCE_KEYS.get(name.casefold(), name): value for name, value in params[key].items()}
    kind = params.get(_field(params, "BalanceType") or "")
    if kind != VOICE:
        return
    for holder in (params, params[key] if key else None):
        if isinstance(holder, dict) and (name := _field(holder, "Value")):
            holder[name] = _voice(holder[name], notes)


def _voice(value: Any, notes: list[str]) -> Any:
    """OC-01: seconds to nanoseconds."""
    if isinstance(value, str):
        try:
            number = parse_number(value.strip())
        except EngineError:
            return value
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        return value
    if number == 0 or abs(number) >= NS_FROM:
        return value
    notes.append(f"OC-01: voice value {value} read as seconds")
    scaled = number * NS_FROM
    return str(scaled) if isinstance(value, str) else scaled


def _actions(params: dict[str, Any], notes: list[str]) -> None:
    key = _field(params, "Actions")
    if key is None or not isinstance(params[key], list):
        return
    params[key] = [_action(dict(row), notes) if isinstance(row, dict) else row for row in params[key]]


def _action(row: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    units = _field(row, "Units")
    if units and row.get(_field(row, "BalanceType") or "") == VOICE:
        row[units] = _voice(row[units], notes)
    if row.get(_field(row, "Identifier") or "") == "*cdrlog":
        _cdrlog(row, notes)
    return row


def _cdrlog(row: dict[str, Any], notes: list[str]) -> None:
    """OC-31: a balance type without units, and extra parameters with broken quoting or a template caret."""
    kind = _field(row, "BalanceType")
    if kind and row[kind] and not _field(row, "Units"):
        del row[kind]
        notes.append("OC-31: BalanceType of *cdrlog left out, it has no Units")
    key = _field(row, "ExtraParameters")
    fields = _extra(row[key]) if key else None
    if fields is None or key is None:
        return
    plain = {name: str(value).removeprefix("^") for name, value in fields.items()}
    text = json.dumps(plain, ensure_ascii=False)
    if fields != plain or not isinstance(row[key], str) or row[key].strip().startswith("{{"):
        notes.append(f"OC-31: ExtraParameters of *cdrlog read as {text}")
        row[key] = text


def _extra(given: Any) -> dict[str, Any] | None:
    if isinstance(given, str):
        text = given.strip()
        if text.startswith("{{") and text.endswith("}}"):
            text = text[1:-1]
        try:
            given = json.loads(text, strict=False)
        except ValueError:
            return None
    return given if isinstance(given, dict) else None


def _plan(params: dict[str, Any], notes: list[str]) -> None:
    """OC-10: the second documented shape; and the trailing Z of a time (OC-05)."""
    timing, actions_id = _field(params, "Timing"), _field(params, "ActionsId")
    if timing and actions_id and _field(params, "ActionPlan") is None and isinstance(params[timing], dict):
        entry = {name: _list_text(value) for name, value in params[timing].items()}
        entry["ActionsId"] = params[actions_id]
        if weight := _field(params, "Weight"):
            entry["Weight"] = params[weight]
        params["ActionPlan"] = [entry]
        notes.append("OC-10: plan given with Timing at the top converted to one entry of ActionPlan")
    key = _field(params, "ActionPlan")
    if key is None or not isinstance(params[key], list):
        return
    params[key] = [_plan_entry(dict(row), notes) if isinstance(row, dict) else row for row in params[key]]


def _plan_entry(row: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    for name, value in row.items():
        row[name] = _list_text(value)
    key = _field(row, "Time")
    if key and isinstance(row[key], str) and ":" in row[key] and row[key].endswith("Z"):
        notes.append(f"OC-05: time {row[key]} read as {row[key][:-1]}")
        row[key] = row[key][:-1]
    return row


def _list_text(value: Any) -> Any:
    """`[1, 15]` as `1;15`."""
    return ";".join(str(item) for item in value) if isinstance(value, list) else value


_REPAIRS = {
    "AddBalance": _balance,
    "DebitBalance": _balance,
    "SetBalance": _balance,
    "RemoveBalances": _balance,
    "SetActions": _actions,
    "SetActionPlan": _plan,
}
