"""Reads of stock for pickers and pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from omnicrm.domain.actor import Actor
from omnicrm.domain.inventory.models import Inventory, InventoryReservation, InventoryTemplate
from omnicrm.domain.inventory.resource import inventory
from omnicrm.domain.jobs import Job
from omnicrm.settings import Settings


def available(now: datetime, settings: Settings) -> list[Any]:
    """Conditions of selectable stock: free, in a selectable state, held by no open order (PROV-059)."""
    return [
        Inventory.item_state.in_(settings.inventory.selectable_states),
        Inventory.customer_id.is_(None),
        Inventory.service_id.is_(None),
        Inventory.inventory_id.not_in(held(now)),
    ]


#: Kinds of jobs that run or undo an order, whose number is their subject: its items are held that long.
ORDER_JOBS = ("provision.run", "provision.lost", "provision.clean", "provision.uncleaned")


def held(now: datetime) -> Select[int]:
    """Items that an open order holds: until its time is over, and for as long as its job waits or runs (PC-03)."""
    working = exists().where(
        Job.subject_id == InventoryReservation.provision_id,
        Job.kind.in_(ORDER_JOBS),
        Job.state.in_(("queued", "running")),
    )
    return select(InventoryReservation.inventory_id).where(or_(InventoryReservation.expires_at > now, working))


def options(
    session: Session, item: str, now: datetime, settings: Settings, search: str = "", limit: int = 50
) -> list[Inventory]:
    """The first selectable items of one type, oldest first; `search` narrows by either text."""
    query = select(Inventory).where(Inventory.item == item, *available(now, settings))
    if search:
        query = query.where(
            Inventory.itemtext1.icontains(search, autoescape=True)
            | Inventory.itemtext2.icontains(search, autoescape=True)
        )
    query = query.options(*inventory.long_texts()).order_by(Inventory.inventory_id)
    return list(session.scalars(query.limit(limit)))


def templates_by_name(session: Session, names: list[str]) -> dict[str, InventoryTemplate]:
    rows = session.scalars(select(InventoryTemplate).where(InventoryTemplate.item.in_(names)))
    return {row.item: row for row in rows}


def stock_counts(session: Session, now: datetime, settings: Settings) -> dict[str, int]:
    """Selectable items by type name."""
    rows = session.execute(
        select(Inventory.item, func.count()).where(*available(now, settings)).group_by(Inventory.item)
    )
    return {item: int(count) for item, count in rows}


def count_of_customer(session: Session, actor: Actor, customer_id: int) -> int:
    query = inventory.query(actor).where(Inventory.customer_id == customer_id)
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def counts_by_template(session: Session) -> dict[int, int]:
    """All items of each template, whatever their state."""
    query = select(Inventory.inventory_template_id, func.count()).group_by(Inventory.inventory_template_id)
    return {int(key): count for key, count in session.execute(query)}


def templates_by_id(session: Session) -> dict[int, InventoryTemplate]:
    """All templates by id, in the order of their names; there are few."""
    rows = session.scalars(select(InventoryTemplate).order_by(InventoryTemplate.item))
    return {row.inventory_template_id: row for row in rows}


def locations(session: Session, limit: int = 200) -> list[str]:
    """The locations in use, for a filter."""
    query = select(Inventory.item_location).where(Inventory.item_location != "").distinct()
    return list(session.scalars(query.order_by(Inventory.item_location).limit(limit)))


def of_service(session: Session, actor: Actor, service_id: int) -> list[Inventory]:
    """The items of a service, for its page."""
    query = inventory.query(actor).where(Inventory.service_id == service_id)
    query = query.options(*inventory.long_texts()).order_by(Inventory.inventory_id)
    return inventory.readable(session, actor, list(session.scalars(query.limit(100))))
