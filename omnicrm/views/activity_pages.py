"""Pages of the activity log: the whole log, a customer's tab, readable changes, notes (CRM-222..228)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request, Response, get, post
from litestar.params import FromPath

from omnicrm.domain import activity_log
from omnicrm.domain.activity_log import Wanted, activities
from omnicrm.domain.customers import queries as customers
from omnicrm.domain.customers.resource import customers as customer_resource
from omnicrm.domain.errors import Invalid
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.views import http
from omnicrm.views.page import page, redirect, toast_oob, wants_block
from omnicrm.views.resource_forms import word

AnyRequest = Request[Any, Any, Any]
#: The tabs of a customer's log, and those that only the whole log has.
TABS = (
    ("", "All"),
    ("customer", "Customer"),
    ("contacts", "Contacts"),
    ("sites", "Sites"),
    ("services", "Services"),
    ("billing", "Billing"),
    ("inventory", "Inventory"),
    ("communications", "Communications"),
    ("notes", "Notes"),
)
MORE_TABS = (("products", "Products"), ("access", "Users and roles"))
_LONG = 300


def _day(text: str, zone: ZoneInfo) -> datetime | None:
    """The start of a day of the filter, or None for none; a text that is no day filters nothing."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), zone)
    except ValueError:
        return None


def _wanted(request: AnyRequest, customer_id: int | None) -> Wanted:
    given, zone = request.query_params, ZoneInfo(http.settings(request).regional.timezone)
    before, until = given.get("before", ""), _day(given.get("until", ""), zone)
    return Wanted(
        customer_id,
        kind=given.get("kind", ""),
        user=given.get("user", "")[:150],
        term=given.get("search", "")[:200],
        since=_day(given.get("since", ""), zone),
        until=until and until + timedelta(days=1),
        before=int(before) if before.isdecimal() and len(before) < 16 else None,
    )


def readable(changes: Mapping[str, Any], entity: str) -> list[tuple[str, str, str]]:
    """(field, old, new) for people; an empty old value is a creation's, an empty new one a deletion's."""
    resource = RESOURCES.get(entity)
    fields = resource.by_name if resource else {}
    return [
        (fields[name].title if name in fields else word(name), _text(old), _text(new))
        for name, (old, new) in changes.items()
    ]


def _text(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    text = str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


async def log_page(
    request: AnyRequest, base: str, customer: Any = None, *, errors: Mapping[str, str] | None = None, saved: str = ""
) -> Response[str]:
    door, actor = http.door(request), http.actor(request)
    wanted = _wanted(request, customer.customer_id if customer is not None else None)

    def read(session: Any) -> tuple[list[Any], bool, dict[int, str]]:
        found, older = activity_log.entries(session, actor, wanted)
        ids = {entry.customer_id for entry in found if entry.customer_id} if customer is None else set()
        return found, older, customers.names_of(session, ids) if ids else {}

    found, older, names = await door.read(read)
    return page(
        request,
        "activity.html",
        "panel",
        status=422 if errors else 200,
        title="Activity log",
        path=base,
        base=base,
        customer=customer,
        entries=found,
        older=found[-1].activity_id if older else None,
        names=names,
        kinds=TABS if customer is not None else (*TABS, *MORE_TABS),
        kind=wanted.kind,
        readable=readable,
        word=word,
        errors=dict(errors or {}),
        narrowed=bool(wanted.kind or wanted.user or wanted.term or wanted.since or wanted.until),
        saved=toast_oob(request, "success", saved) if saved else "",
        always_block=bool(saved),
    )


@get("/activity", opt=http.page("view_customer_activity"), include_in_schema=False)
async def whole_log(request: AnyRequest) -> Response[str]:
    return await log_page(request, "/activity")


async def _customer(request: AnyRequest, customer_id: int) -> Any:
    return await http.door(request).read(customer_resource.get, http.actor(request), customer_id)


@get("/customers/{customer_id:int}/activity", opt=http.page("view_customer_activity"), include_in_schema=False)
async def customer_log(request: AnyRequest, customer_id: FromPath[int]) -> Response[str]:
    return await log_page(request, f"/customers/{customer_id}/activity", await _customer(request, customer_id))


@post(
    "/customers/{customer_id:int}/activity",
    opt=http.page("create_customer_activity"),
    include_in_schema=False,
    status_code=200,
)
async def add_note(request: AnyRequest, customer_id: FromPath[int]) -> Response[Any]:
    """A note: its first line is the title, the rest the text. It cannot be changed afterwards (CRM-226)."""
    customer, base = await _customer(request, customer_id), f"/customers/{customer_id}/activity"
    text = (await http.form_body(request)).get("note", "").strip()
    first, _, rest = text.partition("\n")
    whole = len(first.strip()) <= 255
    values = {
        "customer_id": customer_id,
        "title": first.strip()[:255],
        "description": rest.strip() if whole else text,
    }
    try:
        await http.door(request).act(activities.actions["create"], http.actor(request), Write(None, values))
    except Invalid as error:
        problem = error.errors.get("description") or "Write the note first."
        return await log_page(request, base, customer, errors={"note": problem})
    if wants_block(request):
        return await log_page(request, base, customer, saved="Note added.")
    return redirect(f"/customers/{customer_id}#6", "Note added.")


HANDLERS = [whole_log, customer_log, add_note]
