"""Pure rules of transactions: what is a credit, and which tax applies (BILL-066..072, BG-20, BG-21)."""

from __future__ import annotations


def kind_of(sent_kind: str | None, credit_type: str | None, retail_minor: int) -> str:
    """A negative amount or a credit type makes a credit, whatever is sent (BG-20)."""
    if sent_kind in ("credit", "payment"):
        return sent_kind
    return "credit" if credit_type or retail_minor < 0 else "debit"


def signed(kind: str, minor: int) -> int:
    """Credits and payments lower what the customer owes: they are stored negative (BILL-021)."""
    return minor if kind == "debit" else -abs(minor)


def tax_percentage(kind: str, sent_milli: int | None, taxable: bool, exempt: bool, product_milli: int | None) -> int:
    """Thousandths of a percent, by the order of BG-21: credit 0, explicit, not taxable 0, product, else 0."""
    if kind != "debit":
        return 0
    if sent_milli is not None:
        return sent_milli
    if not taxable or exempt:
        return 0
    return product_milli or 0
