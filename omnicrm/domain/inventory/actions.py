"""Writes of stock: new items from a template, assignment and release, reservations of open orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import column, delete, or_, select, table

from omnicrm.domain.action import Ctx
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.inventory.models import Inventory, InventoryReservation, InventoryTemplate
from omnicrm.domain.inventory.queries import held
from omnicrm.domain.inventory.resource import inventory, templates
from omnicrm.domain.resource import Write, Written

#: The area of services stands above this one; its table is known by name.
_service = table("customer_service", column("service_id"), column("customer_id"))
#: A reservation that is ended by somebody, not by time.
_NO_END = datetime(9999, 1, 1, tzinfo=UTC)


@inventory.verb("create")
def create_item(ctx: Ctx, cmd: Write) -> Written[Inventory]:
    """An item of a template, named by id or by its name; costs default to the template's (CRM-155)."""
    row = Inventory()
    with ctx.session.no_autoflush:
        inventory.fill(ctx, row, cmd.values, creating=True)
        template = _template_of(ctx, row)
    row.inventory_template_id, row.item = template.inventory_template_id, template.item
    if row.wholesale_cost_minor is None:
        row.wholesale_cost_minor = template.wholesale_cost_minor
    if row.retail_cost_minor is None:
        row.retail_cost_minor = template.retail_cost_minor
    if not row.itemtext1:
        raise Invalid({"itemtext1": f"is required ({template.itemtext1_label})"})
    inventory.stay_in_scope(ctx, row, "create")
    _keep_one_owner(ctx, row)
    _sell(ctx, row, was=None)
    ctx.session.add(row)
    ctx.session.flush()
    return Written(row)


def _template_of(ctx: Ctx, row: Inventory) -> InventoryTemplate:
    if row.inventory_template_id is None and not row.item:
        raise Invalid({"inventory_template_id": "is required (or item, the template's name)"})
    query = select(InventoryTemplate)
    if row.inventory_template_id is not None:
        query = query.where(InventoryTemplate.inventory_template_id == row.inventory_template_id)
    if row.item:
        query = query.where(InventoryTemplate.item == row.item)
    template = ctx.session.scalars(query).one_or_none()
    if template is None:
        raise Invalid({"item": f"there is no template {row.item!r} with that id"})
    return template


@inventory.verb("update")
def update_item(ctx: Ctx, cmd: Write) -> Written[Inventory]:
    """Change an item; assigning, moving and releasing it obey CRM-178..180 and PC-12."""
    row = ctx.load(Inventory, cmd.key, *inventory.scope(ctx.actor, inventory, "update"), name=inventory.label)
    had_customer, had_service, state_before = row.customer_id, row.service_id, row.item_state
    with ctx.session.no_autoflush:
        ignored = inventory.fill(ctx, row, cmd.values, creating=False)
        if (row.customer_id, row.service_id) != (had_customer, had_service):
            _keep_one_owner(ctx, row, may_take=had_customer is None and "customer_id" not in cmd.values)
        if (row.customer_id, row.service_id, row.item_state) != (had_customer, had_service, state_before):
            _refuse_held(ctx, row)
    job = ctx.actor.job
    if had_service is not None and row.service_id not in (None, had_service):
        raise Conflict(f"The item is linked to service {had_service}; release it first.", service_id=had_service)
    released = had_service is not None and row.service_id is None
    if (
        job is not None
        and released
        and had_service not in job.service_ids
        and row.inventory_id not in job.inventory_ids
    ):
        raise Conflict("The item belongs to another service; a job releases its own items only.")
    if job is not None and row.customer_id not in (None, job.customer_id):
        raise Conflict("A job assigns items to its own customer only.")
    _sell(ctx, row, was=had_customer)
    if row.item_state != state_before and row.item_state in ("Lost", "Stolen"):
        _report_missing(ctx, row)
    return Written(row, ignored)


def _keep_one_owner(ctx: Ctx, row: Inventory, may_take: bool = False) -> None:
    """An item and its service belong to one customer; a free item given to a service alone takes its customer."""
    if row.service_id is None:
        return
    owner = ctx.session.scalar(select(_service.c.customer_id).where(_service.c.service_id == row.service_id))
    if may_take:
        row.customer_id = owner
    if row.customer_id != owner:
        raise Invalid({"service_id": f"service {row.service_id} belongs to another customer than the item"})


def _refuse_held(ctx: Ctx, row: Inventory) -> None:
    """What an open order holds is for its own job to assign (PC-03)."""
    job = ctx.actor.job
    query = select(InventoryReservation.provision_id).where(
        InventoryReservation.inventory_id == row.inventory_id, InventoryReservation.inventory_id.in_(held(ctx.now))
    )
    holder = ctx.session.scalar(query)
    if holder is not None and (job is None or job.provision_id != holder):
        raise Conflict(f"The item is held by the open order {holder}.", provision_id=holder)


def _report_missing(ctx: Ctx, row: Inventory) -> None:
    """A lost or stolen item leaves a report with everything that the log knows of it (CRM-177)."""
    entries = ctx.session.scalars(
        select(CustomerActivity)
        .where(CustomerActivity.entity_type == "inventory", CustomerActivity.entity_id == row.inventory_id)
        .order_by(CustomerActivity.activity_id)
    )
    history = [f"{entry.created:%Y-%m-%d %H:%M} {entry.user_name}: {entry.title}" for entry in entries]
    kind = "security" if row.item_state == "Stolen" else "audit"
    ctx.note(
        "inventory",
        kind,
        f"{row.item} {row.itemtext1} is {row.item_state.lower()}",
        entity_id=row.inventory_id,
        customer_id=row.customer_id,
        service_id=row.service_id,
        description="\n".join(history),
    )


@inventory.verb("delete")
def delete_item(ctx: Ctx, cmd: Write) -> Written[Inventory]:
    row = ctx.load(Inventory, cmd.key, *inventory.scope(ctx.actor, inventory, "delete"), name=inventory.label)
    if row.service_id is not None:
        raise Conflict("The item is linked to a service; release it or set it to Decommissioned.")
    if ctx.session.get(InventoryReservation, row.inventory_id) is not None:
        raise Conflict("The item is reserved by an open order.")
    ctx.session.delete(row)
    return Written(row)


@templates.verb("update")
def update_template(ctx: Ctx, cmd: Write) -> Written[InventoryTemplate]:
    """A renamed template takes its items along (CRM-158)."""
    row = ctx.load(InventoryTemplate, cmd.key, *templates.scope(ctx.actor, templates, "update"), name=templates.label)
    before = row.item
    with ctx.session.no_autoflush:
        ignored = templates.fill(ctx, row, cmd.values, creating=False)
    if row.item != before:
        for item in ctx.session.scalars(
            select(Inventory)
            .where(Inventory.inventory_template_id == row.inventory_template_id)
            .options(*inventory.long_texts())
        ):
            item.item = row.item
    return Written(row, ignored)


def _sell(ctx: Ctx, row: Inventory, was: int | None) -> None:
    """`sold_date` follows the customer link unless it is given (CRM-164)."""
    if was is None and row.customer_id is not None and row.sold_date is None:
        row.sold_date = ctx.now
    elif was is not None and row.customer_id is None:
        row.sold_date = None


def reserve(ctx: Ctx, provision_id: int, chosen: dict[str, int]) -> list[Inventory]:
    """Take the chosen items (type -> id) for one order, or refuse it whole, naming each type (PC-03, PROV-059..062).

    The primary key of the reservation decides a race; one that is over makes way (queries.held).
    """
    errors: dict[str, str] = {}
    taken: list[str] = []
    items: list[Inventory] = []
    selectable = {state.lower() for state in ctx.settings.inventory.selectable_states}
    for kind, inventory_id in sorted(chosen.items(), key=lambda pair: pair[1]):
        row = ctx.session.scalars(
            select(Inventory).where(Inventory.inventory_id == inventory_id).with_for_update()
        ).one_or_none()
        if row is None:
            errors[kind] = f"inventory item {inventory_id} does not exist"
        elif row.item != kind:
            errors[kind] = f"inventory item {inventory_id} is a {row.item}, not a {kind}"
        elif row.customer_id is not None or row.service_id is not None or row.item_state.lower() not in selectable:
            taken.append(kind)
        else:
            items.append(row)
    if errors:
        raise Invalid(errors)
    for row in items:
        former = ctx.session.get(InventoryReservation, row.inventory_id, with_for_update=True)
        if former is None:
            continue
        still_held = held(ctx.now).where(InventoryReservation.inventory_id == row.inventory_id)
        if ctx.session.scalar(still_held) is not None:
            taken.append(row.item)
        else:
            ctx.session.delete(former)
    if taken:
        text = "Inventory item is no longer available"
        raise Conflict(f"{text}: {', '.join(taken)}.", errors=dict.fromkeys(taken, text))
    ctx.session.flush()
    for row in items:
        ctx.session.add(
            InventoryReservation(
                inventory_id=row.inventory_id,
                provision_id=provision_id,
                state_before=row.item_state,
                expires_at=ctx.now + timedelta(minutes=ctx.settings.inventory.reservation_minutes),
                created=ctx.now,
            )
        )
    return items


def take_back(ctx: Ctx, provision_id: int) -> None:
    """Undo what a failed order did to the items that it holds: links and state are as before (PC-12, PC-13).

    An item is free when it is reserved and nobody else may assign it meanwhile: what links it has, this order made.
    """
    for reservation in _reservations(ctx, provision_id):
        row = ctx.session.get(Inventory, reservation.inventory_id, with_for_update=True)
        if row is not None:
            unlink(ctx, row)
            row.item_state = reservation.state_before


def unlink(ctx: Ctx, row: Inventory) -> None:
    """Take an item from its service and its customer; an assigned one is Used then (PC-13)."""
    had_customer = row.customer_id
    row.customer_id = row.service_id = None
    row.item_state = "Used" if row.item_state == "Assigned" else row.item_state
    _sell(ctx, row, was=had_customer)


def keep_assigned(ctx: Ctx, provision_id: int) -> None:
    """The items that an order has assigned are held no longer; those that it has not are still."""
    assigned = select(Inventory.inventory_id).where(
        or_(Inventory.customer_id.is_not(None), Inventory.service_id.is_not(None))
    )
    ctx.session.execute(
        delete(InventoryReservation).where(
            InventoryReservation.provision_id == provision_id, InventoryReservation.inventory_id.in_(assigned)
        )
    )


def _reservations(ctx: Ctx, provision_id: int) -> Sequence[InventoryReservation]:
    return ctx.session.scalars(
        select(InventoryReservation).where(InventoryReservation.provision_id == provision_id)
    ).all()


def hold(ctx: Ctx, provision_id: int) -> None:
    """Keep the items of a failed order from others until somebody has seen to what it left behind (`release`)."""
    for reservation in _reservations(ctx, provision_id):
        reservation.expires_at = _NO_END


def release(ctx: Ctx, provision_id: int) -> None:
    """End the order's reservations; items still unassigned get the state back that they had (PC-13)."""
    for reservation in _reservations(ctx, provision_id):
        row = ctx.session.get(Inventory, reservation.inventory_id)
        if row is not None and row.customer_id is None and row.service_id is None:
            row.item_state = reservation.state_before
    ctx.session.execute(delete(InventoryReservation).where(InventoryReservation.provision_id == provision_id))
