"""Reads the CRM's records for a check: one pass for each table, in chunks by key, columns instead of rows.

No encrypted column is read, so that a check needs no key and shows no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from omnicrm.domain.billing.models import CustomerTransaction
from omnicrm.domain.checking.rules_jobs import FAILED, RUNNING
from omnicrm.domain.checking.values import Item, Provisioning, QueuedJob, Reservation, Service, Sim, Work
from omnicrm.domain.inventory.models import Inventory, InventoryReservation, InventoryTemplate
from omnicrm.domain.inventory.queries import ORDER_JOBS
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent
from omnicrm.domain.services.models import GROUPS, STATUSES, CustomerService
from omnicrm.store import Database

CHUNK = 1000
#: Labels of a template's text that hold the IMSI of a SIM, and the digits of a number (PC-14).
_IMSI = {"imsi"}
_NUMBER = {"phone_number", "mobile_number", "msisdn", "did", "did_number"}

_SERVICE = (
    CustomerService.service_id,
    CustomerService.customer_id,
    CustomerService.product_id,
    CustomerService.service_name,
    CustomerService.service_uuid,
    CustomerService.service_status,
    CustomerService.auto_renew,
    CustomerService.service_deactivate_date,
    CustomerService.deleted_at,
    CustomerService.cancel_at,
    CustomerService.status_before,
    CustomerService.made_by_provision_id,
    Provision.provisioning_status,
)


def _services() -> Any:
    return select(*_SERVICE).outerjoin(Provision, Provision.provision_id == CustomerService.made_by_provision_id)


def _service(row: Any) -> Service:
    status = row.service_status
    return Service(
        service_id=row.service_id,
        customer_id=row.customer_id,
        product_id=row.product_id,
        name=row.service_name,
        uuid=row.service_uuid,
        group=status if status in STATUSES else GROUPS.get(status.lower(), "Active"),
        auto_renew=bool(row.auto_renew),
        ended_at=row.service_deactivate_date,
        deleted_at=row.deleted_at,
        cancel_at=row.cancel_at,
        status_before=row.status_before,
        made_by=row.made_by_provision_id,
        maker_failed=row.provisioning_status == FAILED,
    )


def chunks(db: Database, query: Any, key: Any) -> Iterator[list[Any]]:
    """The query's rows in key order; the key is its first column."""
    query = query.order_by(key).limit(CHUNK)
    rows = db.read(lambda session: list(session.execute(query)))
    while rows:
        yield rows
        last = rows[-1][0]
        rows = db.read(lambda session, last=last: list(session.execute(query.where(key > last))))  # type: ignore[misc]


def services(db: Database) -> Iterator[list[Service]]:
    for rows in chunks(db, _services(), CustomerService.service_id):
        yield [_service(row) for row in rows]


def services_by(db: Database, column: Any, values: Sequence[Any]) -> dict[Any, Service]:
    """Services by `service_id` or `service_uuid`, whichever the column is."""
    name = "uuid" if column is CustomerService.service_uuid else "service_id"
    rows = db.read(lambda session: list(session.execute(_services().where(column.in_(values))))) if values else []
    return {getattr(service, name): service for service in map(_service, rows)}


def items(db: Database) -> Iterator[tuple[list[Item], list[Sim]]]:
    """Items with their services, and those among them that are SIMs."""
    texts = db.read(_texts)
    named = [getattr(Inventory, name) for name in sorted({name for pair in texts.values() for name in pair if name})]
    columns = (Inventory.item, Inventory.itemtext1, Inventory.item_state, Inventory.customer_id, Inventory.service_id)
    query = select(Inventory.inventory_id, Inventory.inventory_template_id, *columns, *named)
    for rows in chunks(db, query, Inventory.inventory_id):
        owners = services_by(db, CustomerService.service_id, sorted({row.service_id for row in rows} - {None}))
        found = [
            Item(row[0], row.item, row.itemtext1, row.item_state, row.customer_id, row.service_id, owners.get(row[6]))
            for row in rows
        ]
        numbers = db.read(lambda session, ids=list(owners): _numbers(session, texts, ids))  # type: ignore[misc]
        sims = []
        for item, row in zip(found, rows, strict=True):
            imsi_text = texts.get(row.inventory_template_id, ("", ""))[0]
            if imsi_text and getattr(row, imsi_text):
                sims.append(Sim(item, getattr(row, imsi_text), frozenset(numbers.get(item.service_id or 0, ()))))
        yield found, sims


def _texts(session: Session) -> dict[int, tuple[str, str]]:
    """For each template the text that holds the IMSI and the one that holds the number, "" where there is none."""
    found = {}
    for template in session.scalars(select(InventoryTemplate)):
        labels = [(name, re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")) for name, label in template.labels]
        imsi = next((name for name, label in labels if label in _IMSI), "")
        number = next((name for name, label in labels if label in _NUMBER), "")
        if imsi or number:
            found[template.inventory_template_id] = (imsi, number)
    return found


def _numbers(session: Session, texts: dict[int, tuple[str, str]], service_ids: list[int]) -> dict[int, set[str]]:
    """The digits of the numbers that each service holds."""
    found: dict[int, set[str]] = {}
    for template_id, (_, name) in texts.items():
        if not name or not service_ids:
            continue
        column = getattr(Inventory, name)
        query = select(Inventory.service_id, column).where(
            Inventory.inventory_template_id == template_id, Inventory.service_id.in_(service_ids)
        )
        for service_id, text in session.execute(query):
            found.setdefault(service_id, set()).add(re.sub(r"\D", "", text))
    return found


def reservations(session: Session) -> list[Reservation]:
    """Every reservation that only an open order may have; what a failed one left behind keeps its items too."""
    left = select(Provision.provision_id).where(Provision.leftovers.is_not(None))
    query = (
        select(
            InventoryReservation.inventory_id,
            Inventory.item,
            InventoryReservation.provision_id,
            InventoryReservation.expires_at,
        )
        .join(Inventory, Inventory.inventory_id == InventoryReservation.inventory_id)
        .where(InventoryReservation.provision_id.not_in(left))
    )
    return [Reservation(*row) for row in session.execute(query.order_by(InventoryReservation.inventory_id))]


_OPEN = Job.state.in_(("queued", "running"))
_OF_PROVISIONING = Job.kind.in_(ORDER_JOBS)


def queue(session: Session) -> list[QueuedJob]:
    """Entries that wait or run; few at any time."""
    query = (
        select(Job.job_id, Job.kind, Job.state, Job.subject_id, Job.lease, Job.heartbeat_at, Provision.finished_at)
        .outerjoin(Provision, (Provision.provision_id == Job.subject_id) & _OF_PROVISIONING)
        .where(_OPEN)
        .order_by(Job.job_id)
    )
    return [QueuedJob(*row[:-1], row[-1] is not None) for row in session.execute(query)]


def work(session: Session) -> Work:
    """What is being worked on; the engine's part comes from its own books."""
    jobs = session.execute(
        select(Job.subject_id, Job.lease, Job.state).where(_OPEN, _OF_PROVISIONING, Job.subject_id.is_not(None))
    ).all()
    ids = {job.subject_id for job in jobs}
    named = session.scalars(select(Provision.service_id).where(Provision.provision_id.in_(ids)))
    made = session.scalars(select(CustomerService.service_id).where(CustomerService.made_by_provision_id.in_(ids)))
    # Suspending, resuming and ending have jobs of their own, whose subject is the service.
    changed = session.scalars(select(Job.subject_id).where(_OPEN, Job.kind.like("service.%")))
    service_ids = {*named, *made, *changed} - {None}
    held = select(Inventory.inventory_id).where(
        or_(
            Inventory.service_id.in_(service_ids),
            exists().where(
                InventoryReservation.inventory_id == Inventory.inventory_id, InventoryReservation.provision_id.in_(ids)
            ),
        )
    )
    runs = {(job.subject_id, job.lease) for job in jobs if job.state == "running"}
    return Work(
        frozenset(filter(None, ids)),
        frozenset(filter(None, service_ids)),
        frozenset(session.scalars(held)),
        frozenset((subject, lease) for subject, lease in runs if subject is not None),
    )


def provisionings(db: Database, working: Work) -> Iterator[list[Provisioning]]:
    """Jobs with their open events, charges and leftovers."""
    columns = (Provision.playbook_description, Provision.provisioning_play, Provision.provisioning_status)
    counts = (Provision.tasks_done, Provision.task_count, Provision.leftovers)
    query = select(Provision.provision_id, *columns, *counts)
    for rows in chunks(db, query, Provision.provision_id):
        first, last = rows[0][0], rows[-1][0]
        events, charges = db.read(lambda session, a=first, b=last: (_events(session, a, b), _charges(session, a, b)))  # type: ignore[misc]
        yield [
            Provisioning(
                row.provision_id,
                row.playbook_description or row.provisioning_play,
                row.provisioning_status,
                row.provision_id in working.provisions,
                row.tasks_done,
                row.task_count,
                tuple(events.get(row.provision_id, ())),
                _leftovers(row.leftovers),
                tuple(charges.get(row.provision_id, ())),
            )
            for row in rows
        ]


def _events(session: Session, first: int, last: int) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    query = select(ProvisionEvent.provision_id, ProvisionEvent.event_name).where(
        ProvisionEvent.provision_id.between(first, last), ProvisionEvent.provisioning_status == RUNNING
    )
    for provision_id, name in session.execute(query.order_by(ProvisionEvent.event_number)):
        found.setdefault(provision_id, []).append(name)
    return found


def _charges(session: Session, first: int, last: int) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    query = (
        select(CustomerTransaction.provision_id, CustomerTransaction.transaction_id)
        .join(Provision, Provision.provision_id == CustomerTransaction.provision_id)
        .where(
            CustomerTransaction.provision_id.between(first, last),
            CustomerTransaction.void.is_(False),
            CustomerTransaction.invoice_id.is_(None),
            Provision.provisioning_status == FAILED,
        )
    )
    for provision_id, transaction_id in session.execute(query):
        found.setdefault(int(provision_id or 0), []).append(transaction_id)
    return found


def _leftovers(text: str | None) -> tuple[tuple[str, str, str], ...]:
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        rows = [{"where": "this job", "what": "Its list of leftovers", "text": "cannot be read"}]
    return tuple((str(row.get("where")), str(row.get("what")), str(row.get("text"))) for row in rows)
