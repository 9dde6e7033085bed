"""When an action plan runs next: the time fields of a plan, frozen when it is set, and the search for the next run.

Pure: "now" is an argument. Source: cgrates.md §5.5, OCS-046 to OCS-050.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

ASAP = "*asap"
# Two leap-free spans of eight years exist around a century; ten years find every possible 29 February.
YEARS_AHEAD = 10


class Timing(msgspec.Struct, omit_defaults=True):
    """Time fields of a plan's entry. Empty lists mean "every"; weekdays count from Sunday = 0, day -1 is the last.

    `clip` moves a missing day to the month's end; `not_before` holds back the first run (play fixes OC-05, OCS-049).
    """

    id: str = ""
    years: list[int] = []
    months: list[int] = []
    month_days: list[int] = []
    week_days: list[int] = []
    start: str = "00:00:00"
    clip: bool = False
    not_before: datetime | None = None

    def wire(self) -> dict[str, Any]:
        return {
            "ID": self.id,
            "Years": self.years,
            "Months": self.months,
            "MonthDays": self.month_days,
            "WeekDays": self.week_days,
            "StartTime": self.start,
            "EndTime": "",
        }


def number_list(text: str) -> list[int]:
    """`1;15` as numbers; `*any`, empty and what is no number mean "every"."""
    return [int(part) for part in text.split(";") if re.fullmatch(r"\s*-?\d{1,6}\s*", part)]


def named_timing(name: str, now: datetime) -> Timing | None:
    """The timing of `*monthly` and its kin, frozen at `now` (server's zone); None when `name` is none of them."""
    clock = f"{now:%H:%M:%S}"
    weekday = now.isoweekday() % 7
    match name:
        case "*every_minute":
            return Timing(id=name, start=f"*:*:{now.second}")
        case "*hourly":
            return Timing(id=name, start=f"*:{now.minute}:{now.second}")
        case "*daily":
            return Timing(id=name, start=clock)
        case "*weekly":
            return Timing(id=name, week_days=[weekday], start=clock)
        case "*monthly":
            return Timing(id=name, month_days=[now.day], start=clock)
        case "*monthly_estimated":
            return Timing(id=name, month_days=[now.day], start=clock, clip=True)
        case "*month_end":
            return Timing(id=name, month_days=[-1], start=clock)
        case "*yearly":
            return Timing(id=name, months=[now.month], month_days=[now.day], start=clock)
    return None


def valid_start(text: str) -> bool:
    """True for `*asap` and for `hh:mm:ss`, where a part may be `*`."""
    if text == ASAP:
        return True
    parts = text.split(":")
    if len(parts) != 3:
        return False
    return all(
        part == "*" or (re.fullmatch(r"\d{1,2}", part) is not None and int(part) < limit)
        for part, limit in zip(parts, (24, 60, 60), strict=True)
    )


def next_run(timing: Timing, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """First moment strictly after `now` that matches, in UTC; None for `*asap` and for years that have passed.

    A time of day that the clock skips in spring comes by as much later; one that comes twice in autumn counts once,
    unless the hour is open (`*hourly`), where each hour that passes counts.
    """
    if timing.start == ASAP:
        return None
    after = max(now, timing.not_before) if timing.not_before else now
    local = after.astimezone(zone)
    for year, month, day in _days(timing, local):
        moment = _first_clock(timing.start, datetime(year, month, day, tzinfo=zone), local)
        if moment is not None:
            return moment
    return None


def _days(timing: Timing, local: datetime) -> Iterator[tuple[int, int, int]]:
    """Matching days from today on. Years without months mean January, months without days the first."""
    years = sorted(y for y in timing.years if local.year <= y <= 9998) or (
        [] if timing.years else range(local.year, local.year + YEARS_AHEAD)
    )
    months = sorted(timing.months) or ([1] if timing.years else list(range(1, 13)))
    bound = bool(timing.months or timing.years)
    for year in years:
        for month in months:
            if not 1 <= month <= 12 or (year, month) < (local.year, local.month):
                continue
            first = local.day if (year, month) == (local.year, local.month) else 1
            for day in _month_days(timing, year, month, bound):
                if day >= first:
                    yield year, month, day


def _month_days(timing: Timing, year: int, month: int, bound: bool) -> list[int]:
    last = calendar.monthrange(year, month)[1]
    days: set[int] = set()
    for day in timing.month_days:
        if day == -1 or (day > last and timing.clip):
            days.add(last)
        elif 1 <= day <= last:
            days.add(day)
    if timing.week_days:
        days |= {d for d in range(1, last + 1) if calendar.weekday(year, month, d) in _iso(timing.week_days)}
    elif not timing.month_days:
        days = {1} if bound else set(range(1, last + 1))
    return sorted(days)


def _iso(week_days: list[int]) -> set[int]:
    """Python's weekdays (Monday = 0) of ours (Sunday = 0)."""
    return {(day - 1) % 7 for day in week_days}


def _first_clock(start: str, day: datetime, after: datetime) -> datetime | None:
    """First matching time of that day after `after`, in UTC."""
    hour, minute, second = (None if part == "*" else int(part) for part in start.split(":"))
    limit = after.astimezone(UTC)
    first_hour = after.hour if after.date() == day.date() else 0
    for h in range(first_hour, 24) if hour is None else [hour]:
        # The fold tells the second of two equal times of day, which only an open hour may mean.
        for fold in (0, 1) if hour is None else (0,):
            for m in range(60) if minute is None else [minute]:
                for s in range(60) if second is None else [second]:
                    moment = day.replace(hour=h, minute=m, second=s, fold=fold).astimezone(UTC)
                    if moment > limit:
                        return moment
    return None
