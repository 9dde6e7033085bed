"""What the workers have to do: every job that runs or waits, in order, for the queue page and for the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from omnicrm.domain import lanes
from omnicrm.domain.alerts import Alert
from omnicrm.domain.customers.models import Customer
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.queries import RUN_KIND

#: Kinds of jobs in words; another kind stands for itself.
NAMES = {
    RUN_KIND: "Run the play",
    "provision.clean": "Clean up",
    "provision.lost": "Settle an interrupted job",
    "provision.uncleaned": "Settle a clean-up that failed",
    "provision.failure_mail": "Tell of a failure",
    "provision.sweep": "Look for what a cancelled service left",
    "service.set_status": "Suspend or resume a service",
    "service.status_play": "Tell a service's play of its status",
    "service.end": "Cancel a service that is due",
    "mail.provision_failure": "Mail about a failure",
    "mail.provision_failure_unsent": "Note a mail that was not sent",
}
#: Kinds whose subject is a provisioning job.
_ABOUT_PROVISIONS = ("provision.", "mail.provision_")
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A job of the queue. `place` counts from 1 among those of its lane that wait now; None for one that runs or that
    waits for its time. `begins_at` is set for the latter."""

    job_id: int
    lane: str
    kind: str
    what: str
    state: str
    place: int | None
    begins_at: datetime | None
    since: datetime
    attempt: int
    attempts: int
    worker: str
    error: str
    provision_id: int | None
    play: str
    customer_id: int | None
    customer_name: str
    may_cancel: bool


def entries(session: Session, now: datetime) -> list[Entry]:
    """Running jobs first, then waiting ones in the order in which workers take them; at most 500."""
    is_open = Job.state.in_(("queued", "running"))
    about = Job.kind.startswith(_ABOUT_PROVISIONS[0]) | Job.kind.startswith(_ABOUT_PROVISIONS[1])
    rows = session.execute(
        select(
            Job,
            Provision.provision_id,
            Provision.provisioning_play,
            Provision.playbook_description,
            Provision.provisioning_status,
            Customer.customer_id,
            Customer.customer_name,
        )
        .outerjoin(Provision, (Provision.provision_id == Job.subject_id) & about)
        .outerjoin(Customer, Customer.customer_id == Provision.customer_id)
        .where(is_open)
        .order_by(Job.state.desc(), Job.job_id)
        .limit(_SHOWN)
    )
    found = rows.all()
    places = _places(session, {row.Job.lane for row in found}, now)
    shown = [_entry(row, now, places) for row in found]
    return sorted(shown, key=lambda entry: (entry.state == "queued", entry.place or _SHOWN, entry.job_id))


def _places(session: Session, names: set[str], now: datetime) -> dict[int, int]:
    """The turn of each job that is due, counted from 1 in its lane."""
    return {job_id: place for name in names for place, job_id in enumerate(lanes.in_turn(session, name, now), start=1)}


def _entry(row: Any, now: datetime, places: dict[int, int]) -> Entry:
    job: Job = row.Job
    waits = job.state == "queued"
    is_due = waits and job.run_at <= now
    machine, _, rest = (job.boot_id or "").partition(":")
    return Entry(
        job.job_id,
        job.lane,
        job.kind,
        NAMES.get(job.kind, job.kind),
        job.state,
        places.get(job.job_id) if is_due else None,
        job.run_at if waits and not is_due else None,
        job.created if waits else job.started_at or job.created,
        job.attempts + 1 if waits else job.attempts,
        job.max_attempts,
        f"{machine}, process {rest.partition(':')[0]}" if machine and not waits else "",
        job.error or "",
        row.provision_id,
        row.playbook_description or row.provisioning_play or "",
        row.customer_id,
        row.customer_name or "",
        job.kind == RUN_KIND and row.provisioning_status == Status.RUNNING and not job.cancel_requested,
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts for monitoring (PROV-292, CFG-128). Ages are seconds, 0 where nothing waits."""

    provisions: dict[int, int]
    #: (lane, state) -> open jobs.
    jobs: dict[tuple[str, str], int]
    #: lane -> age of the oldest job that waits although it is due.
    oldest: dict[str, float]
    #: severity -> open alerts.
    alerts: dict[str, int]


def figures(session: Session, now: datetime) -> Figures:
    by_status = select(Provision.provisioning_status, func.count()).group_by(Provision.provisioning_status)
    by_lane = (
        select(Job.lane, Job.state, func.count())
        .where(Job.state.in_(("queued", "running")))
        .group_by(Job.lane, Job.state)
    )
    due = select(Job.lane, func.min(Job.run_at)).where(Job.state == "queued", Job.run_at <= now).group_by(Job.lane)
    by_severity = select(Alert.severity, func.count()).where(Alert.cleared_at.is_(None)).group_by(Alert.severity)
    return Figures(
        {row[0]: row[1] for row in session.execute(by_status)},
        {(lane, state): count for lane, state, count in session.execute(by_lane)},
        {lane: (now - first).total_seconds() for lane, first in session.execute(due)},
        {row[0]: row[1] for row in session.execute(by_severity)},
    )
