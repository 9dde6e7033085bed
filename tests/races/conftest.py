"""The shop of the order tests, for many orders at once."""

from __future__ import annotations

from tests.provisioning_orders.conftest import extra_settings, plays_dir, shop

__all__ = ["extra_settings", "plays_dir", "shop"]
