"""Routes of the installation itself: start page, health, the branding style sheet."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

from litestar import MediaType, Request, Response, get

from omnicrm import __version__
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.domain.health import database_answers
from omnicrm.views import http
from omnicrm.views.auth import landing
from omnicrm.views.page import page, redirect

AnyRequest = Request[Any, Any, Any]


@get("/", opt=http.page(), include_in_schema=False)
async def start(request: AnyRequest) -> Response[Any]:
    where = landing(http.actor(request))
    return redirect(where) if where != "/" else page(request, "start.html", title="Welcome")


@get(["/crm/health", "/health"], opt=http.public(), summary="Whether the parts answer")
async def health(request: AnyRequest) -> Response[Any]:
    """200 while the database answers; `ocs` and `queue` tell their own state (CFG-127)."""
    door = http.door(request)
    try:
        await door.read(database_answers)
        database = "ok"
    except Exception:
        database = "unreachable"
    engine: ChargingEngine = request.app.state.ports[ChargingEngine]
    try:
        await asyncio.wait_for(asyncio.to_thread(engine.call, "CoreSv1.Ping"), timeout=2)
        ocs = "ok"
    except (EngineError, EngineUnavailable, TimeoutError):
        ocs = "unreachable"
    queue = "ok" if await asyncio.to_thread(request.app.state.queue.is_up) else "unreachable"
    body = {
        "status": "ok" if database == queue == "ok" else "degraded",
        "version": __version__,
        "database": database,
        "queue": queue,
        "ocs": ocs,
    }
    return Response(body, status_code=200 if database == "ok" else 503)


@get("/branding.css", opt=http.public(), include_in_schema=False, media_type=MediaType.TEXT)
async def branding(request: AnyRequest) -> Response[str]:
    """The deployment's colours and font as the custom properties that static/tokens.css builds on."""
    look = http.settings(request).branding
    colors = {item.name: getattr(look.colors, item.name) for item in fields(look.colors)}
    lines = [f"  --brand-{name.replace('_', '-')}: {value};" for name, value in colors.items()]
    lines.append(f"  --brand-font: '{look.font_family}';")
    text = ":root {\n" + "\n".join(lines) + "\n}\n"
    return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


HANDLERS = [start, health, branding]
