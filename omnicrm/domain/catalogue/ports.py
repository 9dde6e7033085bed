"""What the catalogue must ask higher areas; the composition root fills it at start."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

#: Each answers how many services use a product (PROV-023).
PRODUCT_USES: list[Callable[[Session, int], int]] = []
