"""Who may order what (PROV-038..044), as pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from omnicrm.domain import listtext
from omnicrm.domain.catalogue.models import Product

#: Where the catalogue shows each category (PROV-039), in the order of the page.
GROUPS = {
    "Service Plans": ("standalone", "bundle"),
    "Promotions": ("promo",),
    "Add-ons": ("addon",),
}


@dataclass(frozen=True)
class Held:
    """A service that the customer has already, as far as dependencies ask."""

    product_id: int | None
    product_slug: str
    service_type: str


def on_offer(product: Product, now: datetime) -> bool:
    """Enabled, and inside its availability window (PROV-019)."""
    started = product.available_from is None or product.available_from <= now
    return product.enabled and started and (product.available_until is None or now <= product.available_until)


def fits_account(product: Product, account_type: str) -> bool:
    """Business customers see business products; individuals see what is residential or not business (PC-21)."""
    return product.business if account_type == "Business" else product.residential or not product.business


def dependency_met(product: Product, held: Iterable[Held]) -> bool:
    """Any entry of `relies_on_list` (product id, slug or service type) that an active service satisfies (PC-22)."""
    wanted = {entry.lower() for entry in listtext.parse_list(product.relies_on_list)}
    if not wanted:
        return True
    return any(wanted & {str(one.product_id), one.product_slug.lower(), one.service_type.lower()} for one in held)


def extends(product: Product, service_type: str) -> bool:
    """Whether an add-on belongs on a service of that type (PROV-041)."""
    return product.category == "addon" and product.service_type.lower() == service_type.lower()


def grouped(products: Iterable[Product]) -> list[tuple[str, list[Product]]]:
    """The groups of the catalogue that have products, each in the order given."""
    rows = list(products)
    found = [(title, [row for row in rows if row.category in kinds]) for title, kinds in GROUPS.items()]
    return [(title, members) for title, members in found if members]


def refusal(product: Product, account_type: str, held: Sequence[Held], now: datetime, by_customer: bool) -> str | None:
    """Why this customer cannot order the product; None when he can."""
    if not on_offer(product, now):
        return "is not on offer (disabled, or outside its availability window)"
    if by_customer and not product.customer_can_purchase:
        return "cannot be ordered by customers"
    if not fits_account(product, account_type):
        return f"is not offered to {account_type.lower()} customers"
    if not dependency_met(product, held):
        return f"needs an active service of: {', '.join(listtext.parse_list(product.relies_on_list))}"
    if product.category == "addon" and not any(extends(product, one.service_type) for one in held):
        return f"needs an active {product.service_type} service"
    return None
