"""Pages of customers: the list, creating one with contact and site, the customer page, archive and restore."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from omnicrm.domain.customers import queries
from omnicrm.domain.customers.resource import customers
from omnicrm.domain.errors import Conflict
from omnicrm.domain.resource import ListQuery, Write
from omnicrm.domain.services import queries as services
from omnicrm.views import http, resource_answers
from omnicrm.views.customer_page import page_of
from omnicrm.views.page import page, redirect
from omnicrm.views.resource_pages import Column, Filter, Pages, Place, Section

AnyRequest = Request[Any, Any, Any]
_STATUSES = (("Open", "Open"), ("Closed", "Closed"), ("Suspended", "Suspended"), ("Archived", "Archived"), ("all", "All"))


def _narrow(request: AnyRequest, wanted: ListQuery) -> tuple[ListQuery, list[Any]]:
    """Open customers unless a filter says otherwise; a search looks through all but the archived (CRM-049, CRM-069)."""
    filters = dict(wanted.filters)
    status = request.query_params.get("customer_status", "")
    if status == "all":
        del filters["customer_status"]
    elif not status and not wanted.search:
        filters["customer_status"] = ["Open"]
    tag, now = request.query_params.get("tag") or None, http.door(request).clock()
    where = queries.narrowing(with_archived=bool(status), attribute=(None, None), tag=tag, now=now)
    return replace(wanted, filters=filters), list(where)


def _more(session: Any, actor: Any, rows: list[Any]) -> dict[str, Any]:
    ids, now = [row.customer_id for row in rows], http.now_of(session)
    return {
        "primary": queries.primary_contacts(session, ids),
        "services": services.counts(session, "customer_id", ids),
        "pills": queries.shown_tags(session, ids, now),
        "tag_texts": [(text, text) for text in queries.tag_texts(session, now)],
    }
