"""Amounts and moments of the charging engine in words: "12.5 GB", "60 min", "$25.50", "in 11 days". Pure.

Sources: OCS-069, OCS-070, OCS-078, OCS-083; OC-02, OC-24.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from omnicrm.domain import money
from omnicrm.settings import Settings

NO_EXPIRY = "No expiry"
NEAR_DAYS = 30
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATA_UNITS = (("TB", 1024**4), ("GB", 1024**3), ("MB", 1024**2))
_MINUTE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Reading:
    """How a deployment reads the engine's numbers.

    `monetary_unit` is `minor` or `major`, `voice_unit` `ns` or `s` (foreign data only). From `unlimited_from` on an
    allowance counts as unlimited (OC-24): messages, seconds of voice, megabytes of data. A remaining share is green
    above the first of `colour_limits` and red below the second.
    """

    currency_symbol: str = "$"
    minor_digits: int = 2
    monetary_unit: str = "minor"
    voice_unit: str = "ns"
    unlimited_from: int = 999_999_999
    colour_limits: tuple[int, ...] = (50, 20)
    zone: tzinfo = UTC

    @classmethod
    def of(cls, settings: Settings) -> Reading:
        """The reading that the settings ask for."""
        region = settings.regional
        return cls(
            currency_symbol=region.currency_symbol,
            minor_digits=money.digits(region.currency_code),
            unlimited_from=settings.usage.unlimited_from,
            colour_limits=settings.usage.colour_limits,
            zone=ZoneInfo(region.timezone),
        )

    def nanoseconds(self, value: Decimal) -> Decimal:
        return value * 10**9 if self.voice_unit == "s" else value

    def major(self, value: Decimal) -> Decimal:
        """Currency units of a `*monetary` value, rounded to the minor unit."""
        amount = value if self.monetary_unit == "major" else value.scaleb(-self.minor_digits)
        return amount.quantize(Decimal(1).scaleb(-self.minor_digits), ROUND_HALF_UP)

    def unlimited(self, kind: str, value: Decimal, size: Decimal | None = None) -> bool:
        """Whether the allowance counts as unlimited: by its `size` where that is known, since usage lowers `value`."""
        value = max(value, size) if size is not None else value
        match kind:
            case "DATA" | "DATA_DONGLE":
                return value >= self.unlimited_from * 1024**2
            case "VOICE":
                return self.nanoseconds(value) >= self.unlimited_from * 10**9
            case "SMS":
                return value >= self.unlimited_from
        return False

    def amount(self, kind: str, value: Decimal) -> str:
        """Amount with its unit as the cards and bars show it."""
        match kind:
            case "DATA" | "DATA_DONGLE":
                return data_text(value)
            case "VOICE":
                return f"{short(self.nanoseconds(value) / _MINUTE_NS, 1)} min"
            case "SMS":
                count = short(value, 0)
                return f"{count} message" if count == "1" else f"{count} messages"
            case "MONETARY":
                return self.money(value)
        return short(value, 2)

    def money(self, value: Decimal) -> str:
        amount = self.major(value)
        return f"{'-' if amount < 0 else ''}{self.currency_symbol}{abs(amount):,.{self.minor_digits}f}"

    def description(self, kind: str, value: Decimal, size: Decimal | None = None) -> str:
        """`custom_Description_String` of a bucket."""
        unlimited = self.unlimited(kind, value, size)
        match kind:
            case "DATA" | "DATA_DONGLE":
                return "Unlimited data" if unlimited else f"{data_text(value)} remaining"
            case "VOICE":
                minutes = short(self.nanoseconds(value) / _MINUTE_NS, 1)
                word = "minute" if minutes == "1" else "minutes"
                return "Unlimited minutes" if unlimited else f"{minutes} {word} remaining"
            case "SMS":
                return "Unlimited SMS" if unlimited else f"{short(value, 0)} SMS remaining"
            case "MONETARY":
                return f"{self.money(value)} credit"
        return f"{short(value, 2)} remaining"


def decimal_of(value: Any) -> Decimal:
    """Exact decimal of a number that came as JSON."""
    return Decimal(str(value or 0))


def short(value: Decimal, digits: int) -> str:
    """At most `digits` decimals, rounded down, without trailing zeros."""
    text = format(value.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def data_text(value: Decimal) -> str:
    """Bytes in the largest unit that gives at least 1; 1 GB is 1024³ bytes (OCS-028)."""
    for unit, size in _DATA_UNITS:
        if abs(value) >= size:
            return f"{short(value / size, 2)} {unit}"
    return f"{short(value / 1024**2, 2)} MB"


def parse_moment(text: Any) -> datetime | None:
    """Moment of an RFC 3339 text of the engine; the zero time, which stands for "never", is None."""
    if not isinstance(text, str) or text.startswith("0001-"):
        return None
    head, dot, rest = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = "".join(ch for ch in rest[: len(rest) - 6] if ch.isdigit())
        head = f"{head}.{digits[:6]:0<6}{rest[-6:]}"
    try:
        moment = datetime.fromisoformat(head)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def date_text(moment: datetime, zone: tzinfo) -> str:
    """`Feb 1, 2025`."""
    local = moment.astimezone(zone)
    return f"{_MONTHS[local.month - 1]} {local.day}, {local.year}"


def days_until(moment: datetime, now: datetime, zone: tzinfo) -> int:
    """Calendar days from now to a moment, in the time zone of the page."""
    return (moment.astimezone(zone).date() - now.astimezone(zone).date()).days


def when_text(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """`today`, `tomorrow`, `in 11 days`, and the date for what is further away or has passed."""
    days = days_until(moment, now, zone)
    if moment <= now or days > NEAR_DAYS:
        return date_text(moment, zone)
    return {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")


def time_left(moment: datetime, now: datetime) -> str:
    """`15 days`, `1 day`, `5 hours`, `20 minutes`; empty when it has passed."""
    seconds = int((moment - now).total_seconds())
    if seconds <= 0:
        return ""
    for word, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            number = seconds // size
            return f"{number} {word}" if number == 1 else f"{number} {word}s"
    return "1 minute"
