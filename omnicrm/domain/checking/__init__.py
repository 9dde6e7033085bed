"""Compares all records with each other and with the outside world: `check(parts)` answers what differs."""

from __future__ import annotations

from omnicrm.domain.checking.values import Finding, Report, Unchecked
from omnicrm.domain.checking.whole import check

__all__ = ["Finding", "Report", "Unchecked", "check"]
