"""Orders: from a request to a job with its reservations, or a refusal that names the field. No play runs in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from omnicrm.domain import listtext
from omnicrm.domain.action import Ctx, action
from omnicrm.domain.catalogue import rules as catalogue_rules
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.customers import rules as customer_rules
from omnicrm.domain.customers.models import Customer, CustomerContact, CustomerSite
from omnicrm.domain.errors import Conflict, Invalid, NotPermitted
from omnicrm.domain.inventory.models import InventoryTemplate
from omnicrm.domain.provisioning import rules
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.orderplays import CHANGES, plays_dirs, plays_for_change, plays_for_end, plays_for_order
from omnicrm.domain.provisioning.placing import Placement, merge, place, refuse_open_job
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.queries import held_by

__all__ = ["Order", "order", "plays_dirs"]


@dataclass(frozen=True)
class Order:
    """A request for a job (PROV-123): `product_id`, `customer_id`, `service_id`, chosen items, further variables."""

    values: Mapping[str, Any] = field(default_factory=dict)
    retry_of: int | None = None
    #: The product's terms were shown and accepted (PROV-052).
    terms_accepted: bool = False


@action("provision.order", permission=("create_provision", "view_own_provision"))
def order(ctx: Ctx, cmd: Order) -> Provision:
    """Check everything, then write job, reservations and queue entry at once (PROV-126..129, PROV-061, PC-03)."""
    values = dict(cmd.values)
    by_customer = ctx.actor.is_customer
    if not by_customer and not ctx.actor.can("create_provision"):
        raise NotPermitted("This needs the permission create_provision.")  # a portal role without a customer
    service = _service(ctx, values)
    customer = _customer(ctx, values, service)
    product = _product(ctx, values, service)
    word = values.get("action")
    if isinstance(word, str) and word in {"deprovision", *CHANGES}:
        return _run_on_service(ctx, cmd, values, service, customer, product)
    if product is None:
        raise Invalid({"product_id": "is required"})
    if service is not None:
        refuse_open_job(ctx, service)
    kinds = listtext.parse_list(product.inventory_items_list)
    if by_customer:
        values = rules.customer_request(values, kinds)
        _check_own_choice(ctx, values, product, kinds)
    customer_rules.refuse_order(customer.customer_status, customer.customer_enabled, ctx.settings)
    held = held_by(ctx.session, customer.customer_id)
    refusal = catalogue_rules.refusal(product, customer.customer_account_type, held, ctx.now, by_customer)
    if refusal is not None:
        raise Conflict(f"{product.product_name} {refusal}.", errors={"product_id": refusal})
    if product.category == "addon":
        _check_extended(product, service)
    plays = plays_for_order(ctx, values, product)
    chosen = _chosen(values, kinds)
    _check_own(ctx, values, customer)
    values["auto_renew"] = _renewal(values.get("auto_renew"), product)
    merged = merge(values, product, service, customer, chosen, plays)
    row = place(
        ctx,
        Placement(
            customer_id=customer.customer_id,
            product_id=product.product_id,
            service_id=service.service_id if service is not None else None,
            plays=plays,
            values=merged.variables,
            dropped=merged.dropped,
            sent=cmd.values,
            chosen=chosen,
            retry_of=cmd.retry_of,
        ),
    )
    if cmd.terms_accepted:
        title = f"Terms of {product.product_name} accepted"
        ctx.note("provision", "terms", title, customer_id=customer.customer_id, entity_id=row.provision_id)
    return row


def _run_on_service(
    ctx: Ctx,
    cmd: Order,
    values: dict[str, Any],
    service: CustomerService | None,
    customer: Customer,
    product: Product | None,
) -> Provision:
    """A run of a live service's own plays: it is taken down, suspended, resumed or updated (PROV-222..224, 233)."""
    word = str(values["action"])
    if service is None:
        raise Invalid({"service_id": f"is required for the action {word} (a deprovision takes service_uuid too)"})
    if ctx.actor.is_customer:
        raise NotPermitted("Please ask us to cancel or change this service.")
    refuse_open_job(ctx, service)
    remark = ""
    if word == "deprovision":
        plays, remark = plays_for_end(ctx, values, service, product)
        values["service_uuid"] = service.service_uuid
    else:
        plays = plays_for_change(ctx, word, service, product)
    merged = merge(values, product, service, customer, {}, plays, of_service=True)
    row = place(
        ctx,
        Placement(
            customer_id=customer.customer_id,
            product_id=product.product_id if product is not None else None,
            service_id=service.service_id,
            plays=plays,
            values=merged.variables,
            dropped=merged.dropped,
            sent=cmd.values,
            retry_of=cmd.retry_of,
        ),
    )
    if remark:
        ctx.note(
            "provision",
            "note",
            remark,
            customer_id=customer.customer_id,
            service_id=service.service_id,
            entity_id=row.provision_id,
        )
    return row


def _renewal(chosen: Any, product: Product) -> bool:
    """What the buyer chose, or what the product fixes; a product that allows no renewal has none (PC-25)."""
    fixed = product.auto_renew if product.auto_renew != "prompt" else False
    return product.allow_auto_renew and rules.renews(fixed if chosen in (None, "") else chosen)


def _whole(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    if value in (None, ""):
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal() or len(text) > 18:
        raise Invalid({name: "must be a whole number"})
    return int(text)


def _service(ctx: Ctx, values: dict[str, Any]) -> CustomerService | None:
    service_id = _whole(values, "service_id")
    if service_id is not None:
        condition, field_name = CustomerService.service_id == service_id, "service_id"
    elif values.get("action") == "deprovision" and values.get("service_uuid"):
        condition, field_name = CustomerService.service_uuid == str(values["service_uuid"]), "service_uuid"
    else:
        return None
    row = ctx.session.scalars(select(CustomerService).where(condition).with_for_update()).one_or_none()
    bound, job = ctx.actor.customer_id, ctx.actor.job
    foreign = row is not None and bound is not None and row.customer_id != bound
    if row is None or foreign or (job is not None and row.service_id not in job.service_ids):
        raise Invalid({field_name: f"service {values[field_name]} does not exist"})
    if service_id is not None and values.get("service_uuid") not in (None, "", row.service_uuid):
        raise Invalid({"service_uuid": f"does not belong to service {row.service_id}"})
    return row


def _customer(ctx: Ctx, values: dict[str, Any], service: CustomerService | None) -> Customer:
    customer_id = _whole(values, "customer_id") or (service and service.customer_id) or ctx.actor.customer_id
    if customer_id is None:
        raise Invalid({"customer_id": "is required"})
    bound = ctx.actor.job.customer_id if ctx.actor.job else ctx.actor.customer_id
    if bound not in (None, customer_id):
        raise NotPermitted("Services can be ordered for your own customer only.")
    row = ctx.session.get(Customer, customer_id)
    if row is None:
        raise Invalid({"customer_id": f"customer {customer_id} does not exist"})
    if service is not None and service.customer_id != row.customer_id:
        raise Invalid({"service_id": f"service {service.service_id} belongs to another customer"})
    return row


def _product(ctx: Ctx, values: dict[str, Any], service: CustomerService | None) -> Product | None:
    product_id = _whole(values, "product_id")
    if product_id is None and service is not None and values.get("action"):
        product_id = service.product_id
    if product_id is None:
        return None
    row = ctx.session.get(Product, product_id)
    if row is None:
        raise Invalid({"product_id": f"product {product_id} does not exist"})
    return row


def _chosen(values: dict[str, Any], kinds: list[str]) -> dict[str, int]:
    """The chosen item of each type, taken out of the values; every type needs one (PROV-061)."""
    chosen: dict[str, int] = {}
    errors: dict[str, str] = {}
    for kind in kinds:
        sent = {name: values.pop(name) for name in (kind, rules.identifier(kind)) if values.get(name) is not None}
        try:
            picked = {_whole(sent, name) for name in sent} - {None}
        except Invalid:
            picked = set()
        if len(picked) != 1:
            errors[kind] = "choose an item (its inventory_id)" if not sent else "must be the inventory_id of one item"
        else:
            chosen[kind] = int(picked.pop() or 0)
    if errors:
        raise Invalid(errors)
    return chosen


def _check_own_choice(ctx: Ctx, values: Mapping[str, Any], product: Product, kinds: list[str]) -> None:
    """A customer chooses among what his order form offers (PROV-065, PC-25)."""
    open_kinds = ctx.session.scalars(
        select(InventoryTemplate.item).where(
            InventoryTemplate.item.in_(kinds), InventoryTemplate.allow_customer_dropdown.is_(True)
        )
    )
    closed = set(kinds) - set(open_kinds)
    errors = dict.fromkeys(sorted(closed), "is chosen by our staff; please contact us")
    may_choose = product.auto_renew == "prompt" and product.allow_auto_renew
    if values.get("auto_renew") not in (None, "") and not may_choose:
        errors["auto_renew"] = "cannot be chosen for this product"
    if errors:
        raise Invalid(errors)


def _check_extended(product: Product, service: CustomerService | None) -> None:
    """An add-on goes onto an active service of its type (PROV-041, PROV-088)."""
    if service is None:
        raise Invalid({"service_id": f"is required: {product.product_name} is an add-on of a service"})
    if service.group != "Active" or not catalogue_rules.extends(product, service.service_type):
        text = f"service {service.service_id} is not an active {product.service_type} service"
        raise Conflict(f"{product.product_name} cannot be added: {text}.", errors={"service_id": text})


def _check_own(ctx: Ctx, values: Mapping[str, Any], customer: Customer) -> None:
    """Site and contacts of an order are this customer's (PROV-086)."""
    for name, column, owner in (
        ("site_id", CustomerSite.site_id, CustomerSite.customer_id),
        ("billing_contact_id", CustomerContact.contact_id, CustomerContact.customer_id),
        ("technical_contact_id", CustomerContact.contact_id, CustomerContact.customer_id),
    ):
        number = _whole(values, name)
        if number is None:
            continue
        if ctx.session.scalar(select(owner).where(column == number)) != customer.customer_id:
            what = name.removesuffix("_id").replace("_", " ")
            raise Invalid({name: f"{what} {number} does not exist at this customer"})
