"""The smallest question to the database."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def database_answers(session: Session) -> bool:
    return bool(session.scalar(text("SELECT 1")) == 1)
