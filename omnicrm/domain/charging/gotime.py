"""Times and durations in the forms that the charging interface reads and writes. Pure: "now" is an argument.

A balance without expiry has None here and year 1 on the wire.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta, tzinfo

from omnicrm.domain.charging.ports import EngineError

ZERO_TIME = "0001-01-01T00:00:00Z"
NS_PER_SECOND = 10**9
_UNIT_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_MAX_NS = 2**63 - 1
_PART = re.compile(r"(\d*)(?:\.(\d*))?([^\d.]*)")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
_LOCAL_FORMS = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "%Y-%m-%d %H:%M:%S"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "%Y-%m-%dT%H:%M:%S"),
    (re.compile(r"\d{14}"), "%Y%m%d%H%M%S"),
    (re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d"), "%d/%m/%Y %H:%M:%S"),
)
_EPOCH_DIGITS = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}


def parse_duration(text: str) -> int:
    """Nanoseconds of a Go duration (`1h30m`, `-1.5s`, `0`). Raises EngineError with Go's text."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest:
        raise EngineError(f'time: invalid duration "{text}"')
    total = 0
    while rest:
        part = _PART.match(rest)
        assert part is not None
        whole, fraction, unit = part.groups()
        if not whole and not fraction:
            raise EngineError(f'time: invalid duration "{text}"')
        if not unit:
            raise EngineError(f'time: missing unit in duration "{text}"')
        if unit not in _UNIT_NS:
            raise EngineError(f'time: unknown unit "{unit}" in duration "{text}"')
        if len(whole) > 19:
            raise EngineError(f'time: invalid duration "{text}"')
        total += int(whole or 0) * _UNIT_NS[unit]
        if fraction:
            total += int(fraction[:18]) * _UNIT_NS[unit] // 10 ** len(fraction[:18])
        rest = rest[part.end() :]
    if total > _MAX_NS:
        raise EngineError(f'time: invalid duration "{text}"')
    return -total if text[0] == "-" else total


def parse_usage(text: str) -> int:
    """Usage of an event: a bare integer (ns, bytes or messages) or a duration. Empty is 0."""
    if not text:
        return 0
    if re.fullmatch(r"[+-]?\d{1,19}", text) and abs(int(text)) <= _MAX_NS:
        return int(text)
    return parse_duration(text)


def format_duration(ns: int) -> str:
    """Go's text of a duration: 61e9 is `1m1s`, 1500000 is `1.5ms`."""
    if ns == 0:
        return "0s"
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    if ns < NS_PER_SECOND:
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if ns >= size:
                return sign + _decimal(ns, size) + unit
    seconds, below = divmod(ns, NS_PER_SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = _decimal(seconds * NS_PER_SECOND + below, NS_PER_SECOND) + "s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def format_time(moment: datetime | None) -> str:
    """RFC 3339 in UTC without trailing zeros of the fraction; None is the zero time."""
    if moment is None:
        return ZERO_TIME
    moment = moment.astimezone(UTC)
    text = f"{moment:%H:%M:%S}"
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{text}{fraction}Z"


def parse_time(text: str, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """Moment that a time field names, None for "never". Raises EngineError `Unsupported time format`.

    Forms: empty or `*unlimited`; `*now`; `*daily`, `*monthly` (day overflow runs into the next month),
    `*monthly_estimated`, `*yearly`, `*month_end` and `*mo`, the last two with an optional `+duration`; `+720h`;
    RFC 3339; `YYYY-MM-DD hh:mm:ss` and the other local forms in `zone`; unix s, ms, µs or ns by number of digits.
    """
    try:
        return _parse_time(text.strip(), now, zone)
    except (OverflowError, ValueError):
        raise EngineError("Unsupported time format") from None


def _parse_time(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    if text in ("", "*unlimited", "0", ZERO_TIME):
        return None
    if text.startswith("*"):
        return _named_time(text, now, zone)
    if text[0] in "+-":
        return now + timedelta(microseconds=parse_duration(text) // 1000)
    if match := _RFC3339.fullmatch(text):
        day, clock, fraction, offset = match.groups()
        stamp = f"{day}T{clock}.{(fraction or '')[:6]:0<6}{'+00:00' if offset == 'Z' else offset}"
        return datetime.fromisoformat(stamp).astimezone(UTC)
    for pattern, layout in _LOCAL_FORMS:
        if pattern.fullmatch(text):
            return datetime.strptime(text, layout).replace(tzinfo=zone).astimezone(UTC)
    if text.isdigit() and len(text) in _EPOCH_DIGITS:
        micros = int(text) * 10**6 // _EPOCH_DIGITS[len(text)]
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    raise EngineError("Unsupported time format")


def _named_time(text: str, now: datetime, zone: tzinfo) -> datetime:
    name, plus, extra = text.partition("+")
    shift = timedelta(microseconds=parse_duration(extra) // 1000) if plus else timedelta()
    local = now.astimezone(zone)
    if name == "*month_end":
        last = calendar.monthrange(local.year, local.month)[1]
        return (local.replace(day=last, hour=23, minute=59, second=59, microsecond=0) + shift).astimezone(UTC)
    if name == "*mo":
        return add_months(local, 1).astimezone(UTC) + shift
    if plus:
        raise EngineError("Unsupported time format")
    match name:
        case "*now":
            return now
        case "*daily":
            return now + timedelta(days=1)
        case "*monthly":
            return add_months(local, 1).astimezone(UTC)
        case "*monthly_estimated":
            return add_months(local, 1, clip=True).astimezone(UTC)
        case "*yearly":
            return add_months(local, 12).astimezone(UTC)
    raise EngineError("Unsupported time format")


def add_months(moment: datetime, months: int, *, clip: bool = False) -> datetime:
    """The same day some months on; 31 January + 1 is 3 March, or with `clip` the last day of February."""
    count = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(count, 12)
    month += 1
    last = calendar.monthrange(year, month)[1]
    over = moment.day - last
    if over <= 0:
        return moment.replace(year=year, month=month)
    shifted = moment.replace(year=year, month=month, day=last)
    return shifted if clip else shifted + timedelta(days=over)
