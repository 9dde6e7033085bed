"""Chains: several plays for one order, each a job of its own that starts when the former ended well (PROV-206..208).

`chain_rest` of a job names the plays that follow it, `chain_first` the first job of its chain. Items that the order
took stay reserved until the chain ends: they move from job to job.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, defer

from omnicrm.domain.action import Ctx
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.errors import Conflict
from omnicrm.domain.inventory.models import Inventory, InventoryReservation
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.orderplays import plays_dirs, read_all
from omnicrm.domain.provisioning.placing import Placement, place, refuse_open_job
from omnicrm.domain.provisioning.plays import Play, PlayError, find_file, read_play
from omnicrm.domain.provisioning.simple import why_not_charged
from omnicrm.domain.services.models import CustomerService


@dataclass(frozen=True)
class Link:
    """A step of a chain. `provision_id` and `status` are None for a play that has not been started."""

    play: str
    provision_id: int | None = None
    status: int | None = None
    description: str = ""


def rest_of(row: Provision) -> list[str]:
    """The plays that follow this job."""
    return [str(name) for name in json.loads(row.chain_rest or "[]")]


def steps_of(session: Session, row: Provision) -> list[Link]:
    """All steps of the chain that a job belongs to, in order; empty for a job alone. A step that was tried again
    counts with its last try."""
    if row.chain_first is None and not row.chain_rest:
        return []
    first = row.chain_first or row.provision_id
    query = select(Provision).where(or_(Provision.provision_id == first, Provision.chain_first == first))
    hidden = [defer(column) for column in (Provision.variables, Provision.facts, Provision.provisioning_json_vars)]
    jobs = session.scalars(query.options(*hidden).order_by(Provision.provision_id)).all()
    retried = {job.retry_of for job in jobs}
    links = [
        Link(job.provisioning_play, job.provision_id, job.provisioning_status, job.playbook_description)
        for job in jobs
        if job.provision_id not in retried
    ]
    return [*links, *(Link(name) for name in rest_of(jobs[-1]))]


def is_clean(session: Session, row: Provision) -> bool:
    """Whether all steps of a chain have gone well, and left nothing behind; of a job alone, whether it left nothing."""
    links = steps_of(session, row)
    if not links:
        return not row.leftovers
    left = select(Provision.provision_id).where(
        Provision.provision_id.in_([link.provision_id for link in links]), Provision.leftovers.is_not(None)
    )
    return all(link.status == Status.SUCCESS for link in links) and session.scalar(left.limit(1)) is None


def next_of(ctx: Ctx, row: Provision) -> Provision | None:
    """Start the play that follows a job which ended well; None where none does.

    Call it in the transaction that ends the job, once `row.service_id` is known and before reservations are released.
    """
    names = rest_of(row)
    if not names:
        return None
    stored = json.loads(row.variables or "{}")
    following = place(
        ctx,
        Placement(
            customer_id=row.customer_id,
            product_id=row.product_id,
            service_id=row.service_id,
            plays=[_as_it_is(ctx, name) for name in names],
            values=_with_service(stored.get("values", {}), row.service_id),
            dropped=tuple(stored.get("dropped", ())),
            sent=stored.get("sent", {}),
            chain_first=row.chain_first or row.provision_id,
            initiator=(row.initiating_user, row.initiating_name),
        ),
    )
    _keep_chosen(following, stored)
    ctx.session.execute(
        update(InventoryReservation)
        .where(InventoryReservation.provision_id == row.provision_id)
        .values(provision_id=following.provision_id)
    )
    return following


def _with_service(values: dict[str, Any], service_id: int | None) -> dict[str, Any]:
    return values if service_id is None else {**values, "service_id": service_id}


def _keep_chosen(job: Provision, stored: dict[str, Any]) -> None:
    """A later job knows the order's items without reserving them again."""
    job.variables = json.dumps({**json.loads(job.variables or "{}"), "chosen": stored.get("chosen", {})})


def _as_it_is(ctx: Ctx, name: str) -> Play:
    """All plays were checked when the order came. What was broken since fails in its own run, with its own words."""
    folders = plays_dirs(ctx.settings)
    try:
        return read_play(name, folders)
    except PlayError:
        return Play(name, find_file(f"{name}.yaml", folders) or folders[-1] / f"{name}.yaml")


def resume(ctx: Ctx, row: Provision) -> Provision:
    """Run a failed job again with the values that it had, and after it what follows it in its chain.

    The steps before it stay as they are. Raises Conflict where its service has ended or one of its items is gone, and
    where a service that was there before the order may not be charged any more.
    """
    stored = json.loads(row.variables or "{}")
    if row.service_id is not None:
        service = ctx.load(CustomerService, row.service_id, name="Service")
        if service.group == "Inactive":
            raise Conflict(f"Service {service.service_id} has ended.")
        refuse_open_job(ctx, service)
        product = ctx.session.get(Product, row.product_id) if row.product_id is not None else None
        charges = not row.action and (not stored.get("sent") or "service_id" in stored["sent"])
        if charges and product is not None and (refusal := why_not_charged(ctx, service, product)):
            raise Conflict(f"{refusal}; nothing was charged.")
    chosen = stored.get("chosen", {})
    again = place(
        ctx,
        Placement(
            customer_id=row.customer_id,
            product_id=row.product_id,
            service_id=row.service_id,
            plays=read_all(ctx, [row.provisioning_play, *rest_of(row)]),
            values=_with_service(stored.get("values", {}), row.service_id),
            dropped=tuple(stored.get("dropped", ())),
            sent=stored.get("sent", {}),
            chosen=_still_free(ctx, row, chosen),
            retry_of=row.provision_id,
            chain_first=row.chain_first,
        ),
    )
    _keep_chosen(again, stored)
    return again


def _still_free(ctx: Ctx, row: Provision, chosen: dict[str, int]) -> dict[str, int]:
    """Of the order's items those that no earlier step has assigned; what went to somebody else is a Conflict."""
    free: dict[str, int] = {}
    for kind, inventory_id in chosen.items():
        owner = ctx.session.scalar(select(Inventory.customer_id).where(Inventory.inventory_id == inventory_id))
        if owner is None:
            free[kind] = inventory_id
        elif owner != row.customer_id:
            text = "Inventory item is no longer available"
            raise Conflict(f"{text}: {kind}.", errors={kind: text})
    return free
