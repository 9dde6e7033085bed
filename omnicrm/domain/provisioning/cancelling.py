"""Ending services: cancelled at once or after a grace period, due, expired.

A service that is cancelled with a grace period reads "Pending Cancellation" until `cancel_at`: it stays usable, is not
renewed, and can be reinstated (PROV-231). `service.end` then orders its deprovision, as it does for services whose
time is over (PROV-229).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from omnicrm.domain import alerts
from omnicrm.domain.action import Ctx, action
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.errors import Conflict, DomainError, Unavailable
from omnicrm.domain.jobs import Held, Job, Runtime, job
from omnicrm.domain.periodic import periodic
from omnicrm.domain.provisioning.closing import alarm, alert_of
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.orders import Order, order
from omnicrm.domain.provisioning.placing import open_job_of, refuse_open_job
from omnicrm.domain.services.models import PENDING, CustomerService
from omnicrm.domain.services.queries import INACTIVE
from omnicrm.domain.services.resource import services
from omnicrm.settings import Settings

#: A deprovision that failed is tried again by itself after this time.
_AGAIN = timedelta(hours=6)


@dataclass(frozen=True)
class Cancel:
    service_id: int
    #: Without the grace period of the configuration.
    at_once: bool = False


@dataclass(frozen=True)
class Cancelled:
    """The deprovision job, or None while the service waits for `cancel_at`."""

    service: CustomerService
    job: Provision | None = None


@action("provision.cancel_service", permission="delete_customer_service")
def cancel_service(ctx: Ctx, cmd: Cancel) -> Cancelled:
    """Cancel a service (PC-30, OC-20): a deprovision job does it, at once or after `provisioning.cancel_grace_days`.

    A service that is not usable anyway, such as a suspended one, gets no grace period. The record stays as history.
    """
    row = ctx.load(CustomerService, cmd.service_id, *services.scope(ctx.actor, services, "delete"), name="Service")
    if row.group == "Inactive":
        raise Conflict("The service has ended already.")
    grace = ctx.settings.provisioning.cancel_grace_days
    if cmd.at_once or not grace or row.group != "Active":
        return Cancelled(row, order.body(ctx, Order({"service_id": row.service_id, "action": "deprovision"})))
    if row.cancel_at is not None:
        raise Conflict(f"The service is cancelled already and ends on {row.cancel_at:%Y-%m-%d}.")
    refuse_open_job(ctx, row)
    row.status_before, row.service_status = row.service_status, PENDING
    row.cancel_at = ctx.now + timedelta(days=grace)
    ctx.called(row, "cancelled")
    return Cancelled(row)


@action("provision.reinstate", permission="delete_customer_service")
def reinstate(ctx: Ctx, cmd: int) -> CustomerService:
    """Take a cancellation back while the grace period lasts (PROV-231)."""
    row = ctx.load(CustomerService, cmd, *services.scope(ctx.actor, services, "delete"), name="Service")
    if row.cancel_at is None:
        raise Conflict("The service is not waiting for its cancellation.")
    refuse_open_job(ctx, row)
    if row.service_status == PENDING:  # a status that somebody set meanwhile stays
        row.service_status = row.status_before or "Active"
    row.cancel_at = row.status_before = None
    alerts.clear_alert(ctx.session, alert_of(row.service_id), ctx.now)
    ctx.called(row, "reinstated")
    return row


@periodic("service.end_due", every=timedelta(minutes=1))
def end_due(runtime: Runtime) -> None:
    """Look for services whose time is over and have each ended by a job of its own."""
    due = runtime.door.read_now(_due, runtime.settings, runtime.door.clock())
    if due:
        with contextlib.suppress(Conflict):  # another process came first
            runtime.door.act_now(call_due, SYSTEM, tuple(due))


def _over(settings: Settings, now: datetime) -> ColumnElement[bool]:
    """Services past their grace period, and those whose time is over where the configuration ends such."""
    rules, row = settings.provisioning, CustomerService
    over: list[ColumnElement[bool]] = [row.cancel_at <= now]
    if rules.deprovision_expired_days is not None:
        over.append(row.service_deactivate_date <= now - timedelta(days=rules.deprovision_expired_days))
    if rules.deprovision_at_contract_end:
        over.append(and_(row.contract_end_date <= now, row.auto_renew.is_(False)))
    return and_(or_(*over), row.deleted_at.is_(None), row.service_status.not_in(INACTIVE))


def _due(session: Any, settings: Settings, now: datetime, limit: int = 500) -> list[int]:
    """Services whose time is over and that nothing works on; one that could not be ended rests for hours."""
    waiting = select(Job.subject_id).where(
        Job.kind == "service.end", Job.state.in_(("queued", "running")), Job.subject_id.is_not(None)
    )
    tried = select(Provision.service_id).where(
        Provision.action == "deprovision",
        Provision.service_id.is_not(None),
        or_(
            Provision.provisioning_status == int(Status.RUNNING),
            and_(Provision.provisioning_status == int(Status.FAILED), Provision.created > now - _AGAIN),
        ),
    )
    key = CustomerService.service_id
    query = select(key).where(_over(settings, now), key.not_in(waiting), key.not_in(tried))
    return list(session.scalars(query.order_by(key).limit(limit)))


@action("provision.call_due", permission="admin")
def call_due(ctx: Ctx, cmd: tuple[int, ...]) -> None:
    """A job for each service whose time is over; one an hour and service, so that a refusal does not fill the table."""
    known = select(Job.unique_key).where(Job.kind == "service.end", Job.subject_id.in_(cmd))
    taken = set(ctx.session.scalars(known))
    for service_id in cmd:
        key = f"service.end:{service_id}:{ctx.now:%Y%m%d%H}"
        if key not in taken:
            ctx.later("service.end", service_id, unique_key=key, args={"due": True})


@dataclass(frozen=True)
class End:
    service_id: int
    #: Only if its time is still over: somebody may have reinstated it meanwhile.
    if_due: bool = False


@job("service.end", max_attempts=10, lost="service.not_ended")
def end_service(runtime: Runtime, held: Held) -> None:
    """Order the deprovision of a service; a refusal becomes an alert, since nobody is there to read it."""
    service_id = int(held.subject_id or 0)
    try:
        runtime.door.act_now(end_now, SYSTEM, End(service_id, bool(held.args.get("due"))))
    except Unavailable:
        raise
    except DomainError as error:
        _tell_not_ended(runtime, service_id, error.message)


@job("service.not_ended", max_attempts=10)
def answer_not_ended(runtime: Runtime, held: Held) -> None:
    """Another job was in the way all the time."""
    _tell_not_ended(runtime, int(held.subject_id or 0), str(held.args.get("reason") or ""))


def _tell_not_ended(runtime: Runtime, service_id: int, reason: str) -> None:
    title = f"Service {service_id} should end and cannot"
    alarm(runtime, alert_of(service_id), title, reason, f"/services/{service_id}")


@action("provision.end_service", permission="admin")
def end_now(ctx: Ctx, cmd: End) -> Provision | None:
    """Order a deprovision unless the service was ended or reinstated meanwhile."""
    row = ctx.load(CustomerService, cmd.service_id, name="Service")
    still = select(CustomerService.service_id).where(
        CustomerService.service_id == row.service_id, _over(ctx.settings, ctx.now)
    )
    if row.deleted_at is not None or (cmd.if_due and ctx.session.scalar(still) is None):
        return None
    busy = open_job_of(ctx, row.service_id)
    if busy is not None:
        raise Unavailable(f"Job {busy} is still working on this service.")
    return order.body(ctx, Order({"service_id": row.service_id, "action": "deprovision"}))
