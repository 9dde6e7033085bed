"""Service, the instance of a product (PROV-108)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from omnicrm.domain.activity import Audit
from omnicrm.store import Base, LongText, Money, String, UtcDateTime, table

STATUSES = ("Active", "Inactive", "Suspended")
#: A cancelled service in its grace period: usable until `cancel_at` (PROV-231).
PENDING = "Pending Cancellation"
#: Words of plays and configuration by the documented group that they belong to (decision 1, OC-19).
GROUPS = {"deactivated": "Inactive", "expired": "Inactive", "cancelled": "Inactive", PENDING.lower(): "Active"}


class CustomerService(Base):
    __tablename__ = "customer_service"
    __audit__ = Audit("service", lambda row: f"Service {row.service_name}")
    __table_args__ = table(
        Index("ix_customer_service_customer", "customer_id", "service_id"),
        Index("ix_customer_service_status", "service_status", "service_id"),
        Index("ix_customer_service_product", "product_id"),
        Index("ix_customer_service_site", "site_id"),
        Index("ix_customer_service_cancel_at", "cancel_at"),
    )

    service_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.product_id"))
    service_name: Mapped[str] = mapped_column(String(255))
    service_type: Mapped[str] = mapped_column(String(50))
    #: The account id in the charging engine (OCS-001).
    service_uuid: Mapped[str] = mapped_column(String(100), unique=True)
    icon: Mapped[str] = mapped_column(String(100), default="")
    service_status: Mapped[str] = mapped_column(String(50))
    service_provisioned_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    service_active_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    service_deactivate_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    contract_end_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retail_cost_minor: Mapped[int] = mapped_column("retail_cost", Money, default=0)
    wholesale_cost_minor: Mapped[int] = mapped_column("wholesale_cost", Money, default=0)
    service_billed: Mapped[bool] = mapped_column(default=True)
    service_taxable: Mapped[bool] = mapped_column(default=True)
    invoiced: Mapped[bool] = mapped_column(default=False)
    auto_renew: Mapped[bool] = mapped_column(default=False)
    promo_code: Mapped[str] = mapped_column(String(100), default="")
    service_visible_to_customer: Mapped[bool] = mapped_column(default=True)
    service_usage_visible_to_customer: Mapped[bool] = mapped_column(default=True)
    provisioning_play: Mapped[str] = mapped_column(String(255), default="")
    provisioning_json_vars: Mapped[str] = mapped_column(LongText(), default="")
    deprovisioning_play: Mapped[str] = mapped_column(String(255), default="")
    deprovisioning_json_vars: Mapped[str] = mapped_column(LongText(), default="")
    bundled_parent: Mapped[int | None] = mapped_column(ForeignKey("customer_service.service_id", ondelete="SET NULL"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("customer_site.site_id"))
    service_notes: Mapped[str] = mapped_column(LongText(), default="")
    #: The job that made the row: only its token may delete it again (PC-30).
    made_by_provision_id: Mapped[int | None] = mapped_column(index=True)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: End of the grace period of a cancelled service, and the status that reinstating gives back (PROV-231).
    cancel_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status_before: Mapped[str | None] = mapped_column(String(50))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def group(self) -> str:
        """The documented status that the stored word counts as; an unknown word counts as Active."""
        word = self.service_status
        return word if word in STATUSES else GROUPS.get(word.lower(), "Active")
