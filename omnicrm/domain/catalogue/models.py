"""Product (PROV-001..017)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column, validates

from omnicrm.domain.activity import Audit
from omnicrm.store import Base, LongText, Money, String, UtcDateTime, table

CATEGORIES = ("standalone", "addon", "bundle", "promo")
AUTO_RENEW = ("prompt", "true", "false")


class Product(Base):
    __tablename__ = "product"
    __audit__ = Audit(
        "product",
        lambda row: f"Product {row.product_name}",
        customer=lambda row: None,
        service=lambda row: None,
        quiet=frozenset({"product_slug_key"}),
    )
    __table_args__ = table(Index("ix_product_offer", "enabled", "category"))

    product_id: Mapped[int] = mapped_column(primary_key=True)
    product_name: Mapped[str] = mapped_column(String(255))
    product_slug: Mapped[str] = mapped_column(String(150))
    product_slug_key: Mapped[str] = mapped_column(String(150), unique=True)
    category: Mapped[str] = mapped_column(String(20))
    service_type: Mapped[str] = mapped_column(String(50))
    comment: Mapped[str] = mapped_column(LongText(), default="")
    icon: Mapped[str] = mapped_column(String(100), default="")
    retail_cost_minor: Mapped[int] = mapped_column("retail_cost", Money, default=0)
    wholesale_cost_minor: Mapped[int] = mapped_column("wholesale_cost", Money, default=0)
    retail_setup_cost_minor: Mapped[int] = mapped_column("retail_setup_cost", Money, default=0)
    wholesale_setup_cost_minor: Mapped[int] = mapped_column("wholesale_setup_cost", Money, default=0)
    #: Thousandths of a percent.
    tax_percentage_milli: Mapped[int] = mapped_column("tax_percentage", default=0)
    enabled: Mapped[bool] = mapped_column(default=True)
    residential: Mapped[bool] = mapped_column(default=True)
    business: Mapped[bool] = mapped_column(default=False)
    customer_can_purchase: Mapped[bool] = mapped_column(default=False)
    available_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    available_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    contract_days: Mapped[int] = mapped_column(default=0)
    auto_renew: Mapped[str] = mapped_column(String(10), default="false")
    allow_auto_renew: Mapped[bool] = mapped_column(default=True)
    terms: Mapped[str] = mapped_column(LongText(), default="")
    features_list: Mapped[str] = mapped_column(LongText(), default="")
    provisioning_play: Mapped[str] = mapped_column(String(255), default="")
    provisioning_json_vars: Mapped[str] = mapped_column(LongText(), default="")
    inventory_items_list: Mapped[str] = mapped_column(LongText(), default="[]")
    relies_on_list: Mapped[str] = mapped_column(LongText(), default="")
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)

    @validates("product_slug")
    def _key(self, _: str, value: str) -> str:
        self.product_slug_key = value.lower()
        return value
