"""Placing a job: its row with the variables, its reservations and its queue entry, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import exists, or_, select

from omnicrm.domain.action import Ctx
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.customers.models import Customer
from omnicrm.domain.errors import Conflict
from omnicrm.domain.identity.queries import first_admin
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.inventory.queries import ORDER_JOBS
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import rules
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.plays import Play
from omnicrm.domain.provisioning.redact import Redactor
from omnicrm.domain.services.models import CustomerService

#: Always defined for a play (PROV-228).
DEFAULTS = {"deprovision_subscriber": False}
#: Order keys that documented plays read and write back in one form (PROV-145, PROV-220).
_NORMALISED = {"auto_renew", "action"}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A job to be written. Of `plays`, the first one runs now and the others follow it as a chain (PROV-206)."""

    customer_id: int
    product_id: int | None
    service_id: int | None
    plays: Sequence[Play]
    #: What the play gets; secrets in it are stored encrypted.
    values: Mapping[str, Any]
    dropped: tuple[str, ...] = ()
    #: The request as it came, for a retry.
    sent: Mapping[str, Any] = field(default_factory=dict)
    #: The item of each type that the job is to reserve.
    chosen: Mapping[str, int] = field(default_factory=dict)
    retry_of: int | None = None
    request_key: str | None = None
    chain_first: int | None = None
    #: (user id, name) of who ordered; the caller where it is None.
    initiator: tuple[int | None, str] | None = None


def place(ctx: Ctx, job: Placement) -> Provision:
    """Write job, reservations and queue entry. Raises Conflict naming each item that somebody else has (PC-03)."""
    play, *rest = job.plays
    # What a key, an address or the engine starts names the first administrator (PROV-159).
    user_id, name = job.initiator or (ctx.actor.user_id or first_admin(ctx.session), ctx.actor.name)
    row = Provision(
        product_id=job.product_id,
        customer_id=job.customer_id,
        service_id=job.service_id,
        provisioning_play=play.name,
        action=str(job.values.get("action") or ""),
        provisioning_json_vars=json.dumps(Redactor().value(dict(job.values))),
        variables=json.dumps(
            {"values": job.values, "dropped": job.dropped, "sent": job.sent, "chosen": job.chosen}, default=str
        ),
        task_count=play.task_count,
        playbook_description=play.description[:255],
        initiating_user=user_id,
        initiating_name=name[:150],
        retry_of=job.retry_of,
        request_key=job.request_key,
        chain_first=job.chain_first,
        chain_rest=json.dumps([later.name for later in rest]) if rest else None,
    )
    ctx.session.add(row)
    ctx.session.flush()
    stock.reserve(ctx, row.provision_id, dict(job.chosen))
    ctx.later("provision.run", row.provision_id)
    return row


def open_job_of(ctx: Ctx, service_id: int) -> int | None:
    """The job that works on this service now, or that is making it: such a one, and the steps before it in a chain,
    name no service before they end. Lock the service's row first: two requests at once then see each other's."""
    working = exists().where(
        Job.subject_id == Provision.provision_id, Job.kind.in_(ORDER_JOBS), Job.state.in_(("queued", "running"))
    )
    maker = select(CustomerService.made_by_provision_id).where(CustomerService.service_id == service_id)
    concerned = or_(Provision.service_id == service_id, Provision.provision_id == maker.scalar_subquery())
    query = select(Provision.provision_id).where(concerned, working)
    return ctx.session.scalar(query.order_by(Provision.provision_id).limit(1))


def refuse_open_job(ctx: Ctx, service: CustomerService) -> None:
    """One job at a time works on a service. Raises Conflict naming it."""
    open_job = open_job_of(ctx, service.service_id)
    if open_job is not None:
        raise Conflict(f"Job {open_job} is still working on this service.", provision_id=open_job)


def merge(
    values: Mapping[str, Any],
    product: Product | None,
    service: CustomerService | None,
    customer: Customer,
    chosen: Mapping[str, int],
    plays: Sequence[Play],
    *,
    of_service: bool = False,
) -> rules.Merged:
    """The variables of a job (PROV-137): defaults, then the request, items and ids.

    The defaults are the product's; with `of_service`, for a run on a live service, those of the service, and for a
    deprovision its `deprovisioning_json_vars` over them (PROV-234).
    """
    defaults = product.provisioning_json_vars if product is not None else ""
    if of_service and service is not None:
        defaults = service.provisioning_json_vars or defaults
    declared = rules.parse_json_vars(defaults)
    if values.get("provisioning_json_vars") not in (None, ""):  # staff may replace the product's defaults (PROV-146)
        declared = rules.parse_json_vars(values["provisioning_json_vars"])
    if values.get("action") == "deprovision" and service is not None:
        declared |= rules.parse_json_vars(service.deprovisioning_json_vars, "deprovisioning_json_vars")
    system = {
        "product_id": product and product.product_id,
        "customer_id": customer.customer_id,
        "service_id": service and service.service_id,
    }
    own_names = {name for play in plays for name in play.own_names}
    return rules.merge_variables(
        product={**DEFAULTS, **declared},
        request=values,
        inventory=chosen,
        system=system,
        play_names=own_names - _NORMALISED,
    )
