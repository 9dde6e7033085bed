"""Alembic's entry: it gets an open connection from omnicrm.migrations and runs the history on it."""

from __future__ import annotations

from typing import Any

from alembic import context

from omnicrm.models import Base
from omnicrm.store import Encrypted, Money, UtcDateTime

OURS = {Money: "store.Money()", UtcDateTime: "store.UtcDateTime()", Encrypted: "store.Encrypted()"}


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Our column types by their own names, so that a revision says what it means."""
    if kind == "type" and type(item) in OURS:
        autogen_context.imports.add("from omnicrm import store")
        return OURS[type(item)]
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=render_item,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
