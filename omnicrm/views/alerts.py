"""Alerts: the bell of the top bar, the page where they are read and dismissed, and the same as JSON."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from omnicrm.domain import alerts
from omnicrm.domain.actor import Actor
from omnicrm.domain.alerts import Alert
from omnicrm.domain.errors import NotPermitted
from omnicrm.views import http
from omnicrm.views.page import page, redirect

AnyRequest = Request[Any, Any, Any]


def staff(request: AnyRequest) -> Actor:
    """A caller who may see the jobs of every customer: what alerts and queue tell is not any one customer's."""
    actor = http.actor(request)
    if actor.bound_to("provision") is not None:
        raise NotPermitted("This is for staff.")
    return actor


@get("/alerts/bell", opt=http.page("view_provision"), include_in_schema=False)
async def bell(request: AnyRequest) -> Response[str]:
    """Asked for once by every page, after it is there: no page waits for the count."""
    staff(request)
    count = await http.door(request).read(alerts.count_open)
    return page(request, "base.html", "bell", always_block=True, open_alerts=count)


@get("/alerts", opt=http.page("view_provision"), include_in_schema=False)
async def show(request: AnyRequest) -> Response[str]:
    staff(request)
    found = await http.door(request).read(alerts.open_alerts)
    return page(request, "alerts.html", title="Alerts", alerts=found, open_alerts=len(found))


@post("/alerts/{key:int}/dismiss", opt=http.page("update_provision"), status_code=200, include_in_schema=False)
async def dismiss_on_page(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    row = await http.door(request).act(alerts.dismiss, staff(request), key)
    return redirect("/alerts", f"Dismissed: {row.title}")


@get("/crm/alerts", opt=http.json("view_provision"), summary="Open alerts, newest first")
async def listed(request: AnyRequest) -> dict[str, Any]:
    """`{"data": [{"alert_id", "severity", "title", "detail", "link", "raised_at", "last_seen_at"}]}`."""
    staff(request)
    return {"data": [_shown(row) for row in await http.door(request).read(alerts.open_alerts)]}


@post("/crm/alerts/{key:int}/dismiss", opt=http.json("update_provision"), status_code=200)
async def dismiss(request: AnyRequest, key: FromPath[int]) -> dict[str, Any]:
    """Take an alert off the list; found again, it is open again."""
    row = await http.door(request).act(alerts.dismiss, staff(request), key)
    return {"result": "success", "alert_id": row.alert_id}


def _shown(row: Alert) -> dict[str, Any]:
    return {
        "alert_id": row.alert_id,
        "severity": row.severity,
        "title": row.title,
        "detail": row.detail,
        "link": row.link,
        "raised_at": row.raised_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "last_seen_at": row.last_seen_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


HANDLERS = [bell, show, dismiss_on_page, listed, dismiss]
