"""The `cgrates` object of a service: what the CRM makes of an account and its plans (OCS-066 to OCS-072). Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from omnicrm.domain.charging.planids import split_plan_id
from omnicrm.domain.charging.units import NO_EXPIRY, Reading, decimal_of, parse_moment, when_text
from omnicrm.settings import Settings

KINDS = ("DATA", "VOICE", "SMS", "MONETARY", "DATA_DONGLE")
DONGLE = "DATA_DONGLE"
_NOUNS = {"DATA": "Data Pack", "DATA_DONGLE": "Dongle Data", "VOICE": "Calls", "SMS": "SMS Pack", "MONETARY": "Credit"}
_TYPE_WORDS = {"DATA", "DONGLE", "VOICE", "SMS", "MONETARY", "MINUTES", "CALLS"}
_SIZE = re.compile(r"\d+(\.\d+)?(GB|MB|TB|MIN|H|SMS)?|UNLIMITED", re.IGNORECASE)
_DATE_TAIL = re.compile(r"[_-](19|20)\d\d([_-]\d{1,2}){0,2}$")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FREQUENCIES = {
    "month": "Every month",
    "year": "Every year",
    "week": "Every week",
    "dai": "Every day",
    "hour": "Every hour",
}


def merged(
    account: dict[str, Any] | None,
    plans: list[dict[str, Any]],
    granted: dict[str, Any],
    settings: Settings,
    now: datetime,
) -> dict[str, Any]:
    """`cgrates_object` as the settings want amounts and times to be read."""
    return cgrates_object(account, plans, granted, Reading.of(settings), now)


def cgrates_object(
    account: dict[str, Any] | None,
    plans: list[dict[str, Any]],
    granted: dict[str, Any],
    reading: Reading,
    now: datetime,
) -> dict[str, Any]:
    """`{"BalanceMap": …, "ActionPlans": …}`; both are empty for an account that the engine does not know (OCS-072).

    BalanceMap has the plain upper-case keys and the same buckets under the engine's `*` keys (OC-04). `granted` gives
    the size of buckets by uuid (OC-23).
    """
    if account is None:
        return {"BalanceMap": {}, "ActionPlans": []}
    balances: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for star, buckets in (account.get("BalanceMap") or {}).items():
        rows = [
            bucket_object(kind_of(star, bucket), bucket, granted.get(str(bucket.get("Uuid"))), reading, now)
            for bucket in buckets or ()
        ]
        balances[star] = rows
        for row in rows:
            balances.setdefault(kind_of(star, row), []).append(row)
    return {"BalanceMap": balances, "ActionPlans": [plan_object(plan, reading, now) for plan in plans]}


def kind_of(star: str, bucket: dict[str, Any]) -> str:
    """Upper-case kind of a bucket; a data bucket whose id says so belongs to the dongle (OC-38)."""
    kind = star.removeprefix("*").upper()
    if kind == "DATA" and str(bucket.get("ID") or "").upper().startswith(DONGLE):
        return DONGLE
    return kind


def bucket_object(
    kind: str, bucket: dict[str, Any], granted: Any | None, reading: Reading, now: datetime
) -> dict[str, Any]:
    """A bucket with both names of its expiry, destinations as a list and the texts for people.

    `custom_Granted` is the bucket's size in the unit of `Value`, null when it is not known.
    """
    value = decimal_of(bucket.get("Value"))
    expires_at = parse_moment(bucket.get("ExpirationDate"))
    row = {
        **bucket,
        "ExpiryTime": bucket.get("ExpirationDate"),
        "DestinationIDs": destination_list(bucket.get("DestinationIDs")),
        "custom_Name_hr": bucket_name(kind, str(bucket.get("ID") or "")),
        "custom_Expiration": NO_EXPIRY if expires_at is None else when_text(expires_at, now, reading.zone),
        "custom_Description_String": reading.description(kind, value, None if granted is None else decimal_of(granted)),
        "custom_Granted": granted,
    }
    if kind == "MONETARY":
        row["custom_value"] = float(reading.major(value))
    return row


def destination_list(value: Any) -> list[str]:
    """Names of a destination map; an excluded one is written `!NAME`."""
    if isinstance(value, dict):
        return [name if wanted else f"!{name}" for name, wanted in sorted(value.items())]
    if isinstance(value, str):
        return [name for name in value.split(";") if name]
    return [str(name) for name in value or ()]


def bucket_name(kind: str, ident: str) -> str:
    """Readable name of a bucket's id: `DATA_10GB` is "10GB Data Pack", `VOICE_UNLIMITED` "Unlimited Calls"."""
    noun = _NOUNS.get(kind, kind.replace("_", " ").title())
    if ident == "*default":
        return "Main balance"
    if not ident:
        return noun
    if "_" not in ident and ident.upper() not in _TYPE_WORDS:
        return ident
    words = [word for word in re.split(r"[_\s]+", _DATE_TAIL.sub("", ident)) if word]
    sizes = [_size_text(word) for word in words if _SIZE.fullmatch(word)]
    others = [word for word in words if not _SIZE.fullmatch(word) and word.upper() not in _TYPE_WORDS]
    others = [word.capitalize() if word.isupper() or word.islower() else word for word in others]
    if others and others[-1].lower() == noun.lower():
        others.pop()
    return " ".join([*others, *sizes, noun])


def _size_text(word: str) -> str:
    return "Unlimited" if word.upper() == "UNLIMITED" else word.upper().replace("MIN", " min")


def plan_object(plan: dict[str, Any], reading: Reading, now: datetime) -> dict[str, Any]:
    """An entry of `ActionPlans`: the engine's fields, the parts of the id, and texts (OCS-070, OCS-071)."""
    plan_id = str(plan.get("ActionPlanId") or "")
    parts = split_plan_id(plan_id)
    next_at = parse_moment(plan.get("NextExecTime"))
    name = action_name(plan_id, parts)
    return {
        **plan,
        "PlanName": spaced(str(parts["ProductName"])) if "ProductName" in parts else name,
        "custom_NextExecTime_hr": "never" if next_at is None else when_text(next_at, now, reading.zone),
        "ActionPlanId_split_dict": parts,
        "ActionName_hr": name,
        "ActionFrequency_hr": next(
            (text for word, text in _FREQUENCIES.items() if word in plan_id.lower()), "As scheduled"
        ),
    }


def action_name(plan_id: str, parts: dict[str, str | int]) -> str:
    """What a plan does, read from its id: "Monthly Renewal", "Monthly Charge"."""
    if "ActionPlan" in parts:
        return spaced(str(parts["ActionPlan"]))
    if plan_id.startswith("ActionPlan_Monthly_"):
        return "Monthly Renewal"
    if plan_id.startswith("ActionPlan_") and plan_id.endswith("_Monthly_Charge"):
        return "Monthly Charge"
    return spaced(plan_id.rpartition("__")[2])


def spaced(text: str) -> str:
    """`MonthlyRenewal` and `Monthly_Renewal` as "Monthly Renewal"."""
    return _CAMEL.sub(" ", text.replace("_", " ")).strip()
