"""Reads of services for pages, the engine's door and other areas."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from omnicrm.domain.actor import Actor
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.catalogue.rules import Held
from omnicrm.domain.customers.models import Customer, CustomerSite
from omnicrm.domain.errors import NotFound
from omnicrm.domain.services.models import GROUPS, CustomerService
from omnicrm.domain.services.resource import services

#: Stored words that count as Inactive (CRM-068).
INACTIVE = ("Inactive", *(word.title() for word, group in GROUPS.items() if group == "Inactive"))


def archive_blockers(session: Session, customer_id: int) -> dict[str, int]:
    query = select(func.count()).where(
        CustomerService.customer_id == customer_id,
        CustomerService.service_status.not_in(INACTIVE),
        CustomerService.deleted_at.is_(None),
    )
    return {"active_services": session.scalar(query) or 0}


def users_of_site(session: Session, site_id: int) -> list[str]:
    query = select(CustomerService.service_name).where(
        CustomerService.site_id == site_id, CustomerService.service_status.not_in(INACTIVE)
    )
    return list(session.scalars(query))


def uses_of_product(session: Session, product_id: int) -> int:
    return session.scalar(select(func.count()).where(CustomerService.product_id == product_id)) or 0


def held_by(session: Session, customer_id: int) -> list[Held]:
    """The customer's active services as product dependencies see them."""
    query = (
        select(CustomerService.product_id, Product.product_slug, CustomerService.service_type)
        .outerjoin(Product, Product.product_id == CustomerService.product_id)
        .where(CustomerService.customer_id == customer_id, CustomerService.service_status == "Active")
    )
    return [Held(product_id, slug or "", kind) for product_id, slug, kind in session.execute(query)]


def owner_of_account(session: Session, service_uuid: str) -> int | None:
    """The customer whose service owns this charging account (PC-18)."""
    return session.scalar(select(CustomerService.customer_id).where(CustomerService.service_uuid == service_uuid))


def by_uuid(session: Session, actor: Actor, service_uuid: str) -> CustomerService:
    row = session.scalars(services.query(actor).where(CustomerService.service_uuid == service_uuid)).one_or_none()
    if row is None:
        raise NotFound(f"Service {service_uuid} does not exist.")
    return row


@dataclass(frozen=True)
class Listed:
    """A service of a customer's list with its product's name ("" where the product is gone)."""

    service: CustomerService
    product_name: str


def of_customer(session: Session, actor: Actor, customer_id: int, limit: int = 200) -> tuple[list[Listed], int]:
    """The customer's services, active ones first and newest first, and how many there are in all."""
    active_last = CustomerService.service_status.in_(INACTIVE)
    query = (
        services.query(actor)
        .add_columns(Product.product_name, func.count().over())
        .outerjoin(Product, Product.product_id == CustomerService.product_id)
        .where(CustomerService.customer_id == customer_id)
        .order_by(active_last, CustomerService.service_id.desc())
        .limit(limit)
    )
    rows = session.execute(query).all()
    return [Listed(service, name or "") for service, name, _ in rows], rows[0][2] if rows else 0


def counts(session: Session, by: str, ids: list[int]) -> dict[int, int]:
    """How many services each customer (`by` "customer_id") or site ("site_id") has."""
    column = getattr(CustomerService, by)
    query = select(column, func.count()).where(column.in_(ids), CustomerService.deleted_at.is_(None)).group_by(column)
    return {int(key): count for key, count in session.execute(query)}


def choices_of_customer(session: Session, customer_id: int) -> list[tuple[str, str]]:
    """(id, name) of the customer's services, for selects."""
    query = select(CustomerService.service_id, CustomerService.service_name).where(
        CustomerService.customer_id == customer_id, CustomerService.deleted_at.is_(None)
    )
    return [
        (str(key), f"{name} (ID: {key})") for key, name in session.execute(query.order_by(CustomerService.service_id))
    ]


def names_of(session: Session, service_ids: set[int]) -> dict[int, str]:
    query = select(CustomerService.service_id, CustomerService.service_name)
    return dict(session.execute(query.where(CustomerService.service_id.in_(service_ids))).all())


@dataclass(frozen=True)
class Shown:
    """A service with the names around it, for its page."""

    service: CustomerService
    customer_name: str
    product: Product | None
    site_name: str


def shown(session: Session, actor: Actor, service_id: int) -> Shown:
    query = (
        services.query(actor)
        .add_columns(Customer.customer_name, Product, CustomerSite.site_name)
        .join(Customer, Customer.customer_id == CustomerService.customer_id)
        .outerjoin(Product, Product.product_id == CustomerService.product_id)
        .outerjoin(CustomerSite, CustomerSite.site_id == CustomerService.site_id)
        .where(CustomerService.service_id == service_id)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Service {service_id} does not exist.")
    return Shown(row[0], row[1], row[2], row[3] or "")


def parts_of(session: Session, actor: Actor, service_id: int) -> list[CustomerService]:
    """The services that are bundled with this one as their parent (PROV-212)."""
    query = services.query(actor).where(CustomerService.bundled_parent == service_id)
    return list(session.scalars(query.order_by(CustomerService.service_id).limit(100)))


def in_group(group: str) -> list[ColumnElement[bool]]:
    """Services whose stored word counts as that documented status (decision 1); all for another word."""
    word = CustomerService.service_status
    conditions = {
        "Active": word.not_in((*INACTIVE, "Suspended")),
        "Suspended": word == "Suspended",
        "Inactive": word.in_(INACTIVE),
    }
    return [conditions[group]] if group in conditions else []


def matching(term: str) -> list[ColumnElement[bool]]:
    """Services by number, name, UUID or customer's name."""
    term = term.strip()
    if not term:
        return []
    named = select(Customer.customer_id).where(Customer.customer_name_key.contains(term.lower(), autoescape=True))
    columns = (CustomerService.service_name, CustomerService.service_uuid)
    found = [CustomerService.customer_id.in_(named), *(column.icontains(term, autoescape=True) for column in columns)]
    if term.isdecimal() and len(term) < 16:
        found.append(CustomerService.service_id == int(term))
    return [or_(*found)]


def types(session: Session) -> list[str]:
    """The service types in use, for a filter."""
    return list(session.scalars(select(CustomerService.service_type).distinct().order_by(CustomerService.service_type)))
