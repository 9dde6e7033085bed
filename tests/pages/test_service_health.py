"""A provisioned service that does not work says why on its page (PROV-294)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.charging.ports import ChargingEngine, EngineUnavailable
from tests.conftest import Cast
from tests.pages import shop
from tests.pages.conftest import LogIn, text_of
from tests.pages.line import line_event, line_job, line_plays


class Engine:
    """The port as far as a page reads it."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def account(self, account: str) -> dict[str, Any] | None:
        if account not in self.known:
            return None
        if self.known[account] is None:
            raise EngineUnavailable("no answer")
        return dict(self.known[account])

    def action_plans(self, account: str) -> list[Any]:
        return []

    def granted(self, account: str) -> dict[str, Any]:
        return {}


@pytest.fixture
def extra_settings(tmp_path: Path) -> dict[str, str]:
    return line_plays(tmp_path)


async def _health(browser_as: LogIn, parts: root.Parts, service: int, **known: Any) -> str:
    parts.ports[ChargingEngine] = Engine(known)
    person = await browser_as("agent")
    assert f'hx-get="/services/{service}/health"' in (await person.get(f"/services/{service}")).text
    return text_of((await person.get(f"/services/{service}/health", htmx=True)).text)


async def test_an_account_that_the_engine_does_not_know_is_named(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    assert "does not know its account Line_1" in await _health(browser_as, parts, line)


@pytest.mark.parametrize("known", [{"ID": "Line_1", "BalanceMap": {}}, None])
async def test_a_known_account_and_an_engine_out_of_reach_are_no_missing_account(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast, known: Any
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    assert (await _health(browser_as, parts, line, Line_1=known)).strip() == ""


async def test_a_service_that_has_ended_needs_no_account(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer, service_status="Inactive")
    assert "does not know" not in await _health(browser_as, parts, line)


async def test_tasks_that_the_last_job_passed_over_are_named(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    job = await line_job(admin, cast, service_id=line)
    line_event(parts, job, 1, "Check that this is an order", 0, skipped=True)
    line_event(parts, job, 2, "Tell the switch", 3, message="The switch said no.")
    line_event(parts, job, 3, "Create the account", 0)
    shop.ended(parts, job, True)
    shown = await _health(browser_as, parts, line, Line_1={"ID": "Line_1"})
    assert f"Job {job} went on although a task failed: Tell the switch: The switch said no." in shown
    assert "1 task was skipped Check that this is an order" in shown
    assert "Create the account" not in shown


async def test_a_strangers_service_has_no_health(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    line = await shop.service(admin, cast.bob_customer)
    person = await browser_as("alice")
    assert (await person.get(f"/services/{line}/health")).status_code == 403
    assert (await (await browser_as("agent")).get("/services/999/health")).status_code == 404
