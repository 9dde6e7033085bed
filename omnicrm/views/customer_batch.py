"""One operation on many customers, each in a transaction of its own, with a result for each (CRM-051..053)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, post

from omnicrm.domain.codecs import Reference
from omnicrm.domain.customers import queries
from omnicrm.domain.customers.resource import customers, tags
from omnicrm.domain.errors import DomainError, Invalid
from omnicrm.domain.resource import Write
from omnicrm.settings import Settings
from omnicrm.views import http
from omnicrm.views.openapi_schemas import takes
from omnicrm.views.page import page

AnyRequest = Request[Any, Any, Any]
#: More than a page shows, and little enough to answer in one go.
MAX_CUSTOMERS = 500
#: action -> (what is done, its permission, the values that it needs).
ACTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "archive": ("Archived", "delete_customer", ()),
    "restore": ("Restored", "update_customer", ()),
    "set_status": ("Status changed", "update_customer", ("customer_status",)),
    "add_tag": ("Tag added", "create_customer_tag", ("tag_text", "tag_hex_color")),
}
_ID = Reference(table="customer")
_ANY = tuple(sorted({permission for _, permission, _ in ACTIONS.values()}))


@dataclass(frozen=True)
class Outcome:
    customer_id: int
    done: bool
    message: str

    def shown(self) -> dict[str, Any]:
        result = "success" if self.done else "error"
        return {"customer_id": self.customer_id, "result": result, "message": self.message}


def _ids(sent: Iterable[Any], settings: Settings) -> list[int]:
    try:
        ids = list(dict.fromkeys(_ID.load(one, settings) for one in sent))
    except ValueError:
        raise Invalid({"customer_ids": "must be a list of customer ids"}) from None
    if not 0 < len(ids) <= MAX_CUSTOMERS:
        raise Invalid({"customer_ids": f"must name between 1 and {MAX_CUSTOMERS} customers"})
    return ids


async def run(request: AnyRequest, sent_ids: Iterable[Any], name: str, given: Mapping[str, Any]) -> list[Outcome]:
    """The batch; a customer that refuses keeps the others from nothing."""
    if name not in ACTIONS:
        raise Invalid({"action": f"must be one of {', '.join(ACTIONS)}"})
    done, permission, needed = ACTIONS[name]
    actor, door = http.actor(request), http.door(request)
    ids = _ids(sent_ids, door.settings)
    actor.require(permission)
    missing = {field: "is required" for field in needed if not str(given.get(field) or "").strip()}
    if missing:
        raise Invalid(missing)
    values = {field: given[field] for field in needed}
    outcomes = []
    for customer_id in ids:
        action, cmd = {
            "archive": (customers.actions["delete"], Write(customer_id)),
            "restore": (customers.actions["update"], Write(customer_id, {"customer_status": "Open"})),
            "set_status": (customers.actions["update"], Write(customer_id, values)),
            "add_tag": (tags.actions["create"], Write(None, {**values, "customer_id": customer_id})),
        }[name]
        try:
            await door.act(action, actor, cmd)
            outcomes.append(Outcome(customer_id, True, done))
        except DomainError as error:
            outcomes.append(Outcome(customer_id, False, error.message))
    return outcomes


@post(
    "/crm/customer/bulk",
    opt=http.json(*_ANY) | takes("action", customer_ids={"type": "array", "items": {"type": "integer"}}),
    status_code=200,
    summary="One operation on many customers",
)
async def bulk(request: AnyRequest) -> dict[str, Any]:
    """`{"customer_ids": […], "action": "archive"|"restore"|"set_status"|"add_tag", …}`."""
    body = await http.json_body(request)
    ids, name = body.pop("customer_ids", None), str(body.pop("action", ""))
    if not isinstance(ids, list):
        raise Invalid({"customer_ids": "must be a list of customer ids"})
    known = ACTIONS[name][2] if name in ACTIONS else ()
    unknown = {field: "is not a field of this request" for field in body if field not in known}
    if unknown:
        raise Invalid(unknown)
    return {"results": [outcome.shown() for outcome in await run(request, ids, name, body)]}


@post("/customers/batch", opt=http.page(*_ANY), include_in_schema=False, status_code=200)
async def batch(request: AnyRequest) -> Response[str]:
    form = await http.form_body(request)
    ids = form.pop("customer_ids", "").split(",")
    outcomes = await run(request, ids, form.pop("action", ""), form)
    names = await http.door(request).read(queries.names_of, {outcome.customer_id for outcome in outcomes})
    return page(request, "customer_batch_result.html", title="Result", outcomes=outcomes, names=names)


@post("/customers/export", opt=http.page("view_customer"), include_in_schema=False, status_code=200)
async def export(request: AnyRequest) -> Response[str]:
    """The chosen customers as CSV, with the JSON route's fields as columns."""
    door, actor = http.door(request), http.actor(request)
    ids = _ids((await http.form_body(request)).get("customer_ids", "").split(","), door.settings)
    rows = await door.read(queries.by_ids, actor, ids)
    out = io.StringIO()
    writer = csv.writer(out)
    shown = [customers.dump(row, door.settings, actor) for row in rows]
    writer.writerow([field.name for field in customers.fields])
    writer.writerows([[_cell(one.get(field.name)) for field in customers.fields] for one in shown])
    headers = {"Content-Disposition": 'attachment; filename="customers.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> Any:
    """A spreadsheet must not take a text for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


HANDLERS = [bulk, batch, export]
