"""Declaration of the transaction (BILL-019..033, BILL-060..074)."""

from __future__ import annotations

from omnicrm.domain.billing.models import CREDIT_TYPES, KINDS, CustomerTransaction
from omnicrm.domain.codecs import Amount, Flag, Moment, Percent, Reference, Text, Whole, one_of
from omnicrm.domain.customers.resource import id_field
from omnicrm.domain.resource import Field, Resource

transactions: Resource[CustomerTransaction] = Resource(
    CustomerTransaction,
    "transaction",
    family="customer_transaction",
    key="transaction_id",
    fields=(
        id_field("transaction_id"),
        Field(
            "customer_id", Reference(table="customer"), label="Customer", required=True, nullable=False, on_update=False
        ),
        #: Set by the generation of invoices; a play may send null (BILL-026).
        Field("invoice_id", Whole(1), label="Invoice", on_update=False),
        Field("service_id", Reference(table="customer_service"), label="Service", on_update=False),
        Field("site_id", Reference(table="customer_site"), label="Site", on_update=False),
        Field("product_id", Reference(table="product"), label="Product", on_update=False),
        Field("title", Text(255, blank=False), required=True, nullable=False),
        Field("description", Text(65_535, "textarea"), default=""),
        Field("retail_cost", Amount(low=None), attr="retail_cost_minor", label="Amount", required=True, nullable=False),
        Field("wholesale_cost", Amount(low=None), attr="wholesale_cost_minor", label="Cost", default=0, own=False),
        Field("tax_percentage", Percent(), attr="tax_percentage_milli", label="Tax %"),
        Field("tax_amount", Amount(low=None), attr="tax_amount_minor", label="Tax", on_create=False, on_update=False),
        Field("transaction_type", one_of(*KINDS), attr="kind", label="Kind", on_update=False),
        Field("credit_type", one_of(*CREDIT_TYPES), on_update=False),
        Field("void", Flag(), on_create=False, on_update=False),
        Field("provision_id", Whole(), on_create=False, on_update=False, own=False),
        Field("created", Moment(), label="Date", on_update=False, default=lambda ctx: ctx.now),
        Field("entered_at", Moment(), on_create=False, on_update=False, own=False),
        Field("last_modified", Moment(), on_create=False, on_update=False),
    ),
    search=("title", "description"),
    filters=("customer_id", "service_id", "invoice_id", "transaction_type", "credit_type", "void"),
    sort=("title", "retail_cost", "created"),
    by_customer="data",
)
