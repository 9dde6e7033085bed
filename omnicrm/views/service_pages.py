"""Pages of services: the list, a service with its tabs, its edit form and its cancelling (PROV-113..122, 185, 230)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from omnicrm.domain import activity_log, listtext
from omnicrm.domain.catalogue import queries as catalogue
from omnicrm.domain.charging.units import Reading as Units
from omnicrm.domain.charging.usage_cards import usage_cards, visible_kinds
from omnicrm.domain.customers import queries as customers
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.inventory import queries as stock
from omnicrm.domain.provisioning import cancelling, suspending
from omnicrm.domain.provisioning import queries as jobs
from omnicrm.domain.resource import ListQuery
from omnicrm.domain.services import queries
from omnicrm.domain.services.models import STATUSES, CustomerService
from omnicrm.domain.services.resource import services
from omnicrm.views import http
from omnicrm.views.page import page, redirect
from omnicrm.views.resource_forms import Choices
from omnicrm.views.resource_pages import Column, Filter, Pages, Place, Reading, Section
from omnicrm.views.resource_routes import pages_for
from omnicrm.views.usage import account_of

AnyRequest = Request[Any, Any, Any]
_SHOW = http.page("view_customer_service")


def _narrow(request: AnyRequest, wanted: ListQuery) -> tuple[ListQuery, list[Any]]:
    group = request.query_params.get("group", "")
    return replace(wanted, search=""), [*queries.in_group(group), *queries.matching(wanted.search)]


def _more(reading: Reading, rows: list[CustomerService]) -> dict[str, Any]:
    session = reading.session
    return {
        "customer_names": customers.names_of(session, {row.customer_id for row in rows}),
        "product_names": catalogue.names_of(session, {row.product_id for row in rows if row.product_id}),
        "jobs": jobs.latest_of_services(session, [row.service_id for row in rows]),
        "types": [(name, name) for name in queries.types(session)],
    }


async def _list_place(request: AnyRequest) -> Place:
    return Place("/services", frozen="A service is added by ordering a product on its customer's page.")


LIST = Pages(
    services,
    "/services",
    "Services",
    "wifi",
    columns=(
        Column("service_id", "ID", "fit"),
        Column("service_name", "Service"),
        Column("customer_id", "Customer"),
        Column("product_id", "Product"),
        Column("service_type", "Type"),
        Column("service_status", "Status", "fit"),
        Column("job", "Provisioning", "fit"),
        Column("retail_cost", "Monthly", "num"),
    ),
    sections=(),
    cells="service_cells.html",
    filters=(
        Filter("group", "Status", [(word, word) for word in STATUSES]),
        Filter("service_type", "Type", "types"),
    ),
    more=_more,
    narrow=_narrow,
    place=_list_place,
    empty_text="Services appear here once a product is ordered for a customer.",
    name_of=lambda row: row.service_name,
    context={"search_placeholder": "Name, UUID or customer", "row_actions": "service_row_actions.html"},
)


async def _form_place(request: AnyRequest) -> Place:
    """The form stands below its service; the choice of sites is its customer's."""
    key = request.path_params["key"]
    row = await http.door(request).read(services.get, http.actor(request), key)
    own = f"/services/{key}"
    crumbs = (("Services", "/services"), (row.service_name, own))
    return Place("/services", crumbs, back=own, context={"customer_id": row.customer_id})


def _sites(reading: Reading) -> Choices:
    return customers.site_choices(reading.session, reading.place.context["customer_id"])


FORM = replace(
    LIST,
    sections=(
        Section(
            "Service",
            ("service_name", "service_type", "service_status", "icon", "site_id", "service_notes"),
        ),
        Section("Price", ("retail_cost", "wholesale_cost", "service_billed", "service_taxable", "promo_code")),
        Section(
            "Dates",
            ("service_active_date", "service_deactivate_date", "contract_end_date", "auto_renew"),
        ),
        Section("Customer portal", ("service_visible_to_customer", "service_usage_visible_to_customer")),
    ),
    options={"site_id": _sites},
    place=_form_place,
)


@get("/services/{key:int}", opt=_SHOW, include_in_schema=False)
async def show(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    door, actor = http.door(request), http.actor(request)
    may_see_jobs, may_see_stock = actor.can("view_provision"), actor.can("view_inventory")

    def read(session: Any) -> dict[str, Any]:
        found = queries.shown(session, actor, key)
        return {
            "shown": found,
            "job": next(iter(jobs.of_service(session, actor, key, 1)), None) if may_see_jobs else None,
            "items": stock.of_service(session, actor, key) if may_see_stock else [],
            "parts": queries.parts_of(session, actor, key),
            "change": None if actor.is_customer else suspending.open_change(session, key),
        }

    found = await door.read(read)
    product = found["shown"].product
    return page(
        request,
        "service.html",
        title=found["shown"].service.service_name,
        service=found["shown"].service,
        features=listtext.features(product.features_list) if product else [],
        may_see_jobs=may_see_jobs,
        may_see_stock=may_see_stock,
        **found,
    )


@get("/services/{key:int}/inventory", opt=http.page("view_inventory"), include_in_schema=False)
async def inventory_tab(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    def read(session: Any, actor: Any) -> dict[str, Any]:
        found = stock.of_service(session, actor, key)
        return {"items": found, "templates": stock.templates_by_name(session, [row.item for row in found])}

    return await _tab(request, key, "inventory", read)


@get("/services/{key:int}/activity", opt=http.page("view_customer_activity"), include_in_schema=False)
async def activity_tab(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    return await _tab(
        request, key, "activity", lambda session, actor: {"entries": activity_log.of_service(session, actor, key)}
    )


@get("/services/{key:int}/provisioning", opt=http.page("view_provision"), include_in_schema=False)
async def provisioning_tab(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    return await _tab(
        request, key, "provisioning", lambda session, actor: {"jobs": jobs.of_service(session, actor, key)}
    )


async def _tab(request: AnyRequest, key: int, name: str, read: Any) -> Response[str]:
    """A tab's content; the service itself is read for its scope and its title."""
    actor = http.actor(request)

    def both(session: Any) -> tuple[CustomerService, dict[str, Any]]:
        return services.get(session, actor, key), read(session, actor)

    service, found = await http.door(request).read(both)
    title = f"{name.capitalize()} of {service.service_name}"
    return page(request, f"service_{name}.html", "tab", title=title, service=service, **found)


@get("/services/{key:int}/cancel", opt=http.page("delete_customer_service"), include_in_schema=False)
async def ask_cancel(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    """The question before a service ends, with what is released: items, balances, renewals (PROV-230, PROV-238)."""
    door, actor = http.door(request), http.actor(request)

    def read(session: Any) -> dict[str, Any]:
        return {
            "service": services.get(session, actor, key, "delete"),
            "items": stock.of_service(session, actor, key) if actor.can("view_inventory") else [],
            "parts": queries.parts_of(session, actor, key),
        }

    found = await door.read(read)
    service = found["service"]
    account, problem = await account_of(request, service.service_uuid)
    kinds = visible_kinds(service.service_type)
    return page(
        request,
        "service_cancel.html",
        title=f"Cancel {service.service_name}",
        cards=usage_cards(account, Units.of(door.settings), door.clock(), kinds) if account else [],
        plans=(account or {}).get("ActionPlans", []),
        problem=problem,
        grace=door.settings.provisioning.cancel_grace_days if service.group == "Active" else 0,
        **found,
    )


@post("/services/{key:int}/cancel", opt=http.page("delete_customer_service"), status_code=200, include_in_schema=False)
async def cancel(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    """Cancel it: after the grace period, or by the deprovision job whose page follows (PROV-230, PROV-231)."""
    form = await http.form_body(request)
    command = cancelling.Cancel(key, at_once=form.get("at_once") == "true")
    try:
        found = await http.door(request).act(cancelling.cancel_service, http.actor(request), command)
    except (Invalid, Conflict) as error:
        return redirect(f"/services/{key}", error.message, "danger")
    if found.job is None:
        return redirect(f"/services/{key}", "The service is cancelled. It can be reinstated until it ends.")
    return redirect(f"/provisioning/{found.job.provision_id}")


@post(
    "/services/{key:int}/reinstate",
    opt=http.page("delete_customer_service"),
    status_code=200,
    include_in_schema=False,
)
async def reinstate(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    return await _change(request, key, cancelling.reinstate, "The service goes on as before.")


@post("/services/{key:int}/suspend", opt=http.page("update_customer_service"), status_code=200, include_in_schema=False)
async def suspend(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    return await _change(request, key, suspending.suspend, "The service is being suspended.")


@post(
    "/services/{key:int}/unsuspend",
    opt=http.page("update_customer_service"),
    status_code=200,
    include_in_schema=False,
)
async def unsuspend(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    return await _change(request, key, suspending.unsuspend, "The service is being resumed.")


async def _change(request: AnyRequest, key: int, change: Any, text: str) -> Response[Any]:
    try:
        await http.door(request).act(change, http.actor(request), key)
    except Conflict as error:
        return redirect(f"/services/{key}", error.message, "warning")
    return redirect(f"/services/{key}", text)


HANDLERS = [
    show,
    inventory_tab,
    activity_tab,
    provisioning_tab,
    ask_cancel,
    cancel,
    reinstate,
    suspend,
    unsuspend,
    *pages_for(LIST, skip=frozenset({"new", "detail", "edit", "delete"})),
    *pages_for(FORM, skip=frozenset({"list", "new", "detail", "delete"})),
]
