"""The activity log, written from the session's own change history: nobody writes an entry by hand, none is missed.

At each flush the changes of audited rows are noted (history is empty afterwards); new ids are filled in after
it; the entries are stored before the commit. A model says in `__audit__` how its entries read; `None` declares it
unaudited (jobs, events, sessions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, event, inspect
from sqlalchemy.orm import InstanceState, Mapped, Session, mapped_column

from omnicrm.domain import money
from omnicrm.store import Base, Encrypted, Json, LongText, Money, String, UtcDateTime, table

_UNLOGGED = frozenset({"created", "last_modified"})


class CustomerActivity(Base):
    """One entry; never changed, never deleted (CRM-221, CRM-225)."""

    __tablename__ = "customer_activity"
    __audit__ = None
    __table_args__ = table(
        Index("ix_customer_activity_customer", "customer_id", "activity_id"),
        Index("ix_customer_activity_entity", "entity_type", "entity_id", "activity_id"),
        Index("ix_customer_activity_service", "service_id", "activity_id"),
    )
    activity_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.customer_id"))
    user_id: Mapped[int | None]
    user_name: Mapped[str] = mapped_column(String(150))
    impersonating_user_id: Mapped[int | None]
    entity_type: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[int | None]
    service_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(LongText(), default="")
    changes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    batch_id: Mapped[str | None] = mapped_column(String(36))
    created: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Audit:
    """How a model's changes read in the log."""

    entity: str
    name: Callable[[Any], str]
    customer: Callable[[Any], int | None] = lambda row: getattr(row, "customer_id", None)
    service: Callable[[Any], int | None] = lambda row: getattr(row, "service_id", None)
    secret: frozenset[str] = frozenset()
    #: Further secret columns of this very row (texts whose template calls them Ki or PIN).
    secret_of: Callable[[Any], frozenset[str]] = lambda row: frozenset()
    #: Columns of our own bookkeeping (sort keys, counters) that no reader asks for.
    quiet: frozenset[str] = frozenset()


@dataclass
class _Entry:
    row: Any
    action: str
    changes: dict[str, list[Any]] = field(default_factory=dict)


@event.listens_for(Base, "attribute_instrument", propagate=True)
def _keep_old_values(cls: Any, key: str, attribute: Any) -> None:
    """An attribute that is set before it was ever read must still know what it replaces."""
    if getattr(cls, "__audit__", None) is not None and hasattr(attribute.impl, "active_history"):
        attribute.impl.active_history = True


@event.listens_for(Session, "before_flush")
def _collect(session: Session, _context: Any, _instances: Any) -> None:
    now = session.info.get("now")
    entries: dict[int, _Entry] = session.info.setdefault("activity", {})
    for row, action in [
        *((row, "create") for row in session.new),
        *((row, "update") for row in session.dirty if session.is_modified(row)),
        *((row, "delete") for row in session.deleted),
    ]:
        if now is not None and action != "delete":
            _stamp(row, action, now)
        audit = row.__audit__
        if audit is None:
            continue
        if "actor" not in session.info:
            raise RuntimeError(f"{type(row).__name__} was written outside an action")
        entry = entries.setdefault(id(row), _Entry(row, action))
        entry.action = action if action == "delete" else entry.action
        for name, pair in _changes(row, action, audit, session.info["currency"]).items():
            entry.changes[name] = [entry.changes[name][0] if name in entry.changes else pair[0], pair[1]]


def _stamp(row: Any, action: str, now: datetime) -> None:
    if action == "create" and hasattr(row, "created") and row.created is None:
        row.created = now
    if hasattr(row, "last_modified"):
        row.last_modified = now


def _changes(row: Any, action: str, audit: Audit, currency: str) -> dict[str, list[Any]]:
    state: InstanceState[Any] = inspect(row)
    secret = audit.secret | audit.secret_of(row)
    found: dict[str, list[Any]] = {}
    for attribute in state.mapper.column_attrs:
        column = attribute.columns[0]
        if column.primary_key or column.name in _UNLOGGED or column.name in audit.quiet:
            continue
        if action == "delete":
            old, new = state.dict.get(attribute.key), None
        else:
            history = state.attrs[attribute.key].history
            old = history.deleted[0] if history.deleted else None
            new = history.added[0] if history.added else None
            if not history.has_changes():
                continue
        if old == new or (action == "create" and new in (None, "", {})):
            continue
        if column.name in secret or isinstance(column.type, Encrypted):
            old, new = (None if old is None else "***"), (None if new is None else "*** (changed)")
        found[column.name] = [_plain(old, column.type, currency), _plain(new, column.type, currency)]
    return found


def _plain(value: Any, kind: Any, currency: str) -> Any:
    if isinstance(value, int) and isinstance(kind, Money):
        return money.to_text(value, currency)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return value


def batch_of_job(provision_id: int) -> str:
    """The `batch_id` of all that a provisioning job's token changed; a name could be anybody's."""
    return f"job:{provision_id}"


def write(session: Session) -> None:
    """Store what was collected; called by the door once the action's last flush is done."""
    actor = session.info["actor"]
    for entry in session.info.pop("activity", {}).values():
        changes = {name: pair for name, pair in entry.changes.items() if pair[0] != pair[1]}
        if entry.action == "update" and not changes:
            continue
        audit: Audit = entry.row.__audit__
        word = session.info.get("activity_verbs", {}).get(id(entry.row), entry.action)
        entity_id = inspect(entry.row).identity
        session.add(
            CustomerActivity(
                customer_id=audit.customer(entry.row),
                user_id=actor.user_id,
                user_name=actor.name,
                entity_type=audit.entity,
                entity_id=entity_id[0] if entity_id else None,
                service_id=audit.service(entry.row),
                action=word,
                title=f"{audit.name(entry.row)} {_PAST.get(word, word)}"[:255],
                changes=changes,
                ip_address=actor.ip_address,
                batch_id=session.info.get("batch_id") or (batch_of_job(actor.job.provision_id) if actor.job else None),
                created=session.info["now"],
            )
        )
    session.flush()


_PAST = {"create": "created", "update": "changed", "delete": "deleted", "archive": "archived", "restore": "restored"}


@event.listens_for(Session, "do_orm_execute")
def _refuse_bulk(state: Any) -> None:
    """A statement that writes bypasses the history; only an action that says so may use one, and logs a summary."""
    if not (state.is_insert or state.is_update or state.is_delete) or state.session.info.get("bulk"):
        return
    mapper = state.bind_mapper
    if mapper is not None and mapper.class_.__audit__ is not None:
        raise RuntimeError(f"a bulk statement on {mapper.class_.__name__} leaves no activity entry")
