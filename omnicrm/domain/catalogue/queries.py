"""Reads of the catalogue for pages: what is on offer, and what products name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from omnicrm.domain import listtext
from omnicrm.domain.actor import Actor
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.catalogue.resource import offered_now, products


def on_offer(session: Session, actor: Actor, now: datetime, search: str = "") -> list[Product]:
    """Products that can be ordered now, by name; `search` looks into name, slug and features (PROV-048)."""
    return _listed(session, actor, search, *offered_now(now))


def all_products(session: Session, actor: Actor, search: str = "") -> list[Product]:
    """Every product, by name."""
    return _listed(session, actor, search)


def _listed(session: Session, actor: Actor, search: str, *where: object) -> list[Product]:
    query = products.query(actor).where(*where)  # type: ignore[arg-type]
    term = search.strip()
    if term:
        columns = (Product.product_name, Product.product_slug, Product.features_list)
        query = query.where(or_(*(column.icontains(term, autoescape=True) for column in columns)))
    return list(session.scalars(query.order_by(Product.product_name, Product.product_id)))


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


def names_of(session: Session, product_ids: set[int]) -> dict[int, str]:
    query = select(Product.product_id, Product.product_name).where(Product.product_id.in_(product_ids))
    return {int(key): name for key, name in session.execute(query)}
