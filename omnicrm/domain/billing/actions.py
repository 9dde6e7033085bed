"""Writes of transactions: book, correct while uninvoiced, void."""

from __future__ import annotations

from sqlalchemy import select

from omnicrm.domain import money
from omnicrm.domain.action import Ctx
from omnicrm.domain.billing import rules
from omnicrm.domain.billing.models import CustomerTransaction
from omnicrm.domain.billing.resource import transactions
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.customers.models import CustomerAttribute
from omnicrm.domain.errors import Conflict, Invalid, NotPermitted
from omnicrm.domain.resource import Write, Written
from omnicrm.domain.services.models import CustomerService


@transactions.verb("create")
def create_transaction(ctx: Ctx, cmd: Write) -> Written[CustomerTransaction]:
    """Book a debit or a credit; tax follows BG-21. An invoice takes its lines by generation, never by this door."""
    if cmd.values.get("invoice_id") not in (None, "", "null"):
        raise Invalid({"invoice_id": "must be null: an invoice collects its transactions when it is generated"})
    row = CustomerTransaction()
    values = {name: value for name, value in cmd.values.items() if name != "invoice_id"}
    with ctx.session.no_autoflush:
        transactions.fill(ctx, row, values, creating=True)
        transactions.stay_in_scope(ctx, row, "create")
        _fill_empty(row)
        _settle_amounts(ctx, row)
    row.entered_at = ctx.now
    if ctx.actor.job is not None:
        row.provision_id = ctx.actor.job.provision_id
    ctx.session.add(row)
    ctx.session.flush()
    return Written(row)


def _fill_empty(row: CustomerTransaction) -> None:
    """What a play sends as null is empty text or nothing."""
    row.description = row.description or ""
    row.wholesale_cost_minor = row.wholesale_cost_minor or 0


def _settle_amounts(ctx: Ctx, row: CustomerTransaction) -> None:
    row.kind = rules.kind_of(row.kind, row.credit_type, row.retail_cost_minor)
    row.retail_cost_minor = rules.signed(row.kind, row.retail_cost_minor)
    service = ctx.session.get(CustomerService, row.service_id) if row.service_id else None
    product_id = row.product_id or (service.product_id if service else None)
    product = ctx.session.get(Product, product_id) if product_id else None
    exempt = ctx.session.scalar(
        select(CustomerAttribute.attribute_value).where(
            CustomerAttribute.customer_id == row.customer_id, CustomerAttribute.attribute_name == "tax_exempt"
        )
    )
    row.tax_percentage_milli = rules.tax_percentage(
        row.kind,
        row.tax_percentage_milli,
        service is None or service.service_taxable,
        exempt == "true",
        product.tax_percentage_milli if product else None,
    )
    row.tax_amount_minor = money.tax(row.retail_cost_minor, row.tax_percentage_milli)


@transactions.verb("update")
def update_transaction(ctx: Ctx, cmd: Write) -> Written[CustomerTransaction]:
    """Title, description, amounts and tax of an uninvoiced transaction; what is invoiced stays (BILL-074)."""
    row = ctx.load(CustomerTransaction, cmd.key, *transactions.scope(ctx.actor, transactions, "update"))
    _refuse_settled(row, "changed")
    with ctx.session.no_autoflush:
        ignored = transactions.fill(ctx, row, cmd.values, creating=False)
        _fill_empty(row)
    if row.kind == "debit" and row.retail_cost_minor < 0:
        raise Invalid({"retail_cost": "must not be negative: the transaction is a debit; book a credit instead"})
    row.retail_cost_minor = rules.signed(row.kind, row.retail_cost_minor)
    if row.kind != "debit":
        row.tax_percentage_milli = 0
    row.tax_percentage_milli = row.tax_percentage_milli or 0
    row.tax_amount_minor = money.tax(row.retail_cost_minor, row.tax_percentage_milli)
    return Written(row, ignored)


@transactions.verb("delete")
def void_transaction(ctx: Ctx, cmd: Write) -> Written[CustomerTransaction]:
    """DELETE voids: the row is kept, and left out of lists, invoices and totals (BILL-060..065)."""
    row = ctx.load(CustomerTransaction, cmd.key, *transactions.scope(ctx.actor, transactions, "delete"))
    if ctx.actor.job is not None and row.provision_id != ctx.actor.job.provision_id:
        raise NotPermitted("A job voids its own charges only.")
    _refuse_settled(row, "voided")
    row.void = True
    ctx.called(row, "void")
    return Written(row)


def void_charges_of(ctx: Ctx, provision_id: int) -> None:
    """What a failed job had booked is owed by nobody, also when its play died before it could say so."""
    query = select(CustomerTransaction).where(
        CustomerTransaction.provision_id == provision_id,
        CustomerTransaction.invoice_id.is_(None),
        CustomerTransaction.void.is_(False),
    )
    for row in ctx.session.scalars(query.with_for_update()):
        row.void = True
        ctx.called(row, "void")


def _refuse_settled(row: CustomerTransaction, verb: str) -> None:
    if row.void:
        raise Conflict("The transaction is void.")
    if row.invoice_id is not None:
        raise Conflict(f"The transaction is on invoice {row.invoice_id} and cannot be {verb}; book a credit instead.")
