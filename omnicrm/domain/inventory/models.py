"""Inventory templates, items and reservations (CRM-148..186, PC-03)."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, object_session

from omnicrm.domain.activity import Audit
from omnicrm.store import Base, Encrypted, LongText, Money, String, UtcDateTime, table

STATES = (
    "New",
    "In Stock",
    "Assigned",
    "Used",
    "Internal Use",
    "Damaged",
    "Out of Service",
    "Lost",
    "Stolen",
    "In Transit",
    "Decommissioned",
)
#: Words that the SIM example uses for the two steps of handing a card over (CRM-174).
STATE_ALIASES = {"allocated": "Assigned", "in use": "Assigned"}
#: Words of labels whose texts are secrets of a SIM card or a device.
SECRET_WORDS = frozenset({"ki", "op", "opc", "pin", "puk", "adm", "password"})
TEXTS = tuple(f"itemtext{number}" for number in range(1, 21))


class InventoryTemplate(Base):
    __tablename__ = "Inventory_Template"
    __audit__ = Audit("inventory_template", lambda row: f"Template {row.item}", customer=lambda row: None)

    inventory_template_id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(String(150), unique=True)
    icon: Mapped[str] = mapped_column(String(100), default="")
    wholesale_cost_minor: Mapped[int] = mapped_column("wholesale_cost", Money, default=0)
    retail_cost_minor: Mapped[int] = mapped_column("retail_cost", Money, default=0)
    itemtext1_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext2_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext3_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext4_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext5_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext6_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext7_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext8_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext9_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext10_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext11_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext12_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext13_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext14_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext15_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext16_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext17_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext18_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext19_label: Mapped[str] = mapped_column(String(100), default="")
    itemtext20_label: Mapped[str] = mapped_column(String(100), default="")
    allow_staff_dropdown: Mapped[bool] = mapped_column(default=True)
    allow_customer_dropdown: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def labels(self) -> list[tuple[str, str]]:
        """The used texts with their labels, in order: [("itemtext1", "ICCID"), …]."""
        return [(name, label) for name in TEXTS if (label := getattr(self, f"{name}_label"))]

    @property
    def secret_texts(self) -> frozenset[str]:
        """The texts whose labels name a secret: "Ki", "OPC", "PIN 1", "PUK2"."""
        return frozenset(name for name, label in self.labels if SECRET_WORDS & {*re.findall("[a-z]+", label.lower())})


def _secret_texts(row: Inventory) -> frozenset[str]:
    """The texts of an item that its template calls secrets; the activity log says only that they changed."""
    session = object_session(row)
    template = session.get(InventoryTemplate, row.inventory_template_id) if session is not None else None
    return template.secret_texts if template is not None else frozenset()


class Inventory(Base):
    __tablename__ = "inventory"
    __audit__ = Audit(
        "inventory",
        lambda row: f"{row.item} {row.itemtext1}".strip(),
        secret=frozenset({"management_password"}),
        secret_of=_secret_texts,
    )
    __table_args__ = table(
        Index("ix_inventory_stock", "item", "item_state", "customer_id", "inventory_id"),
        Index("ix_inventory_customer", "customer_id", "inventory_id"),
        Index("ix_inventory_service", "service_id"),
        Index("ix_inventory_text1", "itemtext1"),
        Index("ix_inventory_text2", "itemtext2"),
    )

    inventory_id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(String(150))
    inventory_template_id: Mapped[int] = mapped_column(
        ForeignKey("Inventory_Template.inventory_template_id"), index=True
    )
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.customer_id"))
    service_id: Mapped[int | None] = mapped_column(ForeignKey("customer_service.service_id"))
    item_location: Mapped[str] = mapped_column(String(255), default="")
    item_state: Mapped[str] = mapped_column(String(50), default="New")
    itemtext1: Mapped[str] = mapped_column(String(255), default="")
    itemtext2: Mapped[str] = mapped_column(String(255), default="")
    itemtext3: Mapped[str] = mapped_column(String(255), default="")
    itemtext4: Mapped[str] = mapped_column(String(255), default="")
    itemtext5: Mapped[str] = mapped_column(String(255), default="")
    itemtext6: Mapped[str] = mapped_column(String(255), default="")
    itemtext7: Mapped[str] = mapped_column(String(255), default="")
    itemtext8: Mapped[str] = mapped_column(String(255), default="")
    itemtext9: Mapped[str] = mapped_column(String(255), default="")
    itemtext10: Mapped[str] = mapped_column(String(255), default="")
    itemtext11: Mapped[str] = mapped_column(String(255), default="")
    itemtext12: Mapped[str] = mapped_column(String(255), default="")
    itemtext13: Mapped[str] = mapped_column(String(255), default="")
    itemtext14: Mapped[str] = mapped_column(String(255), default="")
    itemtext15: Mapped[str] = mapped_column(String(255), default="")
    itemtext16: Mapped[str] = mapped_column(String(255), default="")
    itemtext17: Mapped[str] = mapped_column(String(255), default="")
    itemtext18: Mapped[str] = mapped_column(String(255), default="")
    itemtext19: Mapped[str] = mapped_column(String(255), default="")
    itemtext20: Mapped[str] = mapped_column(String(255), default="")
    wholesale_cost_minor: Mapped[int] = mapped_column("wholesale_cost", Money, default=0)
    retail_cost_minor: Mapped[int] = mapped_column("retail_cost", Money, default=0)
    sold_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    address_line_1: Mapped[str] = mapped_column(String(255), default="")
    address_line_2: Mapped[str] = mapped_column(String(255), default="")
    city: Mapped[str] = mapped_column(String(150), default="")
    state: Mapped[str] = mapped_column(String(150), default="")
    zip_code: Mapped[str] = mapped_column(String(40), default="")
    country: Mapped[str] = mapped_column(String(100), default="")
    google_maps_place_id: Mapped[str] = mapped_column(String(255), default="")
    plus_code: Mapped[str] = mapped_column(String(100), default="")
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    management_url: Mapped[str] = mapped_column(String(500), default="")
    management_username: Mapped[str] = mapped_column(String(255), default="")
    management_password: Mapped[str | None] = mapped_column(Encrypted)
    config_content: Mapped[str] = mapped_column(LongText(), default="")
    config_file_path: Mapped[str] = mapped_column(String(500), default="")
    inventory_notes: Mapped[str] = mapped_column(LongText(), default="")
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)


class InventoryReservation(Base):
    """One open order holds an item: the primary key lets no second one in. `state_before` is what a failed order
    gives back."""

    __tablename__ = "inventory_reservation"
    __audit__ = None
    __table_args__ = table(Index("ix_inventory_reservation_provision", "provision_id"))

    inventory_id: Mapped[int] = mapped_column(
        ForeignKey("inventory.inventory_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    provision_id: Mapped[int]
    state_before: Mapped[str] = mapped_column(String(50))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
