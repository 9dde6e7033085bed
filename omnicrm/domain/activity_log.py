"""Declaration of the activity log for reading, and the one entry that people write: a note (CRM-221..228)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, sql, true
from sqlalchemy.orm import Session

from omnicrm.domain.action import Ctx
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.actor import Actor
from omnicrm.domain.codecs import Moment, Reference, Text, Whole
from omnicrm.domain.errors import Invalid
from omnicrm.domain.resource import Field, Resource, Write, Written, customer_owned


class _Changes:
    """`changes` is stored as JSON and answered as it is: {"field": [old, new]}."""

    widget = "text"

    def load(self, value: Any, settings: Any) -> Any:
        raise ValueError("cannot be set")

    def dump(self, value: Any, settings: Any) -> Any:
        return dict(value or {})


_service = sql.table("customer_service", sql.column("service_id"), sql.column("service_visible_to_customer"))
#: Entries that staff write for each other.
_AMONG_STAFF = ("note", "audit", "security")


def _readable(actor: Actor, resource: Resource[Any], verb: str) -> list[ColumnElement[bool]]:
    """A portal user reads what happened to his customer, but not staff's notes or the services kept from him."""
    found = customer_owned(actor, resource, verb)
    if actor.is_customer:
        shown = select(_service.c.service_id).where(_service.c.service_visible_to_customer == true())
        entry = CustomerActivity
        found += [entry.action.not_in(_AMONG_STAFF), or_(entry.service_id.is_(None), entry.service_id.in_(shown))]
    return found


def _set_by_us(name: str, codec: Any, **more: Any) -> Field:
    return Field(name, codec, on_create=False, on_update=False, **more)


activities: Resource[CustomerActivity] = Resource(
    CustomerActivity,
    "activity",
    family="customer_activity",
    key="activity_id",
    fields=(
        _set_by_us("activity_id", Whole(), label="ID"),
        Field("customer_id", Reference(table="customer", absent_is_404=True), label="Customer"),
        _set_by_us("user_id", Whole(), own=False),
        _set_by_us("user_name", Text(150), label="User", own=False),
        _set_by_us("impersonating_user_id", Whole(), own=False),
        _set_by_us("entity_type", Text(40), label="Record"),
        _set_by_us("entity_id", Whole()),
        Field("service_id", Reference(table="customer_service"), label="Service"),
        _set_by_us("action", Text(40)),
        Field("title", Text(255, blank=False), required=True, nullable=False),
        Field("description", Text(65_535, "textarea"), nullable=False, default=""),
        _set_by_us("changes", _Changes(), own=False),
        _set_by_us("ip_address", Text(45), own=False),
        _set_by_us("batch_id", Text(36), own=False),
        _set_by_us("created", Moment()),
    ),
    scope=_readable,
    verbs=frozenset({"create"}),
    search=("title", "description", "user_name"),
    filters=("customer_id", "service_id", "user_id", "entity_type", "entity_id", "action"),
    by_customer="data",
)


@activities.verb("create")
def add_note(ctx: Ctx, cmd: Write) -> Written[CustomerActivity]:
    """A note in a customer's log; it cannot be changed afterwards (CRM-226)."""
    row = CustomerActivity()
    with ctx.session.no_autoflush:
        activities.fill(ctx, row, cmd.values, creating=True)
    if row.customer_id is None:
        raise Invalid({"customer_id": "is required"})
    activities.stay_in_scope(ctx, row, "create")
    row.entity_type, row.entity_id, row.action = "customer", row.customer_id, "note"
    row.user_id, row.user_name = ctx.actor.user_id, ctx.actor.name
    row.ip_address, row.created, row.changes = ctx.actor.ip_address, ctx.now, {}
    ctx.session.add(row)
    ctx.session.flush()
    return Written(row)


#: The tabs of the log (CRM-223): word -> the records whose entries it shows. Notes are told by their action.
KINDS: dict[str, tuple[str, ...]] = {
    "customer": ("customer", "tag", "attribute"),
    "contacts": ("contact",),
    "sites": ("site",),
    "services": ("service", "provision"),
    "billing": ("transaction", "invoice", "payment", "stripe_card"),
    "inventory": ("inventory", "inventory_template"),
    "communications": ("communication",),
    "products": ("product",),
    "access": ("user", "role"),
}


@dataclass(frozen=True)
class Wanted:
    """What is asked of the log. `before` is the id of the last entry shown: pages go by key, nothing is counted."""

    customer_id: int | None = None
    service_id: int | None = None
    kind: str = ""
    user: str = ""
    term: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 25


def entries(session: Session, actor: Actor, wanted: Wanted) -> tuple[list[CustomerActivity], bool]:
    """The entries, newest first, and whether there are older ones."""
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (CustomerActivity.customer_id, wanted.customer_id),
        (CustomerActivity.service_id, wanted.service_id),
        (CustomerActivity.user_name, wanted.user or None),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.kind == "notes":
        conditions.append(CustomerActivity.action == "note")
    elif wanted.kind in KINDS:
        conditions += [CustomerActivity.entity_type.in_(KINDS[wanted.kind]), CustomerActivity.action != "note"]
    if wanted.term.strip():
        term = wanted.term.strip()
        columns = (CustomerActivity.title, CustomerActivity.description)
        conditions.append(or_(*(column.icontains(term, autoescape=True) for column in columns)))
    if wanted.since is not None:
        conditions.append(CustomerActivity.created >= wanted.since)
    if wanted.until is not None:
        conditions.append(CustomerActivity.created < wanted.until)
    if wanted.before is not None:
        conditions.append(CustomerActivity.activity_id < wanted.before)
    query = activities.query(actor).where(*conditions).order_by(CustomerActivity.activity_id.desc())
    found = list(session.scalars(query.limit(wanted.limit + 1)))
    return found[: wanted.limit], len(found) > wanted.limit


def of_service(session: Session, actor: Actor, service_id: int, limit: int = 50) -> list[CustomerActivity]:
    """The newest entries about a service."""
    query = activities.query(actor).where(CustomerActivity.service_id == service_id)
    return list(session.scalars(query.order_by(CustomerActivity.activity_id.desc()).limit(limit)))
