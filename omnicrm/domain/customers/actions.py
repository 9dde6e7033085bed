"""Named writes of customers: create with contacts and sites at once, archive, restore; contacts; attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from omnicrm.domain.action import Ctx, action
from omnicrm.domain.customers import ports
from omnicrm.domain.customers.models import Customer, CustomerAttribute, CustomerContact
from omnicrm.domain.customers.resource import attributes, contacts, customers, refuse_archived, sites
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.identity.actions import end_portal_access
from omnicrm.domain.resource import Resource, Write, Written


@customers.verb("create")
def create_customer(ctx: Ctx, cmd: Write) -> Written[Customer]:
    """The customer with its `contacts` and `sites` in one transaction (CRM-035); errors name `contacts.0.field`."""
    values = dict(cmd.values)
    nested: list[tuple[Resource[Any], str, Any]] = [
        (contacts, "contacts", values.pop("contacts", None)),
        (sites, "sites", values.pop("sites", None)),
    ]
    row = Customer()
    errors: dict[str, str] = {}
    _collect(errors, "", lambda: customers.fill(ctx, row, values, creating=True))
    if not errors:
        ctx.session.add(row)
        ctx.session.flush()
    for resource, name, items in nested:
        if items is not None:
            _add_nested(ctx, resource, name, items, row, errors)
    if errors:
        raise Invalid(errors)
    return Written(row)


def _add_nested(
    ctx: Ctx, resource: Resource[Any], name: str, items: Any, owner: Customer, errors: dict[str, str]
) -> None:
    """Each item is checked also when the customer itself is wrong, so that a form shows all its errors at once."""
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        errors[name] = "must be a list of objects"
        return
    for place, item in enumerate(items):
        row = resource.model(customer_id=owner.customer_id)

        def add(row: Any = row, item: Mapping[str, Any] = item) -> None:
            with ctx.session.no_autoflush:
                resource.fill(ctx, row, item, creating=True, preset=frozenset({"customer_id"}))
            if owner.customer_id is not None:
                ctx.session.add(row)
                ctx.session.flush()

        _collect(errors, f"{name}.{place}.", add)


def _collect(errors: dict[str, str], prefix: str, work: Any) -> None:
    try:
        work()
    except Invalid as error:
        errors.update({f"{prefix}{field}": text for field, text in error.errors.items()})


@customers.verb("update")
def update_customer(ctx: Ctx, cmd: Write) -> Written[Customer]:
    """An archived customer is read-only but for its restoration (CRM-071); setting Archived obeys the archive rule."""
    row = ctx.load(Customer, cmd.key, *customers.scope(ctx.actor, customers, "update"))
    before = row.customer_status
    with ctx.session.no_autoflush:
        ignored = customers.fill(ctx, row, cmd.values, creating=False)
    if before == "Archived" and row.customer_status == "Archived":
        raise Conflict("Customer is archived. Restore it before changing it.")
    if row.customer_status == "Archived":
        _refuse_blocked(ctx, row)
    if before != row.customer_status and "Archived" in (before, row.customer_status):
        ctx.called(row, "restore" if before == "Archived" else "archive")
    return Written(row, ignored)


@customers.verb("delete")
def archive_customer(ctx: Ctx, cmd: Write) -> Written[Customer]:
    """DELETE archives: everything is kept and can be restored (CRM-067..069)."""
    row = ctx.load(Customer, cmd.key, *customers.scope(ctx.actor, customers, "delete"))
    _refuse_blocked(ctx, row)
    row.customer_status = "Archived"
    ctx.called(row, "archive")
    return Written(row)


def _refuse_blocked(ctx: Ctx, row: Customer) -> None:
    found: dict[str, int] = {}
    for ask in ports.ARCHIVE_BLOCKERS:
        found.update(ask(ctx.session, row.customer_id))
    blockers = {name: count for name, count in found.items() if count}
    if blockers:
        named = ", ".join(
            f"{count} {(name if count > 1 else name.removesuffix('s')).replace('_', ' ')}"
            for name, count in blockers.items()
        )
        raise Conflict(f"The customer cannot be archived: it has {named}.", blockers=found)


@contacts.verb("delete")
def delete_contact(ctx: Ctx, cmd: Write) -> Written[CustomerContact]:
    """The contact, and with it what its portal user may do (CRM-087)."""
    row = ctx.load(CustomerContact, cmd.key, *contacts.scope(ctx.actor, contacts, "delete"), name=contacts.label)
    refuse_archived(ctx, row)
    end_portal_access(ctx, row.contact_id)
    ctx.session.delete(row)
    ctx.session.flush()
    return Written(row)


@attributes.verb("create")
def put_attribute(ctx: Ctx, cmd: Write) -> Written[CustomerAttribute]:
    """Create the attribute, or give the customer's attribute of that name the new value (CRM-133)."""
    row = CustomerAttribute()
    with ctx.session.no_autoflush:
        attributes.fill(ctx, row, cmd.values, creating=True)
    attributes.stay_in_scope(ctx, row, "create")
    query = select(CustomerAttribute).where(
        CustomerAttribute.customer_id == row.customer_id, CustomerAttribute.attribute_name == row.attribute_name
    )
    known = ctx.session.scalars(query.with_for_update()).one_or_none()
    if known is None:
        ctx.session.add(row)
    else:
        known.attribute_value = row.attribute_value
    ctx.session.flush()
    return Written(known or row)


@dataclass(frozen=True)
class PutAttributes:
    customer_id: Any
    attributes: Any


@action("attribute.put_many", permission="create_customer_attribute")
def put_attributes(ctx: Ctx, cmd: PutAttributes) -> list[CustomerAttribute]:
    """Several attributes of one customer, all or none (CRM-145)."""
    if not isinstance(cmd.attributes, list) or not all(isinstance(item, Mapping) for item in cmd.attributes):
        raise Invalid({"attributes": "must be a list of objects with attribute_name and attribute_value"})
    errors: dict[str, str] = {}
    stored: list[CustomerAttribute] = []
    for place, item in enumerate(cmd.attributes):
        write = Write(None, {**item, "customer_id": cmd.customer_id})
        _collect(errors, f"attributes.{place}.", lambda write=write: stored.append(put_attribute.body(ctx, write).row))
    if errors:
        raise Invalid(errors)
    return stored
