"""Administration → System: the configuration in force, read-only and with secrets masked (CFG-013)."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import Any

from litestar import Request, Response, get

from omnicrm.settings import describe
from omnicrm.views import http
from omnicrm.views.given_up import posts_given_up
from omnicrm.views.page import page

AnyRequest = Request[Any, Any, Any]


@get("/system", opt=http.page("admin"), include_in_schema=False)
async def system(request: AnyRequest) -> Response[str]:
    keys = describe(http.settings(request))
    sections = [(name, list(rows)) for name, rows in groupby(keys, key=lambda key: key.path.partition(".")[0])]
    warnings = http.settings(request).warnings
    posts = await posts_given_up(request) or []
    return page(request, "system.html", title="System", sections=sections, warnings=warnings, posts=posts)


@get("/crm/system/config", opt=http.json("admin"), summary="The configuration in force, secrets masked")
async def system_config(request: AnyRequest) -> dict[str, Any]:
    """`{"data": [{"path", "type", "default", "meaning", "value", "source"}]}`."""
    return {"data": [asdict(key) for key in describe(http.settings(request))]}


HANDLERS = [system, system_config]
