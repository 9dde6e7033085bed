"""Declaration of the service (PROV-108..122)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

from omnicrm.domain.actor import Actor
from omnicrm.domain.codecs import Amount, Flag, JsonObjectText, Moment, Reference, Text, one_of
from omnicrm.domain.customers.resource import id_field, owner_field, stamps
from omnicrm.domain.resource import Field, Resource
from omnicrm.domain.services.models import STATUSES, CustomerService


def visible(actor: Actor, resource: Resource[Any], verb: str) -> list[ColumnElement[bool]]:
    """The customer's services; a portal user sees those that are shown to him (PROV-120)."""
    bound = actor.bound_to("customer_service", verb)
    if bound is None:
        return []
    own = [CustomerService.customer_id == bound]
    if actor.is_customer:
        own += [CustomerService.service_visible_to_customer.is_(True), CustomerService.deleted_at.is_(None)]
    return own


def _once(name: str, length: int, **more: Any) -> Field:
    return Field(name, Text(length), nullable=False, default="", on_update=False, own=False, **more)


services: Resource[CustomerService] = Resource(
    CustomerService,
    "service",
    family="customer_service",
    key="service_id",
    fields=(
        id_field("service_id"),
        owner_field(),
        Field("product_id", Reference(table="product"), label="Product", on_update=False),
        Field("service_name", Text(255, blank=False), label="Name", required=True, nullable=False),
        Field("service_type", Text(50), label="Type", nullable=False, default="generic"),
        Field(
            "service_uuid",
            Text(100, blank=False, pattern=r"[A-Za-z0-9_.@+-]+", hint="may hold letters, digits and _ . @ + - only"),
            label="UUID",
            required=True,
            nullable=False,
            on_update=False,
        ),
        Field("icon", Text(100), nullable=False, default=""),
        Field("service_status", one_of(*STATUSES, open=True), label="Status", nullable=False, default="Active"),
        Field("service_provisioned_date", Moment(), label="Provisioned", on_update=False, default=lambda ctx: ctx.now),
        Field("service_active_date", Moment(), label="Active since"),
        Field("service_deactivate_date", Moment(), label="Ends"),
        Field("contract_end_date", Moment(), label="Contract end"),
        Field("cancel_at", Moment(), label="Cancelled for", on_create=False, on_update=False),
        Field("retail_cost", Amount(), attr="retail_cost_minor", label="Monthly price", nullable=False, default=0),
        Field(
            "wholesale_cost",
            Amount(),
            attr="wholesale_cost_minor",
            label="Monthly cost",
            nullable=False,
            default=0,
            own=False,
        ),
        Field("service_billed", Flag(), label="Billed", nullable=False, default=True),
        Field("service_taxable", Flag(), label="Taxable", nullable=False, default=True),
        Field("invoiced", Flag(), nullable=False, on_create=False, on_update=False),
        Field("auto_renew", Flag(), nullable=False, default=False),
        Field("promo_code", Text(100), nullable=False, default=""),
        Field("service_visible_to_customer", Flag(), label="Visible to customer", nullable=False, default=True),
        Field(
            "service_usage_visible_to_customer", Flag(), label="Usage visible to customer", nullable=False, default=True
        ),
        _once("provisioning_play", 255),
        Field("provisioning_json_vars", JsonObjectText(), nullable=False, default="", on_update=False, own=False),
        _once("deprovisioning_play", 255),
        Field("deprovisioning_json_vars", JsonObjectText(), nullable=False, default="", on_update=False, own=False),
        Field("bundled_parent", Reference(table="customer_service"), on_update=False),
        Field("site_id", Reference(table="customer_site"), label="Site"),
        Field("service_notes", Text(65_535, "textarea"), label="Notes", nullable=False, default="", own=False),
        *stamps(),
    ),
    scope=visible,
    search=("service_name", "service_uuid"),
    filters=("customer_id", "product_id", "service_type", "service_status", "site_id", "service_uuid"),
    sort=("service_name", "service_type", "service_status", "retail_cost", "service_provisioned_date"),
    by_customer="data",
)
