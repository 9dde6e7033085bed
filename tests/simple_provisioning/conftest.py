"""The shop of tests/provisioning_orders, and callers that are no persons: a key and a trusted address."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.provisioning_orders.conftest import plays_dir, shop

__all__ = ["plays_dir", "shop"]
KEY = "k" * 40


@pytest.fixture
def extra_settings(plays_dir: Path) -> dict[str, str]:
    return {
        "provisioning.plays_dir": str(plays_dir),
        "api_keys": f"{{{KEY}: {{roles: [provisioning]}}}}",
        "ip_whitelist": "[10.9.9.9]",
    }
