"""Tables of the charging database. They live in a file or schema of their own, never in the CRM's (ADR "Charging").

Documents are JSON in `body`; what is searched has columns beside it. Text compares byte by byte on both databases.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NAME_LENGTH = 191
TENANT_LENGTH = 64

_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_BigId = BigInteger().with_variant(Integer, "sqlite")
_Moment = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
_Body = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


def _key(name: str, length: int = NAME_LENGTH) -> Column[str]:
    return Column(name, String(length), primary_key=True)


def _text(name: str, length: int = NAME_LENGTH) -> Column[str]:
    return Column(name, String(length), nullable=False, server_default="")


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, _Moment, nullable=nullable)


def _body() -> Column[str]:
    return Column("body", _Body, nullable=False)


def _serial() -> Column[int]:
    return Column("id", _BigId, primary_key=True, autoincrement=True)


account = Table("account", metadata, _key("tenant", TENANT_LENGTH), _key("name"), _body(), **_MYSQL)

action_set = Table("action_set", metadata, _key("id"), _body(), **_MYSQL)

action_plan = Table("action_plan", metadata, _key("id"), _body(), **_MYSQL)

# `seq` keeps the order in which an account was attached to its plans.
plan_account = Table(
    "plan_account",
    metadata,
    _key("plan_id"),
    _key("tenant", TENANT_LENGTH),
    _key("account"),
    Column("seq", BigInteger, nullable=False),
    Index("ix_plan_account_account", "tenant", "account"),
    **_MYSQL,
)

# Attribute, filter and charger profiles and destinations, told apart by `kind`; destinations have the tenant "".
profile = Table("profile", metadata, _key("kind", 32), _key("tenant", TENANT_LENGTH), _key("id"), _body(), **_MYSQL)

# Times are naive UTC; `usage_units` is ns, bytes or messages; the whole record is in `body`.
cdr = Table(
    "cdr",
    metadata,
    _serial(),
    Column("cgrid", String(40), nullable=False),
    _text("run_id", 64),
    _text("tenant", TENANT_LENGTH),
    _text("account"),
    _text("subject"),
    _text("category"),
    _text("destination"),
    _text("tor", 64),
    _text("request_type", 64),
    _text("source"),
    _text("origin_id"),
    _text("origin_host"),
    _moment("setup_at", nullable=True),
    _moment("answer_at", nullable=True),
    Column("usage_units", BigInteger, nullable=False, server_default="0"),
    _moment("created_at"),
    _body(),
    UniqueConstraint("cgrid", "run_id"),
    Index("ix_cdr_account", "account", "id"),
    Index("ix_cdr_origin_id", "origin_id"),
    Index("ix_cdr_setup_at", "setup_at"),
    sqlite_autoincrement=True,
    **_MYSQL,
)

# When each timing of a plan runs next; no row when it never will. Several processes claim a run by moving it forward.
plan_run = Table(
    "plan_run",
    metadata,
    _key("plan_id"),
    _key("timing", 64),
    _moment("next_run"),
    Index("ix_plan_run_next_run", "next_run"),
    **_MYSQL,
)

# When the next bucket of an account expires that a trigger watches for.
expiry_watch = Table(
    "expiry_watch",
    metadata,
    _key("tenant", TENANT_LENGTH),
    _key("account"),
    _moment("expires_at"),
    Index("ix_expiry_watch_expires_at", "expires_at"),
    **_MYSQL,
)

# Runs of an action set on an account that wait: one-off runs (`*asap`, `plan_id` is ""), and claimed runs of plans.
task = Table(
    "task",
    metadata,
    _serial(),
    _text("tenant", TENANT_LENGTH),
    _text("account"),
    _text("actions_id"),
    _moment("created_at"),
    _text("plan_id"),
    _moment("due_at", nullable=True),
    **_MYSQL,
)

# What `*http_post` sends. `key` names the event, so that a receiver tells a repetition from a new one; rows that were
# given up stay, with `failed_at`.
post = Table(
    "post",
    metadata,
    _serial(),
    _text("key", NAME_LENGTH * 3),
    Column("url", _Body, nullable=False),
    _body(),
    _moment("created_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _moment("next_try_at"),
    _moment("failed_at", nullable=True),
    _text("last_error"),
    Index("ix_post_next_try_at", "failed_at", "next_try_at"),
    sqlite_autoincrement=True,
    **_MYSQL,
)

# What each provisioning job made or changed (decision 29): enough to set it back. `former` is what was stored before;
# NULL when the job made the thing.
journal = Table(
    "journal",
    metadata,
    _serial(),
    Column("provision_id", BigInteger, nullable=False, index=True),
    _text("kind", 32),
    _text("tenant", TENANT_LENGTH),
    Column("ident", String(NAME_LENGTH * 2), nullable=False),
    _text("detail"),
    Column("former", _Body, nullable=True),
    _moment("created_at"),
    Index("ix_journal_ident", "kind", "tenant", "ident"),
    **_MYSQL,
)

# Play fixes that acted for a job, in words (decision 11).
note = Table(
    "note",
    metadata,
    _serial(),
    Column("provision_id", BigInteger, nullable=False, index=True),
    Column("text", _Body, nullable=False),
    _moment("created_at"),
    **_MYSQL,
)

# `config` counts changes of actions and profiles, so that every process knows when its copy of them is old; `schema`
# is the version of these tables (schema.py).
state = Table("state", metadata, _key("name", 32), Column("value", BigInteger, nullable=False), **_MYSQL)


def length_of(table: Table, column: str) -> int:
    """Characters that a text column takes."""
    kind = table.c[column].type
    assert isinstance(kind, String) and kind.length is not None
    return kind.length
