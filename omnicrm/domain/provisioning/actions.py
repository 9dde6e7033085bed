"""The life of a job after its order: start, end, cancel, retry."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select

from omnicrm.domain.action import Ctx, action
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.inventory.queries import ORDER_JOBS
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import chains, leftovers
from omnicrm.domain.provisioning.ending import CleanUp, Ended, end, note_left
from omnicrm.domain.provisioning.lease import Lease
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.orders import Order, order, plays_dirs
from omnicrm.domain.provisioning.resource import provisions

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
            end.body(ctx, Ended(row.provision_id, False, "stopped on request before it began"))
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
    if row.chain_first is not None or not sent:  # a later step of a chain, or a job that no request made
        return chains.resume(ctx, row)
    return order.body(ctx, Order(sent, retry_of=row.provision_id))


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


@action("provision.clean_again", permission="update_provision")
def clean_again(ctx: Ctx, cmd: Started) -> Provision:
    """Try again to undo a failed job, or what a deprovision left (PROV-168).

    The job's items are held for that time. Where they serve another order by now, the play's clean-up stays away from
    them, and only what the charging engine still has of the job is set back. A try that waits begins at once.
    """
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if row.provisioning_status != Status.FAILED and not row.leftovers:
        raise Conflict("Only a failed job is cleaned up, or one that left something behind.")
    if (waiting := _next_try(ctx, row.provision_id)) is not None:
        waiting.run_at = ctx.now
        ctx.jobs.append(waiting)
        return row
    if _is_worked_on(ctx, row.provision_id):
        raise Conflict("The job is still being cleaned up.")
    without_play = ""
    try:
        stock.reserve(ctx, row.provision_id, json.loads(row.variables or "{}").get("chosen", {}))
    except (Conflict, Invalid) as refusal:
        without_play = f"The items of this job are in use elsewhere by now. {refusal.message}"
    ctx.later("provision.clean", row.provision_id, args=CleanUp("play", without_play=without_play).args)
    return row


@action("provision.mended_by_hand", permission="update_provision")
def mended_by_hand(ctx: Ctx, cmd: Started) -> Provision:
    """Somebody has removed what was left, or found that nothing is: the job and its alert stop saying so."""
    row = ctx.load(Provision, cmd.provision_id, *provisions.scope(ctx.actor, provisions, "view"))
    if not row.leftovers:
        raise Conflict("This job has left nothing behind.")
    if (waiting := _next_try(ctx, row.provision_id)) is not None:
        waiting.state, waiting.finished_at = "cancelled", ctx.now
        ctx.session.flush()
        stock.release(ctx, row.provision_id)
    if _is_worked_on(ctx, row.provision_id):
        raise Conflict("The job is still being cleaned up.")
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
