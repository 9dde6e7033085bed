"""Whose job is next in the lane of the plays: fair between those who order, and no clean-up waits behind new orders."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from omnicrm.domain import lanes
from omnicrm.domain.jobs import Job
from omnicrm.domain.lanes import Waiting
from omnicrm.domain.provisioning.models import Provision

_RUN = "provision.run"
#: So many of the last orders decide who was served when.
_REMEMBERED = 50
#: Id and name: renewals and outside systems carry the first admin's id (PROV-159), but not his name.
User: TypeAlias = tuple[int | None, str]


def in_turn(session: Session, waiting: list[Waiting]) -> list[int]:
    """Clean-ups first: they hold stock. Then the orders by turns, one for each user who has some waiting, beginning
    with the user whose last order was taken longest ago. Whoever starts two hundred orders, for one customer or for as
    many, delays another user's single one by no more than the orders that run already. One user's go by age."""
    orders = [one for one in waiting if one.kind == _RUN]
    first = [one.job_id for one in waiting if one.kind != _RUN]
    users = _users(session, [one.subject_id for one in orders if one.subject_id is not None])
    served = _last_served(session) if len(set(users.values())) > 1 else {}
    rounds: dict[User, int] = {}
    keyed: list[tuple[int, datetime, int]] = []
    for one in orders:
        user = users.get(one.subject_id or 0, (None, ""))
        rounds[user] = rounds.get(user, 0) + 1
        keyed.append((rounds[user], served.get(user, datetime.min), one.job_id))
    return first + [job_id for *_, job_id in sorted(keyed)]


def _users(session: Session, provision_ids: list[int]) -> dict[int, User]:
    query = select(Provision.provision_id, Provision.initiating_user, Provision.initiating_name)
    rows = session.execute(query.where(Provision.provision_id.in_(provision_ids))) if provision_ids else ()
    return {number: (user, name) for number, user, name in rows}


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
