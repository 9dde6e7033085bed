"""Rules of provisioning jobs, of the queue, and of what plays leave on the machine. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from omnicrm.domain.checking.values import Finding, Provisioning, QueuedJob, Remains, Work

RUNNING, FAILED = 1, 2
#: A dead worker's job is settled within a minute (decision 16).
SILENT = timedelta(seconds=60)


def provisioning_findings(job: Provisioning) -> Iterator[Finding]:
    """A job against its queue entry, its events, its charges and what it left."""

    def finding(kind: str, text: str, mend: str = "") -> Finding:
        page = f"/provisioning/{job.provision_id}"
        return Finding(kind, "job", str(job.provision_id), job.name, text, mend or f"open {page}")

    again = f"press Clean up on /provisioning/{job.provision_id}"
    if job.tasks_done > job.task_count:
        yield finding("more-done-than-tasks", f"{job.tasks_done} tasks are done, but it has only {job.task_count}")
    if job.is_open:
        return
    if job.status == RUNNING:
        text = "it counts as running, but nothing in the queue works on it"
        mend = "restart the product and check again; if it stays, a database was restored without its queue entries"
        yield finding("running-without-queue", text, mend)
        return
    if job.open_events:
        yield finding("event-still-running", f"it is over, but its task '{job.open_events[0]}' still counts as running")
    for where, what, text in job.leftovers:
        yield finding("left-behind", f"it names something left at {where}, step '{what}': {text}", again)
    if job.status == FAILED:
        for transaction_id in job.charges:
            yield finding(
                "charge-of-failed-job", f"it failed, but its transaction {transaction_id} is still owed", again
            )
        for thing in job.made:
            yield finding("engine-keeps-failed-job", f"it failed, but the engine still has its {thing}", again)


def queue_finding(job: QueuedJob, now: datetime) -> Finding | None:
    """An entry of the queue that works on what is over, or whose worker fell silent."""
    name = f"{job.kind} {job.subject_id or ''}".strip()
    if job.kind == "provision.run" and job.subject_ended:
        text = "it is still in the queue, but its provisioning job has ended"
        return Finding("queue-after-end", "queue entry", str(job.job_id), name, text, "restart the product")
    if job.state == "running" and (job.heartbeat_at is None or job.heartbeat_at < now - SILENT):
        seen = f"{job.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC" if job.heartbeat_at else "the beginning"
        text = f"it counts as running, but its worker was not heard of since {seen}"
        mend = "start the product (or its worker): it settles what a dead worker left within a minute"
        return Finding("worker-is-silent", "queue entry", str(job.job_id), name, text, mend)
    return None


def remains_finding(remains: Remains, work: Work) -> Finding | None:
    """A folder or process of a run that is not going on."""
    if (remains.provision_id, remains.lease) in work.runs:
        return None
    text = f"its run is over, but there is still {remains.what}"
    mend = "restart the product (or its worker): a start removes what dead runs left"
    return Finding("run-left-behind", "job", str(remains.provision_id), "", text, mend)
