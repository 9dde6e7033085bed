"""Queue and workers, the real ones: a job that an action asks for is run by a thread, on files and on Redis."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain import jobs
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.errors import Unavailable
from omnicrm.domain.jobs import Job
from omnicrm.worker import Queue, Workers
from tests.conftest import _load, need

REDIS = os.environ.get("OMNICRM_TEST_REDIS", "")


@pytest.fixture
def workers(parts: root.Parts) -> Iterator[Workers]:
    """Running workers of this test's queue; they stop with it."""
    found = Workers(parts.queue, parts.runtime)
    found.start()
    yield found
    found.stop()


def wait_for(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail("it did not happen in time")


def states(parts: root.Parts, kind: str) -> list[str]:
    query = select(Job.state).where(Job.kind == kind).order_by(Job.job_id)
    return parts.door.read_now(lambda session: list(session.scalars(query)))


@pytest.fixture
def ask(parts: root.Parts, declare: Any) -> Callable[..., None]:
    """Ask for a job through the door, as a use case does."""
    action = declare(lambda ctx, cmd: ctx.later(cmd[0], cmd[1]), "test.ask")
    return lambda kind, subject=7: parts.door.act_now(action, SYSTEM, (kind, subject))


def test_a_job_that_an_action_asks_for_is_run_once(parts: root.Parts, kind: Any, ask: Any, workers: Workers) -> None:
    seen: list[Any] = []
    kind("greet", lambda runtime, held: seen.append((runtime is parts.runtime, held.subject_id, held.attempt)))
    for subject in range(20):
        ask("greet", subject)
    wait_for(lambda: states(parts, "greet") == ["done"] * 20)
    assert sorted(subject for _, subject, _ in seen) == list(range(20))
    assert {attempt for *_, attempt in seen} == {1}


def test_a_job_starts_soon_after_it_was_asked_for(parts: root.Parts, kind: Any, ask: Any, workers: Workers) -> None:
    started = threading.Event()
    kind("greet", lambda runtime, held: started.set())
    time.sleep(0.6)  # the queue is idle and its polls are far apart
    begin = time.monotonic()
    ask("greet")
    assert started.wait(5)
    assert time.monotonic() - begin < 1.5


def test_a_job_that_fails_waits_for_its_next_attempt_and_says_why(
    parts: root.Parts, kind: Any, ask: Any, workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(runtime: Any, held: Any) -> None:
        raise Unavailable("no luck")

    def crash(runtime: Any, held: Any) -> None:
        raise ValueError("a secret in a library's text")

    kind("greet", refuse, max_attempts=2)
    kind("once", crash, max_attempts=1)
    ask("greet")
    ask("once")
    wait_for(lambda: states(parts, "once") == ["failed"])
    query = select(Job.state, Job.error, Job.attempts).where(Job.kind == "greet")
    row = wait_for(
        lambda: parts.door.read_now(lambda session: session.execute(query.where(Job.error.is_not(None))).first())
    )
    assert tuple(row) == ("queued", "no luck", 1)
    assert "no luck" in caplog.text
    query = select(Job.error).where(Job.kind == "once")
    error = parts.door.read_now(lambda session: session.scalars(query).one())
    assert "secret" not in error and "internal error" in error


def test_long_plays_do_not_hold_short_jobs_up(parts: root.Parts, kind: Any, ask: Any, workers: Workers) -> None:
    """Lanes (decision 31)."""
    go, quick = threading.Event(), threading.Event()
    kind("play", lambda runtime, held: go.wait(20), lane="plays")
    kind("greet", lambda runtime, held: quick.set())
    for _ in range(parts.settings.provisioning.workers + 2):
        ask("play")
    ask("greet")
    try:
        assert quick.wait(5)
        assert "done" not in states(parts, "play")
    finally:
        go.set()
    wait_for(lambda: set(states(parts, "play")) == {"done"})


def test_a_job_lost_between_commit_and_queue_is_found_by_the_sweep(
    parts: root.Parts, kind: Any, workers: Workers
) -> None:
    done = threading.Event()
    kind("greet", lambda runtime, held: done.set())
    parts.db.write(lambda session: session.add(jobs.job_row("greet", 1, parts.door.clock() - 2 * jobs.UNHEARD)))
    workers.sweep()
    assert done.wait(5)


def test_in_a_busy_lane_a_job_that_was_put_off_is_announced_once(parts: root.Parts, kind: Any) -> None:
    """The queue holds messages of others all the time; nobody takes one here."""
    kind("greet")
    moment = parts.door.clock()
    lane, sweep = parts.queue.lanes["short"], Workers(parts.queue, parts.runtime).sweep
    parts.queue.announce([Job(job_id=987654, lane="short")])
    put_off = jobs.job_row("greet", 2, moment - 60 * jobs.HEARTBEAT, run_at=moment - jobs.HEARTBEAT / 5)
    parts.db.write(lambda session: session.add(put_off))
    for _ in range(3):
        sweep()
    assert lane.pending_count() == 2


def test_the_heartbeat_keeps_a_running_job_and_stops_a_lost_one(
    parts: root.Parts, kind: Any, ask: Any, workers: Workers
) -> None:
    started, stopped = threading.Event(), threading.Event()

    def run(runtime: Any, held: Any) -> None:
        started.set()
        while not held.stopping():
            time.sleep(0.02)
        stopped.set()

    kind("greet", run, max_attempts=1)
    ask("greet")
    assert started.wait(5)
    before = parts.door.read_now(lambda session: session.scalar(select(Job.heartbeat_at)))
    workers.beat()
    assert parts.door.read_now(lambda session: session.scalar(select(Job.heartbeat_at))) > before
    assert not stopped.is_set()

    def take_away(session: Any) -> None:
        session.scalars(select(Job)).one().lease += 1

    parts.db.write(take_away)
    workers.beat()
    assert stopped.wait(5)
    time.sleep(0.1)
    assert states(parts, "greet") == ["running"], "who lost the lease ends nothing"


def test_stopping_asks_running_jobs_to_end_and_waits_for_them(parts: root.Parts, kind: Any, ask: Any) -> None:
    workers, started = Workers(parts.queue, parts.runtime), threading.Event()

    def run(runtime: Any, held: Any) -> None:
        started.set()
        while not held.stopping():
            time.sleep(0.02)

    kind("greet", run)
    workers.start()
    ask("greet")
    assert started.wait(5)
    workers.stop()
    assert states(parts, "greet") == ["done"]


def test_a_second_process_s_queue_reaches_the_same_workers(parts: root.Parts, kind: Any, workers: Workers) -> None:
    """`serve --processes N` and `omnicrm worker`: whoever announces, the one process with workers takes it."""
    done = threading.Event()
    kind("greet", lambda runtime, held: done.set())
    other = Queue(parts.settings)
    row = parts.db.write(lambda session: _added(session, jobs.job_row("greet", 1, parts.door.clock())))
    other.announce([row])
    assert done.wait(5)
    assert other.is_up()
    other.close()


def _added(session: Any, row: Job) -> Job:
    session.add(row)
    session.flush()
    return row


class TestOnRedis:
    """The same through Redis."""

    pytestmark = pytest.mark.redis

    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        need("redis", not REDIS, "set OMNICRM_TEST_REDIS to redis://host:port/number")
        return {"jobs.backend": "redis", "cache.url": REDIS}

    @pytest.fixture(autouse=True)
    def clean(self, extra_settings: dict[str, str]) -> Iterator[None]:
        import redis

        server = redis.Redis.from_url(REDIS)
        server.flushdb()
        yield
        server.flushdb()
        server.close()

    def test_a_job_is_run(self, parts: root.Parts, kind: Any, ask: Any, workers: Workers) -> None:
        seen: list[int] = []
        kind("greet", lambda runtime, held: seen.append(held.subject_id))
        for subject in range(10):
            ask("greet", subject)
        wait_for(lambda: states(parts, "greet") == ["done"] * 10)
        assert sorted(seen) == list(range(10))
        assert parts.queue.is_up()


def test_a_queue_that_cannot_be_reached_loses_no_job(
    parts: root.Parts, kind: Any, ask: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The use case succeeds, the job waits in its table for the sweep."""
    pytest.importorskip("redis")
    queue = Queue(_load(tmp_path, {"jobs.backend": "redis", "cache.url": "redis://127.0.0.1:9/0"}))
    parts.door.wake = queue.announce
    kind("greet")
    ask("greet")
    assert states(parts, "greet") == ["queued"]
    assert "could not be announced" in caplog.text
    assert not queue.is_up()
