"""Headers of every answer: what a browser may do with it (chapter 08; CSP without inline scripts)."""

from __future__ import annotations

from typing import Any

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_YEAR = "max-age=31536000; includeSubDomains"


async def before_send(message: Message, scope: Scope) -> None:
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    app: Any = scope.get("litestar_app") or scope["app"]
    if app.state.is_https:
        headers.setdefault("Strict-Transport-Security", _YEAR)
    if scope["path"].startswith("/static/"):
        # Addresses carry the version, so a browser may keep what it has.
        headers.setdefault("Cache-Control", "public, max-age=86400")
