"""Provisioning jobs and their events (PROV-149..154)."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from omnicrm.domain.activity import Audit
from omnicrm.store import Base, Encrypted, LongText, String, UtcDateTime, table


class Status(IntEnum):
    """Of jobs (0, 1, 2) and of events (all four)."""

    SUCCESS = 0
    RUNNING = 1
    FAILED = 2
    IGNORED = 3


class Provision(Base):
    __tablename__ = "Provision"
    __audit__ = Audit(
        "provision",
        lambda row: f"Provisioning job {row.provision_id or ''} ({row.provisioning_play})",
        quiet=frozenset({"provisioning_json_vars", "variables", "tasks_done", "current_task", "facts", "chain_rest"}),
    )
    __table_args__ = table(
        Index("ix_Provision_customer", "customer_id", "provision_id"),
        Index("ix_Provision_service", "service_id", "provision_id"),
        Index("ix_Provision_status", "provisioning_status", "provision_id"),
        Index("ux_Provision_request_key", "request_key", unique=True),
        Index("ix_Provision_chain", "chain_first", "provision_id"),
    )

    provision_id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.product_id", ondelete="SET NULL"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))
    #: No foreign key: the undoing of a failed order removes its service row, the job keeps the number.
    service_id: Mapped[int | None]
    provisioning_play: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(30), default="")
    #: The merged variables as the page shows them, without secrets.
    provisioning_json_vars: Mapped[str] = mapped_column(LongText(), default="{}")
    #: The same with everything, for the run, its retry and its clean-up; encrypted at rest.
    variables: Mapped[str | None] = mapped_column(Encrypted, deferred=True)
    #: What the play had set when it ended badly: the clean-up run starts from it (decision 30).
    facts: Mapped[str | None] = mapped_column(Encrypted, deferred=True)
    task_count: Mapped[int] = mapped_column(default=0)
    tasks_done: Mapped[int] = mapped_column(default=0)
    provisioning_status: Mapped[int] = mapped_column(default=int(Status.RUNNING))
    playbook_description: Mapped[str] = mapped_column(String(255), default="")
    initiating_user: Mapped[int | None]
    initiating_name: Mapped[str] = mapped_column(String(150), default="")
    error: Mapped[str] = mapped_column(String(2000), default="")
    retry_of: Mapped[int | None]
    #: What could not be undone, as JSON: a list of {"where", "what", "text", "away"}; None or "[]" where nothing is.
    leftovers: Mapped[str | None] = mapped_column(LongText())
    #: One job for one key: an automatic charge of one service, product and period (decision 14).
    request_key: Mapped[str | None] = mapped_column(String(190))
    #: The first job of a chain, on the jobs that follow it; the plays still to run, as a JSON list (PROV-206).
    chain_first: Mapped[int | None]
    chain_rest: Mapped[str | None] = mapped_column(LongText())
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


def author(initiating_name: str, provision_id: int) -> str:
    """Under this name the activity log has what a job's token did."""
    job = f" (job {provision_id})"
    return initiating_name[: 150 - len(job)] + job


class ProvisionEvent(Base):
    __tablename__ = "Provision_Event"
    __audit__ = None
    __table_args__ = table(UniqueConstraint("provision_id", "event_number"))

    provision_event_id: Mapped[int] = mapped_column(primary_key=True)
    provision_id: Mapped[int] = mapped_column(ForeignKey("Provision.provision_id", ondelete="CASCADE"))
    event_number: Mapped[int]
    event_name: Mapped[str] = mapped_column(String(500))
    provisioning_status: Mapped[int] = mapped_column(default=int(Status.RUNNING))
    skipped: Mapped[bool] = mapped_column(default=False)
    #: The task's result as JSON text, redacted and capped before it comes here.
    provisioning_result_json: Mapped[str] = mapped_column(LongText(), default="{}")
    message: Mapped[str] = mapped_column(String(2000), default="")
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
