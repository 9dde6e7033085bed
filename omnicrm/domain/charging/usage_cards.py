"""Cards, bars and bucket lists of the usage view (OCS-036, OCS-076 to OCS-090). Pure.

Made from the `cgrates` object of usage.py, so pages show what the JSON route gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from omnicrm.domain.charging.units import NO_EXPIRY, Reading, date_text, decimal_of, parse_moment, short, time_left
from omnicrm.domain.charging.usage import KINDS

LABELS = {"DATA": "Data", "VOICE": "Voice", "SMS": "SMS", "MONETARY": "Monetary", "DATA_DONGLE": "Dongle data"}
UNLIMITED = "Unlimited"
EXPIRED = "EXPIRED"
UNKNOWN = "–"
_SIZE_IN_ID = re.compile(r"(\d+(?:\.\d+)?)\s*(TB|GB|MB|MIN)", re.IGNORECASE)
_SIZES = {"TB": 1024**4, "GB": 1024**3, "MB": 1024**2, "MIN": 60 * 10**9}
_FIXED = ("fixed", "internet", "wireless", "gpon", "fibre", "fiber", "broadband")
_DONGLE = ("dongle", "hotspot")


@dataclass(frozen=True, slots=True)
class BucketLine:
    """One line of the bucket list, in texts. `used` and `total` are a dash where the bucket's size is not known.

    `counted` is False for what has expired or is disabled: it is shown and not summed (OCS-036).
    """

    ident: str
    name: str
    remaining: str
    used: str
    total: str
    expiry: str
    weight: str
    expired: bool
    counted: bool


@dataclass(frozen=True, slots=True)
class UsageCard:
    """One balance type: its card, its bar and its buckets in the order in which they are consumed.

    `amount` is what remains. `percent` is the remaining share rounded down and `bar` its text; both are None without a
    known total or when unlimited. `colour` is green, yellow or red by the remaining share.
    """

    kind: str
    label: str
    amount: str
    total: str | None
    percent: int | None
    colour: str
    bar: str | None
    unlimited: bool
    expiry: str
    buckets: list[BucketLine] = field(default_factory=list)


def usage_cards(
    cgrates: dict[str, Any], reading: Reading, now: datetime, kinds: tuple[str, ...] = KINDS
) -> list[UsageCard]:
    """A card for each of `kinds` that has buckets."""
    balances = cgrates.get("BalanceMap") or {}
    return [_card(kind, balances[kind], reading, now) for kind in kinds if balances.get(kind)]


def visible_kinds(service_type: str, dongle: bool = False) -> tuple[str, ...]:
    """Balance types that a service of this type shows (OCS-086, OCS-087)."""
    words = service_type.lower()
    if dongle or any(word in words for word in _DONGLE):
        return ("DATA", "DATA_DONGLE", "MONETARY")
    if any(word in words for word in _FIXED) and "mobile" not in words:
        return ("DATA", "MONETARY")
    return ("DATA", "VOICE", "SMS", "MONETARY", "DATA_DONGLE")


def colour_of(share: Decimal, limits: tuple[int, ...]) -> str:
    """Colour of a remaining share in per cent (OCS-079)."""
    green_above, red_below = limits
    if share > green_above:
        return "green"
    return "red" if share < red_below else "yellow"


def _card(kind: str, buckets: list[dict[str, Any]], reading: Reading, now: datetime) -> UsageCard:
    ordered = sorted(buckets, key=lambda bucket: -float(bucket.get("Weight") or 0))
    live = [bucket for bucket in ordered if _counts(bucket, now)]
    remaining = sum((decimal_of(bucket.get("Value")) for bucket in live), Decimal(0))
    unlimited = any(reading.unlimited(kind, decimal_of(bucket.get("Value")), _total(bucket)) for bucket in live)
    totals = [_total(bucket) for bucket in live]
    known = [total for total in totals if total is not None]
    total = sum(known, Decimal(0)) if known and len(known) == len(totals) and not unlimited else None
    share = min(max(remaining * 100 / total, Decimal(0)), Decimal(100)) if total else None
    percent = None if share is None else int(share.to_integral_value(ROUND_FLOOR))
    text = UNLIMITED if unlimited else reading.amount(kind, remaining)
    total_text = None if total is None or share is None else reading.amount(kind, total)
    return UsageCard(
        kind=kind,
        label=LABELS[kind],
        amount=text,
        total=total_text,
        percent=percent,
        colour="green" if share is None else colour_of(share, reading.colour_limits),
        bar=None if total_text is None else _bar(kind, text, total_text, percent),
        unlimited=unlimited,
        expiry=_card_expiry(live, now),
        buckets=[_line(kind, bucket, reading, now) for bucket in ordered],
    )


def _bar(kind: str, remaining: str, total: str, percent: int | None) -> str:
    """`12.5 GB / 20 GB (62%)`; messages without their word: `45 / 250 (18%)`."""
    if kind == "SMS":
        remaining, total = remaining.split(" ")[0], total.split(" ")[0]
    return f"{remaining} / {total} ({percent}%)"


def _counts(bucket: dict[str, Any], now: datetime) -> bool:
    expires_at = parse_moment(bucket.get("ExpirationDate"))
    return not bucket.get("Disabled") and (expires_at is None or expires_at > now)


def _total(bucket: dict[str, Any]) -> Decimal | None:
    """Size of a bucket: what the engine granted, or the size that its id names; never below what remains."""
    value = decimal_of(bucket.get("Value"))
    if bucket.get("custom_Granted") is not None:
        return max(decimal_of(bucket["custom_Granted"]), value)
    if match := _SIZE_IN_ID.search(str(bucket.get("ID") or "")):
        return max(Decimal(match[1]) * _SIZES[match[2].upper()], value)
    return None


def _card_expiry(live: list[dict[str, Any]], now: datetime) -> str:
    """Time until the first bucket that still holds something ends."""
    moments = [
        moment
        for bucket in live
        if decimal_of(bucket.get("Value")) > 0 and (moment := parse_moment(bucket.get("ExpirationDate"))) is not None
    ]
    return f"Expires in {time_left(min(moments), now)}" if moments else NO_EXPIRY


def _line(kind: str, bucket: dict[str, Any], reading: Reading, now: datetime) -> BucketLine:
    value = decimal_of(bucket.get("Value"))
    unlimited = reading.unlimited(kind, value, _total(bucket))
    total = None if unlimited else _total(bucket)
    expires_at = parse_moment(bucket.get("ExpirationDate"))
    expired = expires_at is not None and expires_at <= now
    if expires_at is None:
        expiry = NO_EXPIRY
    else:
        expiry = f"{date_text(expires_at, reading.zone)} ({EXPIRED if expired else time_left(expires_at, now)})"
    return BucketLine(
        ident=str(bucket.get("ID") or ""),
        name=str(bucket.get("custom_Name_hr") or bucket.get("ID") or LABELS[kind]),
        remaining=UNLIMITED if unlimited else reading.amount(kind, value),
        used=UNKNOWN if total is None else reading.amount(kind, total - value),
        total=UNKNOWN if total is None else reading.amount(kind, total),
        expiry=expiry,
        weight=short(decimal_of(bucket.get("Weight")), 2),
        expired=expired,
        counted=_counts(bucket, now),
    )
