"""The activity log: newest first, kinds, filters, readable changes, notes."""

from __future__ import annotations

import re
from typing import Any

from tests.pages.conftest import LogIn, text_of


def _titles(html: str) -> list[str]:
    return [text_of(title).strip() for title in re.findall(r'<div class="entry-head"><strong>(.*?)</strong>', html)]


async def test_a_customers_log_is_newest_first_and_shows_old_and_new(browser_as: LogIn, admin: Any, cast: Any) -> None:
    agent = await browser_as("agent")
    await agent.post(f"/customers/{cast.alice_customer}/edit", customer_status="Suspended")
    await agent.post(f"/customers/{cast.alice_customer}/contacts/new", contact_firstname="Ann")
    html = (await agent.get(f"/customers/{cast.alice_customer}/activity")).text
    assert _titles(html)[:2] == ["Contact Ann created", "Customer Alice Adams changed"]
    assert re.search(r"<dt>Status</dt><dd><del>Open</del>.*?<ins>Suspended</ins>", html, re.S)
    assert "agent" in text_of(html)


async def test_each_kind_shows_its_own_entries(browser_as: LogIn, cast: Any) -> None:
    person, home = await browser_as("admin"), f"/customers/{cast.alice_customer}"
    await person.post(f"{home}/contacts/new", contact_firstname="Ann")
    await person.post(f"{home}/sites/new", site_name="Farm", latitude="1", longitude="1")
    await person.post(f"{home}/transactions/new", title="Setup", retail_cost="5")
    await person.post(f"{home}/activity", note="Called back")
    for kind, title in (
        ("contacts", "Contact Ann created"),
        ("sites", "Site Farm created"),
        ("billing", "Transaction Setup created"),
        ("notes", "Called back"),
    ):
        assert _titles((await person.get(f"{home}/activity?kind={kind}")).text) == [title]
    assert "Called back" not in _titles((await person.get(f"{home}/activity?kind=customer")).text)
    assert len(_titles((await person.get(f"{home}/activity")).text)) >= 5


async def test_filters_by_user_text_and_day(browser_as: LogIn, cast: Any) -> None:
    person, base = await browser_as("agent"), f"/customers/{cast.alice_customer}/activity"
    await person.post(base, note="Wants fibre")
    assert _titles((await person.get(f"{base}?search=fibre")).text) == ["Wants fibre"]
    assert _titles((await person.get(f"{base}?user=agent")).text) == ["Wants fibre"]
    assert _titles((await person.get(f"{base}?until=2000-01-01")).text) == []
    assert "Wants fibre" in _titles((await person.get(f"{base}?since=2000-01-01")).text)
    assert "Nothing matches" in (await person.get(f"{base}?search=zzz")).text


async def test_older_entries_follow_without_gap_or_repeat(browser_as: LogIn, admin: Any, cast: Any) -> None:
    for number in range(60):
        await admin.put("/crm/activity/", {"customer_id": cast.bob_customer, "title": f"Note {number:02}"})
    agent, seen = await browser_as("agent"), []
    address = f"/customers/{cast.bob_customer}/activity?kind=notes"
    while address:
        html = (await agent.get(address)).text
        seen += _titles(html)
        older = re.search(r'href="([^"]*before=\d+[^"]*)"[^>]*>Older entries', html)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"Note {number:02}" for number in reversed(range(60))]


async def test_a_note_keeps_its_lines_and_needs_a_text(browser_as: LogIn, cast: Any) -> None:
    agent, base = await browser_as("agent"), f"/customers/{cast.alice_customer}/activity"
    answer = await agent.post(base, note="Asked for fibre\r\nCall on Monday", htmx=True)
    assert answer.status_code == 200
    assert _titles(answer.text)[0] == "Asked for fibre"
    assert "Call on Monday" in answer.text
    empty = await agent.post(base, note="  ", htmx=True)
    assert empty.status_code == 422
    assert 'id="field-note-error"' in empty.text
    assert (await (await browser_as("auditor")).post(base, note="x")).status_code == 403


async def test_the_whole_log_names_the_customers(
    browser_as: LogIn, cast: Any, counted: Any, within_baseline: Any
) -> None:
    person = await browser_as("admin")
    await person.post(f"/customers/{cast.alice_customer}/contacts/new", contact_firstname="Ann")
    with counted() as statements:
        html = (await person.get("/activity")).text
    within_baseline("activity", statements)
    assert f'href="/customers/{cast.alice_customer}#6">Alice Adams</a>' in html
    assert (await (await browser_as("nobody")).get("/activity")).status_code == 403
