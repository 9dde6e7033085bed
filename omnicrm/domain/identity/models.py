"""Users, roles, permissions and browser sessions (CFG-118, AUTH-137)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from omnicrm.domain.activity import Audit
from omnicrm.store import TABLE, Base, Encrypted, String, UtcDateTime, table

#: Link tables have no id of their own.
_LINK: dict[str, Any] = {key: value for key, value in TABLE.items() if key != "sqlite_autoincrement"}

user_roles = Table(
    "user_roles",
    Base.metadata,
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", ForeignKey("role.id", ondelete="CASCADE"), primary_key=True, index=True),
    **_LINK,
)
role_permissions = Table(
    "role_permissions",
    Base.metadata,
    Column("role_id", ForeignKey("role.id", ondelete="CASCADE"), primary_key=True),
    Column("permission_id", ForeignKey("permission.id", ondelete="CASCADE"), primary_key=True, index=True),
    **_LINK,
)


class Permission(Base):
    """Written by the product's own catalogue alone, so its rows are no activity."""

    __tablename__ = "permission"
    __audit__ = None

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(String(255), default="")


class Role(Base):
    __tablename__ = "role"
    __audit__ = Audit("role", lambda row: f"Role {row.name}", quiet=frozenset({"name_key"}))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(String(255), default="")
    permissions: Mapped[list[Permission]] = relationship(
        secondary=role_permissions, lazy="raise", order_by=Permission.id
    )

    @validates("name")
    def _name(self, _: str, value: str) -> str:
        self.name_key = value.lower()
        return value


class User(Base):
    """A person who can log in. `customer_id` is stored beside `contact_id`, since it bounds every read."""

    __tablename__ = "user"
    __audit__ = Audit(
        "user",
        lambda row: f"User {row.username}",
        secret=frozenset({"password_hash", "totp_secret"}),
        quiet=frozenset({"email_key", "username_key", "failed_logins", "last_login", "totp_last_step"}),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(100))
    username_key: Mapped[str] = mapped_column(String(100), unique=True)
    email: Mapped[str] = mapped_column(String(190))
    email_key: Mapped[str] = mapped_column(String(190), unique=True)
    email_verified: Mapped[bool] = mapped_column(default=False)
    first_name: Mapped[str] = mapped_column(String(100), default="")
    middle_name: Mapped[str] = mapped_column(String(100), default="")
    last_name: Mapped[str] = mapped_column(String(100), default="")
    phone_number: Mapped[str] = mapped_column(String(40), default="")
    password_hash: Mapped[str | None] = mapped_column(String(255))
    force_password_change: Mapped[bool] = mapped_column(default=False)
    is_2fa_enabled: Mapped[bool] = mapped_column(default=False)
    totp_secret: Mapped[str | None] = mapped_column(Encrypted)
    totp_last_step: Mapped[int | None]
    contact_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer_contact.contact_id", ondelete="SET NULL"), index=True
    )
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.customer_id"), index=True)
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_login: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_modified: Mapped[datetime] = mapped_column(UtcDateTime)
    roles: Mapped[list[Role]] = relationship(secondary=user_roles, lazy="raise", order_by=Role.id)

    @validates("username", "email")
    def _keys(self, name: str, value: str) -> str:
        setattr(self, f"{name}_key", value.lower())
        return value


class UserSession(Base):
    """A browser session; the cookie holds a random token of which only the hash is stored."""

    __tablename__ = "user_session"
    __audit__ = None
    __table_args__ = table(Index("ix_user_session_user", "user_id"))

    session_id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    remember: Mapped[bool] = mapped_column(default=False)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RefreshToken(Base):
    """A refresh token of the JSON API; only its hash is stored. A used one is kept to notice its reuse."""

    __tablename__ = "refresh_token"
    __audit__ = None
    __table_args__ = table(Index("ix_refresh_token_user", "user_id"), Index("ix_refresh_token_family", "family"))

    refresh_token_id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    family: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
