"""Reads of the catalogue for pages: what is on offer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_
from sqlalchemy.orm import Session

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
