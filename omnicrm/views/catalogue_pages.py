"""The catalogue: cards of what is on offer, a product's page, and the way from there to a customer (PROV-035..049)."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from omnicrm.domain import listtext
from omnicrm.domain.catalogue import queries, rules
from omnicrm.domain.catalogue.resource import products
from omnicrm.domain.customers import queries as customers
from omnicrm.views import http
from omnicrm.views.page import page

AnyRequest = Request[Any, Any, Any]
KINDS = ("Individual", "Business")


@get("/catalogue", opt=http.page("view_product"), include_in_schema=False)
async def catalogue(request: AnyRequest) -> Response[str]:
    door, actor = http.door(request), http.actor(request)
    given = request.query_params
    kind = given.get("type") if given.get("type") in KINDS else KINDS[0]
    search = given.get("search", "")[:100]
    offered = await door.read(queries.on_offer, actor, door.clock(), search)
    return page(
        request,
        "catalogue.html",
        "cards",
        title="Catalogue",
        groups=rules.grouped(row for row in offered if rules.fits_account(row, str(kind))),
        kind=kind,
        kinds=KINDS,
        search=search,
        features_of=listtext.features,
    )


@get("/catalogue/{key:int}", opt=http.page("view_product"), include_in_schema=False)
async def product(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    door = http.door(request)
    row = await door.read(products.get, http.actor(request), key)
    return page(
        request,
        "catalogue_product.html",
        title=row.product_name,
        product=row,
        features=listtext.features(row.features_list),
        on_offer=rules.on_offer(row, door.clock()),
        kinds=[kind for kind in KINDS if rules.fits_account(row, kind)],
        needs=listtext.parse_list(row.relies_on_list),
        inventory=listtext.parse_list(row.inventory_items_list),
    )


@get("/catalogue/{key:int}/assign", opt=http.page("create_provision"), include_in_schema=False)
async def assign(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    """Ask for the customer; the order flow follows on his page (PROV-075..078)."""
    door, actor = http.door(request), http.actor(request)
    search = request.query_params.get("search", "")[:200]

    def read(session: Any) -> tuple[Any, list[Any]]:
        return products.get(session, actor, key), customers.pick(session, actor, search)

    row, found = await door.read(read)
    return page(
        request,
        "catalogue_assign.html",
        "matches",
        title=f"Assign {row.product_name}",
        product=row,
        search=search,
        found=found,
    )


HANDLERS = [catalogue, product, assign]
