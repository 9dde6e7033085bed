"""Durations, time fields and the next run of a plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnicrm.domain.charging.gotime import format_duration, format_time, parse_duration, parse_time, parse_usage
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.timing import Timing, named_timing, next_run

NOW = datetime(2026, 11, 23, 10, 20, 30, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        ("*unlimited", None),
        ("0001-01-01T00:00:00Z", None),
        ("*now", NOW),
        ("+720h", NOW + timedelta(hours=720)),
        ("-1h", NOW - timedelta(hours=1)),
        ("*daily", NOW + timedelta(days=1)),
        ("*monthly", NOW.replace(month=12)),
        ("*yearly", NOW.replace(year=2027)),
        ("*month_end", datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)),
        ("*month_end+1h", datetime(2026, 12, 1, 0, 59, 59, tzinfo=UTC)),
        ("*mo+1h", NOW.replace(month=12) + timedelta(hours=1)),
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05.123456789+02:00", datetime(2030, 1, 2, 1, 4, 5, 123456, tzinfo=UTC)),
        ("2030-01-02 03:04:05", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("20300102030405", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("02/01/2030 03:04:05", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1893553445", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1893553445000", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1893553445000000", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1893553445000000000", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_time_field_names_a_moment(text: str, moment: datetime | None) -> None:
    assert parse_time(text, NOW) == moment


@pytest.mark.parametrize(("text", "expected"), [("*monthly", (3, 3)), ("*monthly_estimated", (2, 28))])
def test_a_month_after_the_31st_overflows_unless_it_is_estimated(text: str, expected: tuple[int, int]) -> None:
    found = parse_time(text, datetime(2026, 1, 31, tzinfo=UTC))
    assert found is not None
    assert (found.month, found.day) == expected


@pytest.mark.parametrize(
    "text", ["whenever", "*sometimes", "2030-02-30T00:00:00Z", "*daily+1h", "99999999999999999999"]
)
def test_a_time_field_in_no_known_form_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="Unsupported time format"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("text", "ns"),
    [("0", 0), ("61s", 61 * 10**9), ("1h1m1.5s", 3661 * 10**9 + 5 * 10**8), ("-2ms", -2 * 10**6), (".5s", 5 * 10**8)],
)
def test_durations_are_read_as_go_writes_them(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xx", 'time: invalid duration "xx"'),
        ("", 'time: invalid duration ""'),
        ("1.5", 'time: missing unit in duration "1.5"'),
        ("1x", 'time: unknown unit "x" in duration "1x"'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
        ("9223372036854775808", 'time: missing unit in duration "9223372036854775808"'),
    ],
)
def test_a_bad_duration_has_the_text_that_go_gives(text: str, message: str) -> None:
    with pytest.raises(EngineError) as refused:
        parse_duration(text) if not text else parse_usage(text)
    assert refused.value.message == message


def test_usage_may_be_a_bare_number() -> None:
    assert (parse_usage("5000"), parse_usage("1m1s"), parse_usage("")) == (5000, 61 * 10**9, 0)


@given(st.integers(-(2**62), 2**62))
def test_every_duration_is_read_back_from_its_text(ns: int) -> None:
    assert parse_duration(format_duration(ns)) == ns


def test_times_are_written_without_trailing_zeros() -> None:
    assert format_time(NOW) == "2026-11-23T10:20:30.5Z"
    assert format_time(None) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        (Timing(), datetime(2026, 11, 24, tzinfo=UTC)),
        (Timing(start="10:20:31"), datetime(2026, 11, 23, 10, 20, 31, tzinfo=UTC)),
        (Timing(month_days=[1]), datetime(2026, 12, 1, tzinfo=UTC)),
        (Timing(month_days=[31]), datetime(2026, 12, 31, tzinfo=UTC)),
        (Timing(month_days=[-1], start="08:00:00"), datetime(2026, 11, 30, 8, tzinfo=UTC)),
        (Timing(months=[2], month_days=[29]), datetime(2028, 2, 29, tzinfo=UTC)),
        (Timing(months=[2], month_days=[29], clip=True), datetime(2027, 2, 28, tzinfo=UTC)),
        (Timing(years=[2040], months=[5], month_days=[6], start="07:08:09"), datetime(2040, 5, 6, 7, 8, 9, tzinfo=UTC)),
        (Timing(years=[2028]), datetime(2028, 1, 1, tzinfo=UTC)),
        (Timing(months=[3]), datetime(2027, 3, 1, tzinfo=UTC)),
        (Timing(week_days=[0]), datetime(2026, 11, 29, tzinfo=UTC)),
        (Timing(start="*:*:5"), datetime(2026, 11, 23, 10, 21, 5, tzinfo=UTC)),
        (Timing(start="*:5:6"), datetime(2026, 11, 23, 11, 5, 6, tzinfo=UTC)),
        (Timing(years=[2025]), None),
        (Timing(start="*asap"), None),
    ],
)
def test_a_plan_runs_next_at_the_first_moment_that_matches(timing: Timing, expected: datetime | None) -> None:
    assert next_run(timing, NOW) == expected


def test_the_next_run_is_strictly_after_now() -> None:
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert next_run(Timing(), midnight) == midnight + timedelta(days=1)


def test_times_of_day_are_meant_in_the_engines_zone() -> None:
    assert next_run(Timing(month_days=[1]), NOW, ZoneInfo("Europe/Oslo")) == datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_monthly_from_the_31st_skips_short_months_unless_it_is_clipped() -> None:
    begin = datetime(2026, 1, 31, 12, tzinfo=UTC)
    timing = named_timing("*monthly", begin)
    assert timing is not None
    assert next_run(timing, begin) == datetime(2026, 3, 31, 12, tzinfo=UTC)
    timing.clip = True
    assert next_run(timing, begin) == datetime(2026, 2, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ["*every_minute", "*hourly", "*daily", "*weekly", "*monthly", "*month_end", "*yearly"])
def test_a_named_timing_runs_again_within_its_period(name: str) -> None:
    timing = named_timing(name, NOW)
    assert timing is not None
    first = next_run(timing, NOW)
    assert first is not None
    second = next_run(timing, first)
    assert second is not None
    limits = {"*every_minute": 1, "*hourly": 60, "*daily": 1440, "*weekly": 7 * 1440, "*yearly": 366 * 1440}
    assert second - first <= timedelta(minutes=limits.get(name, 31 * 1440))


OSLO = ZoneInfo("Europe/Oslo")


def runs(timing: Timing, begin: datetime, count: int) -> list[str]:
    """The next runs from `begin`, as the wall clock of Oslo has them, with its distance from UTC."""
    found = []
    moment: datetime | None = begin
    for _ in range(count):
        assert moment is not None
        moment = next_run(timing, moment, OSLO)
        found.append(f"{moment.astimezone(OSLO):%d %H:%M %z}" if moment else "")
    return found


def test_a_time_that_the_clock_skips_in_spring_comes_by_as_much_later() -> None:
    begin = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert runs(Timing(start="02:30:00"), begin, 2) == ["29 03:30 +0200", "30 02:30 +0200"]


def test_a_time_that_comes_twice_in_autumn_counts_once() -> None:
    begin = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert runs(Timing(start="02:30:00"), begin, 2) == ["25 02:30 +0200", "26 02:30 +0100"]
    # Also for who asks while the time comes by for the second time.
    between = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert runs(Timing(start="02:30:00"), between, 1) == ["26 02:30 +0100"]


def test_an_hourly_plan_runs_in_every_hour_that_passes() -> None:
    begin = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    autumn = ["25 02:05 +0200", "25 02:05 +0100", "25 03:05 +0100"]
    assert runs(Timing(start="*:5:0"), begin, 3) == autumn
    spring = ["29 01:05 +0100", "29 03:05 +0200", "29 04:05 +0200"]
    assert runs(Timing(start="*:5:0"), datetime(2026, 3, 28, 23, 30, tzinfo=UTC), 3) == spring


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)),
    st.sampled_from(["*hourly", "*daily", "*weekly", "*monthly_estimated", "*month_end", "*every_minute"]),
    st.sampled_from(["UTC", "Europe/Oslo", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_the_next_run_lies_after_now_in_every_zone(naive: datetime, name: str, zone: str) -> None:
    now = naive.replace(tzinfo=UTC)
    timing = named_timing(name, now.astimezone(ZoneInfo(zone)))
    assert timing is not None
    first = next_run(timing, now, ZoneInfo(zone))
    assert first is not None
    assert now < first <= now + timedelta(days=32)
