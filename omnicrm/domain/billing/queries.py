"""Reads of money: what keeps a customer from being archived, and the figures of the billing tab."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from omnicrm.domain.billing.models import CustomerTransaction


def not_void() -> ColumnElement[bool]:
    """The condition of lists that do not ask for void transactions (BILL-062)."""
    return CustomerTransaction.void.is_(False)


def archive_blockers(session: Session, customer_id: int) -> dict[str, int]:
    """Invoices come with their own issue; until then none can be unpaid."""
    query = select(func.count()).where(
        CustomerTransaction.customer_id == customer_id,
        CustomerTransaction.invoice_id.is_(None),
        CustomerTransaction.void.is_(False),
    )
    return {"unpaid_invoices": 0, "uninvoiced_transactions": session.scalar(query) or 0}


@dataclass(frozen=True)
class Totals:
    """Minor units over the customer's transactions that are not void."""

    debits_minor: int
    credits_minor: int
    uninvoiced_minor: int
    count: int

    @property
    def balance_minor(self) -> int:
        """What the customer owes; negative where he has credit."""
        return self.debits_minor + self.credits_minor


def totals(session: Session, customer_id: int) -> Totals:
    amount = CustomerTransaction.retail_cost_minor + CustomerTransaction.tax_amount_minor
    rows = session.execute(
        select(CustomerTransaction.kind, CustomerTransaction.invoice_id.is_(None), func.sum(amount), func.count())
        .where(CustomerTransaction.customer_id == customer_id, CustomerTransaction.void.is_(False))
        .group_by(CustomerTransaction.kind, CustomerTransaction.invoice_id.is_(None))
    ).all()
    debits = sum(int(total) for kind, _, total, _ in rows if kind == "debit")
    credits = sum(int(total) for kind, _, total, _ in rows if kind != "debit")
    uninvoiced = sum(int(total) for _, is_open, total, _ in rows if is_open)
    return Totals(debits, credits, uninvoiced, sum(count for *_, count in rows))
