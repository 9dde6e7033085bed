"""JSON routes of the regular entities: one set for each Resource (decisions 2 and 3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, patch, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from omnicrm.domain.errors import Invalid
from omnicrm.domain.identity.catalogue import PERMISSIONS
from omnicrm.domain.resource import MAX_PER_PAGE, ListQuery, Page, Resource, Write
from omnicrm.views import http

#: Query keys that steer a list and are no filters.
_STEERING = frozenset({"page", "per_page", "sort", "order", "search", "filters"})
_BATCH = 500
DONE = {"result": "success"}


def list_query(request: Request[Any, Any, Any], resource: Resource[Any]) -> ListQuery:
    """`page`, `per_page`, `sort`, `order`, `search`, `filters` (JSON) and the resource's filters as plain keys."""
    given = request.query_params
    filters: dict[str, list[Any]] = {}
    try:
        sent = msgspec.json.decode(given.get("filters") or "{}")
        filters = {name: value if isinstance(value, list) else [value] for name, value in sent.items()}
    except (msgspec.DecodeError, RecursionError, ValueError, AttributeError):
        raise Invalid({"filters": 'must be a JSON object such as {"item_state": ["New"]}'}) from None
    for name in resource.filters:
        if name in given and given[name] != "":
            filters.setdefault(name, []).extend(given.getall(name))
    order = given.get("order", "").lower()
    if order not in ("", "asc", "desc"):
        raise Invalid({"order": "must be asc or desc"})
    sort = given.get("sort", "") or (resource.key if order else "")
    return ListQuery(
        page=_number(given.get("page"), "page", 1, 1_000_000),
        per_page=_number(given.get("per_page"), "per_page", 10, MAX_PER_PAGE),
        sort=sort,
        descending=order == "desc",
        search=given.get("search", "")[:200],
        filters=filters,
    )


def _number(text: str | None, name: str, default: int, high: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= high:
        raise Invalid({name: f"must be a whole number between 1 and {high}"})
    return int(text)


def pagination(page: Page[Any]) -> dict[str, int]:
    return {
        "current_page": page.number,
        "per_page": page.per_page,
        "total_pages": page.pages,
        "total_items": page.total,
    }


async def paged(request: Request[Any, Any, Any], resource: Resource[Any], *where: Any) -> dict[str, Any]:
    """`{"data": […], "pagination": {…}}`."""
    door, actor = http.door(request), http.actor(request)
    wanted = list_query(request, resource)
    page = await door.read(resource.page, actor, door.settings, wanted, *where)
    rows = [resource.dump(row, door.settings, actor, listed=True) for row in page.rows]
    return {"data": rows, "pagination": pagination(page)}


def refuse_steering(request: Request[Any, Any, Any], *more: str) -> None:
    """A list that is answered whole has one order and no pages; a key that cannot act is refused (decision 4)."""
    text = "cannot be asked of a list that is answered whole, in one order"
    refused = {name: text for name in ("sort", "order", "page", *more) if request.query_params.get(name)}
    if refused:
        raise Invalid(refused)


async def stream_rows(
    request: Request[Any, Any, Any],
    resource: Resource[Any],
    wanted: ListQuery,
    before: bytes,
    after: bytes,
    *where: Any,
) -> Stream:
    """The whole list in key order, read in batches, so that a large one neither waits nor fills the memory."""
    door, actor = http.door(request), http.actor(request)

    async def batch(after_key: int) -> list[dict[str, Any]]:
        step = ListQuery(1, _BATCH, resource.key, False, wanted.search, wanted.filters)
        page = await door.read(resource.batch, actor, door.settings, step, resource.key_column > after_key, *where)
        return [resource.dump(row, door.settings, actor, listed=True) for row in page]

    first = await batch(0)  # refusals and bad filters answer with their status, before the first byte

    async def chunks() -> AsyncIterator[bytes]:
        rows, lead = first, before
        while rows:
            yield lead + b",".join(json.dumps(row, separators=(",", ":")).encode() for row in rows)
            lead = b","
            rows = await batch(rows[-1][resource.key]) if len(rows) == _BATCH else []
        yield after if lead == b"," else lead + after

    return Stream(chunks(), media_type="application/json")


async def whole_list(
    request: Request[Any, Any, Any], resource: Resource[Any], shape: str, *where: Any
) -> Response[Any]:
    """A list as its chapter prints it, in pages with `per_page`: "array" is bare, "data" an object."""
    if request.query_params.get("per_page"):
        found = await paged(request, resource, *where)
        return Response(found["data"] if shape == "array" else found)
    refuse_steering(request)
    wanted = list_query(request, resource)
    before, after = (b"[", b"]") if shape == "array" else (b'{"data":[', b"]}")
    return await stream_rows(request, resource, wanted, before, after, *where)


async def written(
    request: Request[Any, Any, Any], resource: Resource[Any], verb: str, key: int | None, values: dict[str, Any]
) -> dict[str, Any]:
    """Run the verb's action and answer the stored record."""
    door, actor = http.door(request), http.actor(request)
    result = await door.act(resource.actions[verb], actor, Write(key, values))
    shown = await _stored(request, resource, result.row)
    shown["result"] = "success"
    if result.ignored:
        shown["ignored"] = list(result.ignored)
    return shown


async def _stored(request: Request[Any, Any, Any], resource: Resource[Any], row: Any) -> dict[str, Any]:
    """The row as it was written, also when the write moved it out of the caller's own scope."""
    door, actor = http.door(request), http.actor(request)
    if resource.extend is None:
        return resource.dump(row, door.settings, actor)
    return await door.read(resource.answer, actor, door.settings, row)


def reading(resource: Resource[Any]) -> tuple[str, ...]:
    """Permissions of which a reader needs one; the row scope then decides what he sees."""
    own = f"view_own_{resource.family}"
    return (f"view_{resource.family}", *([own] if own in PERMISSIONS else []))


def routes_for(
    resource: Resource[Any], *, skip: frozenset[str] = frozenset(), alias: str = ""
) -> list[HTTPRouteHandler]:
    """All routes of a resource; `skip` names verbs (and "list") that have a handler of their own at the same URL,
    `alias` a second documented base path."""
    name = resource.name
    base = [f"/crm/{name}", *([alias] if alias else [])]
    single = [f"{path}/{part}{{key:int}}" for path in base for part in ("", f"{resource.key}/")]
    may_read = http.json(*reading(resource))
    handlers: list[HTTPRouteHandler] = []

    @get(single, opt=may_read, name=f"{name}.get", summary=f"Read one {resource.label.lower()}")
    async def read_one(request: Request[Any, Any, Any], key: FromPath[int]) -> dict[str, Any]:
        door = http.door(request)
        return await door.read(resource.one, http.actor(request), door.settings, key)

    @get(base, opt=may_read, name=f"{name}.list", summary=f"List: {resource.label.lower()}")
    async def read_list(request: Request[Any, Any, Any]) -> Any:
        if resource.list_shape == "array":
            return await whole_list(request, resource, "array")
        return await paged(request, resource)

    @get(
        [f"{path}/customer_id/{{customer_id:int}}" for path in base],
        opt=may_read,
        name=f"{name}.by_customer",
        summary="Of one customer",
    )
    async def read_of_customer(request: Request[Any, Any, Any], customer_id: FromPath[int]) -> Response[Any]:
        here = resource.model.customer_id == customer_id  # type: ignore[attr-defined]
        return await whole_list(request, resource, resource.by_customer, here)

    @route(
        base,
        http_method=[HttpMethod.PUT, HttpMethod.POST],
        status_code=200,
        opt=http.json(*_permissions(resource, "create")),
        name=f"{name}.create",
        summary=f"Create: {resource.label.lower()}",
    )
    async def create(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return await written(request, resource, "create", None, await http.json_body(request))

    @patch(
        single,
        opt=http.json(*_permissions(resource, "update")),
        name=f"{name}.update",
        summary=f"Change: {resource.label.lower()}",
    )
    async def update(request: Request[Any, Any, Any], key: FromPath[int]) -> dict[str, Any]:
        return await written(request, resource, "update", key, await http.json_body(request))

    @delete(
        single,
        status_code=200,
        opt=http.json(*_permissions(resource, "delete")),
        name=f"{name}.delete",
        summary=f"Delete: {resource.label.lower()}",
    )
    async def remove(request: Request[Any, Any, Any], key: FromPath[int]) -> dict[str, Any]:
        await http.door(request).act(resource.actions["delete"], http.actor(request), Write(key))
        return DONE

    if "get" not in skip:
        handlers.append(read_one)
    if "list" not in skip:
        handlers.append(read_list)
    if resource.by_customer and "by_customer" not in skip:
        handlers.append(read_of_customer)
    for verb, handler in (("create", create), ("update", update), ("delete", remove)):
        if verb in resource.verbs and verb not in skip:
            handlers.append(handler)
    return handlers


def _permissions(resource: Resource[Any], verb: str) -> tuple[str, ...]:
    return resource.actions[verb].permissions if verb in resource.actions else (f"{verb}_{resource.family}",)
