"""Orders: from a request to a job with its reservations, or a refusal that names the field. No play runs in here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import exists, select

from omnicrm.domain import listtext
from omnicrm.domain.action import Ctx, action
from omnicrm.domain.catalogue import rules as catalogue_rules
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.customers import rules as customer_rules
from omnicrm.domain.customers.models import Customer, CustomerContact, CustomerSite
from omnicrm.domain.errors import Conflict, Invalid, NotPermitted
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.inventory.models import InventoryTemplate
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import rules
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.plays import Play, read_play
from omnicrm.domain.provisioning.redact import Redactor
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.queries import held_by
from omnicrm.paths import PLAYBOOKS
from omnicrm.settings import Settings

#: Always defined for a play (PROV-228).
DEFAULTS = {"deprovision_subscriber": False}
#: Order keys that documented plays read and write back in one form (PROV-145, PROV-220).
_NORMALISED = {"auto_renew", "action"}


def plays_dirs(settings: Settings) -> tuple[Path, ...]:
    """The operator's own plays first, then the shipped ones."""
    own = settings.provisioning.plays_dir
    return (*([own] if own else []), PLAYBOOKS / "plays")


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
    ending = values.get("action") == "deprovision"
    if ending and service is None:
        raise Invalid({"service_id": "is required for a deprovision (or service_uuid)"})
    if ending and by_customer:
        raise NotPermitted("Please ask us to cancel this service.")
    if product is None and not ending:
        raise Invalid({"product_id": "is required"})
    if service is not None:
        _refuse_open_job(ctx, service)
    kinds = listtext.parse_list(product.inventory_items_list) if product is not None and not ending else []
    if by_customer and product is not None:
        values = rules.customer_request(values, kinds)
        _check_own_choice(ctx, values, product, kinds)
    if not ending and product is not None:
        customer_rules.refuse_order(customer.customer_status, customer.customer_enabled, ctx.settings)
        held = held_by(ctx.session, customer.customer_id)
        refusal = catalogue_rules.refusal(product, customer.customer_account_type, held, ctx.now, by_customer)
        if refusal is not None:
            raise Conflict(f"{product.product_name} {refusal}.", errors={"product_id": refusal})
        if product.category == "addon":
            _check_extended(product, service)
    play = _play(ctx, values, product, service, ending)
    chosen = _chosen(values, kinds)
    _check_own(ctx, values, customer)
    merged = _merge(values, product, service, customer, chosen, play, ending)
    row = Provision(
        product_id=product and product.product_id,
        customer_id=customer.customer_id,
        service_id=service and service.service_id,
        provisioning_play=play.name,
        action=str(merged.variables.get("action") or ""),
        provisioning_json_vars=json.dumps(Redactor().value(merged.variables)),
        variables=json.dumps({"values": merged.variables, "dropped": merged.dropped, "sent": dict(cmd.values)}),
        task_count=play.task_count,
        playbook_description=play.description[:255],
        initiating_user=ctx.actor.user_id,
        initiating_name=ctx.actor.name,
        retry_of=cmd.retry_of,
    )
    ctx.session.add(row)
    ctx.session.flush()
    stock.reserve(ctx, row.provision_id, chosen)
    ctx.later("provision.run", row.provision_id)
    if cmd.terms_accepted and product is not None:
        title = f"Terms of {product.product_name} accepted"
        ctx.note("provision", "terms", title, customer_id=customer.customer_id, entity_id=row.provision_id)
    return row


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


def _play(
    ctx: Ctx, values: Mapping[str, Any], product: Product | None, service: CustomerService | None, ending: bool
) -> Play:
    """The play of this order; the order of precedence for a deprovision is PC-29's."""
    asked = str(values.get("provisioning_play") or "")
    of_service = service.provisioning_play if service is not None and ending else ""
    of_ending = service.deprovisioning_play if service is not None and ending else ""
    name = of_ending or asked or of_service or (product.provisioning_play if product is not None else "")
    if not name:
        raise Invalid({"provisioning_play": "neither the product nor the request names a play"})
    play = read_play(name, plays_dirs(ctx.settings))
    if play.problems:
        first = play.problems[0]
        raise Invalid({"provisioning_play": f"{first.spot.file}, line {first.spot.line}: {first.text}"})
    if ending and not play.has_guard:
        raise Conflict(
            f"The play {name} has no guard for a deprovision and would provision the service again. "
            "Set deprovisioning_play on the service, or add the guard to the play.",
            errors={"provisioning_play": "has no deprovision guard"},
        )
    return play


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


def _refuse_open_job(ctx: Ctx, service: CustomerService) -> None:
    """One job at a time works on a service; its row is locked, so that two requests at once see each other."""
    working = exists().where(
        Job.subject_id == Provision.provision_id, Job.kind.like("provision.%"), Job.state.in_(("queued", "running"))
    )
    query = select(Provision.provision_id).where(Provision.service_id == service.service_id, working)
    open_job = ctx.session.scalar(query.limit(1))
    if open_job is not None:
        raise Conflict(f"Job {open_job} is still working on this service.", provision_id=open_job)


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


def _merge(
    values: dict[str, Any],
    product: Product | None,
    service: CustomerService | None,
    customer: Customer,
    chosen: dict[str, int],
    play: Play,
    ending: bool,
) -> rules.Merged:
    defaults = service.provisioning_json_vars if ending and service is not None else ""
    declared = rules.parse_json_vars(defaults or (product.provisioning_json_vars if product is not None else ""))
    if values.get("provisioning_json_vars") not in (None, ""):  # staff may replace the product's defaults (PROV-146)
        declared = rules.parse_json_vars(values["provisioning_json_vars"])
    if product is not None and not ending:
        fixed = product.auto_renew if product.auto_renew != "prompt" else False
        chosen_renewal = values["auto_renew"] if values.get("auto_renew") not in (None, "") else fixed
        values["auto_renew"] = product.allow_auto_renew and rules.renews(chosen_renewal)  # PC-25
    if service is not None and ending:
        values["service_uuid"] = service.service_uuid
    system = {
        "product_id": product and product.product_id,
        "customer_id": customer.customer_id,
        "service_id": service and service.service_id,
    }
    return rules.merge_variables(
        product={**DEFAULTS, **declared},
        request=values,
        inventory=chosen,
        system=system,
        play_names=play.own_names - _NORMALISED,
    )
