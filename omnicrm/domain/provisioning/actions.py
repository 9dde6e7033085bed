"""The life of a job after its order: start, end, cancel, retry; and the cancelling of a service."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select, update

from omnicrm.domain.action import Ctx, action
from omnicrm.domain.billing.actions import void_charges_of
from omnicrm.domain.errors import Conflict
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent, Status
from omnicrm.domain.provisioning.orders import Order, order, plays_dirs
from omnicrm.domain.provisioning.resource import provisions
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.resource import services

__all__ = ["Ended", "Order", "Started", "cancel", "cancel_service", "end", "order", "plays_dirs", "retry", "start"]


@dataclass(frozen=True)
class Started:
    provision_id: int


@dataclass(frozen=True)
class Lease:
    """The claim under which a worker speaks for a job."""

    job_id: int
    number: int


@dataclass(frozen=True)
class Ended:
    """How a run ended. With `clean_up` another run undoes it; until then the order's items stay reserved."""

    provision_id: int
    succeeded: bool
    message: str = ""
    facts: str | None = None
    clean_up: bool = False
    lease: Lease | None = None


@action("provision.start", permission="admin")
def start(ctx: Ctx, cmd: Started) -> None:
    row = ctx.load(Provision, cmd.provision_id)
    row.started_at = row.started_at or ctx.now


def _refuse_lost(ctx: Ctx, lease: Lease) -> None:
    """A worker that lost its lease has nothing to say any more: another one settles the job."""
    query = select(Job.job_id).where(Job.job_id == lease.job_id, Job.lease == lease.number, Job.state == "running")
    if ctx.session.scalar(query.with_for_update()) is None:
        raise Conflict("The lease of this job is lost; another worker settles it.")


@action("provision.end", permission="admin")
def end(ctx: Ctx, cmd: Ended) -> None:
    """Final state of the job: no event stays open, reservations end, the service is linked (PROV-152, 158, 161)."""
    if cmd.lease is not None:
        _refuse_lost(ctx, cmd.lease)
    row = ctx.load(Provision, cmd.provision_id)
    row.provisioning_status = int(Status.SUCCESS if cmd.succeeded else Status.FAILED)
    row.error = cmd.message[:2000]
    row.finished_at = ctx.now
    row.facts = cmd.facts or row.facts
    ctx.session.execute(
        update(ProvisionEvent)
        .where(ProvisionEvent.provision_id == row.provision_id, ProvisionEvent.provisioning_status == 1)
        .values(provisioning_status=int(Status.FAILED), ended_at=ctx.now, message="interrupted")
    )
    made = select(CustomerService.service_id).where(CustomerService.made_by_provision_id == row.provision_id)
    row.service_id = row.service_id or ctx.session.scalar(made.order_by(CustomerService.service_id).limit(1))
    if row.service_id is not None and ctx.session.get(CustomerService, row.service_id) is None:
        row.service_id = None  # the undoing removed it
    if cmd.clean_up:
        ctx.later("provision.clean", row.provision_id)
    else:
        stock.release(ctx, row.provision_id)
        if not cmd.succeeded:
            void_charges_of(ctx, row.provision_id)
    ctx.called(row, "succeeded" if cmd.succeeded else "failed")


@action("provision.cancel", permission="update_provision")
def cancel(ctx: Ctx, cmd: Started) -> Provision:
    """Ask a waiting or running job to stop; it then undoes itself as after any failure."""
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if row.provisioning_status != Status.RUNNING:
        raise Conflict("The job has ended already.")
    for job in ctx.session.scalars(
        select(Job).where(Job.subject_id == row.provision_id, Job.kind == "provision.run", Job.finished_at.is_(None))
    ):
        job.cancel_requested = True
    return row


@action("provision.retry", permission="create_provision")
def retry(ctx: Ctx, cmd: Started) -> Provision:
    """A new job with the same inputs: new id, fresh token, fresh reservations (PROV-085)."""
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if row.provisioning_status == Status.RUNNING:
        raise Conflict("The job is still running.")
    if row.provisioning_status == Status.SUCCESS:
        raise Conflict("The job succeeded; there is nothing to try again.")
    if _is_worked_on(ctx, row.provision_id):
        raise Conflict("The job is still being cleaned up.")
    again = select(Provision.provision_id).where(
        Provision.retry_of == row.provision_id, Provision.provisioning_status != int(Status.FAILED)
    )
    known = ctx.session.scalar(again.limit(1))
    if known is not None:
        raise Conflict(f"Job {known} tries this already.", provision_id=known)
    sent = json.loads(row.variables or "{}").get("sent", {})
    return order.body(ctx, Order(sent, retry_of=row.provision_id))


def _is_worked_on(ctx: Ctx, provision_id: int) -> bool:
    query = select(Job.job_id).where(
        Job.subject_id == provision_id, Job.kind.like("provision.%"), Job.state.in_(("queued", "running"))
    )
    return ctx.session.scalar(query.limit(1)) is not None


@action("provision.clean_again", permission="update_provision")
def clean_again(ctx: Ctx, cmd: Started) -> Provision:
    """Try the clean-up of a failed job once more (PROV-168)."""
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if row.provisioning_status != Status.FAILED:
        raise Conflict("Only a failed job is cleaned up.")
    if _is_worked_on(ctx, row.provision_id):
        raise Conflict("The job is still being cleaned up.")
    ctx.later("provision.clean", row.provision_id)
    return row


@action("provision.cancel_service", permission="delete_customer_service")
def cancel_service(ctx: Ctx, cmd: int) -> Provision:
    """Staff cancel a service: a deprovision job does it; the record stays as history (PC-30, OC-20)."""
    services.get(ctx.session, ctx.actor, cmd, "delete")  # unknown and a stranger's: not found
    return order.body(ctx, Order({"service_id": cmd, "action": "deprovision"}))
