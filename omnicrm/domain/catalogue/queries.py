"""Reads of the catalogue for pages."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain import listtext
from omnicrm.domain.catalogue.models import Product


def products_naming(session: Session, item: str) -> list[Product]:
    """The products whose `inventory_items_list` names this inventory template (CRM-158)."""
    query = select(Product).where(Product.inventory_items_list.contains(item, autoescape=True))
    found = session.scalars(query.order_by(Product.product_name))
    return [product for product in found if item in listtext.parse_list(product.inventory_items_list)]


def service_types(session: Session) -> list[str]:
    """The service types in use, for filters and suggestions."""
    return list(session.scalars(select(Product.service_type).distinct().order_by(Product.service_type)))


def choices(session: Session) -> list[tuple[str, str]]:
    """(id, name) of every product, for selects."""
    query = select(Product.product_id, Product.product_name).order_by(Product.product_name)
    return [(str(key), name) for key, name in session.execute(query)]
