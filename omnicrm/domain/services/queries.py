"""Reads of services for pages, the engine's door and other areas."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from omnicrm.domain.actor import Actor
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.catalogue.rules import Held
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
