"""Transactions: one row for everything that costs or returns money (BILL-019..033, decision 35)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from omnicrm.domain.activity import Audit
from omnicrm.store import Base, LongText, Money, String, UtcDateTime, table

KINDS = ("debit", "credit", "payment")
CREDIT_TYPES = ("cash_payment", "card_payment", "bank_transfer", "account_credit", "refund", "discount")


class CustomerTransaction(Base):
    __tablename__ = "customer_transaction"
    __audit__ = Audit("transaction", lambda row: f"Transaction {row.title}", quiet=frozenset({"idempotency_key"}))
    __table_args__ = table(
        Index("ix_customer_transaction_customer", "customer_id", "created"),
        Index("ix_customer_transaction_created", "created"),
        Index("ix_customer_transaction_open", "customer_id", "invoice_id", "void"),
    )

    transaction_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))
    invoice_id: Mapped[int | None] = mapped_column(index=True)
    #: Kept without a foreign key: a failed order's service row is removed, what it cost stays on record.
    service_id: Mapped[int | None] = mapped_column(index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("customer_site.site_id", ondelete="SET NULL"))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.product_id", ondelete="SET NULL"))
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(LongText(), default="")
    retail_cost_minor: Mapped[int] = mapped_column("retail_cost", Money)
    wholesale_cost_minor: Mapped[int] = mapped_column("wholesale_cost", Money, default=0)
    tax_percentage_milli: Mapped[int] = mapped_column("tax_percentage", default=0)
    tax_amount_minor: Mapped[int] = mapped_column("tax_amount", Money, default=0)
    kind: Mapped[str] = mapped_column("transaction_type", String(20), default="debit")
    credit_type: Mapped[str | None] = mapped_column(String(30))
    void: Mapped[bool] = mapped_column(default=False)
    #: The job that booked it, the period it pays for, and the key that lets no repeat in (PC-16, decision 14).
    provision_id: Mapped[int | None] = mapped_column(index=True)
    period_key: Mapped[str | None] = mapped_column(String(190), unique=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(190), unique=True)
    #: The date of the transaction, which its writer may choose (BG-42).
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)
