"""Customer, contact, site, tag and attribute, with the columns of chapters 03, 07, 08 and 11."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from omnicrm.domain.activity import Audit
from omnicrm.store import Base, LongText, String, UtcDateTime, table

STATUSES = ("Open", "Closed", "Suspended", "Archived")
ACCOUNT_TYPES = ("Individual", "Business")
PAYMENT_TYPES = ("prepaid", "postpaid")
CONTACT_TYPES = ("Primary", "Billing", "Technical")


class Customer(Base):
    __tablename__ = "customer"
    __audit__ = Audit(
        "customer",
        lambda row: f"Customer {row.customer_name}",
        customer=lambda row: row.customer_id,
        quiet=frozenset({"customer_name_key"}),
    )
    __table_args__ = table(
        Index("ix_customer_status", "customer_status", "customer_id"),
        Index("ix_customer_name", "customer_name_key", "customer_id"),
    )

    customer_id: Mapped[int] = mapped_column(primary_key=True)
    customer_name: Mapped[str] = mapped_column(String(255))
    customer_name_key: Mapped[str] = mapped_column(String(255))
    customer_account_type: Mapped[str] = mapped_column(String(20))
    customer_status: Mapped[str] = mapped_column(String(50))
    customer_payment_type: Mapped[str] = mapped_column(String(20))
    customer_enabled: Mapped[bool] = mapped_column(default=True)
    tax_identifier: Mapped[str] = mapped_column(String(100), default="")
    contract_start_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    contract_end_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    customer_notes: Mapped[str] = mapped_column(LongText(), default="")
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)

    @validates("customer_name")
    def _key(self, _: str, value: str) -> str:
        self.customer_name_key = value.lower()[:255]
        return value


class CustomerContact(Base):
    __tablename__ = "customer_contact"
    __audit__ = Audit("contact", lambda row: f"Contact {row.full_name}")

    contact_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"), index=True)
    contact_firstname: Mapped[str] = mapped_column(String(150), default="")
    contact_lastname: Mapped[str] = mapped_column(String(150), default="")
    contact_email: Mapped[str] = mapped_column(String(190), default="", index=True)
    contact_phone: Mapped[str] = mapped_column(String(50), default="")
    contact_types: Mapped[str] = mapped_column(String(150), default="")
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def full_name(self) -> str:
        return f"{self.contact_firstname} {self.contact_lastname}".strip() or self.contact_email

    @property
    def types(self) -> list[str]:
        return [word for word in self.contact_types.split(",") if word]

    def has_type(self, word: str) -> bool:
        return word.lower() in (known.lower() for known in self.types)


class CustomerSite(Base):
    __tablename__ = "customer_site"
    __audit__ = Audit("site", lambda row: f"Site {row.site_name or row.address_line_1 or row.plus_code}")
    __table_args__ = table(Index("ix_customer_site_where", "latitude", "longitude"))

    site_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"), index=True)
    site_name: Mapped[str] = mapped_column(String(255), default="")
    address_line_1: Mapped[str] = mapped_column(String(255), default="")
    address_line_2: Mapped[str] = mapped_column(String(255), default="")
    city: Mapped[str] = mapped_column(String(150), default="")
    state: Mapped[str] = mapped_column(String(150), default="")
    zip_code: Mapped[str] = mapped_column(String(40), default="")
    country: Mapped[str] = mapped_column(String(100), default="")
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    google_maps_place_id: Mapped[str] = mapped_column(String(255), default="")
    plus_code: Mapped[str] = mapped_column(String(20), default="")
    address_note: Mapped[str] = mapped_column(String(2000), default="")
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)


class CustomerTag(Base):
    __tablename__ = "customer_tag"
    __audit__ = Audit("tag", lambda row: f"Tag {row.tag_text}")

    tag_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"), index=True)
    tag_text: Mapped[str] = mapped_column(String(150))
    tag_hex_color: Mapped[str] = mapped_column(String(6))
    tag_link: Mapped[str] = mapped_column(String(500), default="")
    tag_active_date: Mapped[datetime] = mapped_column(UtcDateTime)
    tag_deactivate_date: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)

    def active_at(self, moment: datetime) -> bool:
        return self.tag_active_date <= moment < self.tag_deactivate_date


class CustomerAttribute(Base):
    __tablename__ = "customer_attribute"
    __audit__ = Audit("attribute", lambda row: f"Attribute {row.attribute_name}")
    __table_args__ = table(
        UniqueConstraint("customer_id", "attribute_name"),
        Index("ix_customer_attribute_lookup", "attribute_name", "attribute_value"),
    )

    attribute_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))
    attribute_name: Mapped[str] = mapped_column(String(150))
    attribute_value: Mapped[str] = mapped_column(String(150))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)
