"""JSON routes of products: the purchase list and the management list (PROV-018..023)."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.params import FromPath

from omnicrm.domain.catalogue.resource import offered_now, products
from omnicrm.views import http
from omnicrm.views.resources import paged, routes_for, whole_list

AnyRequest = Request[Any, Any, Any]


@get("/crm/product", opt=http.json(), summary="Products on offer now")
async def on_offer(request: AnyRequest) -> Any:
    """`include_disabled=true` shows all, to staff only (PROV-019, PROV-020)."""
    actor, door = http.actor(request), http.door(request)
    everything = request.query_params.get("include_disabled", "").lower() == "true" and actor.can("view_product")
    return await whole_list(request, products, "data", *([] if everything else offered_now(door.clock())))


@get(["/crm/product/{key:int}", "/crm/product/product_id/{key:int}"], opt=http.json(), summary="Read one product")
async def read_one(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """Staff read every product, customers those that they may order: no permission of its own (PROV-022)."""
    door = http.door(request)
    return await door.read(products.one, http.actor(request), door.settings, key)


@get("/crm/product/paginated", opt=http.json("view_product"), summary="All products in pages")
async def paginated(request: AnyRequest) -> dict[str, Any]:
    return await paged(request, products)


HANDLERS = [on_offer, paginated, read_one, *routes_for(products, skip=frozenset({"get", "list"}))]
