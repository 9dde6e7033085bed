"""Reads of customers for lists, pickers and pages."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, or_, select
from sqlalchemy.orm import Session

from omnicrm.domain.actor import Actor
from omnicrm.domain.customers.models import Customer, CustomerAttribute, CustomerContact, CustomerSite, CustomerTag
from omnicrm.domain.customers.resource import customers, sites, tags

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
