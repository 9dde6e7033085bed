"""The Sandbox page: who sees it, what it shows, and its fault switches (decision 17); and the start page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pages.conftest import LogIn, text_of


@pytest.fixture
def extra_settings() -> dict[str, str]:
    return {"sandbox.enabled": "true"}


async def test_a_message_sent_to_the_sandbox_is_on_its_page(browser_as: LogIn) -> None:
    person = await browser_as("admin")
    fault = await person.http.get("/sandbox/smsc/fault")
    assert fault.status_code == 200
    shown = text_of((await person.get("/sandbox?system=smsc")).text)
    assert "No messages" in shown
    assert "SMSC answers as it should." in shown


async def test_the_switch_moves_and_the_page_says_so(browser_as: LogIn) -> None:
    person = await browser_as("admin")
    moved = await person.post("/sandbox/fault", system="hss", mode="500", once="true", path_part="/subscriber")
    assert moved.headers["location"] == "/sandbox?system=hss"
    shown = text_of((await person.get("/sandbox?system=hss")).text)
    assert "answers with an internal error" in shown
    assert "the next time only" in shown
    assert (await person.http.get("/sandbox/hss/1/subscriber/imsi/1")).status_code == 500


async def test_a_wrong_setting_stays_beside_its_field(browser_as: LogIn) -> None:
    person = await browser_as("admin")
    refused = await person.post("/sandbox/fault", system="hss", mode="late", seconds="soon")
    assert refused.status_code == 422
    assert "must be a number above 0" in refused.text


async def test_clearing_forgets_requests_and_fault(browser_as: LogIn) -> None:
    person = await browser_as("admin")
    await person.http.get("/sandbox/hss/1/subscriber/imsi/404404")
    assert "404404" in (await person.get("/sandbox")).text
    await person.post("/sandbox/clear", system="hss")
    assert "404404" not in (await person.get("/sandbox")).text


@pytest.mark.parametrize("system", ["", "paypal", "../hss"])
async def test_unknown_systems_are_refused(browser_as: LogIn, system: str) -> None:
    person = await browser_as("admin")
    assert (await person.post("/sandbox/clear", system=system)).status_code == 404


async def test_only_administrators_see_it(browser_as: LogIn) -> None:
    person = await browser_as("agent")
    assert (await person.get("/sandbox")).status_code == 403
    assert (await person.post("/sandbox/clear", system="hss")).status_code == 403
    assert 'href="/sandbox"' not in (await person.get("/customers")).text


class TestWithoutSandboxes:
    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {"sandbox.enabled": "false"}

    async def test_there_is_no_page_and_no_link(self, browser_as: LogIn) -> None:
        person = await browser_as("admin")
        assert (await person.get("/sandbox")).status_code == 404
        assert 'href="/sandbox"' not in (await person.get("/customers")).text


async def test_who_may_open_nothing_is_told_so_calmly(browser_as: LogIn) -> None:
    person = await browser_as("nobody")
    answer: Any = await person.get("/")
    assert answer.status_code == 200
    assert "Nothing to open yet" in text_of(answer.text)
