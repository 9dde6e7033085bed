"""Declaration of the product (PROV-001..023)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from omnicrm.domain import listtext
from omnicrm.domain.action import Ctx
from omnicrm.domain.actor import Actor
from omnicrm.domain.catalogue import ports
from omnicrm.domain.catalogue.models import AUTO_RENEW, CATEGORIES, Product
from omnicrm.domain.codecs import Amount, Flag, JsonObjectText, ListText, Moment, Percent, Text, Whole, one_of
from omnicrm.domain.customers.resource import id_field, stamps
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.resource import Field, Resource

SLUG = r"[^\s/]+"
PLAY = r"[A-Za-z0-9_-]+(\s*,\s*[A-Za-z0-9_-]+)*"


def purchasable(actor: Actor, resource: Resource[Any], verb: str) -> list[ColumnElement[bool]]:
    """Staff and jobs reach every product; a portal user those that he may order."""
    if not actor.is_customer:
        actor.require(f"{verb}_product")
        return []
    if verb != "view":
        actor.require(f"{verb}_product")
    return [Product.enabled.is_(True), Product.customer_can_purchase.is_(True)]


def _check_product(ctx: Ctx, row: Product, changed: frozenset[str]) -> None:
    if row.available_from and row.available_until and row.available_until < row.available_from:
        raise Invalid({"available_until": "must not lie before available_from"})
    taken = select(Product.product_id).where(
        Product.product_slug_key == row.product_slug_key, Product.product_id != row.product_id
    )
    if "product_slug" in changed and ctx.session.scalar(taken) is not None:
        raise Invalid({"product_slug": f"{row.product_slug!r} is already used by another product"})


def _check_unused(ctx: Ctx, row: Product) -> None:
    used = sum(ask(ctx.session, row.product_id) for ask in ports.PRODUCT_USES)
    if used:
        raise Conflict(f"{used} services use this product. Disable it instead (enabled: false).", services=used)


def _features(session: Session, row: Product, actor: Actor) -> dict[str, Any]:
    return {"features": listtext.features(row.features_list)}


def _cost(name: str, label: str, own: bool = True) -> Field:
    return Field(name, Amount(), attr=f"{name}_minor", label=label, nullable=False, default=0, own=own)


def _flag(name: str, label: str, default: bool) -> Field:
    return Field(name, Flag(), label=label, nullable=False, default=default)


products: Resource[Product] = Resource(
    Product,
    "product",
    family="product",
    key="product_id",
    fields=(
        id_field("product_id"),
        Field("product_name", Text(255, blank=False), label="Name", required=True, nullable=False),
        Field(
            "product_slug",
            Text(150, pattern=SLUG, hint="must not hold spaces or slashes"),
            label="Slug",
            help="Lower case with dashes, e.g. mobile-10gb",
            required=True,
            nullable=False,
        ),
        Field("category", one_of(*CATEGORIES), nullable=False, default="standalone"),
        Field("service_type", Text(50), nullable=False, default="generic"),
        Field(
            "comment",
            Text(65_535, widget="textarea"),
            help="Internal; never shown to customers",
            nullable=False,
            default="",
            own=False,
        ),
        Field("icon", Text(100), help="Font Awesome class, e.g. fa-solid fa-sim-card", nullable=False, default=""),
        _cost("retail_cost", "Monthly price"),
        _cost("wholesale_cost", "Monthly cost", own=False),
        _cost("retail_setup_cost", "Setup price"),
        _cost("wholesale_setup_cost", "Setup cost", own=False),
        Field("tax_percentage", Percent(), attr="tax_percentage_milli", label="Tax %", nullable=False, default=0),
        _flag("enabled", "Enabled", True),
        _flag("residential", "Residential", True),
        _flag("business", "Business", False),
        _flag("customer_can_purchase", "Customers can purchase", False),
        Field("available_from", Moment()),
        Field("available_until", Moment()),
        Field("contract_days", Whole(0, 36_500), help="0 = no minimum term", nullable=False, default=0),
        Field("auto_renew", one_of(*AUTO_RENEW), nullable=False, default="false"),
        _flag("allow_auto_renew", "Allow auto-renew", True),
        Field("terms", Text(65_535, widget="textarea"), nullable=False, default=""),
        Field(
            "features_list",
            Text(65_535, widget="textarea"),
            label="Features",
            help="One feature a line",
            nullable=False,
            default="",
        ),
        Field(
            "provisioning_play",
            Text(255, pattern=PLAY, hint="must be names of plays without path and .yaml"),
            nullable=False,
            default="",
            own=False,
        ),
        Field(
            "provisioning_json_vars", JsonObjectText(), label="Play variables", nullable=False, default="", own=False
        ),
        Field("inventory_items_list", ListText(unique=True), label="Inventory items", nullable=False, default="[]"),
        Field("relies_on_list", ListText(), label="Relies on", nullable=False, default="[]"),
        *stamps(),
    ),
    scope=purchasable,
    search=("product_name", "product_slug", "features_list"),
    filters=("category", "service_type", "enabled", "residential", "business", "customer_can_purchase"),
    sort=("product_name", "product_slug", "category", "service_type", "retail_cost", "created"),
    check=_check_product,
    check_delete=_check_unused,
    extend=_features,
)


def offered_now(now: Any) -> list[ColumnElement[bool]]:
    """The purchase endpoint's filter (PROV-019)."""
    return [
        Product.enabled.is_(True),
        or_(Product.available_from.is_(None), Product.available_from <= now),
        or_(Product.available_until.is_(None), Product.available_until >= now),
    ]
