"""Pages of products: the management list, the five tabs of view and edit, cloning (PROV-024..034)."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.params import FromPath

from omnicrm.domain import listtext, money
from omnicrm.domain.catalogue import actions, queries
from omnicrm.domain.catalogue.resource import products
from omnicrm.domain.inventory import queries as inventory
from omnicrm.views import http
from omnicrm.views.icons import ICONS
from omnicrm.views.page import redirect
from omnicrm.views.resource_forms import YES_NO, Choices
from omnicrm.views.resource_pages import Column, Filter, Pages, Reading, Section, Shape
from omnicrm.views.resource_routes import pages_for


def _inventory_names(reading: Reading) -> Choices:
    return [(template.item, template.item) for template in inventory.templates_by_id(reading.session).values()]


def _types(reading: Reading) -> Choices:
    return [(name, name) for name in queries.service_types(reading.session)]


def _names(reading: Reading) -> dict[str, Any]:
    row, found = reading.row, {"service_types": _types(reading), "icons": ICONS}
    if row is not None:
        found["features"] = listtext.features(row.features_list)
        found["monthly_tax"] = money.tax(row.retail_cost_minor, row.tax_percentage_milli)
    return found


def _shape(reading: Reading) -> Shape:
    """The form has one feature a line, however they are stored."""
    row = reading.row
    texts = {} if row is None else {"features_list": "\n".join(listtext.features(row.features_list))}
    return Shape(PAGES.sections, texts=texts)


def _prepare(values: dict[str, Any]) -> dict[str, Any]:
    features = str(values.get("features_list", "")).strip()
    if not features or features.startswith("["):
        return values
    lines = [line.strip() for line in features.splitlines() if line.strip()]
    return {**values, "features_list": listtext.format_list(lines)}


PAGES = Pages(
    products,
    "/products",
    "Products",
    "box",
    columns=(
        Column("product_id", "ID", "fit"),
        Column("product_name"),
        Column("category"),
        Column("service_type", "Type"),
        Column("retail_cost", "Monthly", "num"),
        Column("retail_setup_cost", "Setup", "num"),
        Column("customers", "Customers"),
        Column("enabled", "On offer", "fit"),
    ),
    sections=(
        Section(
            "Product",
            (
                "product_name",
                "product_slug",
                "category",
                "service_type",
                "icon",
                "enabled",
                "features_list",
                "terms",
                "comment",
            ),
            "Basic Info",
        ),
        Section("Recurring Costs", ("retail_cost", "wholesale_cost"), "Pricing"),
        Section("Setup Costs", ("retail_setup_cost", "wholesale_setup_cost"), "Pricing"),
        Section("Tax", ("tax_percentage",), "Pricing"),
        Section("Renewal Settings", ("auto_renew", "allow_auto_renew", "contract_days"), "Configuration"),
        Section("Customer Types", ("residential", "business", "customer_can_purchase"), "Configuration"),
        Section("Dependencies", ("relies_on_list",), "Configuration"),
        Section(
            "Provisioning",
            ("provisioning_play", "provisioning_json_vars", "inventory_items_list"),
            "Provisioning",
        ),
        Section("Availability", ("available_from", "available_until", "created", "last_modified"), "Availability"),
    ),
    cells="product_cells.html",
    form_aside="product_form_aside.html",
    filters=(
        Filter("category", "Category"),
        Filter("service_type", "Type", "service_types"),
        Filter("enabled", "On offer", YES_NO),
    ),
    options={
        "auto_renew": (("prompt", "Prompt"), ("true", "Yes"), ("false", "No")),
        "inventory_items_list": _inventory_names,
    },
    more=lambda reading, rows: {"service_types": _types(reading)},
    more_of=_names,
    shape=_shape,
    prepare=_prepare,
    value="product_value.html",
    add_label="Create Product",
    warning=lambda row: "A product that services use is kept; disable it instead.",
    empty_text="A product says what can be ordered, for whom, at what price, and which play provides it.",
    name_of=lambda row: row.product_name,
    context={
        "subtitle": "What can be ordered, for whom and at what price",
        "search_placeholder": "Name, slug or feature",
        "detail_actions": "product_actions.html",
    },
)


@post("/products/{key:int}/clone", opt=http.page("create_product"), include_in_schema=False)
async def clone(request: Request[Any, Any, Any], key: FromPath[int]) -> Response[Any]:
    row = await http.door(request).act(actions.clone_product, http.actor(request), key)
    return redirect(f"/products/{row.product_id}/edit", f"Copied. This is {row.product_name}.")


HANDLERS = [clone, *pages_for(PAGES)]
