"""Who is next in a lane: first come, first served, unless somebody who knows the jobs gives a fairer order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain.jobs import Job, claim

#: So many waiting jobs, the oldest, are put into order; with more, the rest waits for its time.
_SORTED = 2000


@dataclass(frozen=True, slots=True)
class Waiting:
    job_id: int
    kind: str
    subject_id: int | None


#: lane -> what puts its waiting jobs, which come oldest first, into the order in which they are taken.
ORDER: dict[str, Callable[[Session, list[Waiting]], list[int]]] = {}


def in_turn(session: Session, lane: str, now: datetime) -> list[int]:
    """The jobs of a lane that are due, in the order in which workers take them; of many, the oldest ones."""
    due = (Job.state == "queued", Job.lane == lane, Job.run_at <= now)
    query = select(Job.job_id, Job.kind, Job.subject_id).where(*due).order_by(Job.job_id).limit(_SORTED)
    waiting = [Waiting(*row) for row in session.execute(query)]
    return ORDER[lane](session, waiting) if lane in ORDER else [one.job_id for one in waiting]


def claim_next(session: Session, announced: int, now: datetime) -> Job | None:
    """Take the announced job, or in a lane with an ORDER the one whose turn it is: there a message of the queue says
    that the lane has work, not which. None where no job is free."""
    lane = session.scalar(select(Job.lane).where(Job.job_id == announced))
    # Others may take the first ones at the same moment; further down nobody looks.
    candidates = in_turn(session, lane, now)[:10] if lane in ORDER else [announced]
    return next((job for job in (claim(session, job_id, now) for job_id in candidates) if job is not None), None)
