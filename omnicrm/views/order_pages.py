"""The order flow on a customer: product, service of an add-on, items, renewal, review, confirm (PROV-056..090).

Every step is a GET form that carries the answers so far in its address; the last one is a POST that orders. The
server finds the first question that is still open, so a step cannot be skipped and the flow works without JavaScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.params import FromPath

from omnicrm.domain import listtext
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.provisioning import actions, offers
from omnicrm.views import http
from omnicrm.views.page import page, redirect

AnyRequest = Request[Any, Any, Any]
_ADDRESS = "/customers/{customer_id:int}/add-service"
_ITEM, _FIND = "item_", "find_"
#: What the review asks beside the answers of the steps; the play gets what is filled in (PROV-086, PC-38).
DETAILS = ("site_id", "billing_contact_id", "technical_contact_id", "purchase_order_number")
_ANSWERS = ("product_id", "service_id", "auto_renew", *DETAILS)
STEPS = ("product", "service", "items", "renewal", "review")
TERMS = "Please read and accept the terms."


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 16 else None


def _answers(given: Mapping[str, str]) -> dict[str, str]:
    """The answers so far; what is empty or no answer is left out."""
    return {name: value for name, value in given.items() if value and (name in _ANSWERS or name.startswith(_ITEM))}


async def _plan(request: AnyRequest, customer_id: int, given: Mapping[str, str]) -> offers.Plan:
    door = http.door(request)
    items = {name.removeprefix(_ITEM): _whole(value) for name, value in given.items() if name.startswith(_ITEM)}
    finds = {name.removeprefix(_FIND): value[:100] for name, value in given.items() if name.startswith(_FIND)}
    return await door.read(
        offers.plan,
        http.actor(request),
        door.settings,
        door.clock(),
        customer_id,
        _whole(given.get("product_id")),
        _whole(given.get("service_id")),
        {name: value for name, value in items.items() if value is not None},
        finds,
    )


def _next_step(plan: offers.Plan, given: Mapping[str, str]) -> str:
    """The first step whose question is open, or an earlier one that was asked for."""
    open_step = "review"
    if plan.product.category == "addon" and plan.service is None:
        open_step = "service"
    elif any(picker.chosen is None for picker in plan.pickers):
        open_step = "items"
    elif plan.asks_renewal and given.get("auto_renew") not in ("true", "false"):
        open_step = "renewal"
    asked = given.get("step", "")
    return asked if asked in STEPS and STEPS.index(asked) < STEPS.index(open_step) else open_step


def _trail(plan: offers.Plan) -> list[tuple[str, str]]:
    """The steps of this order, with their names."""
    steps = [("product", "Product")]
    if len(plan.services) > 1:
        steps.append(("service", "Service"))
    if plan.pickers:
        steps.append(("items", "Equipment and numbers"))
    if plan.asks_renewal:
        steps.append(("renewal", "Renewal"))
    return [*steps, ("review", "Review")]


def _not_chosen(plan: offers.Plan, given: Mapping[str, str]) -> dict[str, str]:
    """Texts for drop-downs that were sent without a choice, or with one that is gone meanwhile."""
    return {
        f"{_ITEM}{picker.name}": "This item is no longer available; choose another one."
        if given[f"{_ITEM}{picker.name}"]
        else f"Choose a {picker.kind}."
        for picker in plan.pickers
        if picker.chosen is None and f"{_ITEM}{picker.name}" in given
    }


@get(_ADDRESS, opt=http.page("create_provision"), include_in_schema=False)
async def add_service(request: AnyRequest, customer_id: FromPath[int]) -> Response[Any]:
    given = dict(request.query_params)
    if _whole(given.get("product_id")) is None or given.get("step") == "product":
        return await _products(request, customer_id, given)
    plan = await _plan(request, customer_id, given)
    if plan.refusal:
        return await _products(request, customer_id, given, plan.refusal)
    step = _next_step(plan, given)
    # A search among the items, or the way back to them, is no answer yet.
    sent = step == "items" and given.get("step") != "items"
    return _show(request, plan, step, given, _not_chosen(plan, given) if sent else {})


async def _products(
    request: AnyRequest, customer_id: int, given: Mapping[str, str], problem: str = ""
) -> Response[str]:
    door = http.door(request)
    search, service_id = given.get("search", "")[:100], _whole(given.get("service_id"))
    found = await door.read(
        offers.offers, http.actor(request), door.settings, door.clock(), customer_id, search, service_id
    )
    return page(
        request,
        "order_products.html",
        "offers",
        status=422 if problem else 200,
        title="Add Service",
        offers=found,
        customer=found.customer,
        address=_address(customer_id, {}),
        search=search,
        service_id=service_id,
        problem=problem,
        features_of=listtext.features,
    )


def _show(
    request: AnyRequest,
    plan: offers.Plan,
    step: str,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    problem: str = "",
    status: int | None = None,
) -> Response[str]:
    """A step after the product, with what was answered before."""
    answers = _answers(given)
    customer_id = plan.customer.customer_id
    own = {
        "items": {name for name in answers if name.startswith(_ITEM)},
        "renewal": {"auto_renew"},
        "service": {"service_id"},
        "review": set(DETAILS),
    }[step]
    return page(
        request,
        f"order_{step}.html",
        "step",
        status=status or (422 if errors or problem else 200),
        title=f"Add {plan.product.product_name}",
        plan=plan,
        customer=plan.customer,
        step=step,
        trail=_trail(plan),
        address=_address(customer_id, {}),
        back=_back(plan, step, answers),
        change={name: _address(customer_id, {**answers, "step": name}) for name in STEPS},
        hidden={name: value for name, value in answers.items() if name not in own},
        typed=given,
        service_choices=[(row.service_id, f"{row.service_name} (ID: {row.service_id})") for row in plan.services],
        site_choices=[(row.site_id, row.site_name or row.address_line_1) for row in plan.sites],
        contact_choices=[(row.contact_id, row.full_name) for row in plan.contacts],
        errors=dict(errors),
        problem=problem,
    )


def _back(plan: offers.Plan, step: str, answers: Mapping[str, str]) -> str:
    names = [name for name, _ in _trail(plan)]
    before = names[max(names.index(step) - 1, 0)] if step in names else "product"
    return _address(plan.customer.customer_id, {**answers, "step": before})


def _address(customer_id: int, answers: Mapping[str, str]) -> str:
    return f"/customers/{customer_id}/add-service" + (f"?{urlencode(answers)}" if answers else "")


@post(_ADDRESS, opt=http.page("create_provision"), status_code=200, include_in_schema=False)
async def confirm(request: AnyRequest, customer_id: FromPath[int]) -> Response[Any]:
    """Order what the form says; a refusal leads back to the step that can mend it, and nothing typed is lost."""
    form = await http.form_body(request)
    if _whole(form.get("product_id")) is None:
        return redirect(_address(customer_id, {}), "Choose a product first.", "warning")
    plan = await _plan(request, customer_id, form)
    if plan.refusal:
        return await _products(request, customer_id, form, plan.refusal)
    step = _next_step(plan, form)
    if step != "review":
        return _show(request, plan, step, form, _not_chosen(plan, form), status=422)
    if plan.product.terms and form.get("terms") != "true":
        return _show(request, plan, "review", form, {"terms": TERMS})
    order = actions.Order(_values(plan, form), terms_accepted=bool(plan.product.terms))
    door, actor = http.door(request), http.actor(request)
    try:
        row = await door.act(actions.order, actor, order)
    except Invalid as error:
        return _refused(request, plan, form, error.errors, error.message)
    except Conflict as error:
        # Somebody took an item between the check and the order, or the product went off the offer.
        return _refused(
            request, await _plan(request, customer_id, form), form, error.extra.get("errors", {}), error.message
        )
    return redirect(f"/provisioning/{row.provision_id}")


def _values(plan: offers.Plan, form: Mapping[str, str]) -> dict[str, Any]:
    """The order as the JSON route takes it; ids stay as they were typed, so that the use case names a wrong one."""
    values: dict[str, Any] = {"customer_id": plan.customer.customer_id, "product_id": plan.product.product_id}
    if plan.service is not None:
        values["service_id"] = plan.service.service_id
    values |= {picker.kind: picker.chosen.inventory_id for picker in plan.pickers if picker.chosen is not None}
    if plan.asks_renewal:
        values["auto_renew"] = form.get("auto_renew") == "true"
    return values | {name: form[name].strip() for name in DETAILS if form.get(name, "").strip()}


def _refused(
    request: AnyRequest, plan: offers.Plan, form: Mapping[str, str], errors: Mapping[str, str], message: str
) -> Response[str]:
    kinds = {picker.kind: picker.name for picker in plan.pickers}
    of_items = {f"{_ITEM}{kinds[name]}": text for name, text in errors.items() if name in kinds}
    if of_items:
        return _show(request, plan, "items", form, of_items, problem=message)
    beside = {name: text for name, text in errors.items() if name in DETAILS}
    return _show(request, plan, "review", form, beside, problem="" if beside else message)


HANDLERS = [add_service, confirm]
