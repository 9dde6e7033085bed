"""Who may order what (PROV-038..044), as pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from omnicrm.domain import listtext
from omnicrm.domain.catalogue.models import Product


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


def refusal(product: Product, account_type: str, held: Iterable[Held], now: datetime, by_customer: bool) -> str | None:
    """Why this customer cannot order the product; None when he can."""
    if not on_offer(product, now):
        return "is not on offer (disabled, or outside its availability window)"
    if by_customer and not product.customer_can_purchase:
        return "cannot be ordered by customers"
    if not fits_account(product, account_type):
        return f"is not offered to {account_type.lower()} customers"
    if not dependency_met(product, held):
        return f"needs an active service of: {', '.join(listtext.parse_list(product.relies_on_list))}"
    return None
