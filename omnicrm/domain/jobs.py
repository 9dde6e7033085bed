"""The job table: the truth about background work (decision 16). Queues only carry ids.

A job is `queued`, `running`, `done`, `failed` or `cancelled`. Claiming it takes a lease: a number that rises with
every claim. A heartbeat keeps the lease; a job whose heartbeat stopped is lost, and its kind says what follows.
"""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Index, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from omnicrm.store import Base, Json, String, UtcDateTime, table

if TYPE_CHECKING:
    from omnicrm.domain.action import Door
    from omnicrm.settings import Settings

HEARTBEAT = timedelta(seconds=5)
LEASE = timedelta(seconds=20)
#: A queued job that nobody took for so long was lost between commit and queue: it is announced again.
UNHEARD = timedelta(seconds=3)


def _life(pid: int | str) -> str:
    """When a process of this machine began, in the kernel's ticks; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _machine() -> str:
    """Who sees the same processes: host name, and a mark of the running kernel and of its space of process ids. Two
    containers may have one host name and do not see each other's processes."""
    try:
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink("/proc/self/ns/pid")
    except OSError:
        kernel = uuid.uuid4().hex  # nobody's but this process's: its jobs are found by their heartbeat
    return f"{platform.node()[:30]}/{hashlib.sha256(kernel.encode()).hexdigest()[:8]}"


MACHINE = _machine()
#: This process's life: machine, process id and start time. A job whose claimer is of this machine and gone is lost at
#: once, without waiting for its lease.
BOOT_ID = f"{MACHINE}:{os.getpid()}:{_life('self') or uuid.uuid4().hex[:12]}"

P = TypeVar("P")


class Job(Base):
    __tablename__ = "job"
    __audit__ = None
    __table_args__ = table(Index("ix_job_open", "state", "lane", "run_at"), Index("ix_job_kind", "kind", "subject_id"))

    job_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(60))
    lane: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int | None]
    args: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    state: Mapped[str] = mapped_column(String(20), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=1)
    lease: Mapped[int] = mapped_column(default=0)
    boot_id: Mapped[str | None] = mapped_column(String(80))
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: One job for one key, however often it is asked for (a period, a mail, a provision).
    unique_key: Mapped[str | None] = mapped_column(String(190), unique=True)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(String(2000))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass
class Runtime:
    """What a job works with: the door, the settings, and the outside systems by the port they implement."""

    door: Door
    settings: Settings
    ports: dict[Any, Any]

    def port(self, kind: Callable[..., P]) -> P:
        """The implementation of a port; `kind` is its Protocol."""
        found: P = self.ports[kind]
        return found


@dataclass(frozen=True)
class Held:
    """A claimed job as its function sees it. `stopping()` turns true when it was cancelled or lost its lease."""

    job_id: int
    kind: str
    subject_id: int | None
    args: dict[str, Any]
    lease: int
    attempt: int
    stopping: Callable[[], bool]


@dataclass(frozen=True)
class Kind:
    """How a kind of job is run, and what happens when its worker died under it."""

    run: Callable[[Runtime, Held], None]
    lane: str
    max_attempts: int
    #: The kind of job that answers for one that failed for good or lost its worker; its args hold the `reason`.
    lost: str | None = None


KINDS: dict[str, Kind] = {}


def job(
    kind: str, *, lane: str = "short", max_attempts: int = 5, lost: str | None = None
) -> Callable[[Callable[[Runtime, Held], None]], Callable[[Runtime, Held], None]]:
    """Declare a job kind. Its function gets ids, is idempotent, and raises to be tried again with a pause."""

    def declare(function: Callable[[Runtime, Held], None]) -> Callable[[Runtime, Held], None]:
        KINDS[kind] = Kind(function, lane, max_attempts, lost)
        return function

    return declare


def job_row(
    kind: str,
    subject_id: int | None,
    now: datetime,
    *,
    args: dict[str, Any] | None = None,
    unique_key: str | None = None,
    run_at: datetime | None = None,
) -> Job:
    declared = KINDS[kind]
    return Job(
        kind=kind,
        lane=declared.lane,
        subject_id=subject_id,
        args=args or {},
        max_attempts=declared.max_attempts,
        unique_key=unique_key,
        run_at=run_at or now,
        created=now,
    )


def claim(session: Session, job_id: int, now: datetime) -> Job | None:
    """Take the lease if the job is still free: exactly one of many callers gets it."""
    taken: Any = session.execute(
        update(Job)
        .where(Job.job_id == job_id, Job.state == "queued", Job.run_at <= now)
        .values(
            state="running",
            lease=Job.lease + 1,
            attempts=Job.attempts + 1,
            boot_id=BOOT_ID,
            heartbeat_at=now,
            started_at=now,
        )
    )
    return session.get(Job, job_id, populate_existing=True) if taken.rowcount == 1 else None


def beat(session: Session, held: list[tuple[int, int]], now: datetime) -> set[int]:
    """Renew the leases `(job_id, lease)`; answers the ids that were lost or asked to stop."""
    stopping: set[int] = set()
    for job_id, lease in held:
        kept: Any = session.execute(
            update(Job).where(Job.job_id == job_id, Job.lease == lease, Job.state == "running").values(heartbeat_at=now)
        )
        if kept.rowcount != 1 or session.scalar(select(Job.cancel_requested).where(Job.job_id == job_id)):
            stopping.add(job_id)
    return stopping


def finish(session: Session, job_id: int, lease: int, now: datetime, error: str | None) -> bool:
    """End the job, or put it back with a growing pause while it has attempts left. False for an older lease."""
    row = session.scalars(select(Job).where(Job.job_id == job_id).with_for_update()).one()
    if row.lease != lease or row.state != "running":
        return False
    if error is not None and row.attempts < row.max_attempts and not row.cancel_requested:
        row.state, row.run_at = "queued", now + _pause(row.attempts)
    else:
        row.state = "done" if error is None else "cancelled" if row.cancel_requested else "failed"
        row.finished_at, row.error = now, error and error[:2000]
        if row.state != "done":
            _answer_for(session, row, now)
    row.error = error and error[:2000]
    return True


def _pause(attempts: int) -> timedelta:
    """Before the next attempt: short at first, for a neighbour that only restarts; at most an hour."""
    return timedelta(seconds=min(5 * 3 ** (attempts - 1), 3600))


def _answer_for(session: Session, row: Job, now: datetime) -> list[Job]:
    """Nothing runs this job any more: the kind that answers for it takes over, in the same transaction."""
    kind = KINDS[row.kind].lost
    if kind is None:
        return []
    answer = job_row(kind, row.subject_id, now, args={"job_id": row.job_id, "reason": row.error or ""})
    session.add(answer)
    return [answer]


def has_lost(session: Session, now: datetime) -> bool:
    """Whether a write is worth it: the sweep looks every few seconds."""
    return bool(_lost_ids(session, now))


def _lost_ids(session: Session, now: datetime) -> list[int]:
    running = session.execute(select(Job.job_id, Job.heartbeat_at, Job.boot_id).where(Job.state == "running"))
    return [row.job_id for row in running if _is_lost(row.heartbeat_at, row.boot_id, now)]


def _is_lost(heartbeat_at: datetime | None, boot_id: str | None, now: datetime) -> bool:
    return heartbeat_at is None or heartbeat_at < now - LEASE or _is_gone(boot_id or "")


def _is_gone(boot_id: str) -> bool:
    """Whether a claimer is surely dead: a process of this machine that ended."""
    machine, _, rest = boot_id.partition(":")
    pid, _, life = rest.partition(":")
    here = machine == MACHINE and pid.isdecimal() and Path("/proc/self/stat").exists()
    return here and _life(pid) != life and boot_id != BOOT_ID


def settle_lost(session: Session, now: datetime) -> list[Job]:
    """Running jobs without a heartbeat: put back while they have attempts left, else failed and answered for. Gives
    the jobs that wait now."""
    waiting: list[Job] = []
    rows = session.scalars(
        select(Job)
        .where(Job.job_id.in_(_lost_ids(session, now)), Job.state == "running")
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        if not _is_lost(row.heartbeat_at, row.boot_id, now):
            continue  # its heartbeat came between the look and the lock
        row.lease += 1  # whoever held the old number is refused from now on
        if row.attempts < row.max_attempts:
            row.state, row.run_at = "queued", now
            waiting.append(row)
        else:
            row.state, row.finished_at, row.error = "failed", now, "The worker of this job stopped."
            waiting += _answer_for(session, row, now)
    return waiting


def unheard(session: Session, now: datetime) -> list[Job]:
    """Queued jobs that are due and that no worker took. What was put off is announced for the first time here."""
    due = (Job.run_at <= now - UNHEARD) | ((Job.run_at <= now) & (Job.run_at > Job.created))
    query = select(Job).where(Job.state == "queued", due).order_by(Job.job_id).limit(200)
    # Lane by lane: thousands that wait in one do not hide those of another.
    lanes = sorted({kind.lane for kind in KINDS.values()})
    return [job for lane in lanes for job in session.scalars(query.where(Job.lane == lane))]
