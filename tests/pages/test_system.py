"""The System page shows the configuration without a secret (CFG-013)."""

from __future__ import annotations

from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from tests.pages.conftest import LogIn

POST = {"ID": 4, "Key": "P|a|2026-12-01T00:00:00+00:00", "URL": "http://hook/x", "Reason": "status <503>"}


class Engine:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def call(self, method: str, params: Any = None) -> Any:
        assert method == "OmniSv1.GetFailedPosts"
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ([], 0),
        ([{**POST, "FailedAt": "2026-12-01T04:15:00Z"}], 1),
        (EngineError("UNSUPPORTED_SERVICE_METHOD"), None),
        (EngineUnavailable("no answer"), None),
    ],
)
async def test_what_the_charging_engine_gave_up_is_shown_and_counted(
    browser_as: LogIn, web: Any, parts: root.Parts, monkeypatch: pytest.MonkeyPatch, answer: Any, count: int | None
) -> None:
    monkeypatch.setitem(parts.ports, ChargingEngine, Engine(answer))
    shown = (await (await browser_as("admin")).get("/system")).text
    assert ("status &lt;503&gt;" in shown) == bool(count)
    assert ('id="posts"' in shown) == bool(count)
    figures = (await web.get("/metrics")).text
    lines = [line for line in figures.splitlines() if line.startswith("omnicrm_charging_posts_given_up")]
    assert lines == ([] if count is None else [f"omnicrm_charging_posts_given_up {count}"])


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
