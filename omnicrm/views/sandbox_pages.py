"""The Sandbox page: what the simulated outside systems hold, and their fault switches (decision 17)."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from litestar import Request, Response, get, post

from omnicrm.domain.errors import Invalid, NotFound
from omnicrm.views import http
from omnicrm.views.page import page, redirect

AnyRequest = Request[Any, Any, Any]


class Sandboxes(Protocol):
    """What the page needs of them; app.py puts it into the application's state, None while none is active."""

    systems: list[tuple[str, str]]

    def look(self, system: str) -> Any: ...

    def switch(self, system: str, form: Any) -> None: ...

    def clear(self, system: str) -> None: ...


def _sandboxes(request: AnyRequest) -> Sandboxes:
    found: Sandboxes | None = request.app.state.sandbox
    if found is None:
        raise NotFound("No sandbox is active.")
    return found


@get("/sandbox", opt=http.page("admin"), include_in_schema=False)
async def show(request: AnyRequest) -> Response[str]:
    found = _sandboxes(request)
    system = request.query_params.get("system") or found.systems[0][0]
    return await _page(request, system, {})


async def _page(request: AnyRequest, system: str, errors: dict[str, str]) -> Response[str]:
    found = _sandboxes(request)
    return page(
        request,
        "sandbox.html",
        "live",
        status=422 if errors else 200,
        title="Sandbox",
        box=await asyncio.to_thread(found.look, system),
        systems=found.systems,
        errors=errors,
    )


@post("/sandbox/fault", opt=http.page("admin"), status_code=200, include_in_schema=False)
async def fault(request: AnyRequest) -> Response[Any]:
    form = await http.form_body(request)
    system = form.get("system", "")
    try:
        await asyncio.to_thread(_sandboxes(request).switch, system, form)
    except Invalid as error:
        return await _page(request, system, error.errors)
    return redirect(f"/sandbox?system={system}", "The fault switch was moved.")


@post("/sandbox/clear", opt=http.page("admin"), status_code=200, include_in_schema=False)
async def clear(request: AnyRequest) -> Response[Any]:
    system = (await http.form_body(request)).get("system", "")
    await asyncio.to_thread(_sandboxes(request).clear, system)
    return redirect(f"/sandbox?system={system}", "The sandbox was cleared.")


HANDLERS = [show, fault, clear]
