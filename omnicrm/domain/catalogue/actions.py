"""Named writes of products."""

from __future__ import annotations

from sqlalchemy import select

from omnicrm.domain.action import Ctx, action
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.catalogue.resource import products

_SUFFIX = "_clone"


@action("product.clone", permission="create_product")
def clone_product(ctx: Ctx, product_id: int) -> Product:
    """A copy under the name and slug with `_clone`, or the first free `_clone2`, `_clone3` … (PROV-032)."""
    source = products.get(ctx.session, ctx.actor, product_id)
    own = {products.key, "product_slug_key", "created", "last_modified"}
    copied = {
        attribute.key: getattr(source, attribute.key)
        for attribute in Product.__mapper__.column_attrs
        if attribute.key not in own
    }
    stem = f"{source.product_slug[: 150 - len(_SUFFIX) - 4]}{_SUFFIX}"
    taken = set(
        ctx.session.scalars(select(Product.product_slug_key).where(Product.product_slug_key.like(f"{stem.lower()}%")))
    )
    number = next(n for n in range(1, len(taken) + 2) if f"{stem}{_number(n)}".lower() not in taken)
    copied["product_slug"] = f"{stem}{_number(number)}"
    copied["product_name"] = f"{source.product_name[: 255 - len(_SUFFIX) - 4]}{_SUFFIX}{_number(number)}"
    clone = Product(**copied)
    ctx.session.add(clone)
    ctx.session.flush()
    return clone


def _number(place: int) -> str:
    return "" if place == 1 else str(place)
