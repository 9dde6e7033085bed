"""Declarations of customer, contact, site, tag and attribute: fields, checks and scope."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain.action import Ctx
from omnicrm.domain.actor import Actor
from omnicrm.domain.codecs import Choice, Degrees, Flag, HexColor, Link, Moment, Reference, Text, Whole, Words, one_of
from omnicrm.domain.customers import ports, rules
from omnicrm.domain.customers.models import (
    ACCOUNT_TYPES,
    CONTACT_TYPES,
    PAYMENT_TYPES,
    Customer,
    CustomerAttribute,
    CustomerContact,
    CustomerSite,
    CustomerTag,
)
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.resource import Field, Resource

_FOREVER = datetime(2099, 1, 1, tzinfo=UTC)


def id_field(name: str) -> Field:
    return Field(name, Whole(), label="ID", on_create=False, on_update=False)


def stamps(spaced: bool = False) -> tuple[Field, Field]:
    """`created` and `last_modified`: set by the product, never by a request (CRM-008)."""
    return (
        Field("created", Moment(spaced), on_create=False, on_update=False),
        Field("last_modified", Moment(spaced), on_create=False, on_update=False),
    )


def owner_field() -> Field:
    """The customer that a row belongs to: fixed at creation."""
    codec = Reference(table="customer", absent_is_404=True)
    return Field("customer_id", codec, label="Customer", required=True, nullable=False, on_update=False)


def _check_customer(ctx: Ctx, row: Customer, changed: frozenset[str]) -> None:
    if row.contract_start_date and row.contract_end_date and row.contract_end_date < row.contract_start_date:
        raise Invalid({"contract_end_date": "must not lie before contract_start_date"})


def refuse_archived(ctx: Ctx, row: Any) -> None:
    """What belongs to an archived customer is read-only until its restoration (CRM-071)."""
    with ctx.session.no_autoflush:
        owner = ctx.session.get(Customer, row.customer_id) if row.customer_id else None
    if owner is not None and owner.customer_status == "Archived":
        raise Conflict("Customer is archived. Restore it before changing what belongs to it.")


def _with_contacts(session: Session, row: Customer, actor: Actor) -> dict[str, Any]:
    """`contacts`, the one to greet first (CRM-030)."""
    found = session.scalars(select(CustomerContact).where(CustomerContact.customer_id == row.customer_id))
    names = ("contact_id", "contact_firstname", "contact_lastname", "contact_email", "contact_phone", "contact_types")
    return {
        "contacts": [{name: getattr(contact, name) for name in names} for contact in rules.primary_first(list(found))]
    }


customers: Resource[Customer] = Resource(
    Customer,
    "customer",
    family="customer",
    key="customer_id",
    fields=(
        id_field("customer_id"),
        Field("customer_name", Text(255, blank=False), required=True, nullable=False),
        Field(
            "customer_account_type", one_of(*ACCOUNT_TYPES), label="Account type", nullable=False, default="Individual"
        ),
        Field("customer_status", Choice(rules.statuses), label="Status", nullable=False, default="Open"),
        Field("customer_payment_type", one_of(*PAYMENT_TYPES), label="Payment type", nullable=False, default="prepaid"),
        Field("customer_enabled", Flag(), label="Enabled", nullable=False, default=True),
        Field("tax_identifier", Text(100), help="VAT or GST number", nullable=False, default=""),
        Field("contract_start_date", Moment(), label="Contract start"),
        Field("contract_end_date", Moment(), label="Contract end"),
        Field("customer_notes", Text(65_535, widget="textarea"), label="Notes", nullable=False, default="", own=False),
        *stamps(),
    ),
    search=("customer_name",),
    filters=("customer_status", "customer_account_type", "customer_payment_type", "customer_enabled"),
    sort=("customer_name", "customer_account_type", "customer_status", "customer_payment_type", "created"),
    check=_check_customer,
    extend=_with_contacts,
)


def _check_contact(ctx: Ctx, row: CustomerContact, changed: frozenset[str]) -> None:
    """A name or an address to reach somebody by, and one Primary contact a customer (CRM-078, CRM-081)."""
    refuse_archived(ctx, row)
    if not (row.contact_firstname or row.contact_lastname or row.contact_email):
        raise Invalid({"contact_firstname": "give a first name, a last name or an e-mail address"})
    query = select(CustomerContact).where(CustomerContact.customer_id == row.customer_id)
    others = [other for other in ctx.session.scalars(query.with_for_update()) if other is not row]
    if not others and not row.contact_types:
        row.contact_types = "Primary"
    if row.has_type("Primary"):
        for other in others:
            if other.has_type("Primary"):
                other.contact_types = ",".join(word for word in other.types if word.lower() != "primary")


contacts: Resource[CustomerContact] = Resource(
    CustomerContact,
    "contact",
    family="customer_contact",
    key="contact_id",
    fields=(
        id_field("contact_id"),
        owner_field(),
        Field("contact_firstname", Text(150), label="First name", nullable=False, default=""),
        Field("contact_lastname", Text(150), label="Last name", nullable=False, default=""),
        Field(
            "contact_email",
            Text(190, widget="email", pattern=rules.EMAIL, hint="must be an e-mail address such as ann@example.com"),
            label="E-mail",
            nullable=False,
            default="",
        ),
        Field(
            "contact_phone",
            Text(50, widget="tel", pattern=rules.PHONE, hint="may hold digits, spaces and + ( ) - . only"),
            label="Phone",
            nullable=False,
            default="",
        ),
        Field(
            "contact_types",
            Words(CONTACT_TYPES),
            label="Types",
            help="Primary, Billing, Technical or words of your own, separated by commas",
            nullable=False,
            default="",
        ),
        *stamps(),
    ),
    search=("contact_firstname", "contact_lastname", "contact_email", "contact_phone"),
    sort=("contact_lastname", "contact_email"),
    newest_first=False,
    check=_check_contact,
    by_customer="array",
)


def _check_site(ctx: Ctx, row: CustomerSite, changed: frozenset[str]) -> None:
    """A site is somewhere: coordinates, country and Plus Code (CRM-101, CRM-102)."""
    refuse_archived(ctx, row)
    row.country = row.country or ctx.settings.regional.default_country
    if row.latitude is None or row.longitude is None:
        text = "Please select a location by searching for an address or dragging the map pin."
        raise Invalid({name: text for name in ("latitude", "longitude") if getattr(row, name) is None})
    moved = changed & {"latitude", "longitude"}
    if not row.plus_code or (moved and "plus_code" not in changed):
        row.plus_code = rules.plus_code(row.latitude, row.longitude)
    elif not rules.is_plus_code(row.plus_code):
        raise Invalid({"plus_code": "must be a full Plus Code of 11 or 12 characters such as 9C3XGV4C+XV"})


def _check_site_unused(ctx: Ctx, row: CustomerSite) -> None:
    refuse_archived(ctx, row)
    used = [name for ask in ports.SITE_USERS for name in ask(ctx.session, row.site_id)]
    if used:
        raise Conflict(f"The site is in use by {', '.join(used[:5])}. Move these services first.", services=used)


sites: Resource[CustomerSite] = Resource(
    CustomerSite,
    "site",
    family="customer_site",
    key="site_id",
    fields=(
        id_field("site_id"),
        owner_field(),
        Field("site_name", Text(255), nullable=False, default=""),
        Field("address_line_1", Text(255), label="Address line 1", nullable=False, default=""),
        Field("address_line_2", Text(255), label="Address line 2", nullable=False, default=""),
        Field("city", Text(150), nullable=False, default=""),
        Field("state", Text(150), label="State or region", nullable=False, default=""),
        Field("zip_code", Text(40), nullable=False, default=""),
        Field("country", Text(100), nullable=False, default=""),
        Field("latitude", Degrees(90), required=True),
        Field("longitude", Degrees(180), required=True),
        Field("google_maps_place_id", Text(255), nullable=False, default=""),
        Field("plus_code", Text(20), help="Computed from the coordinates", nullable=False, default=""),
        Field(
            "address_note",
            Text(2000, widget="textarea"),
            help="Directions for installers",
            nullable=False,
            default="",
        ),
        *stamps(),
    ),
    search=("site_name", "address_line_1", "city", "zip_code", "plus_code"),
    filters=("customer_id", "city"),
    sort=("site_name", "city"),
    newest_first=False,
    check=_check_site,
    check_delete=_check_site_unused,
    by_customer="array",
)


def _check_tag(ctx: Ctx, row: CustomerTag, changed: frozenset[str]) -> None:
    refuse_archived(ctx, row)
    if row.tag_deactivate_date <= row.tag_active_date:
        raise Invalid({"tag_deactivate_date": "must lie after tag_active_date"})


tags: Resource[CustomerTag] = Resource(
    CustomerTag,
    "tag",
    family="customer_tag",
    key="tag_id",
    fields=(
        id_field("tag_id"),
        owner_field(),
        Field("tag_text", Text(150, blank=False), required=True, nullable=False),
        Field("tag_hex_color", HexColor(), label="Tag color", required=True, nullable=False),
        Field("tag_link", Link(), nullable=False, default=""),
        Field("tag_active_date", Moment(True), label="Active date", nullable=False, default=lambda ctx: ctx.now),
        Field("tag_deactivate_date", Moment(True), label="Deactivate date", nullable=False, default=_FOREVER),
        *stamps(spaced=True),
    ),
    search=("tag_text",),
    sort=("tag_text", "tag_active_date", "tag_deactivate_date"),
    newest_first=False,
    check=_check_tag,
    check_delete=refuse_archived,
)


def _check_attribute(ctx: Ctx, row: CustomerAttribute, changed: frozenset[str]) -> None:
    """A name is unique for its customer; renaming onto a taken one is refused (CRM-134, CRM-135)."""
    refuse_archived(ctx, row)
    if row.attribute_id is None or "attribute_name" not in changed:
        return
    taken = select(CustomerAttribute.attribute_id).where(
        CustomerAttribute.customer_id == row.customer_id,
        CustomerAttribute.attribute_name == row.attribute_name,
        CustomerAttribute.attribute_id != row.attribute_id,
    )
    if ctx.session.scalar(taken) is not None:
        raise Conflict(f"The customer already has an attribute {row.attribute_name!r}.")


attributes: Resource[CustomerAttribute] = Resource(
    CustomerAttribute,
    "attribute",
    family="customer_attribute",
    key="attribute_id",
    fields=(
        id_field("attribute_id"),
        owner_field(),
        Field("attribute_name", Text(150, blank=False), required=True, nullable=False),
        Field("attribute_value", Text(150), required=True, nullable=False),
        *stamps(spaced=True),
    ),
    search=("attribute_name", "attribute_value"),
    filters=("attribute_name", "attribute_value"),
    sort=("attribute_name",),
    newest_first=False,
    check=_check_attribute,
    check_delete=refuse_archived,
    by_customer="array",
)
