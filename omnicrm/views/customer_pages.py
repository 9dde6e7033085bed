"""Pages of customers: the list, the form of a new one with contact and site, the customer picker (CRM-037..056)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from litestar import Request, Response, get, post

from omnicrm.domain.customers import queries, rules
from omnicrm.domain.customers.resource import contacts, customers, sites
from omnicrm.domain.errors import Invalid
from omnicrm.domain.resource import ListQuery, Resource, Write
from omnicrm.domain.services import queries as services
from omnicrm.views import http, resource_forms
from omnicrm.views.customer_place import located
from omnicrm.views.page import page, redirect
from omnicrm.views.resource_pages import Column, Filter, Pages, Reading, Section
from omnicrm.views.resource_routes import pages_for

AnyRequest = Request[Any, Any, Any]


def _narrow(request: AnyRequest, wanted: ListQuery) -> tuple[ListQuery, list[Any]]:
    """Open customers until the filter says otherwise (CRM-049); archived ones only where it names or includes them."""
    filters = dict(wanted.filters)
    status = request.query_params.get("customer_status", "")
    if status == "all":
        del filters["customer_status"]
    elif not status:
        filters["customer_status"] = ["Open"]
    tag, now = request.query_params.get("tag") or None, http.door(request).clock()
    where = queries.narrowing(with_archived=True, attribute=(None, None), tag=tag, now=now)
    return replace(wanted, filters=filters), where


def _more(reading: Reading, rows: list[Any]) -> dict[str, Any]:
    session, ids = reading.session, [row.customer_id for row in rows]
    words = rules.statuses(reading.settings)
    return {
        "primary": queries.primary_contacts(session, ids),
        "services": services.counts(session, "customer_id", ids),
        "pills": queries.shown_tags(session, ids, reading.now),
        "tag_texts": [(text, text) for text in queries.tag_texts(session, reading.now)],
        "statuses": [*((word, word) for word in words), ("all", "All")],
    }


PAGES = Pages(
    customers,
    "/customers",
    "Customers",
    "users",
    columns=(
        Column("tick", "", "fit"),
        Column("customer_id", "ID", "fit"),
        Column("customer_name", "Name"),
        Column("customer_account_type", "Type"),
        Column("customer_status", "Status", "fit"),
        Column("customer_payment_type", "Payment"),
        Column("primary", "Primary Contact"),
        Column("services", "Services", "num"),
        Column("tags", "Tags"),
        Column("created", "Created", "fit"),
    ),
    sections=(
        Section(
            "Customer",
            (
                "customer_name",
                "customer_account_type",
                "customer_payment_type",
                "customer_status",
                "customer_enabled",
                "tax_identifier",
                "contract_start_date",
                "contract_end_date",
                "customer_notes",
            ),
        ),
    ),
    cells="customer_cells.html",
    filters=(
        Filter("customer_status", "Status", "statuses", "Open"),
        Filter("customer_account_type", "Type"),
        Filter("customer_payment_type", "Payment"),
        Filter("tag", "Tag", "tag_texts"),
    ),
    more=_more,
    narrow=_narrow,
    add_label="Create Customer",
    empty_text="Create the first customer; contact and site come along in one step.",
    delete_label="Archive",
    deleted="archived",
    warning=lambda row: "Everything is kept and can be restored later.",
    locked=lambda row: row.customer_status == "Archived",
    name_of=lambda row: row.customer_name,
    context={
        "search_placeholder": "Name or ID",
        "wider": ("Search all customers", {"customer_status": "all"}),
        "delete_icon": "box-archive",
        "batch": "customer_batch.html",
    },
)

_CUSTOMER = tuple(name for name in PAGES.fields if name not in ("customer_enabled",))
_CONTACT = ("contact_firstname", "contact_lastname", "contact_email", "contact_phone", "contact_types")
_SITE = (
    "site_name",
    "address_line_1",
    "address_line_2",
    "city",
    "state",
    "zip_code",
    "country",
    "latitude",
    "longitude",
    "plus_code",
    "address_note",
)
_PARTS: tuple[tuple[str, Resource[Any], tuple[str, ...]], ...] = (
    ("", customers, _CUSTOMER),
    ("contacts.0.", contacts, _CONTACT),
    ("sites.0.", sites, _SITE),
)
#: The first contact has a whole name, though later ones may be a bare address (CRM-038, CRM-081).
_NEEDED = ("contacts.0.contact_firstname", "contacts.0.contact_lastname")


def _form(request: AnyRequest, typed: Mapping[str, str], errors: Mapping[str, str] | None = None) -> Response[str]:
    settings, now = http.settings(request), http.door(request).clock()
    groups = []
    for prefix, resource, names in _PARTS:
        shown = {
            f"{prefix}{name}": text for name, text in resource_forms.defaults(resource, names, settings, now).items()
        }
        shown |= {"contacts.0.contact_types": "Primary"} | dict(typed)
        controls = [resource_forms.control(resource.by_name[name], shown, settings, prefix=prefix) for name in names]
        groups.append(
            [replace(one, required=one.name in _NEEDED or (one.required and prefix != "sites.0.")) for one in controls]
        )
    return page(
        request,
        "customer_new.html",
        "form",
        status=422 if errors else 200,
        title="Create Customer",
        groups=groups,
        errors=dict(errors or {}),
        with_site=any(text.strip() for name, text in typed.items() if name.startswith("sites.")),
    )


@get("/customers/new", opt=http.page("create_customer"), include_in_schema=False)
async def new(request: AnyRequest) -> Response[str]:
    return _form(request, {})


@post("/customers/new", opt=http.page("create_customer"), include_in_schema=False, status_code=200)
async def create(request: AnyRequest) -> Response[Any]:
    """Customer, first contact and, where anything of it was typed, the first site, in one action."""
    door, sent = http.door(request), await request.form()
    typed = resource_forms.typed_texts(sent, [f"{prefix}{name}" for prefix, _, names in _PARTS for name in names])
    if not typed.get("customer_name", "").strip() and typed.get("customer_account_type") != "Business":
        typed["customer_name"] = " ".join(typed.get(name, "").strip() for name in _NEEDED).strip()
    own, contact, site = (
        resource_forms.values(
            resource,
            {f"{prefix}{name}": typed[f"{prefix}{name}"] for name in names if f"{prefix}{name}" in typed},
            door.settings,
            prefix=prefix,
        )
        for prefix, resource, names in _PARTS
    )
    missing = [name for name in _NEEDED if not typed.get(name, "").strip()]
    # Null is refused by the contact's own rules, so that the answer names these together with all other errors.
    contact |= {name.removeprefix("contacts.0."): None for name in missing}
    values = {**own, "contacts": [contact]}
    if any(str(value).strip() for value in site.values()):
        values["sites"] = [located(site)]
    try:
        written = await door.act(customers.actions["create"], http.actor(request), Write(None, values))
    except Invalid as error:
        return _form(request, typed, {**error.errors, **dict.fromkeys(missing, "is required")})
    return redirect(f"/customers/{written.row.customer_id}", "Customer created. Add a service next.")


@get("/customers/pick", opt=http.page("view_customer"), include_in_schema=False)
async def pick(request: AnyRequest) -> Response[str]:
    """The options of a customer field: `Name (ID: 123)`, found by name, id, e-mail or phone (CRM-044)."""
    given = request.query_params
    term = given.get("term", given.get("customer_id", ""))[:200]
    found = await http.door(request).read(queries.pick, http.actor(request), resource_forms.id_in(term))
    return page(request, "customer_options.html", "options", always_block=True, found=found)


HANDLERS = [new, create, pick, *pages_for(PAGES, skip=frozenset({"new", "detail"}))]
