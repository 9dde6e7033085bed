"""Whose job is next in the lane of the plays: fair between those who order, and no clean-up waits behind new orders."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from omnicrm.domain import lanes
from omnicrm.domain.jobs import Job
from omnicrm.domain.lanes import Due
from omnicrm.domain.provisioning.models import Provision

_RUN = "provision.run"
#: So many of the last orders decide who was served when.
_REMEMBERED = 50
#: Id and name: renewals and outside systems carry the first admin's id (PROV-159), but not his name.
User: TypeAlias = tuple[int | None, str]


def in_turn(session: Session, due: Due, limit: int) -> list[int]:
    """Clean-ups first: they hold stock. Then the orders by turns, one for each user who has some waiting, beginning
    with the user whose last order was taken longest ago. Whoever starts thousands of orders, for one customer or for as
    many, delays another user's single one by no more than the orders that run already. One user's go by age."""
    urgent = select(Job.job_id).where(*due, Job.kind != _RUN).order_by(Job.job_id).limit(limit)
    user = (Provision.initiating_user, Provision.initiating_name)
    turn = func.row_number().over(partition_by=user, order_by=Job.job_id).label("turn")
    orders = (
        select(Job.job_id, *user, turn)
        .outerjoin(Provision, Provision.provision_id == Job.subject_id)
        .where(*due, Job.kind == _RUN)
        .subquery()
    )
    rows = session.execute(select(orders).where(orders.c.turn <= limit)).all()
    served = _last_served(session) if len({(number, name) for _, number, name, _ in rows}) > 1 else {}
    keyed = [(turn, served.get((number, name), datetime.min), job_id) for job_id, number, name, turn in rows]
    return [*session.scalars(urgent), *(job_id for *_, job_id in sorted(keyed))][:limit]


def _last_served(session: Session) -> dict[User, datetime]:
    """When an order of each user was taken last; who is not among the last ones has waited long enough."""
    last = (
        select(Job.subject_id, Job.started_at)
        .where(Job.kind == _RUN, Job.state != "queued")
        .order_by(Job.subject_id.desc())
        .limit(_REMEMBERED)
        .subquery()
    )
    user = (Provision.initiating_user, Provision.initiating_name)
    query = select(*user, func.max(last.c.started_at)).join(last, last.c.subject_id == Provision.provision_id)
    rows = session.execute(query.group_by(*user))
    return {(number, name): at.replace(tzinfo=None) for number, name, at in rows if at is not None}


lanes.ORDER["plays"] = in_turn
