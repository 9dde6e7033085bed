"""Reads for the order flow: what a customer can be given and why not the rest, and what an order still needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from omnicrm.domain import listtext
from omnicrm.domain.actor import Actor
from omnicrm.domain.catalogue import queries as catalogue
from omnicrm.domain.catalogue import rules as catalogue_rules
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.catalogue.resource import products
from omnicrm.domain.customers import rules as customer_rules
from omnicrm.domain.customers.models import Customer, CustomerContact, CustomerSite
from omnicrm.domain.customers.resource import customers
from omnicrm.domain.errors import Conflict
from omnicrm.domain.inventory import queries as stock
from omnicrm.domain.inventory.models import Inventory, InventoryTemplate
from omnicrm.domain.provisioning.rules import identifier
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.queries import held_by
from omnicrm.settings import Settings

#: Items that a drop-down lists at once; a search finds the others.
PICKER_LIMIT = 50
#: The period of a product without a contract term.
_DEFAULT_DAYS = 30


@dataclass(frozen=True)
class Offers:
    """Products for a customer by catalogue group, and the others with the reason. `blocked`: nothing can be ordered."""

    customer: Customer
    blocked: str
    groups: list[tuple[str, list[Product]]]
    refused: list[tuple[Product, str]]


def offers(
    session: Session,
    actor: Actor,
    settings: Settings,
    now: datetime,
    customer_id: int,
    search: str = "",
    service_id: int | None = None,
) -> Offers:
    """With `service_id` only the add-ons of that service (PROV-041)."""
    customer = customers.get(session, actor, customer_id)
    held = held_by(session, customer_id)
    kind = None if service_id is None else _service(session, customer_id, service_id)
    offered: list[Product] = []
    refused: list[tuple[Product, str]] = []
    for product in catalogue.all_products(session, actor, search):
        if kind is not None and not catalogue_rules.extends(product, kind):
            continue
        reason = catalogue_rules.refusal(product, customer.customer_account_type, held, now, actor.is_customer)
        if reason is None:
            offered.append(product)
        else:
            refused.append((product, reason))
    return Offers(customer, _blocked(customer, settings), catalogue_rules.grouped(offered), refused)


def _service(session: Session, customer_id: int, service_id: int) -> str | None:
    query = select(CustomerService.service_type).where(
        CustomerService.service_id == service_id, CustomerService.customer_id == customer_id
    )
    return session.scalar(query)


def _blocked(customer: Customer, settings: Settings) -> str:
    try:
        customer_rules.refuse_order(customer.customer_status, customer.customer_enabled, settings)
    except Conflict as error:
        return error.message
    return ""


@dataclass(frozen=True)
class Picker:
    """One drop-down: the selectable items of a type, and the one that is chosen and still free."""

    kind: str
    #: The type as part of a field's name.
    name: str
    #: What the first text of an item is, such as "ICCID".
    label: str
    #: Why nothing can be chosen at all.
    problem: str
    options: list[Inventory] = field(default_factory=list)
    count: int = 0
    chosen: Inventory | None = None

    def describe(self, item: Inventory) -> str:
        """`#5001 · ICCID: 8944… · Warehouse A · New` (PROV-060)."""
        text = f"{self.label}: {item.itemtext1}" if self.label else item.itemtext1
        return " · ".join(part for part in (f"#{item.inventory_id}", text, item.item_location, item.item_state) if part)


@dataclass(frozen=True)
class Plan:
    """An order in the making."""

    customer: Customer
    product: Product
    #: Why this customer cannot have the product.
    refusal: str
    features: list[str]
    pickers: list[Picker]
    #: The services that an add-on can go to, and the one that is chosen.
    services: list[CustomerService]
    service: CustomerService | None
    sites: list[CustomerSite]
    contacts: list[CustomerContact]
    #: End of the first period.
    period_end: datetime

    @property
    def due_today_minor(self) -> int:
        return self.product.retail_setup_cost_minor + self.product.retail_cost_minor

    @property
    def asks_renewal(self) -> bool:
        return self.product.auto_renew == "prompt" and self.product.allow_auto_renew


def plan(
    session: Session,
    actor: Actor,
    settings: Settings,
    now: datetime,
    customer_id: int,
    product_id: int,
    service_id: int | None = None,
    items: Mapping[str, int] | None = None,
    finds: Mapping[str, str] | None = None,
) -> Plan:
    """What an order of the product needs. `items` and `finds` are chosen ids and search words by picker name."""
    customer = customers.get(session, actor, customer_id)
    product = products.get(session, actor, product_id)
    held = held_by(session, customer_id)
    refusal = catalogue_rules.refusal(product, customer.customer_account_type, held, now, actor.is_customer)
    fitting: list[CustomerService] = []
    if product.category == "addon":
        owned = select(CustomerService).where(
            CustomerService.customer_id == customer_id,
            CustomerService.service_status == "Active",
            func.lower(CustomerService.service_type) == product.service_type.lower(),
        )
        fitting = list(session.scalars(owned.order_by(CustomerService.service_id)))
    chosen = next((row for row in fitting if row.service_id == service_id), None)
    if chosen is None and len(fitting) == 1:
        chosen = fitting[0]  # a single one is chosen silently (PROV-087)
    sites = session.scalars(select(CustomerSite).where(CustomerSite.customer_id == customer_id))
    business = customer.customer_account_type == "Business"
    people = select(CustomerContact).where(CustomerContact.customer_id == customer_id)
    return Plan(
        customer=customer,
        product=product,
        refusal=_blocked(customer, settings) or (f"{product.product_name} {refusal}." if refusal else ""),
        features=listtext.features(product.features_list),
        pickers=_pickers(session, actor, settings, now, product, items or {}, finds or {}),
        services=fitting,
        service=chosen,
        sites=list(sites),
        contacts=list(session.scalars(people)) if business else [],
        period_end=now + timedelta(days=product.contract_days or _DEFAULT_DAYS),
    )


def _pickers(
    session: Session,
    actor: Actor,
    settings: Settings,
    now: datetime,
    product: Product,
    items: Mapping[str, int],
    finds: Mapping[str, str],
) -> list[Picker]:
    kinds = listtext.parse_list(product.inventory_items_list)
    if not kinds:
        return []
    templates = stock.templates_by_name(session, kinds)
    counts = stock.stock_counts(session, now, settings)
    return [
        _picker(session, actor, settings, now, kind, templates.get(kind), counts.get(kind, 0), items, finds)
        for kind in kinds
    ]


def _picker(
    session: Session,
    actor: Actor,
    settings: Settings,
    now: datetime,
    kind: str,
    template: InventoryTemplate | None,
    count: int,
    items: Mapping[str, int],
    finds: Mapping[str, str],
) -> Picker:
    name = identifier(kind)
    label = template.itemtext1_label if template else ""
    problem = _problem(kind, template, count, actor, settings)
    if problem:
        return Picker(kind, name, label, problem)
    options = stock.options(session, kind, now, settings, finds.get(name, ""), PICKER_LIMIT)
    wanted = items.get(name)
    chosen = next((row for row in options if row.inventory_id == wanted), None)
    if chosen is None and wanted is not None:
        found = select(Inventory).where(
            Inventory.inventory_id == wanted, Inventory.item == kind, *stock.available(now, settings)
        )
        chosen = session.scalars(found).one_or_none()
        options = [chosen, *options] if chosen is not None else options
    return Picker(kind, name, label, "", options, count, chosen)


def _problem(kind: str, template: InventoryTemplate | None, count: int, actor: Actor, settings: Settings) -> str:
    """Why nothing of a type can be chosen, and what to look at (PROV-056, PROV-065, PROV-069)."""
    if template is None:
        return f"There is no inventory template called “{kind}”. Its name must match exactly, capitals and spaces too."
    if not (template.allow_customer_dropdown if actor.is_customer else template.allow_staff_dropdown):
        return f"The template “{kind}” does not allow its items to be picked in orders."
    if not count:
        states = " or ".join(settings.inventory.selectable_states)
        return f"No item “{kind}” is free: it must be {states}, without customer and service, and not held by an order."
    return ""
