"""The routes of a regular entity's pages; what they answer is in resource_answers.py."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from omnicrm.views import http
from omnicrm.views.resource_answers import (
    delete_row,
    detail_page,
    form_page,
    list_page,
    place_of,
    refuse_frozen,
    row_of,
    save,
)
from omnicrm.views.resource_pages import AnyRequest, Pages


def pages_for(pages: Pages, *, skip: frozenset[str] = frozenset()) -> list[HTTPRouteHandler]:
    """The pages' routes; `skip` names those that have a handler of their own: list, new, detail, edit, delete."""
    base, single, verbs = pages.path, f"{pages.path}/{{key:int}}", pages.offered
    made: dict[str, list[HTTPRouteHandler]] = {"list": [], "new": [], "detail": [], "edit": [], "delete": []}
    guard = {verb: http.page(pages.may(verb)) for verb in ("view", *verbs)}

    @get(base, opt=guard["view"], include_in_schema=False)
    async def show_list(request: AnyRequest) -> Response[str]:
        return await list_page(request, pages)

    made["list"] = [show_list]

    if pages.detail:

        @get(single, opt=guard["view"], include_in_schema=False)
        async def show(request: AnyRequest) -> Response[str]:
            return await detail_page(request, pages)

        made["detail"] = [show]

    if "create" in verbs:

        @get(f"{base}/new", opt=guard["create"], include_in_schema=False)
        async def new(request: AnyRequest) -> Response[str]:
            place = await place_of(request, pages)
            refuse_frozen(place)
            return await form_page(request, pages, place, None)

        @post(f"{base}/new", opt=guard["create"], include_in_schema=False, status_code=200)
        async def create(request: AnyRequest) -> Response[Any]:
            return await save(request, pages, None, await place_of(request, pages))

        made["new"] = [new, create]

    if "update" in verbs:

        @get(f"{single}/edit", opt=guard["update"], include_in_schema=False)
        async def edit(request: AnyRequest) -> Response[str]:
            place = await place_of(request, pages)
            refuse_frozen(place)
            return await form_page(request, pages, place, await row_of(request, pages, place, "update"))

        @post(f"{single}/edit", opt=guard["update"], include_in_schema=False, status_code=200)
        async def update(request: AnyRequest) -> Response[Any]:
            place = await place_of(request, pages)
            return await save(request, pages, await row_of(request, pages, place, "update"), place)

        made["edit"] = [edit, update]

    if "delete" in verbs:

        @post(f"{single}/delete", opt=guard["delete"], include_in_schema=False, status_code=200)
        async def remove(request: AnyRequest) -> Response[Any]:
            return await delete_row(request, pages)

        made["delete"] = [remove]

    return [handler for name, group in made.items() if name not in skip for handler in group]
