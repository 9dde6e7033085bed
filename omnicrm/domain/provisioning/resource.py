"""Declaration of the provisioning job for reading (PROV-130..134); orders and ends are named actions."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from omnicrm.domain.actor import Actor
from omnicrm.domain.codecs import Moment, Reference, Text, Whole
from omnicrm.domain.provisioning import leftovers, queries
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import Field, Resource


def _events(session: Session, row: Provision, actor: Actor) -> dict[str, Any]:
    found = queries.progress(session, row)
    may_see = actor.is_customer or actor.job is not None or actor.can("view_provision_event")
    events = [queries.event_shown(event, actor.is_customer) for event in found.events] if may_see else []
    shown = {"customer_name": found.customer_name, "provisioning_result_json": events}
    if actor.is_customer:
        return shown | {"message": queries.error_for_customer(row)}
    return shown | {"leftovers": [leftovers.told(entry) for entry in leftovers.load(row.leftovers)]}


provisions: Resource[Provision] = Resource(
    Provision,
    "provision",
    family="provision",
    key="provision_id",
    title="Provisioning job",
    fields=(
        Field("provision_id", Whole(), label="ID"),
        Field("customer_id", Reference(table="customer"), label="Customer"),
        Field("product_id", Reference(table="product"), label="Product"),
        Field("service_id", Reference(table="customer_service"), label="Service"),
        Field("provisioning_status", Whole(0, 3), label="Status"),
        Field("provisioning_play", Text(255), label="Play", own=False),
        Field("action", Text(30)),
        Field("playbook_description", Text(255), label="Description"),
        Field("provisioning_json_vars", Text(300_000), label="Variables", own=False, listed=False),
        Field("task_count", Whole()),
        Field("tasks_done", Whole()),
        Field("initiating_user", Whole(), own=False),
        Field("error", Text(2000), own=False),
        Field("retry_of", Whole()),
        Field("started_at", Moment()),
        Field("finished_at", Moment()),
        Field("created", Moment()),
    ),
    verbs=frozenset(),
    search=("playbook_description", "provisioning_play"),
    filters=("provisioning_status", "customer_id", "product_id", "service_id", "provisioning_play"),
    sort=("provisioning_status", "provisioning_play", "created"),
    extend=_events,
    by_customer="data",
)
