"""JSON routes of customers that the generic set does not give, beside it."""

from __future__ import annotations

import math
from typing import Any

from litestar import Request, Response, get, put
from litestar.params import FromPath

from omnicrm.domain.customers import actions, queries
from omnicrm.domain.customers.resource import attributes, contacts, customers, sites, tags
from omnicrm.domain.errors import Invalid
from omnicrm.views import http
from omnicrm.views.resources import paged, reading, refuse_steering, routes_for, whole_list

AnyRequest = Request[Any, Any, Any]


async def _narrowing(request: AnyRequest) -> tuple[Any, ...]:
    """Archived customers only when a filter names them; tag and attribute filters (CRM-033, CRM-034)."""
    given = request.query_params
    names_status = "customer_status" in given or '"customer_status"' in given.get("filters", "")
    return tuple(
        queries.narrowing(
            with_archived=names_status,
            attribute=(given.get("attribute_name"), given.get("attribute_value")),
            tag=given.get("tag"),
            now=http.door(request).clock(),
        )
    )


@get("/crm/customer", opt=http.json(*reading(customers)), summary="All customers, a bare array")
async def bare_list(request: AnyRequest) -> Response[Any]:
    return await whole_list(request, customers, "array", *await _narrowing(request))


@get("/crm/customers", opt=http.json(*reading(customers)), summary="Customers; with per_page in pages")
async def customer_list(request: AnyRequest) -> Response[Any]:
    return await whole_list(request, customers, "data", *await _narrowing(request))


@get("/crm/customer/search", opt=http.json(*reading(customers)), summary="Client picker")
async def search(request: AnyRequest) -> list[dict[str, Any]]:
    """At most 20 of `{"customer_id", "customer_name"}`, open customers first (CRM-045)."""
    door, actor = http.door(request), http.actor(request)
    found = await door.read(queries.pick, actor, request.query_params.get("search", "")[:200])
    return [{"customer_id": row.customer_id, "customer_name": row.customer_name} for row in found]


@get("/crm/tag/customer_id/{customer_id:int}", opt=http.json(*reading(tags)), summary="A customer's tags")
async def tag_list(request: AnyRequest, customer_id: FromPath[int]) -> list[dict[str, Any]]:
    """A bare array, each with `active`; `?active=true` leaves only those shown now (CRM-128)."""
    refuse_steering(request, "per_page")
    door, actor = http.door(request), http.actor(request)
    now, wanted = door.clock(), request.query_params.get("active", "")
    rows = await door.read(queries.tags_of, actor, customer_id)
    shown = [tags.dump(row, door.settings, actor) | {"active": row.active_at(now)} for row in rows]
    return [row for row in shown if row["active"] or wanted.lower() != "true"]


@put("/crm/attribute/bulk", opt=http.json("create_customer_attribute"), status_code=200, summary="Several attributes")
async def attribute_bulk(request: AnyRequest) -> list[dict[str, Any]]:
    """`{"customer_id", "attributes": [{"attribute_name", "attribute_value"}]}`, all or none (CRM-145)."""
    body = await http.json_body(request)
    unknown = dict.fromkeys(body.keys() - {"customer_id", "attributes"}, "is not a field of this request")
    if unknown:
        raise Invalid(unknown)
    door, actor = http.door(request), http.actor(request)
    cmd = actions.PutAttributes(body.get("customer_id"), body.get("attributes"))
    return [attributes.dump(row, door.settings, actor) for row in await door.act(actions.put_attributes, actor, cmd)]


@get("/crm/site", opt=http.json(*reading(sites)), summary="Sites; with latitude, longitude and radius by distance")
async def site_list(request: AnyRequest) -> Any:
    """`?latitude=&longitude=&radius=` (km) answers the sites inside the circle, nearest first (CRM-110)."""
    given = request.query_params
    if "radius" not in given:
        return await paged(request, sites)
    refuse_steering(request, "per_page")
    door, actor = http.door(request), http.actor(request)
    latitude, longitude, radius = (_degrees(request, name, high) for name, high in _CIRCLE.items())
    found = await door.read(queries.sites_near, actor, latitude, longitude, radius)
    return {"data": [sites.dump(row, door.settings, actor) | {"distance": round(km, 3)} for row, km in found]}


#: The keys of a circle and what bounds them: degrees, and kilometres up to half round the Earth.
_CIRCLE = {"latitude": 90, "longitude": 180, "radius": 20_038}


def _degrees(request: AnyRequest, name: str, high: int) -> float:
    low = 0 if name == "radius" else -high
    try:
        number = float(request.query_params.get(name, ""))
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise Invalid({name: f"must be a number between {low} and {high}"})
    return number


HANDLERS = [
    bare_list,
    customer_list,
    search,
    tag_list,
    attribute_bulk,
    site_list,
    *routes_for(customers, skip=frozenset({"list"})),
    *routes_for(contacts),
    *routes_for(sites, skip=frozenset({"list"})),
    *routes_for(tags),
    *routes_for(attributes),
]
