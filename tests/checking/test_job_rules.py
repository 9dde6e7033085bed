"""Each rule of jobs, queue and machine: a sound example is silent, a broken one is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from omnicrm.domain.checking import rules_jobs as rules
from omnicrm.domain.checking.values import Provisioning, QueuedJob, Remains, Work

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DONE = Provisioning(4, "Mobile SIM", 0, tasks_done=20, task_count=30)
FAILED = replace(DONE, status=2)
RUNNING = replace(DONE, status=1, is_open=True, open_events=("Tell the HSS",))
ENTRY = QueuedJob(11, "provision.run", "running", 4, 1, NOW - timedelta(seconds=6), subject_ended=False)


@pytest.mark.parametrize(
    "job",
    [
        DONE,
        FAILED,
        RUNNING,
        replace(DONE, charges=(5,), made=("account X",)),
        replace(FAILED, is_open=True, charges=(5,), made=("account X",), open_events=("Undo",)),
    ],
)
def test_a_sound_job_is_silent(job: Provisioning) -> None:
    assert list(rules.provisioning_findings(job)) == []


@pytest.mark.parametrize(
    ("job", "kind", "word"),
    [
        (replace(RUNNING, is_open=False), "running-without-queue", "running"),
        (replace(DONE, open_events=("Tell the HSS",)), "event-still-running", "Tell the HSS"),
        (replace(DONE, tasks_done=31), "more-done-than-tasks", "31"),
        (replace(FAILED, charges=(5,)), "charge-of-failed-job", "transaction 5"),
        (replace(FAILED, made=("account X",)), "engine-keeps-failed-job", "account X"),
        (replace(FAILED, leftovers=(("HSS a", "Delete the subscriber", "refused"),)), "left-behind", "HSS a"),
        (replace(DONE, leftovers=(("HSS a", "Delete the subscriber", "refused"),)), "left-behind", "refused"),
    ],
)
def test_a_broken_job_is_named(job: Provisioning, kind: str, word: str) -> None:
    (found,) = rules.provisioning_findings(job)
    assert (found.kind, found.record, found.ident) == (kind, "job", "4")
    assert word in found.text and found.mend


def test_an_entry_of_the_queue_that_beats_is_silent() -> None:
    assert rules.queue_finding(ENTRY, NOW) is None
    assert rules.queue_finding(replace(ENTRY, state="queued", heartbeat_at=None), NOW) is None
    assert rules.queue_finding(replace(ENTRY, kind="provision.clean", subject_ended=True), NOW) is None


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (replace(ENTRY, heartbeat_at=NOW - timedelta(seconds=61)), "worker-is-silent"),
        (replace(ENTRY, heartbeat_at=None), "worker-is-silent"),
        (replace(ENTRY, state="queued", subject_ended=True), "queue-after-end"),
    ],
)
def test_an_entry_that_nobody_works_on_is_named(entry: QueuedJob, kind: str) -> None:
    found = rules.queue_finding(entry, NOW)
    assert found is not None and found.kind == kind


def test_what_a_run_left_is_named_once_the_run_is_over() -> None:
    remains = Remains(4, 2, "the folder /data/runs/run-4-2-abc")
    assert rules.remains_finding(remains, Work(runs=frozenset({(4, 2)}))) is None
    found = rules.remains_finding(remains, Work(runs=frozenset({(4, 3)})))
    assert found is not None and found.kind == "run-left-behind" and "run-4-2-abc" in found.text
