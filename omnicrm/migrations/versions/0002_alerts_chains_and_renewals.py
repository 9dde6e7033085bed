"""alerts; chains, renewals and leftovers of provisioning jobs; services that wait for their end

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from omnicrm import store

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("alert_key", sa.String(length=190), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.String(length=2000), nullable=False),
        sa.Column("link", sa.String(length=255), nullable=False),
        sa.Column("raised_at", store.UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", store.UtcDateTime(), nullable=False),
        sa.Column("cleared_at", store.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert")),
        sa.UniqueConstraint("alert_key", name=op.f("uq_alert_alert_key")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("alert") as batch_op:
        batch_op.create_index("ix_alert_open", ["cleared_at", "alert_id"], unique=False)
    op.add_column("Provision", sa.Column("leftovers", store.LongText(), nullable=True))
    op.add_column("Provision", sa.Column("request_key", sa.String(length=190), nullable=True))
    op.add_column("Provision", sa.Column("chain_first", sa.Integer(), nullable=True))
    op.add_column("Provision", sa.Column("chain_rest", store.LongText(), nullable=True))
    with op.batch_alter_table("Provision") as batch_op:
        batch_op.create_index("ux_Provision_request_key", ["request_key"], unique=True)
        batch_op.create_index("ix_Provision_chain", ["chain_first", "provision_id"], unique=False)
    op.add_column("customer_service", sa.Column("cancel_at", store.UtcDateTime(), nullable=True))
    op.add_column("customer_service", sa.Column("status_before", sa.String(length=50), nullable=True))
    with op.batch_alter_table("customer_service") as batch_op:
        batch_op.create_index("ix_customer_service_cancel_at", ["cancel_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("customer_service") as batch_op:
        batch_op.drop_index("ix_customer_service_cancel_at")
    op.drop_column("customer_service", "status_before")
    op.drop_column("customer_service", "cancel_at")
    with op.batch_alter_table("Provision") as batch_op:
        batch_op.drop_index("ix_Provision_chain")
        batch_op.drop_index("ux_Provision_request_key")
    for name in ("chain_rest", "chain_first", "request_key", "leftovers"):
        op.drop_column("Provision", name)
    op.drop_table("alert")
