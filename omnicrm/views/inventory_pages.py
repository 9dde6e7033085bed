"""Pages of stock: items by their template's labels, and the templates (CRM-148..160, CRM-187..191)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Response, get, post

from omnicrm.domain.catalogue import queries as catalogue
from omnicrm.domain.customers import queries as customers
from omnicrm.domain.inventory import queries
from omnicrm.domain.inventory.models import TEXTS, InventoryTemplate
from omnicrm.domain.inventory.resource import inventory, templates
from omnicrm.domain.resource import ListQuery
from omnicrm.domain.services import queries as services
from omnicrm.views import http, resource_forms
from omnicrm.views.icons import ICONS
from omnicrm.views.page import page
from omnicrm.views.resource_answers import form_page, place_of, save
from omnicrm.views.resource_forms import Choices
from omnicrm.views.resource_pages import AnyRequest, Column, Filter, Pages, Reading, Section, Shape
from omnicrm.views.resource_routes import pages_for

#: The groups in which stock is looked for (CRM-188): value -> (label, states).
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "available": ("Available stock", ("New", "In Stock")),
    "customers": ("At customers", ("Assigned",)),
    "reuse": ("For reuse", ("Used",)),
    "problem": ("Problem items", ("Damaged", "Out of Service")),
    "missing": ("Missing items", ("Lost", "Stolen")),
}
#: Columns of the texts in a list of one type.
_TEXT_COLUMNS = 3

_MONEY = Section("Cost", ("retail_cost", "wholesale_cost", "sold_date"))
_ADDRESS = Section(
    "Location",
    (
        "address_line_1",
        "address_line_2",
        "city",
        "state",
        "zip_code",
        "country",
        "plus_code",
        "latitude",
        "longitude",
    ),
)
_DEVICE = Section(
    "Device access",
    (
        "management_url",
        "management_username",
        "management_password",
        "config_file_path",
        "config_content",
    ),
)
_NOTES = Section("Notes", ("inventory_notes",))


def _template_of(reading: Reading) -> InventoryTemplate | None:
    if reading.row is not None:
        key = reading.row.inventory_template_id
    else:
        text = reading.query.get("inventory_template_id", "")
        key = int(text) if text.isdecimal() else 0
    return queries.templates_by_id(reading.session).get(key)


def _shape(reading: Reading) -> Shape:
    """The labelled texts of the item's template; an unlabelled text shows while it holds something."""
    template, row = _template_of(reading), reading.row
    labels = dict(template.labels) if template else {}
    texts = tuple(name for name in TEXTS if name in labels or (row is not None and getattr(row, name)))
    held = ("customer_id", "service_id") if row is not None else ("customer_id",)
    sections = (
        Section("Item", (*texts, "item_state", "item_location")),
        Section("Assignment", held),
        *(_MONEY, _ADDRESS, _DEVICE, _NOTES),
    )
    started: dict[str, str] = {}
    if row is None and template is not None:
        started = {
            name: resource_forms.text_of(inventory.by_name[name], template, reading.settings)
            for name in ("retail_cost", "wholesale_cost")
        }
    elif row is not None and row.customer_id:
        name = customers.names_of(reading.session, {row.customer_id}).get(row.customer_id, "")
        started = {"customer_id": f"{name} (ID: {row.customer_id})"}
    return Shape(sections, labels, started)


def _columns(template: InventoryTemplate | None) -> tuple[Column, ...]:
    """Of items of one kind the texts under their labels; else the kind and the first texts."""
    texts = [Column(name, label) for name, label in template.labels[:_TEXT_COLUMNS]] if template else ()
    return (
        Column("inventory_id", "ID", "fit"),
        *(texts or (Column("item", "Item"), Column("itemtext1", "Identifiers"))),
        Column("item_state", "State", "fit"),
        Column("item_location", "Location"),
        Column("customer_id", "Customer"),
        Column("service_id", "Service"),
        Column("last_modified", "Last Modified", "fit"),
    )


def _list_names(reading: Reading, rows: list[Any]) -> dict[str, Any]:
    session, known = reading.session, queries.templates_by_id(reading.session)
    one_type = next((template for template in known.values() if template.item == reading.query.get("item")), None)
    return {
        "templates": known,
        "one_type": one_type,
        "columns": _columns(one_type),
        "types": [(template.item, template.item) for template in known.values()],
        "locations": [(text, text) for text in queries.locations(session)],
        "customer_names": customers.names_of(session, {row.customer_id for row in rows if row.customer_id}),
        "service_names": services.names_of(session, {row.service_id for row in rows if row.service_id}),
    }


def _detail_names(reading: Reading) -> dict[str, Any]:
    row, links = reading.row, {}
    if row is not None and row.customer_id:
        names = customers.names_of(reading.session, {row.customer_id})
        links["customer_id"] = (names.get(row.customer_id, ""), f"/customers/{row.customer_id}")
    if row is not None and row.service_id:
        names = services.names_of(reading.session, {row.service_id})
        links["service_id"] = (names.get(row.service_id, ""), f"/services/{row.service_id}")
    return {"links": links, "item_template": _template_of(reading)}


def _narrow(request: AnyRequest, wanted: ListQuery) -> tuple[ListQuery, list[Any]]:
    group = GROUPS.get(request.query_params.get("group", ""))
    if group is None or "item_state" in wanted.filters:
        return wanted, []
    return replace(wanted, filters={**wanted.filters, "item_state": list(group[1])}), []


def _services(reading: Reading) -> Choices:
    row = reading.row
    return services.choices_of_customer(reading.session, row.customer_id) if row is not None and row.customer_id else ()


ITEMS = Pages(
    inventory,
    "/inventory-items-list",
    "Inventory",
    "sim-card",
    columns=_columns(None),
    sections=(
        Section("Item", ("inventory_template_id", *TEXTS, "item_state", "item_location")),
        Section("Assignment", ("customer_id", "service_id")),
        *(_MONEY, _ADDRESS, _DEVICE, _NOTES),
    ),
    cells="inventory_cells.html",
    value="inventory_value.html",
    form_aside="inventory_form_aside.html",
    filters=(
        Filter("item", "Type", "types"),
        Filter("group", "Stock", tuple((value, label) for value, (label, _) in GROUPS.items())),
        Filter("item_state", "State"),
        Filter("item_location", "Location", "locations"),
    ),
    options={"service_id": _services},
    more=_list_names,
    more_of=_detail_names,
    shape=_shape,
    narrow=_narrow,
    add_label="Add Item",
    warning=lambda row: "An item that was in use is better set to Decommissioned.",
    rows_called="items",
    empty_text="SIM cards, numbers, devices: everything that an order can hand out.",
    name_of=lambda row: f"{row.item} {row.itemtext1}".strip(),
    context={"search_placeholder": "ICCID, number, serial …"},
)


@get("/inventory-items-list/new", opt=http.page("create_inventory"), include_in_schema=False)
async def new_item(request: AnyRequest) -> Response[str]:
    """First the template, then its form (CRM-189)."""
    if request.query_params.get("inventory_template_id", "").isdecimal():
        return await form_page(request, ITEMS, await place_of(request, ITEMS), None)
    known = await http.door(request).read(queries.templates_by_id)
    return page(request, "inventory_new.html", title="Add Item", templates=list(known.values()))


@post("/inventory-items-list/new", opt=http.page("create_inventory"), include_in_schema=False, status_code=200)
async def create_item(request: AnyRequest) -> Response[Any]:
    return await save(request, ITEMS, None, await place_of(request, ITEMS))


# ---- templates

_LABELS = tuple(f"{name}_label" for name in TEXTS)


def _template_shape(reading: Reading) -> Shape:
    """The form adds the labels from the third on one by one; the detail shows those in use."""
    used = tuple(name for name in _LABELS[2:] if reading.row is not None and getattr(reading.row, name))
    return Shape(
        (
            Section("Template", ("item", "icon", "retail_cost", "wholesale_cost")),
            Section("Labels of the texts", (*_LABELS[:2], *(() if reading.editing else used))),
            Section("Who may choose it", ("allow_staff_dropdown", "allow_customer_dropdown")),
        )
    )


def _template_names(reading: Reading) -> dict[str, Any]:
    """The labels that the form adds, and the products that a renaming would break (CRM-158)."""
    row = reading.row
    return {
        "icons": ICONS,
        "more_labels": _LABELS[2:],
        "naming": catalogue.products_naming(reading.session, row.item) if row is not None else [],
    }


TEMPLATES = Pages(
    templates,
    "/inventory-templates",
    "Inventory templates",
    "shapes",
    columns=(
        Column("item", "Item"),
        Column("wholesale_cost", "Wholesale", "num"),
        Column("retail_cost", "Retail", "num"),
        Column("labels", "Labels"),
        Column("stock", "Items", "num"),
    ),
    sections=(
        Section("Template", ("item", "icon", "retail_cost", "wholesale_cost")),
        Section("Labels of the texts", _LABELS),
        Section("Who may choose it", ("allow_staff_dropdown", "allow_customer_dropdown")),
    ),
    cells="inventory_template_cells.html",
    form_aside="inventory_template_aside.html",
    more=lambda reading, rows: {"stock": queries.counts_by_template(reading.session)},
    more_of=_template_names,
    shape=_template_shape,
    add_label="Add Template",
    empty_text="A template names a kind of item and labels its texts: ICCID and IMSI of a SIM card.",
    name_of=lambda row: row.item,
    context={"subtitle": "Kinds of items and the labels of their texts"},
)

HANDLERS = [
    new_item,
    create_item,
    *pages_for(ITEMS, skip=frozenset({"new"})),
    *pages_for(TEMPLATES),
]
