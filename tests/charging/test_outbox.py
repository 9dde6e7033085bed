"""Posts of `*http_post`: written with the action's effects, delivered after the commit, tried again, never lost."""

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
from uuid import UUID

import pytest
from sqlalchemy import text

from omnicrm.domain.charging import models
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.outbox import PAUSES, _Post
from omnicrm.domain.charging.ports import EngineError, JobRef, Trouble
from tests.charging.conftest import Clock, values

ROOT = Path(__file__).parents[2]
AFTER = datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC)
URL = "http://127.0.0.1:9/hook"
RUN = "P|a|2026-12-01T00:00:00+00:00"


class Target:
    """A poster that notes what arrives, and refuses the first `refusals` posts."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.seen: list[tuple[str, str]] = []

    def __call__(self, url: str, body: bytes, key: str) -> None:
        self.seen.append((url, key))
        if len(self.seen) <= self.refusals:
            raise ConnectionError("status 503")


def wait_for(found: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not found() and time.monotonic() < deadline:
        time.sleep(0.01)
    return found()


def rows(engine: Engine) -> list[dict[str, Any]]:
    with engine.database.reading() as connection:
        found = connection.execute(text("SELECT id, url, attempts, failed_at, last_error FROM post ORDER BY id"))
        return [dict(row) for row in found.mappings()]


def posting_plan(engine: Engine, *urls: str) -> None:
    """A plan for account `a` that gives a message and posts to each address."""
    steps: list[dict[str, Any]] = [{"Identifier": "*http_post", "ExtraParameters": url} for url in urls]
    steps.append({"Identifier": "*topup", "BalanceType": "*sms", "BalanceId": "S", "Units": 1})
    engine.call("ApierV1.SetActions", {"ActionsId": "A", "Actions": steps})
    entry = {"ActionsId": "A", "MonthDays": "1", "Time": "00:00:00"}
    engine.call("ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": [entry]})
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"]})


def test_a_plans_posts_carry_the_key_of_its_run(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    target = Target()
    engine = open_engine(database_url, post=target)
    posting_plan(engine, URL, f"{URL}/2")
    clock.now = AFTER
    engine.scheduler.run_due()
    assert wait_for(lambda: rows(engine) == [])
    assert sorted(target.seen) == [(URL, RUN), (f"{URL}/2", f"2|{RUN}")]


def test_the_posts_of_other_runs_have_keys_of_their_own(open_engine: Callable[..., Engine]) -> None:
    target = Target()
    engine = open_engine(post=target)
    posting_plan(engine, URL)
    for _ in range(2):
        engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "A"})
    assert wait_for(lambda: len(target.seen) == 2)
    assert len({UUID(key) for _, key in target.seen}) == 2


def test_a_post_that_is_refused_is_tried_again_after_a_pause_with_the_same_key(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    target = Target(refusals=2)
    engine = open_engine(database_url, post=target)
    posting_plan(engine, URL)
    clock.now = AFTER
    engine.scheduler.run_due()
    for tries in (1, 2):
        assert wait_for(lambda tries=tries: [row["attempts"] for row in rows(engine)] == [tries])
        assert wait_for(lambda: rows(engine)[0]["last_error"] == "status 503")
        engine.outbox.wake()
        assert len(target.seen) == tries
        clock.now += PAUSES[tries - 1]
        engine.outbox.wake()
    assert wait_for(lambda: rows(engine) == [])
    assert target.seen == [(URL, RUN)] * 3


def test_a_post_that_nobody_takes_is_given_up_after_ten_tries_within_hours_and_kept(
    open_engine: Callable[..., Engine], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    target = Target(refusals=99)
    engine = open_engine(post=target)
    posting_plan(engine, "http://u:s3cret@127.0.0.1:9/hook?token=s3cret")
    engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "A"})
    begin = clock.now
    for pause in (*PAUSES, timedelta(days=1)):
        tries = len(target.seen)
        assert wait_for(lambda tries=tries: len(target.seen) > tries or bool(rows(engine)[0]["failed_at"]))
        assert wait_for(lambda: rows(engine)[0]["last_error"] != "")
        clock.now += pause
        engine.outbox.wake()
    assert wait_for(lambda: engine.status()["failed_posts"] == 1)
    assert len(target.seen) == 10
    assert timedelta(hours=4) < sum(PAUSES, timedelta()) < clock.now - begin
    assert "given up after 10 tries" in caplog.text
    assert "s3cret" not in caplog.text


def given_up(engine: Engine, clock: Clock) -> dict[str, Any]:
    """A post of a renewal whose target never answers, as the engine lists it."""
    posting_plan(engine, "http://u:s3cret@127.0.0.1:9/hook?token=s3cret")
    with engine.database.transaction() as connection:
        values_of = {"now": clock.now.replace(tzinfo=None), "url": "http://u:s3cret@127.0.0.1:9/hook?token=s3cret"}
        columns = "(`key`, url, body, created_at, next_try_at, attempts, failed_at, last_error)"
        row = f"('{RUN}', :url, '{{}}', :now, :now, 10, :now, 'status 503')"
        connection.execute(text(f"INSERT INTO post {columns} VALUES {row}"), values_of)
    (found,) = engine.call("OmniSv1.GetFailedPosts")
    return dict(found)


def test_a_post_that_was_given_up_is_listed_without_secrets_and_can_be_sent_again(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    target = Target()
    engine = open_engine(database_url, post=target)
    found = given_up(engine, clock)
    ident = found.pop("ID")
    moment = "2026-11-23T10:00:00Z"
    assert found == {
        "Key": RUN,
        "URL": "http://127.0.0.1/hook",
        "CreatedAt": moment,
        "FailedAt": moment,
        "Reason": "status 503",
    }
    assert engine.call("OmniSv1.RetryPost", {"ID": ident}) == "OK"
    assert wait_for(lambda: rows(engine) == [])
    assert [key for _, key in target.seen] == [RUN]
    with pytest.raises(EngineError, match="NOT_FOUND"):
        engine.call("OmniSv1.RetryPost", {"ID": ident})


def test_a_job_may_not_send_a_post_again(open_engine: Callable[..., Engine], clock: Clock) -> None:
    engine = open_engine()
    ident = given_up(engine, clock)["ID"]
    with pytest.raises(EngineError, match="UNAUTHORIZED"):
        engine.call("OmniSv1.RetryPost", {"ID": ident}, JobRef(7, 1))


def test_an_action_set_that_fails_posts_nothing(open_engine: Callable[..., Engine]) -> None:
    target = Target()
    engine = open_engine(post=target)
    steps = [{"Identifier": "*http_post", "ExtraParameters": URL, "Weight": 9}, {"Identifier": "*nope"}]
    engine.call("ApierV1.SetActions", {"ActionsId": "A", "Actions": steps})
    with pytest.raises(EngineError, match="PARTIALLY_EXECUTED"):
        engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "A"})
    assert rows(engine) == []
    assert target.seen == []


def test_targets_that_hang_do_not_hold_up_the_engine(open_engine: Callable[..., Engine]) -> None:
    released = []

    def hang(url: str, body: bytes, key: str) -> None:
        wait_for(lambda: bool(released))

    engine = open_engine(post=hang)
    posting_plan(engine, URL)
    for _ in range(20):
        engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "A"})
    assert values(engine, "a", "*sms") == {"S": 20}
    released.append(True)
    assert wait_for(lambda: rows(engine) == [])


def test_of_two_engines_that_saw_a_post_due_one_delivers_it(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    engines = [open_engine(database_url) for _ in range(2)]
    later = clock.now.replace(tzinfo=None) + timedelta(hours=1)  # so that neither engine's own thread takes it
    engines[0].change(
        lambda call: call.tx.append(models.post, key=RUN, url=URL, body="{}", created_at=later, next_try_at=later)
    ).result(10)
    (found,) = [_Post(row["id"], RUN, URL, "{}", row["attempts"]) for row in rows(engines[0])]
    claims = [one.change(lambda call, one=one: one.outbox._claim(call, found)).result(10) for one in engines]
    assert claims == [True, False]
    assert [row["attempts"] for row in rows(engines[0])] == [1]


def test_targets_that_hang_do_not_hold_up_the_charges_of_services(open_engine: Callable[..., Engine]) -> None:
    released = threading.Event()
    charged: list[str] = []

    def post(url: str, body: bytes, key: str) -> None:
        if url == URL:
            released.wait(10)
        else:
            charged.append(url)

    engine = open_engine(post=post)
    charge = "http://localhost:5000/crm/provision/simple_provision_addon/service_id/1/product_id/2"
    posting_plan(engine, *[URL] * 30, charge)
    try:
        for _ in range(5):
            engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "A"})
        assert wait_for(lambda: len(charged) == 5)
        assert wait_for(lambda: {row["url"] for row in rows(engine)} == {URL})
    finally:
        released.set()


def test_staff_hear_of_a_post_that_was_given_up(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    heard: list[Trouble] = []
    engine = open_engine(database_url, post=Target(refusals=99), alarm=heard.append)
    now = clock.now.replace(tzinfo=None)
    values_of = {"key": RUN, "url": f"{URL}?token=s3cret", "body": "{}", "created_at": now, "next_try_at": now}
    engine.change(lambda call: call.tx.append(models.post, attempts=len(PAUSES), **values_of)).result(10)
    engine.outbox.wake()
    assert wait_for(lambda: bool(heard))
    (trouble,) = heard
    assert (trouble.key, trouble.url) == (RUN, f"{URL}?token=s3cret")
    assert "10 tries: status 503" in trouble.detail
    assert "s3cret" not in trouble.title + trouble.detail


def test_staff_hear_of_a_due_run_that_cannot_be_done(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    heard: list[Trouble] = []
    engine = open_engine(database_url, alarm=heard.append)
    posting_plan(engine, URL)
    engine.call("APIerSv1.RemoveActions", {"ActionIDs": ["A"]})
    clock.now = AFTER
    engine.scheduler.run_due()
    assert wait_for(lambda: bool(heard))
    assert [(one.key, one.url) for one in heard] == [(RUN, "")]
    assert "could not run A for account a" in heard[0].title and "NOT_FOUND" in heard[0].detail


# Runs the due plan; the poster dies in the middle of the delivery.
VICTIM = """
import os, signal, sys, time
from datetime import UTC, datetime
from omnicrm.domain.charging.engine import Engine
def post(url, body, key):
    os.kill(os.getpid(), signal.SIGKILL)
engine = Engine.open(sys.argv[1], clock=lambda: datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC), post=post)
time.sleep(30)
"""


def test_a_post_survives_a_kill_in_the_middle_of_its_delivery(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    first = open_engine(database_url)
    posting_plan(first, URL)
    first.close()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    victim = subprocess.run([sys.executable, "-c", VICTIM, database_url], env=environment, cwd=ROOT, timeout=60)
    assert victim.returncode == -signal.SIGKILL
    target = Target()
    clock.now = AFTER + PAUSES[0]
    engine = open_engine(database_url, post=target)
    assert wait_for(lambda: rows(engine) == [])
    assert target.seen == [(URL, RUN)]
    assert values(engine, "a", "*sms") == {"S": 1}
