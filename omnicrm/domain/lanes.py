"""Who is next in a lane: first come, first served, unless somebody who knows the jobs gives a fairer order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from omnicrm.domain.jobs import Job, claim

#: So many turns are worked out for those who look at a queue; what comes later is told as "after these".
_SHOWN = 2000
#: So many for a worker that wants one job: others may take the first ones at the same moment.
_CANDIDATES = 20

#: The conditions of the jobs of a lane that may be taken now.
Due: TypeAlias = tuple[ColumnElement[bool], ...]
#: lane -> the first so many of its jobs that are due, in the order in which they are taken.
ORDER: dict[str, Callable[[Session, Due, int], list[int]]] = {}


def in_turn(session: Session, lane: str, now: datetime, limit: int = _SHOWN) -> list[int]:
    """The first `limit` jobs of a lane that are due, in the order in which workers take them."""
    due: Due = (Job.state == "queued", Job.lane == lane, Job.run_at <= now)
    if lane in ORDER:
        return ORDER[lane](session, due, limit)
    return list(session.scalars(select(Job.job_id).where(*due).order_by(Job.job_id).limit(limit)))


def candidates(session: Session, announced: int, now: datetime) -> list[int]:
    """What a worker may take that hears of a job: that one, or in a lane with an ORDER those whose turn it is. There
    a message of the queue says that the lane has work, not which.

    To be read before the transaction of `claim_first`, which all writers would wait for.
    """
    lane = session.scalar(select(Job.lane).where(Job.job_id == announced))
    return in_turn(session, lane, now, _CANDIDATES) if lane in ORDER else [announced]


def claim_first(session: Session, job_ids: list[int], now: datetime) -> Job | None:
    """Take the first of them that is still free; None where none is."""
    return next((job for job in (claim(session, job_id, now) for job_id in job_ids) if job is not None), None)
