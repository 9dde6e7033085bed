"""The one table from errors to answers: JSON for routes, a calm page for people, a redirect to the login."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from omnicrm.domain.errors import (
    Conflict,
    DomainError,
    Invalid,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    TooMany,
    Unavailable,
)
from omnicrm.views.page import render_error

log = logging.getLogger("omnicrm.web")

STATUS: dict[type[DomainError], int] = {
    Invalid: 400,
    NotAuthenticated: 401,
    NotPermitted: 403,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
    Unavailable: 503,
}

#: Paths whose callers are programs.
JSON_PATHS = ("/crm", "/auth", "/2fa", "/utilities", "/oam", "/invoice", "/sandbox/")


def wants_json(request: Request[Any, Any, Any]) -> bool:
    path = request.url.path
    if path.startswith("/sandbox/") and request.headers.get("hx-request"):
        return False
    return path.startswith(JSON_PATHS)


def on_domain_error(request: Request[Any, Any, Any], error: DomainError) -> Response[Any]:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else {}
    if not wants_json(request):
        if isinstance(error, NotAuthenticated):
            return _to_login(request)
        answer = render_error(request, status, error.message)
        answer.headers.update(headers)
        return answer
    body: dict[str, Any] = {"message": error.message, **error.extra}
    if isinstance(error, Invalid):
        body["errors"] = error.errors
    return Response(body, status_code=status, headers=headers)


def _to_login(request: Request[Any, Any, Any]) -> Response[Any]:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    where = "/login" if target == "/" or request.method != "GET" else f"/login?next={quote(target, safe='/')}"
    if request.headers.get("hx-request"):
        return Response(b"", status_code=401, headers={"HX-Redirect": where})
    return Redirect(where, status_code=303)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What the framework refuses before a handler runs: no route, wrong method, no CSRF token, too large a body."""
    text = {
        403: "The form's security token is missing or stale. Reload the page and send it again.",
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
        413: "The body is too large.",
    }.get(error.status_code, error.detail)
    if wants_json(request):
        return Response({"message": text}, status_code=error.status_code, headers=error.headers)
    return render_error(request, error.status_code, text)


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
    text = "Something went wrong on our side. It has been logged."
    if wants_json(request):
        return Response({"message": text}, status_code=500)
    return render_error(request, 500, text)


HANDLERS: dict[Any, Any] = {DomainError: on_domain_error, HTTPException: on_http_error, Exception: on_crash}
