"""The System page shows the configuration without a secret (CFG-013)."""

from __future__ import annotations

from typing import Any

from tests.pages.conftest import LogIn


async def test_the_configuration_is_shown_with_its_sources_and_without_secrets(browser_as: LogIn, admin: Any) -> None:
    shown = (await (await browser_as("admin")).get("/system")).text
    assert "provisioning.timeout_seconds" in shown
    assert "t" * 64 not in shown
    keys = {key["path"]: key for key in (await admin.get("/crm/system/config")).json()["data"]}
    assert keys["server.port"]["value"] == "5000"
    assert keys["jwt_secret"]["value"] not in ("", "t" * 64)


async def test_only_administrators_may_see_it(browser_as: LogIn, as_user: Any) -> None:
    assert (await (await browser_as("agent")).get("/system")).status_code == 403
    assert (await as_user("agent").get("/crm/system/config")).status_code == 403
