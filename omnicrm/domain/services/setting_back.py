"""Giving a service back what a failed job changed at it, from the activity log (PROV-226)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from omnicrm.domain.action import Ctx
from omnicrm.domain.activity import CustomerActivity, batch_of_job
from omnicrm.domain.codecs import Reference
from omnicrm.domain.filling import fill
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.resource import services

#: Columns, which are called as their fields; a site that went meanwhile cannot be given back.
_FIELDS = frozenset(
    field.name for field in services.fields if field.on_update and not isinstance(field.codec, Reference)
)


def set_back(ctx: Ctx, service_id: int, provision_id: int) -> tuple[str, ...]:
    """Undo the changes that the log has from that job's token; answers the names of the fields.

    A field that somebody else changed afterwards stays as he wanted it. Asked twice, it finds nothing to do.
    """
    row = ctx.session.get(CustomerService, service_id, with_for_update=True)
    if row is None:
        return ()
    log = CustomerActivity
    query = select(log.batch_id, log.changes).where(log.entity_type == "service", log.entity_id == service_id)
    changed: dict[str, tuple[Any, Any]] = {}
    for batch, changes in ctx.session.execute(query.order_by(log.activity_id)):
        for column, (old, new) in changes.items():
            if batch == batch_of_job(provision_id) and column in _FIELDS:
                changed[column] = changed.get(column, (old, new))[0], new
            else:
                changed.pop(column, None)
    former = {column: old for column, (old, new) in changed.items() if old != new}
    if former:
        fill(services, ctx, row, former, creating=False)
    return tuple(former)
