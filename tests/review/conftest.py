"""The records of the resources' tests and the browser of the pages' tests, for defects that reviews found."""

from __future__ import annotations

from tests.pages.conftest import browser_as
from tests.resources.conftest import make, mighty_alice, world

__all__ = ["browser_as", "make", "mighty_alice", "world"]
