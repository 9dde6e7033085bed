"""The job table: one taker for each job, leases that end with their heartbeat, retries with a pause, answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from omnicrm import app as root
from omnicrm.domain import jobs
from omnicrm.domain.jobs import BOOT_ID, LEASE, MACHINE, UNHEARD, Job
from tests.kernel.conftest import together

SECOND = timedelta(seconds=1)


@pytest.fixture
def now(parts: root.Parts) -> datetime:
    """A whole second: both databases keep it as it is."""
    return parts.door.clock().replace(microsecond=0)


@pytest.fixture
def put(parts: root.Parts, kind: Any, now: datetime) -> Any:
    """`put("greet", max_attempts=3)`: the id of a queued job of that kind."""

    def add(name: str = "greet", run_at: datetime | None = None, **options: Any) -> int:
        if name not in jobs.KINDS:
            kind(name, **options)

        def write(session: Any) -> int:
            row = jobs.job_row(name, 7, now, args={"a": 1}, run_at=run_at)
            session.add(row)
            session.flush()
            return int(row.job_id)

        return parts.db.write(write)

    return add


@pytest.fixture
def table(parts: root.Parts) -> Any:
    return _Table(parts)


class _Table:
    """The functions of the job table, each in a transaction of its own."""

    def __init__(self, parts: root.Parts) -> None:
        self.db = parts.db

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.db.write(lambda session: getattr(jobs, name)(session, *arguments))

    def row(self, job_id: int) -> Job:
        return self.db.read(lambda session: session.get(Job, job_id))

    def of_kind(self, kind: str) -> list[Job]:
        query = select(Job).where(Job.kind == kind).order_by(Job.job_id)
        return self.db.read(lambda session: list(session.scalars(query)))


def test_of_many_workers_exactly_one_gets_a_job(put: Any, table: Any, now: datetime) -> None:
    ids = [put() for _ in range(4)]
    for job_id in ids:
        taken = [row for row in together(12, lambda _, job_id=job_id: table.claim(job_id, now)) if row is not None]
        assert not any(isinstance(row, Exception) for row in taken), taken
        assert len(taken) == 1
        row = table.row(job_id)
        assert (row.state, row.lease, row.attempts, row.boot_id) == ("running", 1, 1, BOOT_ID)
        assert row.heartbeat_at == row.started_at == now


def test_a_job_is_not_taken_before_its_time(put: Any, table: Any, now: datetime) -> None:
    job_id = put(run_at=now + 60 * SECOND)
    assert table.claim(job_id, now + 59 * SECOND) is None
    assert table.claim(job_id, now + 60 * SECOND) is not None


def test_an_unknown_job_is_no_job(table: Any, now: datetime) -> None:
    assert table.claim(987654, now) is None


def test_a_heartbeat_keeps_the_lease(put: Any, table: Any, now: datetime) -> None:
    job_id = put()
    table.claim(job_id, now)
    assert table.beat([(job_id, 1)], now + LEASE) == set()
    assert not table.has_lost(now + 2 * LEASE)
    table.settle_lost(now + 2 * LEASE)
    assert table.row(job_id).state == "running"


def test_a_heartbeat_of_a_lost_lease_says_stop(put: Any, table: Any, now: datetime) -> None:
    job_id = put(max_attempts=2)
    table.claim(job_id, now)
    table.settle_lost(now + LEASE + SECOND)
    assert table.beat([(job_id, 1)], now) == {job_id}
    table.claim(job_id, now + LEASE + SECOND)
    assert table.beat([(job_id, 1), (job_id, 3)], now) == {job_id}


def test_a_job_without_heartbeat_is_put_back_while_it_has_attempts(put: Any, table: Any, now: datetime) -> None:
    job_id = put(max_attempts=2)
    table.claim(job_id, now)
    late = now + LEASE + SECOND
    assert not table.has_lost(now + LEASE)
    assert table.has_lost(late)
    table.settle_lost(late)
    row = table.row(job_id)
    assert (row.state, row.lease, row.run_at, row.finished_at) == ("queued", 2, late, None)
    assert table.claim(job_id, late).lease == 3
    table.settle_lost(late + LEASE + SECOND)
    row = table.row(job_id)
    assert (row.state, row.finished_at) == ("failed", late + LEASE + SECOND)
    assert "worker" in row.error


def test_a_lost_job_is_answered_for_by_its_kind(put: Any, table: Any, kind: Any, now: datetime) -> None:
    kind("greet.lost")
    job_id = put(max_attempts=1, lost="greet.lost")
    table.claim(job_id, now)
    table.settle_lost(now + LEASE + SECOND)
    table.settle_lost(now + 3 * LEASE)
    (answer,) = table.of_kind("greet.lost")
    assert (answer.state, answer.subject_id) == ("queued", 7)
    assert answer.args == {"job_id": job_id, "reason": "The worker of this job stopped."}


def test_the_end_of_an_older_lease_is_refused(put: Any, table: Any, now: datetime) -> None:
    job_id = put(max_attempts=3)
    table.claim(job_id, now)
    table.settle_lost(now + LEASE + SECOND)
    table.claim(job_id, now + LEASE + SECOND)
    for error in (None, "too late"):
        assert table.finish(job_id, 1, now, error) is False
    row = table.row(job_id)
    assert (row.state, row.lease, row.error) == ("running", 3, None)
    assert table.finish(job_id, 3, now, None) is True
    assert table.row(job_id).state == "done"
    assert table.finish(job_id, 3, now, "again") is False
    assert table.row(job_id).error is None


def test_a_failing_job_waits_longer_each_time_and_then_fails(put: Any, table: Any, kind: Any, now: datetime) -> None:
    kind("greet.lost")
    job_id, moment, pauses = put(max_attempts=4, lost="greet.lost"), now, []
    for attempt in range(1, 5):
        row = table.claim(job_id, moment)
        assert row.attempts == attempt
        assert table.finish(job_id, row.lease, moment, f"attempt {attempt}")
        row = table.row(job_id)
        assert row.error == f"attempt {attempt}"
        if row.state == "queued":
            assert table.claim(job_id, row.run_at - SECOND) is None
            pauses.append((row.run_at - moment).total_seconds())
            assert table.of_kind("greet.lost") == []
        moment = row.run_at
    assert pauses == [5, 15, 45]
    assert table.row(job_id).state == "failed"
    assert [row.args["reason"] for row in table.of_kind("greet.lost")] == ["attempt 4"]


def test_a_pause_is_never_longer_than_an_hour(put: Any, table: Any, parts: root.Parts, now: datetime) -> None:
    job_id = put(max_attempts=100)
    row = table.claim(job_id, now)

    def age(session: Any) -> None:
        session.get(Job, job_id).attempts = 50

    parts.db.write(age)
    table.finish(job_id, row.lease, now, "again")
    assert table.row(job_id).run_at == now + timedelta(hours=1)


def test_a_cancelled_job_is_told_to_stop_and_ends_cancelled(
    put: Any, table: Any, kind: Any, parts: root.Parts, now: datetime
) -> None:
    kind("greet.lost")
    job_id = put(max_attempts=3, lost="greet.lost")
    row = table.claim(job_id, now)

    def cancel(session: Any) -> None:
        session.get(Job, job_id).cancel_requested = True

    parts.db.write(cancel)
    assert table.beat([(job_id, row.lease)], now) == {job_id}
    assert table.finish(job_id, row.lease, now, "stopped")
    assert table.row(job_id).state == "cancelled"
    assert [row.args["reason"] for row in table.of_kind("greet.lost")] == ["stopped"]


def test_a_cancel_that_comes_too_late_leaves_the_job_done(
    put: Any, table: Any, parts: root.Parts, now: datetime
) -> None:
    job_id = put()
    row = table.claim(job_id, now)

    def cancel(session: Any) -> None:
        session.get(Job, job_id).cancel_requested = True

    parts.db.write(cancel)
    table.finish(job_id, row.lease, now, None)
    assert table.row(job_id).state == "done"


def test_a_job_that_nobody_took_is_announced_again(put: Any, table: Any, now: datetime) -> None:
    early, late, taken = put(), put(run_at=now + 60 * SECOND), put()
    table.claim(taken, now)
    assert table.unheard(now + UNHEARD - SECOND) == []
    assert [row.job_id for row in table.unheard(now + UNHEARD)] == [early]
    assert [row.job_id for row in table.unheard(now + 2 * UNHEARD)] == [early]
    assert [row.job_id for row in table.unheard(now + 60 * SECOND + UNHEARD)] == [early, late]


def test_a_long_error_is_kept_to_its_column(put: Any, table: Any, now: datetime) -> None:
    job_id = put(max_attempts=1)
    row = table.claim(job_id, now)
    assert table.finish(job_id, row.lease, now, "x" * 5000)
    assert table.row(job_id).error == "x" * 2000


def test_only_declared_kinds_can_be_asked_for(now: datetime) -> None:
    with pytest.raises(KeyError, match="unheard_of"):
        jobs.job_row("unheard_of", 1, now)


def test_a_heartbeat_that_comes_between_look_and_lock_keeps_the_job(
    put: Any, table: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = put()
    table.claim(job_id, now)
    table.beat([(job_id, 1)], now + LEASE)
    monkeypatch.setattr(jobs, "_lost_ids", lambda session, now: [job_id])  # what the look still saw
    assert table.settle_lost(now + LEASE + SECOND) == []
    assert (table.row(job_id).state, table.row(job_id).lease) == ("running", 1)


@pytest.mark.parametrize(
    ("machine", "goes"), [("{here}", True), ("{name}/00000000", False), ("another/00000000", False)]
)
def test_only_a_process_that_could_be_seen_is_taken_for_dead_before_its_lease_ends(
    put: Any, table: Any, now: datetime, parts: root.Parts, machine: str, goes: bool
) -> None:
    """Containers of one host name do not see each other's processes."""
    job_id = put()
    table.claim(job_id, now)
    claimer = machine.format(here=MACHINE, name=MACHINE.partition("/")[0]) + ":4194999:12345"
    parts.db.write(lambda session: session.execute(update(Job).values(boot_id=claimer)))
    table.settle_lost(now + SECOND)
    assert (table.row(job_id).state == "queued") is goes


def test_jobs_that_wait_in_one_lane_do_not_hide_those_of_another(
    put: Any, table: Any, kind: Any, now: datetime
) -> None:
    kind("play", lane="plays")
    for _ in range(205):
        put("play")
    short = put("greet")
    assert short in [row.job_id for row in table.unheard(now + UNHEARD)]
