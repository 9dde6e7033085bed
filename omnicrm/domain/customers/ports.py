"""What customers must ask higher areas; the composition root fills these lists at start."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

#: Each answers counts of what keeps a customer from being archived: {"active_services": 2} (CRM-067).
ARCHIVE_BLOCKERS: list[Callable[[Session, int], dict[str, int]]] = []

#: Each answers the names of what still uses a site (CRM-108).
SITE_USERS: list[Callable[[Session, int], list[str]]] = []
