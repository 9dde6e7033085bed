"""The customer page: header, overview and the tabs with their counts; archive and restore (CRM-057..075)."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from omnicrm.domain.billing import queries as billing
from omnicrm.domain.customers import queries, rules
from omnicrm.domain.customers.models import Customer
from omnicrm.domain.customers.resource import contacts, customers, sites
from omnicrm.domain.errors import Conflict
from omnicrm.domain.inventory import queries as inventory
from omnicrm.domain.provisioning import queries as provisioning
from omnicrm.domain.resource import Write
from omnicrm.domain.services import queries as services
from omnicrm.views import http
from omnicrm.views.page import page, redirect
from omnicrm.views.resource_forms import kind_of, word
from omnicrm.views.resource_pages import Place, Reading

AnyRequest = Request[Any, Any, Any]

#: Number, label, address of the content, key of the count, permission (CRM-057).
TABS: tuple[tuple[int, str, str, str, str], ...] = (
    (2, "Sites", "sites", "sites", "view_customer_site"),
    (3, "Services", "services", "services", "view_customer_service"),
    (4, "Contacts", "contacts", "contacts", "view_customer_contact"),
    (5, "Billing", "transactions", "transactions", "view_customer_transaction"),
    (6, "Activity Log", "activity", "", "view_customer_activity"),
    (7, "Tags", "tags", "tags", "view_customer_tag"),
    (8, "Inventory", "inventory", "inventory", "view_inventory"),
    (9, "Attributes", "attributes", "attributes", "view_customer_attribute"),
)
_AT_A_GLANCE = 5


def _overview(reading: Reading, customer_id: int) -> dict[str, Any]:
    """What the page shows before a tab is opened; only what the caller may see is read."""
    session, actor = reading.session, reading.actor
    customer, counts = queries.with_counts(session, actor, customer_id, reading.now)
    found: dict[str, Any] = {"customer": customer, "counts": counts}
    if actor.can("view_customer_tag"):
        found["pills"] = queries.shown_tags(session, [customer_id], reading.now).get(customer_id, [])
    if actor.can("view_customer_contact"):
        found["contacts"] = rules.primary_first(queries.first_of(session, actor, contacts, customer_id, 20))[:3]
    if actor.can("view_customer_site"):
        found["sites"] = queries.first_of(session, actor, sites, customer_id, 3)
    if actor.can("view_customer_service"):
        found["services"], counts["services"] = services.of_customer(session, actor, customer_id, _AT_A_GLANCE)
    if actor.can("view_customer_transaction"):
        found["totals"] = billing.totals(session, customer_id)
        counts["transactions"] = found["totals"].count
    if actor.can("view_inventory"):
        counts["inventory"] = inventory.count_of_customer(session, actor, customer_id)
    return found


def _order_refusal(request: AnyRequest, customer: Customer) -> str:
    """Why the customer cannot order now; "" when it can."""
    try:
        rules.refuse_order(customer.customer_status, customer.customer_enabled, http.settings(request))
    except Conflict as error:
        return error.message
    return ""


@get("/customers/{key:int}", opt=http.page("view_customer"), include_in_schema=False)
async def show(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    door, actor = http.door(request), http.actor(request)
    found = await door.read(
        lambda session: _overview(Reading(session, actor, door.settings, door.clock(), Place("")), key)
    )
    customer, counts = found["customer"], found["counts"]
    return page(
        request,
        "customer.html",
        title=customer.customer_name,
        home=f"/customers/{key}",
        tabs=[
            (number, label, counts.get(count) if count else None, slug)
            for number, label, slug, count, permission in TABS
            if actor.can(permission)
        ],
        archived=customer.customer_status == "Archived",
        refusal=_order_refusal(request, customer),
        fields=customers.by_name,
        kind_of=kind_of,
        word=word,
        **found,
    )


@post("/customers/{key:int}/archive", opt=http.page("delete_customer"), include_in_schema=False)
async def archive(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    """Everything is kept; what stands against it is named (CRM-067)."""
    try:
        await http.door(request).act(customers.actions["delete"], http.actor(request), Write(key))
    except Conflict as error:
        return redirect(f"/customers/{key}", error.message, "danger")
    return redirect(f"/customers/{key}", "Customer archived.")


@post("/customers/{key:int}/restore", opt=http.page("update_customer"), include_in_schema=False)
async def restore(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    cmd = Write(key, {"customer_status": "Open"})
    await http.door(request).act(customers.actions["update"], http.actor(request), cmd)
    return redirect(f"/customers/{key}", "Customer restored.")


@get("/customers/{customer_id:int}/services", opt=http.page("view_customer_service"), include_in_schema=False)
async def service_tab(request: AnyRequest, customer_id: FromPath[int]) -> Response[str]:
    """The services with their newest job's state (PROV-185)."""
    door, actor = http.door(request), http.actor(request)

    def read(session: Any) -> tuple[Customer, list[services.Listed], dict[int, int]]:
        customer = customers.get(session, actor, customer_id)
        listed, _ = services.of_customer(session, actor, customer_id)
        return customer, listed, provisioning.latest_of_services(session, [one.service.service_id for one in listed])

    customer, listed, jobs = await door.read(read)
    return page(
        request,
        "customer_services.html",
        "panel",
        title="Services",
        customer=customer,
        home=f"/customers/{customer_id}",
        services=listed,
        jobs=jobs,
        refusal=_order_refusal(request, customer),
    )


HANDLERS = [show, archive, restore, service_tab]
