"""Reads of customers for lists, pickers and pages."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from omnicrm.domain.actor import Actor
from omnicrm.domain.customers import rules
from omnicrm.domain.customers.models import Customer, CustomerAttribute, CustomerContact, CustomerSite, CustomerTag
from omnicrm.domain.customers.resource import customers, sites, tags
from omnicrm.domain.errors import NotFound
from omnicrm.domain.identity.models import User

_EARTH_KM = 6371.0088
_KM_PER_DEGREE = 111.0


def narrowing(
    *, with_archived: bool, attribute: tuple[str | None, str | None], tag: str | None, now: datetime
) -> list[ColumnElement[bool]]:
    """Conditions of a customer list beside its plain filters."""
    found: list[ColumnElement[bool]] = [] if with_archived else [Customer.customer_status != "Archived"]
    name, value = attribute
    if name:
        holders = select(CustomerAttribute.customer_id).where(CustomerAttribute.attribute_name == name)
        if value is not None:
            holders = holders.where(CustomerAttribute.attribute_value == value)
        found.append(Customer.customer_id.in_(holders))
    if tag:
        tagged = select(CustomerTag.customer_id).where(
            CustomerTag.tag_text == tag, CustomerTag.tag_active_date <= now, CustomerTag.tag_deactivate_date > now
        )
        found.append(Customer.customer_id.in_(tagged))
    return found


def pick(session: Session, actor: Actor, term: str, limit: int = 20) -> list[Customer]:
    """Customers by name, id, contact e-mail or phone, open ones first (CRM-044)."""
    term = term.strip()
    if not term:
        return []
    by_contact = select(CustomerContact.customer_id).where(
        or_(
            CustomerContact.contact_email.icontains(term, autoescape=True),
            CustomerContact.contact_phone.contains(term, autoescape=True),
        )
    )
    matches = [Customer.customer_name_key.contains(term.lower(), autoescape=True), Customer.customer_id.in_(by_contact)]
    if term.isdecimal() and len(term) < 16:
        matches.append(Customer.customer_id == int(term))
    query = customers.query(actor).where(or_(*matches), Customer.customer_status != "Archived")
    order = case((Customer.customer_status == "Open", 0), else_=1)
    return list(session.scalars(query.order_by(order, Customer.customer_name_key).limit(limit)))


def tags_of(session: Session, actor: Actor, customer_id: int) -> list[CustomerTag]:
    query = tags.query(actor).where(CustomerTag.customer_id == customer_id)
    return list(session.scalars(query.order_by(CustomerTag.tag_id)))


def sites_near(
    session: Session, actor: Actor, latitude: float, longitude: float, radius_km: float, limit: int = 1000
) -> list[tuple[CustomerSite, float]]:
    """Sites inside the circle with their distance in km, nearest first; a box by index narrows them first."""
    height = radius_km / _KM_PER_DEGREE
    width = radius_km / max(_KM_PER_DEGREE * math.cos(math.radians(latitude)), 0.01)
    box = sites.query(actor).where(
        CustomerSite.latitude.between(latitude - height, latitude + height),
        CustomerSite.longitude.between(longitude - width, longitude + width),
    )
    found = [(row, _distance(latitude, longitude, row)) for row in session.scalars(box.limit(20_000))]
    return sorted((pair for pair in found if pair[1] <= radius_km), key=lambda pair: pair[1])[:limit]


def _distance(latitude: float, longitude: float, site: CustomerSite) -> float:
    lat1, lat2 = math.radians(latitude), math.radians(site.latitude or 0)
    half_lat, half_lon = (lat2 - lat1) / 2, math.radians((site.longitude or 0) - longitude) / 2
    root = math.sin(half_lat) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half_lon) ** 2
    return 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(root)))


def of_customer(session: Session, actor: Actor, resource: Any, customer_id: int) -> list[Any]:
    """All rows of a customer-owned resource, for a tab of the customer page."""
    query = resource.query(actor).where(resource.model.customer_id == customer_id)
    return list(session.scalars(query.order_by(resource.key_column)))


def primary_contacts(session: Session, customer_ids: list[int]) -> dict[int, CustomerContact]:
    """The contact to name beside each customer of a list; a customer without contacts is left out."""
    query = select(CustomerContact).where(CustomerContact.customer_id.in_(customer_ids))
    found: dict[int, CustomerContact] = {}
    for contact in rules.primary_first(list(session.scalars(query))):
        found.setdefault(contact.customer_id, contact)
    return found


def shown_tags(session: Session, customer_ids: list[int], now: datetime) -> dict[int, list[CustomerTag]]:
    """The pills of each customer: tags inside their dates (CRM-120)."""
    query = select(CustomerTag).where(CustomerTag.customer_id.in_(customer_ids), *_shown_at(now))
    found: dict[int, list[CustomerTag]] = {}
    for tag in session.scalars(query.order_by(CustomerTag.tag_id)):
        found.setdefault(tag.customer_id, []).append(tag)
    return found


def tag_texts(session: Session, now: datetime, limit: int = 200) -> list[str]:
    """The words of all tags shown now, for a filter."""
    query = select(CustomerTag.tag_text).where(*_shown_at(now)).distinct()
    return list(session.scalars(query.order_by(CustomerTag.tag_text).limit(limit)))


def _shown_at(now: datetime) -> list[ColumnElement[bool]]:
    return [CustomerTag.tag_active_date <= now, CustomerTag.tag_deactivate_date > now]


def with_counts(session: Session, actor: Actor, customer_id: int, now: datetime) -> tuple[Customer, dict[str, int]]:
    """The customer with the number of its contacts, sites, attributes and shown tags, in one statement."""
    models: dict[str, tuple[type[Any], list[ColumnElement[bool]]]] = {
        "contacts": (CustomerContact, []),
        "sites": (CustomerSite, []),
        "attributes": (CustomerAttribute, []),
        "tags": (CustomerTag, _shown_at(now)),
    }
    counts = [
        select(func.count()).where(model.customer_id == Customer.customer_id, *more).scalar_subquery().label(name)
        for name, (model, more) in models.items()
    ]
    row = session.execute(
        customers.query(actor).add_columns(*counts).where(Customer.customer_id == customer_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"Customer {customer_id} does not exist.")
    return row[0], dict(zip(models, row[1:], strict=True))


def portal_users(session: Session, contact_ids: list[int]) -> dict[int, User]:
    """The portal account of each contact that has one (CRM-082)."""
    query = select(User).where(User.contact_id.in_(contact_ids), User.deleted.is_(False))
    return {user.contact_id: user for user in session.scalars(query) if user.contact_id is not None}


def names_of(session: Session, customer_ids: set[int]) -> dict[int, str]:
    query = select(Customer.customer_id, Customer.customer_name).where(Customer.customer_id.in_(customer_ids))
    return dict(session.execute(query).all())


def first_of(session: Session, actor: Actor, resource: Any, customer_id: int, limit: int) -> list[Any]:
    """The oldest rows of a customer-owned resource, for a summary."""
    query = resource.query(actor).where(resource.model.customer_id == customer_id)
    return list(session.scalars(query.order_by(resource.key_column).limit(limit)))


def site_choices(session: Session, customer_id: int) -> list[tuple[str, str]]:
    """(id, name) of the customer's sites, for selects."""
    query = select(CustomerSite).where(CustomerSite.customer_id == customer_id).order_by(CustomerSite.site_id)
    return [(str(row.site_id), row.site_name or row.address_line_1) for row in session.scalars(query)]


def by_ids(session: Session, actor: Actor, customer_ids: list[int]) -> list[Customer]:
    """Those of the customers that the caller may see."""
    query = customers.query(actor).where(Customer.customer_id.in_(customer_ids))
    return list(session.scalars(query.order_by(Customer.customer_id)))
