"""Writes of services, called by plays and by staff."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from omnicrm.domain.action import Ctx
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.errors import Conflict, NotPermitted
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.inventory.models import Inventory
from omnicrm.domain.resource import Write, Written
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.resource import services


@services.verb("create")
def create_service(ctx: Ctx, cmd: Write) -> Written[CustomerService]:
    """A service row; play and variables come from the product where the body omits them (PROV-116)."""
    row = CustomerService()
    with ctx.session.no_autoflush:
        services.fill(ctx, row, cmd.values, creating=True)
        services.stay_in_scope(ctx, row, "create")
        query = select(CustomerService.service_id).where(CustomerService.service_uuid == row.service_uuid)
        if ctx.session.scalar(query) is not None:
            text = f"service_uuid {row.service_uuid!r} is already used by another service"
            raise Conflict(text + ".", errors={"service_uuid": text})
        product = ctx.session.get(Product, row.product_id) if row.product_id else None
    if product is not None:
        row.provisioning_play = row.provisioning_play or product.provisioning_play
        row.provisioning_json_vars = row.provisioning_json_vars or product.provisioning_json_vars
        row.icon = row.icon or product.icon
    if row.group == "Active" and row.service_active_date is None:
        row.service_active_date = ctx.now
    if ctx.actor.job is not None:
        row.made_by_provision_id = ctx.actor.job.provision_id
    ctx.session.add(row)
    ctx.session.flush()
    return Written(row)


@services.verb("update")
def update_service(ctx: Ctx, cmd: Write) -> Written[CustomerService]:
    row = ctx.load(CustomerService, cmd.key, *services.scope(ctx.actor, services, "update"), name="Service")
    before = row.group
    with ctx.session.no_autoflush:
        ignored = services.fill(ctx, row, cmd.values, creating=False)
    if before == "Active" and row.group == "Inactive":
        _end(row, ctx.now)
    if ctx.actor.job is None and row.group != before:
        # Charging and network follow (OCS-117, OCS-118); the area of provisioning does it.
        by = [ctx.actor.user_id, ctx.actor.name]
        ctx.later("service.set_status", row.service_id, args={"to": row.group, "by": by})
    return Written(row, ignored)


def _end(row: CustomerService, now: datetime) -> None:
    """A service that is over ends now unless an end was set before."""
    if row.service_deactivate_date is None or row.service_deactivate_date > now:
        row.service_deactivate_date = now


@services.verb("delete")
def remove_service(ctx: Ctx, cmd: Write) -> Written[CustomerService]:
    """Only the undoing of a failed order removes a row: the one that its own job made, without side effects (PC-30).

    Staff cancel a service by a deprovision job (provisioning.cancel_service); the row stays as history.
    """
    row = ctx.load(CustomerService, cmd.key, *services.scope(ctx.actor, services, "delete"), name="Service")
    job = ctx.actor.job
    if job is None or row.made_by_provision_id != job.provision_id:
        raise NotPermitted("A service is cancelled by deprovisioning it; its record is kept.")
    _take_away(ctx, row)
    return Written(row)


def remove_made_by(ctx: Ctx, provision_id: int) -> list[str]:
    """Remove the services that a failed job had made and that are still there; answers their names (PROV-226)."""
    made = select(CustomerService).where(CustomerService.made_by_provision_id == provision_id)
    rows = ctx.session.scalars(made.order_by(CustomerService.service_id.desc()).with_for_update()).all()
    for row in rows:
        _take_away(ctx, row)
    return [row.service_name for row in rows]


def _take_away(ctx: Ctx, row: CustomerService) -> None:
    for item in ctx.session.scalars(select(Inventory).where(Inventory.service_id == row.service_id)):
        stock.unlink(ctx, item)
    ctx.session.flush()
    ctx.session.delete(row)
    ctx.session.flush()
