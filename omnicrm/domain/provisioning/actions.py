"""The life of a job after its order: start, end, cancel, retry."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select

from omnicrm.domain.action import Ctx, action
from omnicrm.domain.errors import Conflict, Invalid, NotPermitted
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.inventory.queries import ORDER_JOBS
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import chains, closing, leftovers
from omnicrm.domain.provisioning.ending import CleanUp, Ended, end, note_left
from omnicrm.domain.provisioning.lease import Lease
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.orders import Order, order, plays_dirs
from omnicrm.domain.provisioning.placing import refuse_open_job
from omnicrm.domain.provisioning.resource import provisions
from omnicrm.domain.services.models import CustomerService

__all__ = ["Ended", "Lease", "Order", "Started", "cancel", "end", "order", "plays_dirs", "retry", "start"]


@dataclass(frozen=True)
class Started:
    provision_id: int


@action("provision.start", permission="admin")
def start(ctx: Ctx, cmd: Started) -> None:
    row = ctx.load(Provision, cmd.provision_id)
    row.started_at = row.started_at or ctx.now


@action("provision.cancel", permission="update_provision")
def cancel(ctx: Ctx, cmd: Started) -> Provision:
    """Ask a running job to stop; it then undoes itself as after any failure. One that waits ends here and now."""
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if row.provisioning_status != Status.RUNNING:
        raise Conflict("The job has ended already.")
    unfinished = select(Job).where(
        Job.subject_id == row.provision_id, Job.kind == "provision.run", Job.finished_at.is_(None)
    )
    for job in ctx.session.scalars(unfinished.with_for_update()):
        job.cancel_requested = True
        if job.state == "queued":
            job.state, job.finished_at = "cancelled", ctx.now
            end.body(ctx, Ended(row.provision_id, False, "stopped on request before it began", is_news=False))
    return row


@action("provision.retry", permission="create_provision")
def retry(ctx: Ctx, cmd: Started) -> Provision:
    """A new job with the same inputs: new id, fresh token, fresh reservations (PROV-085).

    A job and its retries are one piece of work: whichever of them is tried again, none of the others may have done it
    or be at it. A clean-up that waits for a system makes way: the new job needs its items, and what it would remove.
    """
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if row.provisioning_status == Status.RUNNING:
        raise Conflict("The job is still running.")
    if row.provisioning_status == Status.SUCCESS:
        raise Conflict("The job succeeded; there is nothing to try again.")
    for tried in _tries(ctx, row):
        if tried.provisioning_status != Status.FAILED:
            raise Conflict(f"Job {tried.provision_id} tries this already.", provision_id=tried.provision_id)
        _stop_waiting(ctx, tried.provision_id)
        if _is_worked_on(ctx, tried.provision_id):
            raise Conflict(f"Job {tried.provision_id} is still being cleaned up.", provision_id=tried.provision_id)
        stock.release(ctx, tried.provision_id)
    sent = json.loads(row.variables or "{}").get("sent", {})
    if row.chain_first is not None or not sent:  # a later step of a chain, or a job that no request made
        return chains.resume(ctx, row)
    return order.body(ctx, Order(sent, retry_of=row.provision_id))


def _tries(ctx: Ctx, row: Provision) -> list[Provision]:
    """The job that was tried first and all that tried it again, oldest first. Its row is locked: of two retries at
    once, one sees the other's job."""
    first = row
    while first.retry_of is not None:
        former = ctx.session.get(Provision, first.retry_of, with_for_update=True, populate_existing=True)
        if former is None:
            break
        first = former
    found, last = [first], [first.provision_id]
    while last:
        query = select(Provision).where(Provision.retry_of.in_(last)).order_by(Provision.provision_id)
        found += (further := list(ctx.session.scalars(query.execution_options(populate_existing=True))))
        last = [job.provision_id for job in further]
    return found


def _is_worked_on(ctx: Ctx, provision_id: int) -> bool:
    query = select(Job.job_id).where(
        Job.subject_id == provision_id, Job.kind.in_(ORDER_JOBS), Job.state.in_(("queued", "running"))
    )
    return ctx.session.scalar(query.limit(1)) is not None


def _next_try(ctx: Ctx, provision_id: int) -> Job | None:
    """The clean-up that begins by itself at a later time, where a system could not be reached."""
    query = select(Job).where(
        Job.subject_id == provision_id, Job.kind == "provision.clean", Job.state == "queued", Job.run_at > ctx.now
    )
    return next((job for job in ctx.session.scalars(query.with_for_update()) if job.args.get("kind") == "again"), None)


def _stop_waiting(ctx: Ctx, provision_id: int) -> None:
    """Call off a clean-up that would begin by itself."""
    if (waiting := _next_try(ctx, provision_id)) is not None:
        waiting.state, waiting.finished_at = "cancelled", ctx.now
        ctx.session.flush()


@action("provision.clean_again", permission="update_provision")
def clean_again(ctx: Ctx, cmd: Started) -> Provision:
    """Try again to undo a failed job, or what a deprovision left (PROV-168).

    The job's items are held for that time. Where they serve another order by now, the play's clean-up stays away from
    them, and only what the charging engine still has of the job is set back. A try that waits begins at once. For a
    deprovision that failed this ends a service that lives, and takes who may cancel one.
    """
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if row.provisioning_status != Status.FAILED and not row.leftovers:
        raise Conflict("Only a failed job is cleaned up, or one that left something behind.")
    if goes_on_ending(row) and not ctx.actor.can("delete_customer_service"):
        raise NotPermitted("This ends the service; it needs the permission delete_customer_service.")
    if (waiting := _next_try(ctx, row.provision_id)) is not None:
        waiting.run_at = ctx.now
        ctx.jobs.append(waiting)
        return row
    if _is_worked_on(ctx, row.provision_id):
        raise Conflict("The job is still being cleaned up.")
    if row.service_id is not None:
        refuse_open_job(ctx, ctx.load(CustomerService, row.service_id, name="Service"))
        if closing.lives_again(ctx.session, row):
            raise Conflict(f"Service {row.service_id} is in use again; cancel it anew.")
    without_play = ""
    stock.release(ctx, row.provision_id)  # what it holds itself is not in its way
    try:
        stock.reserve(ctx, row.provision_id, json.loads(row.variables or "{}").get("chosen", {}))
    except (Conflict, Invalid) as refusal:
        without_play = f"The items of this job are in use elsewhere by now. {refusal.message}"
    ctx.later("provision.clean", row.provision_id, args=CleanUp("play", without_play=without_play).args)
    return row


def goes_on_ending(row: Provision) -> bool:
    """Whether the clean-up of this job is the second run of a deprovision that did not come to its end."""
    return row.action == "deprovision" and row.provisioning_status == Status.FAILED


@action("provision.mended_by_hand", permission="update_provision")
def mended_by_hand(ctx: Ctx, cmd: Started) -> Provision:
    """Somebody has removed what was left, or found that nothing is: the job and its alert stop saying so."""
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if not row.leftovers:
        raise Conflict("This job has left nothing behind.")
    _stop_waiting(ctx, row.provision_id)
    if _is_worked_on(ctx, row.provision_id):
        raise Conflict("The job is still being cleaned up.")
    stock.release(ctx, row.provision_id)
    left = leftovers.load(row.leftovers)
    note_left(ctx, row, [])
    ctx.note(
        "provision",
        "mended",
        f"What job {row.provision_id} had left behind was mended by hand",
        description="\n".join(f"{entry.where}: {entry.what} ({entry.text})" for entry in left),
        customer_id=row.customer_id,
        service_id=row.service_id,
        entity_id=row.provision_id,
    )
    return row
