"""Reads of provisioning: the scope of a job's token, the job pages, the picker's needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, defer

from omnicrm.domain import lanes
from omnicrm.domain.actor import Actor, JobScope
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.customers.models import Customer
from omnicrm.domain.identity.catalogue import JOB_PERMISSIONS
from omnicrm.domain.inventory.models import InventoryReservation
from omnicrm.domain.inventory.queries import ORDER_JOBS
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent, Status, author
from omnicrm.domain.services.models import CustomerService

#: Of the queue's jobs of an order, the one that runs its play; the others settle and undo it afterwards.
RUN_KIND = "provision.run"


def actor_of_job(session: Session, job_id: int, lease: int) -> Actor | None:
    """The caller behind a job's token, as long as that very lease holds (decision 9)."""
    row = session.execute(
        select(
            Provision.provision_id,
            Provision.customer_id,
            Provision.service_id,
            Provision.initiating_user,
            Provision.initiating_name,
            Provision.chain_first,
        )
        .join(Job, Job.subject_id == Provision.provision_id)
        .where(Job.job_id == job_id, Job.lease == lease, Job.state == "running", Job.kind.like("provision.%"))
    ).first()
    if row is None:
        return None
    own = [] if row.service_id is None else [row.service_id]
    services = session.execute(
        select(CustomerService.service_id, CustomerService.service_uuid).where(
            or_(
                CustomerService.made_by_provision_id.in_(_of_chain(row.provision_id, row.chain_first)),
                CustomerService.service_id.in_(own),
                CustomerService.bundled_parent.in_(own),  # the parts of a bundle belong to its service
            )
        )
    ).all()
    items = session.scalars(
        select(InventoryReservation.inventory_id).where(InventoryReservation.provision_id == row.provision_id)
    )
    scope = JobScope(
        row.provision_id,
        row.customer_id,
        frozenset(items),
        frozenset(service_id for service_id, _ in services),
        frozenset(uuid for _, uuid in services),
    )
    return Actor(author(row.initiating_name, row.provision_id), row.initiating_user, JOB_PERMISSIONS, job=scope)


def _of_chain(provision_id: int, chain_first: int | None) -> Any:
    """The job and those of its chain: what one step made, the next ones may work on (PROV-207)."""
    if chain_first is None:
        return [provision_id]
    first = chain_first
    return select(Provision.provision_id).where(or_(Provision.provision_id == first, Provision.chain_first == first))


@dataclass(frozen=True)
class Progress:
    """A job with its events and the names around it, for the detail page and the live progress."""

    provision: Provision
    customer_name: str
    product_name: str
    #: The service that the job is about or made; None where none was made or its undoing removed it.
    service: CustomerService | None
    events: list[ProvisionEvent]
    #: Of the queue's row: queued, running, done, failed, cancelled; None for jobs of an import.
    queue_state: str | None
    waiting_before: int
    #: A dead run is being undone by another one (decision 30).
    cleaning: bool
    #: Somebody asked the job to stop.
    was_cancelled: bool = False
    #: When the clean-up that waits begins; None while none does.
    cleans_at: datetime | None = None
    #: It only repeats one that went well, for answers that come late.
    cleans_late: bool = False
    #: It is a further try at a system that could not be reached; staff need not wait for it.
    cleans_again: bool = False

    @property
    def is_over(self) -> bool:
        return self.provision.provisioning_status != Status.RUNNING and not self.cleaning


def progress(session: Session, provision: Provision, with_results: bool = True) -> Progress:
    """`with_results` false leaves the tasks' results out: a progress bar asks several times a second."""
    names = session.execute(
        select(Customer.customer_name, Product.product_name, CustomerService)
        .select_from(Provision)
        .join(Customer, Customer.customer_id == Provision.customer_id)
        .outerjoin(Product, Product.product_id == Provision.product_id)
        .outerjoin(CustomerService, CustomerService.service_id == Provision.service_id)
        .where(Provision.provision_id == provision.provision_id)
    ).one()
    events = session.scalars(
        select(ProvisionEvent)
        .where(ProvisionEvent.provision_id == provision.provision_id)
        .order_by(ProvisionEvent.event_number)
        .options(*([] if with_results else [defer(ProvisionEvent.provisioning_result_json)]))
    )
    jobs = session.execute(
        select(Job.job_id, Job.kind, Job.state, Job.run_at, Job.args, Job.cancel_requested)
        .where(Job.subject_id == provision.provision_id, Job.kind.in_(ORDER_JOBS))
        .order_by(Job.job_id)
    ).all()
    run = next((job for job in jobs if job.kind == RUN_KIND), None)
    before = 0
    if run is not None and run.state == "queued":
        turns = lanes.in_turn(session, "plays", datetime.now(UTC))
        before = turns.index(run.job_id) if run.job_id in turns else len(turns)
    undoing = [job for job in jobs if job.kind != RUN_KIND and job.state in ("queued", "running")]
    waits = undoing[0] if undoing and all(job.state == "queued" for job in undoing) else None
    return Progress(
        provision,
        names[0],
        names[1] or "",
        names[2],
        list(events),
        None if run is None else run.state,
        before,
        bool(undoing),
        was_cancelled=run is not None and run.cancel_requested,
        cleans_at=None if waits is None else waits.run_at,
        cleans_late=waits is not None and waits.args.get("kind") == "late",
        cleans_again=waits is not None and waits.args.get("kind") == "again",
    )


def error_for_customer(provision: Provision) -> str:
    """What a customer reads of a failed job of his, without internals (PROV-196)."""
    if provision.provisioning_status != Status.FAILED:
        return ""
    return f"Provisioning failed, support has been informed. Provision ID: {provision.provision_id}"


def queue_places(session: Session) -> dict[int, int]:
    """For each order that waits: how many jobs come before it."""
    turns = {job_id: place for place, job_id in enumerate(lanes.in_turn(session, "plays", datetime.now(UTC)))}
    waiting = session.execute(select(Job.job_id, Job.subject_id).where(Job.kind == RUN_KIND, Job.state == "queued"))
    return {subject: turns[job_id] for job_id, subject in waiting if subject is not None and job_id in turns}


def event_shown(event: ProvisionEvent, audience_is_customer: bool) -> dict[str, Any]:
    """One event of the single answer (PROV-131); a customer gets no inside of a task (PROV-134)."""
    shown: dict[str, Any] = {
        "event_number": event.event_number,
        "event_name": event.event_name,
        "provisioning_status": event.provisioning_status,
        "timestamp": event.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if not audience_is_customer:
        shown |= {"provisioning_result_json": event.provisioning_result_json, "message": event.message}
        shown["skipped"] = event.skipped
    return shown


def latest_of_services(session: Session, service_ids: list[int]) -> dict[int, int]:
    """The status of each service's newest job, for the badge of PROV-185."""
    rows = session.execute(
        select(Provision.service_id, Provision.provisioning_status)
        .where(Provision.service_id.in_(service_ids))
        .order_by(Provision.provision_id)
    )
    return {int(service_id): status for service_id, status in rows if service_id is not None}


def matching(term: str) -> list[ColumnElement[bool]]:
    """Jobs by number, customer's name, description, play or who started them (PROV-135)."""
    term = term.strip()
    if not term:
        return []
    named = select(Customer.customer_id).where(Customer.customer_name_key.contains(term.lower(), autoescape=True))
    columns = (Provision.playbook_description, Provision.provisioning_play, Provision.initiating_name)
    found = [Provision.customer_id.in_(named), *(column.icontains(term, autoescape=True) for column in columns)]
    if term.isdecimal() and len(term) < 16:
        found.append(Provision.provision_id == int(term))
    return [or_(*found)]


def of_service(session: Session, actor: Actor, service_id: int, limit: int = 50) -> list[Provision]:
    """The jobs of a service, newest first."""
    query = select(Provision).where(Provision.service_id == service_id)
    bound = actor.bound_to("provision")
    if bound is not None:
        query = query.where(Provision.customer_id == bound)
    query = query.options(defer(Provision.variables), defer(Provision.facts), defer(Provision.provisioning_json_vars))
    return list(session.scalars(query.order_by(Provision.provision_id.desc()).limit(limit)))


@dataclass(frozen=True)
class LastJob:
    """The newest job of a service, and which of its tasks did not do what they say (PROV-294)."""

    provision_id: int
    #: (name, error text) of tasks whose failure was ignored.
    ignored: list[tuple[str, str]]
    skipped: list[str]


def last_job(session: Session, actor: Actor, service_id: int) -> LastJob | None:
    """None for a service without a job. What a cancelling could not do stands on its job as left."""
    newest = next(iter(of_service(session, actor, service_id, 1)), None)
    if newest is None:
        return None
    rows = session.execute(
        select(ProvisionEvent.event_name, ProvisionEvent.message, ProvisionEvent.skipped)
        .where(
            ProvisionEvent.provision_id == newest.provision_id,
            ProvisionEvent.skipped | (ProvisionEvent.provisioning_status == int(Status.IGNORED)),
        )
        .order_by(ProvisionEvent.event_number)
    ).all()
    ignored = [(row.event_name, row.message) for row in rows if not row.skipped]
    return LastJob(
        newest.provision_id,
        [] if newest.action == "deprovision" else ignored,
        [row.event_name for row in rows if row.skipped],
    )
