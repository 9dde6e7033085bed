"""Declarations of inventory templates and items (CRM-148..186)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from omnicrm.domain.action import Ctx
from omnicrm.domain.actor import Actor
from omnicrm.domain.codecs import Amount, Choice, Degrees, Flag, Moment, Reference, Text
from omnicrm.domain.customers.resource import id_field, stamps
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.inventory.models import STATE_ALIASES, STATES, TEXTS, Inventory, InventoryTemplate
from omnicrm.domain.resource import MASKED, Field, Resource
from omnicrm.settings import Settings

#: Labels that mean a phone number also answer as `msisdn` (PC-14).
_MSISDN = {"phone_number", "mobile_number", "msisdn", "did", "did_number"}


def states(settings: Settings) -> tuple[str, ...]:
    return (*STATES, *settings.inventory.extra_states)


def _text(name: str, length: int, label: str = "", **more: Any) -> Field:
    return Field(name, Text(length, more.pop("widget", "text")), label=label, nullable=False, default="", **more)


def _check_template(ctx: Ctx, row: InventoryTemplate, changed: frozenset[str]) -> None:
    """Names are unique; items of a renamed template take the new name (CRM-152, CRM-158)."""
    taken = select(InventoryTemplate.inventory_template_id).where(
        InventoryTemplate.item == row.item,
        InventoryTemplate.inventory_template_id != row.inventory_template_id,
    )
    if "item" in changed and ctx.session.scalar(taken) is not None:
        raise Invalid({"item": f"there is a template {row.item!r} already"})


def _refuse_used_template(ctx: Ctx, row: InventoryTemplate) -> None:
    query = select(Inventory.inventory_id).where(Inventory.inventory_template_id == row.inventory_template_id)
    if ctx.session.scalar(query.limit(1)) is not None:
        raise Conflict("The template has items and cannot be deleted.")


def _shown_templates(actor: Actor, resource: Resource[Any], verb: str) -> list[ColumnElement[bool]]:
    """Staff and jobs reach every template; a portal user those that he may choose from or has items of (CRM-013)."""
    bound = actor.bound_to("inventory_template", verb)
    if bound is None or actor.job is not None:
        return []
    held = select(Inventory.inventory_template_id).where(Inventory.customer_id == bound)
    template = InventoryTemplate
    return [or_(template.allow_customer_dropdown.is_(True), template.inventory_template_id.in_(held))]


templates: Resource[InventoryTemplate] = Resource(
    InventoryTemplate,
    "inventory_template",
    family="inventory_template",
    key="inventory_template_id",
    fields=(
        id_field("inventory_template_id"),
        Field("item", Text(150, blank=False), required=True, nullable=False),
        Field("icon", Text(100), help="Font Awesome class, e.g. fa-solid fa-sim-card", nullable=False, default=""),
        Field("wholesale_cost", Amount(), attr="wholesale_cost_minor", nullable=False, required=True, own=False),
        Field("retail_cost", Amount(), attr="retail_cost_minor", nullable=False, required=True),
        Field("itemtext1_label", Text(100, blank=False), label="Text 1 label", nullable=False, default="Model Number"),
        Field("itemtext2_label", Text(100, blank=False), label="Text 2 label", nullable=False, default="Serial Number"),
        *(_text(f"{name}_label", 100, f"Text {name[8:]} label") for name in TEXTS[2:]),
        Field("allow_staff_dropdown", Flag(), label="Allow staff in dropdown", nullable=False, default=True),
        Field("allow_customer_dropdown", Flag(), label="Allow customer in dropdown", nullable=False, default=False),
        *stamps(),
    ),
    scope=_shown_templates,
    search=("item",),
    sort=("item",),
    newest_first=False,
    check=_check_template,
    check_delete=_refuse_used_template,
)


def reachable(actor: Actor, resource: Resource[Any], verb: str) -> list[ColumnElement[bool]]:
    """The customer's items; a job also reaches the items that its order chose (decision 9)."""
    bound = actor.bound_to("inventory", verb)
    if bound is None:
        return []
    own = Inventory.customer_id == bound
    return [or_(own, Inventory.inventory_id.in_(actor.job.inventory_ids))] if actor.job else [own]


def _mask_secrets(session: Session, rows: Sequence[Inventory], actor: Actor) -> None:
    """Keys and PINs are clear to those who may change items (and so to jobs); others see that there is one."""
    if actor.can("update_inventory"):
        return
    query = select(InventoryTemplate).where(
        InventoryTemplate.inventory_template_id.in_({row.inventory_template_id for row in rows})
    )
    secret = {row.inventory_template_id: row.secret_texts for row in session.scalars(query)}
    for row in rows:
        for name in secret.get(row.inventory_template_id, ()):
            if getattr(row, name):
                set_committed_value(row, name, MASKED)


def _named_texts(session: Session, row: Inventory, actor: Actor) -> dict[str, Any]:
    """The custom texts under their labels too: `iccid`, `imsi`, `msisdn` … (CRM-172)."""
    template = session.get(InventoryTemplate, row.inventory_template_id)
    named: dict[str, Any] = {}
    for name, label in template.labels if template else []:
        key = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
        named.setdefault(key, getattr(row, name))
        if key in _MSISDN:
            named.setdefault("msisdn", getattr(row, name))
    return named


inventory: Resource[Inventory] = Resource(
    Inventory,
    "inventory",
    family="inventory",
    key="inventory_id",
    title="Inventory item",
    fields=(
        id_field("inventory_id"),
        Field("item", Text(150), label="Type", nullable=False, default="", on_update=False),
        Field(
            "inventory_template_id",
            Reference(table="Inventory_Template"),
            label="Template",
            on_update=False,
        ),
        Field("customer_id", Reference(table="customer"), label="Customer"),
        Field("service_id", Reference(table="customer_service"), label="Service"),
        _text("item_location", 255, "Location"),
        Field("item_state", Choice(states, STATE_ALIASES), label="State", nullable=False, default="New"),
        *(_text(name, 255, f"Text {name[8:]}") for name in TEXTS),
        Field("wholesale_cost", Amount(), attr="wholesale_cost_minor", nullable=False, own=False),
        Field("retail_cost", Amount(), attr="retail_cost_minor", nullable=False),
        Field("sold_date", Moment()),
        *(
            _text(name, length, label)
            for name, length, label in (
                ("address_line_1", 255, "Address line 1"),
                ("address_line_2", 255, "Address line 2"),
                ("city", 150, "City"),
                ("state", 150, "State or region"),
                ("zip_code", 40, "Zip code"),
                ("country", 100, "Country"),
                ("google_maps_place_id", 255, "Google Maps place ID"),
                ("plus_code", 100, "Plus Code"),
            )
        ),
        Field("latitude", Degrees(90, as_text=True)),
        Field("longitude", Degrees(180, as_text=True)),
        _text("management_url", 500, "Management URL"),
        _text("management_username", 255, "Management user name", own=False),
        Field("management_password", Text(1000, "password"), own=False, listed=False, reveal="update_inventory"),
        _text("config_content", 4_000_000, "Configuration", widget="textarea", own=False, listed=False),
        _text("config_file_path", 500, "Configuration file", own=False),
        _text("inventory_notes", 65_535, "Notes", widget="textarea", own=False),
        *stamps(),
    ),
    scope=reachable,
    search=("itemtext1", "itemtext2", "item_location"),
    filters=("item", "item_state", "item_location", "customer_id", "service_id", "inventory_template_id"),
    sort=("item", "item_state", "item_location", "itemtext1", "last_modified"),
    extend=_named_texts,
    veil=_mask_secrets,
    by_customer="data",
)
