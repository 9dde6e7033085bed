"""The claim under which a worker speaks for a job: one that has lost it says and changes nothing any more."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain.action import Ctx
from omnicrm.domain.errors import Conflict
from omnicrm.domain.jobs import Held, Job, finish


@dataclass(frozen=True)
class Lease:
    job_id: int
    number: int

    @classmethod
    def of(cls, held: Held) -> Lease:
        return cls(held.job_id, held.lease)


def refuse_lost(session: Session, lease: Lease) -> None:
    """Raises Conflict unless the lease holds; it then holds to the end of a writing transaction."""
    query = select(Job.job_id).where(Job.job_id == lease.job_id, Job.lease == lease.number, Job.state == "running")
    if session.scalar(query.with_for_update()) is None:
        raise Conflict("The lease of this job is lost; another worker settles it.")


def finish_held(ctx: Ctx, lease: Lease) -> None:
    """End the worker's job with what the transaction stores. Raises Conflict for a lease that is lost."""
    refuse_lost(ctx.session, lease)
    finish(ctx.session, lease.job_id, lease.number, ctx.now, None)
