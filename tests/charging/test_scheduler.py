"""The scheduler: due plans run exactly once, through crashes, other processes and clocks that are moved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from omnicrm.domain.charging import tasks
from omnicrm.domain.charging.database import Database
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError
from tests.charging.conftest import Clock, values

ROOT = Path(__file__).parents[2]
DUE = datetime(2026, 12, 1, tzinfo=UTC)
AFTER = DUE + timedelta(seconds=1)


def plan(engine: Engine, *accounts: str, ident: str = "P", overwrite: bool = False, **when: str) -> None:
    """A plan that gives each account one message when it runs, on the first of each month unless `when` says else."""
    row = {"Identifier": "*topup", "BalanceType": "*sms", "BalanceId": "S", "Units": 1}
    engine.call("ApierV1.SetActions", {"ActionsId": "A", "Overwrite": True, "Actions": [row]})
    entry = {"ActionsId": "A", "MonthDays": "1", "Time": "00:00:00", **when}
    engine.call("ApierV1.SetActionPlan", {"Id": ident, "ActionPlan": [entry], "Overwrite": overwrite})
    for account in accounts:
        engine.call("ApierV2.SetAccount", {"Account": account, "ActionPlanIds": [ident]})


def given(engine: Engine, account: str = "a") -> int:
    """How often the plan has run for the account."""
    return int(values(engine, account, "*sms").get("S", 0))


def next_times(engine: Engine) -> tuple[str, str]:
    """Next run as the account's plans and as the list of scheduled actions have it."""
    (of_account,) = engine.call("ApierV1.GetAccountActionPlan", {"Account": "a"})
    (scheduled,) = engine.call("ApierV1.GetScheduledActions", {"Account": "a"})
    return of_account["NextExecTime"], scheduled["NextRunTime"]


def test_a_plan_runs_when_it_is_due_and_once(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    engine = open_engine(database_url)
    plan(engine, "a", "b")
    clock.now = DUE - timedelta(seconds=1)
    engine.scheduler.run_due()
    assert (given(engine, "a"), given(engine, "b")) == (0, 0)
    clock.now = AFTER
    for _ in range(2):
        engine.scheduler.run_due()
    assert (given(engine, "a"), given(engine, "b")) == (1, 1)
    assert next_times(engine) == ("2027-01-01T00:00:00Z",) * 2


def test_the_thread_of_the_scheduler_runs_what_is_due_by_itself(open_engine: Callable[..., Engine]) -> None:
    engine = open_engine(clock=lambda: datetime.now(UTC))
    plan(engine, "a", MonthDays="", Time="*:*:*")
    deadline = time.monotonic() + 10
    while not given(engine) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert given(engine) >= 1


@pytest.mark.parametrize(("fixes", "runs"), [(True, 1), (False, 0)], ids=["play fixes", "as CGRateS"])
def test_what_was_missed_while_the_engine_was_down_runs_once_or_not_at_all(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock, fixes: bool, runs: int
) -> None:
    first = open_engine(database_url, play_fixes=fixes)
    plan(first, "a")
    first.close()
    clock.now = DUE + timedelta(days=100)
    engine = open_engine(database_url, play_fixes=fixes)
    engine.scheduler.run_due()
    assert given(engine) == runs
    assert next_times(engine) == ("2027-04-01T00:00:00Z",) * 2


def test_engines_on_one_database_run_a_plan_once(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    engines = [open_engine(database_url) for _ in range(3)]
    accounts = [f"acc{number}" for number in range(30)]
    plan(engines[0], *accounts)
    clock.now = AFTER
    threads = [threading.Thread(target=engine.scheduler.run_due) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for engine in engines:
        engine.scheduler.run_due()
    assert [given(engines[0], account) for account in accounts] == [1] * 30


def test_a_clock_that_is_set_back_repeats_no_run(engine: Engine, clock: Clock) -> None:
    plan(engine, "a")
    clock.now = AFTER
    engine.scheduler.run_due()
    clock.now = DUE - timedelta(hours=2)
    engine.scheduler.run_due()
    clock.now = DUE + timedelta(minutes=1)
    engine.scheduler.run_due()
    assert given(engine) == 1


def test_the_plan_of_a_disabled_account_runs(engine: Engine, clock: Clock) -> None:
    plan(engine, "a")
    engine.call("ApierV2.SetAccount", {"Account": "a", "ExtraOptions": {"Disabled": True}})
    clock.now = AFTER
    engine.scheduler.run_due()
    assert given(engine) == 1


def test_a_run_that_was_claimed_is_dropped_when_the_account_leaves_the_plan(engine: Engine, clock: Clock) -> None:
    plan(engine, "a", "b")
    (found,) = engine.call("ApierV1.GetActionPlan", {"ID": "P"})
    timing = found["ActionTimings"][0]["Uuid"]
    due = {timing: DUE.replace(tzinfo=None)}

    def claim_and_leave(call: Any) -> None:
        clock.now = AFTER
        tasks.claim(call, "P", due)
        call.detach("P", "cgrates.org", "a")

    engine.change(claim_and_leave).result()
    engine.scheduler.run_due()
    assert (given(engine, "a"), given(engine, "b")) == (0, 1)


def test_removing_a_plan_stops_it(engine: Engine, clock: Clock) -> None:
    plan(engine, "a")
    engine.call("ApierV1.RemoveActionPlan", {"Id": "P"})
    clock.now = AFTER
    engine.scheduler.run_due()
    assert given(engine) == 0
    with engine.database.reading() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM plan_run")).scalar() == 0


def test_setting_a_plan_anew_moves_its_next_run_and_removing_a_timing_keeps_the_others(
    engine: Engine, clock: Clock
) -> None:
    plan(engine, "a")
    plan(engine, ident="P", overwrite=True, MonthDays="15")
    assert next_times(engine) == ("2026-12-15T00:00:00Z",) * 2
    entries = [{"ActionsId": "A", "MonthDays": day, "Time": "00:00:00"} for day in ("3", "9")]
    engine.call("ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": entries, "Overwrite": True})
    third, ninth = engine.call("ApierV1.GetAccountActionPlan", {"Account": "a"})
    engine.call("ApierV1.RemoveActionTiming", {"ActionPlanId": "P", "ActionTimingId": third["Uuid"]})
    assert next_times(engine) == (ninth["NextExecTime"],) * 2
    assert ninth["NextExecTime"] == "2026-12-09T00:00:00Z"


def test_a_plan_with_named_months_of_a_year_ends_after_them(engine: Engine, clock: Clock) -> None:
    plan(engine, "a", Years="2027", Months="1;2;3")
    for month in range(1, 7):
        clock.now = datetime(2027, month, 1, 0, 0, 5, tzinfo=UTC)
        engine.scheduler.run_due()
    assert given(engine) == 3
    assert engine.call("ApierV1.GetAccountActionPlan", {"Account": "a"})[0]["NextExecTime"] == "0001-01-01T00:00:00Z"
    with pytest.raises(EngineError, match="NOT_FOUND"):
        engine.call("ApierV1.GetScheduledActions", {"Account": "a"})


def test_of_runs_at_the_same_moment_the_heavier_is_first(engine: Engine, clock: Clock) -> None:
    for ident, verb, units in (("SET", "*topup_reset", 5), ("ADD", "*topup", 1)):
        row = {"Identifier": verb, "BalanceType": "*sms", "BalanceId": "S", "Units": units}
        engine.call("ApierV1.SetActions", {"ActionsId": ident, "Actions": [row]})
    entries = [
        {"ActionsId": ident, "MonthDays": "1", "Time": "00:00:00", "Weight": weight}
        for ident, weight in (("ADD", 10), ("SET", 20))
    ]
    engine.call("ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": entries})
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"]})
    clock.now = AFTER
    engine.scheduler.run_due()
    assert given(engine) == 6


def test_a_run_that_fails_is_logged_and_stops_no_other(
    engine: Engine, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    plan(engine, "a")
    engine.call("ApierV1.SetActions", {"ActionsId": "BAD", "Actions": [{"Identifier": "*nope"}]})
    entry = {"ActionsId": "BAD", "MonthDays": "1", "Time": "00:00:00"}
    engine.call("ApierV1.SetActionPlan", {"Id": "FAILS", "ActionPlan": [entry]})
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["FAILS"]})
    clock.now = AFTER
    engine.scheduler.run_due()
    assert given(engine) == 1
    assert "The run of BAD for account a (FAILS|a|2026-12-01T00:00:00+00:00) failed" in caplog.text


def test_a_one_off_run_that_nobody_asked_for_is_done_after_a_minute_or_a_restart(
    open_engine: Callable[..., Engine], clock: Clock
) -> None:
    first = open_engine()
    plan(first, "a", MonthDays="", Time="*asap")
    first.scheduler.run_due()
    assert given(first) == 0
    clock.now += timedelta(seconds=61)
    first.scheduler.run_due()
    assert given(first) == 1
    first.call("ApierV2.SetAccount", {"Account": "b", "ActionPlanIds": ["P"]})
    first.close()
    second = open_engine()
    second.scheduler.run_due()
    assert (given(second), given(second, "b")) == (1, 1)


def test_a_one_off_run_for_an_account_that_is_gone_makes_none(engine: Engine, clock: Clock) -> None:
    plan(engine, "a", MonthDays="", Time="*asap")
    engine.call("ApierV2.RemoveAccount", {"Account": "a"})
    clock.now += timedelta(minutes=2)
    engine.scheduler.run_due()
    assert engine.call("ApierV2.GetAccountsCount") == 0


# Runs a due plan of many accounts, and kills itself in the middle of a transaction of its runs.
VICTIM = """
import os, signal, sys, time
from datetime import UTC, datetime
from omnicrm.domain.charging import scheduler, tasks
from omnicrm.domain.charging.engine import Engine
real, ran = tasks.run, []
def run(call, task):
    real(call, task)
    ran.append(task)
    if len(ran) == 20:
        os.kill(os.getpid(), signal.SIGKILL)
tasks.run = run
scheduler.TOGETHER = 8
engine = Engine.open(sys.argv[1], clock=lambda: datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC))
time.sleep(50)
"""


def test_a_process_killed_in_the_middle_of_a_plan_leaves_each_account_with_one_run(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    first = open_engine(database_url)
    accounts = [f"acc{number}" for number in range(60)]
    plan(first, *accounts)
    first.close()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    victim = subprocess.run([sys.executable, "-c", VICTIM, database_url], env=environment, cwd=ROOT, timeout=60)
    assert victim.returncode == -signal.SIGKILL
    with Database(database_url).reading() as connection:
        waiting = connection.execute(text("SELECT COUNT(*) FROM task")).scalar_one()
    # Two groups of eight were committed, perhaps with the first few of the third.
    assert 60 - 20 < waiting <= 60 - 16
    clock.now = AFTER
    engine = open_engine(database_url)
    engine.scheduler.run_due()
    assert {given(engine, account) for account in accounts} == {1}
