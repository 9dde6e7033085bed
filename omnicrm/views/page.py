"""Pages and fragments: one template renders both, a fragment being a named block of its page."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from jinja2 import Environment, FileSystemLoader
from litestar import MediaType, Request, Response
from litestar.response import Redirect
from litestar.template.base import csrf_token
from markupsafe import Markup, escape

from omnicrm import __version__
from omnicrm.domain import money
from omnicrm.domain.actor import Actor
from omnicrm.paths import TEMPLATES
from omnicrm.settings import Settings
from omnicrm.views.navigation import navigation

FLASH = "omnicrm_flash"


def environment(settings: Settings) -> Environment:
    """Jinja with the filters that the macros use."""
    env = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    zone, locale = ZoneInfo(settings.regional.timezone), settings.regional.locale.replace("-", "_")

    def local(value: datetime | None) -> datetime | None:
        return value and value.astimezone(zone)

    def shown_datetime(value: datetime | None) -> str:
        return format_datetime(local(value), "d MMM y, HH:mm", locale=locale) if value else ""

    def shown_date(value: datetime | None) -> str:
        return format_date(local(value), "d MMM y", locale=locale) if value else ""

    def shown_time(value: datetime | None) -> str:
        return format_time(local(value), "HH:mm", locale=locale) if value else ""

    def shown_age(value: timedelta) -> str:
        return format_timedelta(max(value, timedelta()), threshold=1.5, locale=locale)

    env.filters.update(
        money=lambda minor: money.shown(minor, settings.regional.currency_code, locale),
        datetime=shown_datetime,
        date=shown_date,
        time=shown_time,
        age=shown_age,
    )
    return env


def wants_block(request: Request[Any, Any, Any]) -> bool:
    """htmx asks for a part of a page; a boosted link or a restored history entry wants the whole."""
    headers = request.headers
    return "hx-request" in headers and "hx-boosted" not in headers and "hx-history-restore-request" not in headers


def page(
    request: Request[Any, Any, Any],
    template: str,
    block: str | None = None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    always_block: bool = False,
    **context: Any,
) -> Response[str]:
    """The whole page, or the named block alone when htmx asks for a part."""
    env: Environment = request.app.state.jinja
    found = env.get_template(template)
    values = _common(request) | {"status": status} | context
    values["ui"] = _macros(env).make_module(values)
    if block is not None and (always_block or wants_block(request)):
        text = "".join(found.blocks[block](found.new_context(values)))
    else:
        text = found.render(values)
    answer = Response(text, media_type=MediaType.HTML, status_code=status, headers=headers or {})
    answer.headers["Vary"] = "HX-Request"
    answer.headers["Cache-Control"] = "no-store"
    if values["toast"]:
        answer.delete_cookie(FLASH)
    return answer


@lru_cache(maxsize=4)
def _macros(env: Environment) -> Any:
    return env.get_template("_ui/ui.html")


def redirect(path: str, toast: str = "", kind: str = "success") -> Redirect:
    """See the other page, with a message that it shows once."""
    answer = Redirect(path, status_code=303)
    if toast:
        value = quote(json.dumps({"kind": kind, "text": toast}))
        answer.set_cookie(FLASH, value, max_age=60, httponly=True, samesite="lax")
    return answer


def toast_oob(request: Request[Any, Any, Any], kind: str, text: str) -> Markup:
    """A message beside the changed block of an htmx answer."""
    env: Environment = request.app.state.jinja
    return Markup(_macros(env).make_module(_common(request)).toast_oob(kind, text))


def render_error(request: Request[Any, Any, Any], status: int, message: str | None) -> Response[str]:
    if wants_block(request):
        return Response(
            f"<div class='alert alert-danger' role='alert'>{escape(message or '')}</div>",
            media_type=MediaType.HTML,
            status_code=status,
        )
    return page(request, "error.html", status=status, message=message, reference=None, title="Error")


class _Nobody:
    username = email = initials = ""


def _common(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What every page sees (templates/base.html)."""
    settings: Settings = request.app.state.door.settings
    caller: Actor | None = request.scope.get("state", {}).get("actor")
    token = csrf_token({"request": request})
    path = request.url.path
    return {
        "user": caller and {"username": caller.name, "email": caller.email, "initials": _initials(caller.name)},
        "can": caller.can if caller else lambda permission: False,
        "nav": navigation(caller, path, settings) if caller else [],
        "branding": settings.branding,
        "csrf_token": token,
        "csrf_input": Markup('<input type="hidden" name="_csrf_token" value="{}">').format(token),
        "title": "",
        "toast": _flash(request),
        "alerts_enabled": caller is not None and not caller.is_customer and caller.can("view_provision"),
        "sandbox_active": settings.sandbox.active and caller is not None and caller.can("admin"),
        "version": __version__,
        "path": path,
        "query": dict(request.query_params),
        "errors": {},
        "settings": settings,
        "now": request.app.state.door.clock(),
        "currency": settings.regional.currency_code,
    }


def _initials(name: str) -> str:
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word]
    return "".join(word[0] for word in words[:2]).upper()


def _flash(request: Request[Any, Any, Any]) -> list[dict[str, str]]:
    raw = request.cookies.get(FLASH)
    if not raw or wants_block(request):
        return []
    try:
        value = json.loads(unquote(raw))
        return [{"kind": str(value["kind"]), "text": str(value["text"])[:300]}]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
