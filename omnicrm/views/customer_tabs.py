"""The tabs of the customer page that are lists with a form: sites, contacts, billing, tags, inventory, attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from litestar import Response, get

from omnicrm.domain.billing import queries as billing
from omnicrm.domain.billing.resource import transactions
from omnicrm.domain.catalogue import queries as catalogue
from omnicrm.domain.customers import queries
from omnicrm.domain.customers.models import CustomerTag
from omnicrm.domain.customers.resource import attributes, contacts, sites, tags
from omnicrm.domain.inventory import queries as inventory_queries
from omnicrm.domain.inventory.resource import inventory
from omnicrm.domain.resource import ListQuery
from omnicrm.domain.services import queries as services
from omnicrm.views import http
from omnicrm.views.customer_place import in_tab, located, location_of
from omnicrm.views.page import page
from omnicrm.views.resource_forms import Choices
from omnicrm.views.resource_pages import AnyRequest, Column, Pages, Reading, Section, Shape
from omnicrm.views.resource_routes import pages_for

_OF = "/customers/{customer_id:int}"


def _owner(reading: Reading) -> int:
    return int(reading.place.bound["customer_id"])


# ---- contacts


def _portal(reading: Reading, rows: list[Any]) -> dict[str, Any]:
    return {"portal": queries.portal_users(reading.session, [row.contact_id for row in rows])}


def _contact_warning(row: Any) -> str:
    if row.has_type("Primary"):
        return "It is the primary contact: messages to the customer have no addressee until another one is primary."
    return ""


CONTACTS = Pages(
    contacts,
    f"{_OF}/contacts",
    "Contacts",
    "address-book",
    columns=(
        Column("contact_lastname", "Name"),
        Column("contact_email", "Email"),
        Column("contact_phone", "Phone"),
        Column("contact_types", "Types"),
        Column("portal", "Portal User"),
    ),
    sections=(
        Section(
            "",
            ("contact_firstname", "contact_lastname", "contact_email", "contact_phone", "contact_types"),
        ),
    ),
    cells="contact_cells.html",
    detail_aside="contact_portal.html",
    more=_portal,
    more_of=lambda reading: _portal(reading, [reading.row] if reading.row is not None else []),
    place=in_tab("contacts", 4),
    per_page=50,
    warning=_contact_warning,
    empty_text="People to call, to write to and to send invoices to.",
    name_of=lambda row: row.full_name,
)

# ---- sites

SITES = Pages(
    sites,
    f"{_OF}/sites",
    "Sites",
    "location-dot",
    columns=(
        Column("site_name", "Name"),
        Column("address", "Address"),
        Column("city"),
        Column("plus_code", "Plus Code"),
        Column("services", "Services", "num"),
    ),
    sections=(
        Section("Location", ("site_name", "latitude", "longitude", "plus_code", "google_maps_place_id")),
        Section(
            "Address",
            ("address_line_1", "address_line_2", "city", "state", "zip_code", "country", "address_note"),
        ),
    ),
    cells="site_cells.html",
    form_head="site_location.html",
    detail_aside="site_share.html",
    more=lambda reading, rows: {"services": services.counts(reading.session, "site_id", [row.site_id for row in rows])},
    place=in_tab("sites", 2),
    prepare=located,
    per_page=50,
    empty_text="A site is where services are delivered. Coordinates or a Plus Code are enough.",
    name_of=lambda row: row.site_name or row.address_line_1 or row.plus_code,
    context={"location_of": location_of},
)


@get("/site-location", opt=http.page("create_customer_site", "update_customer_site"), include_in_schema=False)
async def site_location(request: AnyRequest) -> Response[str]:
    """Whether what is typed names a place, while it is typed (CRM-103)."""
    shown = {"typed": dict(request.query_params), "location_of": location_of}
    return page(request, "site_location.html", always_block=True, **shown)


# ---- tags


def _tags_narrow(request: AnyRequest, wanted: ListQuery) -> tuple[ListQuery, list[Any]]:
    if request.query_params.get("inactive") == "true":
        return wanted, []
    now = http.door(request).clock()
    return wanted, [CustomerTag.tag_active_date <= now, CustomerTag.tag_deactivate_date > now]


def _tag_pills(reading: Reading, rows: list[Any]) -> dict[str, Any]:
    owner = _owner(reading)
    return {"pills": queries.shown_tags(reading.session, [owner], reading.now).get(owner, [])}


TAGS = Pages(
    tags,
    f"{_OF}/tags",
    "Tags",
    "tags",
    columns=(
        Column("preview", "Preview"),
        Column("tag_text", "Text"),
        Column("tag_active_date", "Active"),
        Column("tag_deactivate_date", "Until"),
        Column("tag_link", "Link"),
    ),
    sections=(Section("", ("tag_text", "tag_hex_color", "tag_link", "tag_active_date", "tag_deactivate_date")),),
    cells="tag_cells.html",
    form_aside="tag_preview.html",
    more=_tag_pills,
    narrow=_tags_narrow,
    place=in_tab("tags", 7),
    detail=False,
    per_page=50,
    empty_text="Coloured words that stand beside the customer's name, for as long as you say.",
    name_of=lambda row: row.tag_text,
    context={"switch": "tag_switch.html", "refresh": "customer_pills.html"},
)

# ---- attributes

ATTRIBUTES = Pages(
    attributes,
    f"{_OF}/attributes",
    "Attributes",
    "list",
    columns=(
        Column("attribute_name", "Attribute Name"),
        Column("attribute_value", "Attribute Value"),
        Column("created", "Created"),
        Column("last_modified", "Last Modified"),
    ),
    sections=(Section("", ("attribute_name", "attribute_value")),),
    form_aside="attribute_hints.html",
    place=in_tab("attributes", 9),
    detail=False,
    per_page=100,
    warning=lambda row: "Integrations, provisioning or billing may depend on it.",
    empty_text="Facts that plays and integrations look up by name, such as external_system_id.",
    name_of=lambda row: row.attribute_name,
)

# ---- billing


def _transactions_narrow(request: AnyRequest, wanted: ListQuery) -> tuple[ListQuery, list[Any]]:
    filters: dict[str, Sequence[Any]] = dict(wanted.filters)
    if request.query_params.get("void") != "true":
        filters["void"] = [False]
    else:
        filters.pop("void", None)
    return replace(wanted, filters=filters), []


def _totals(reading: Reading, rows: list[Any]) -> dict[str, Any]:
    ids = {row.service_id for row in rows if row.service_id}
    return {
        "totals": billing.totals(reading.session, _owner(reading)),
        "service_names": services.names_of(reading.session, ids) if ids else {},
    }


def _services(reading: Reading) -> Choices:
    return services.choices_of_customer(reading.session, _owner(reading))


def _sites(reading: Reading) -> Choices:
    rows = queries.of_customer(reading.session, reading.actor, sites, _owner(reading))
    return [(str(row.site_id), row.site_name or row.address_line_1 or row.plus_code) for row in rows]


def _transaction_shape(reading: Reading) -> Shape:
    return Shape(BILLING.sections, texts={} if reading.row is not None else {"transaction_type": "debit"})


BILLING = Pages(
    transactions,
    f"{_OF}/transactions",
    "Transactions",
    "receipt",
    columns=(
        Column("created", "Date", "fit"),
        Column("title", "Title"),
        Column("transaction_type", "Kind", "fit"),
        Column("retail_cost", "Amount", "num"),
        Column("tax_amount", "Tax", "num"),
        Column("invoice_id", "Status", "fit"),
    ),
    sections=(
        Section("", ("transaction_type", "credit_type", "title", "retail_cost", "tax_percentage", "wholesale_cost")),
        Section("For", ("service_id", "site_id", "product_id", "created", "description")),
    ),
    cells="transaction_cells.html",
    list_head="transaction_totals.html",
    form_aside="transaction_hints.html",
    options={
        "transaction_type": (("debit", "Debit (a charge)"), ("credit", "Credit"), ("payment", "Payment")),
        "service_id": _services,
        "site_id": _sites,
        "product_id": lambda reading: catalogue.choices(reading.session),
    },
    shape=_transaction_shape,
    more=_totals,
    narrow=_transactions_narrow,
    place=in_tab("transactions", 5),
    detail=False,
    per_page=25,
    add_label="Add Transaction",
    delete_label="Void",
    deleted="voided",
    warning=lambda row: "It then counts nowhere; the row is kept. To take back a valid charge, book a credit instead.",
    empty_text="Charges and credits appear here, from orders and renewals, or booked by hand.",
    name_of=lambda row: row.title,
    locked=lambda row: row.void or row.invoice_id is not None,
    context={"switch": "transaction_switch.html", "delete_icon": "ban"},
)

# ---- inventory


def _items(reading: Reading, rows: list[Any]) -> dict[str, Any]:
    ids = {row.service_id for row in rows if row.service_id}
    return {
        "templates": inventory_queries.templates_by_id(reading.session),
        "service_names": services.names_of(reading.session, ids) if ids else {},
    }


INVENTORY = Pages(
    inventory,
    f"{_OF}/inventory",
    "Inventory",
    "sim-card",
    columns=(
        Column("inventory_id", "ID", "fit"),
        Column("item", "Item"),
        Column("itemtext1", "Identifiers"),
        Column("item_state", "State", "fit"),
        Column("service_id", "Service"),
        Column("last_modified", "Last Modified", "fit"),
    ),
    sections=(),
    cells="customer_item_cells.html",
    more=_items,
    place=in_tab("inventory", 8),
    detail=False,
    per_page=50,
    rows_called="items",
    empty_text="Items that an order assigns to this customer are listed here.",
    name_of=lambda row: f"{row.item} {row.itemtext1}".strip(),
    verbs=frozenset(),
)

HANDLERS = [
    site_location,
    *pages_for(CONTACTS),
    *pages_for(SITES),
    *pages_for(TAGS),
    *pages_for(ATTRIBUTES),
    *pages_for(BILLING),
    *pages_for(INVENTORY),
]
