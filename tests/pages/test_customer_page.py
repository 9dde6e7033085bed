"""The customer page: overview, tabs with counts, archive and restore, who sees what."""

from __future__ import annotations

import re
from typing import Any

from tests.pages.conftest import LogIn, text_of


async def test_the_tabs_stand_in_their_order_and_count(browser_as: LogIn, admin: Any, cast: Any) -> None:
    owner = {"customer_id": cast.alice_customer}
    for name in ("Ann", "Ben"):
        await admin.put("/crm/contact/", {**owner, "contact_firstname": name})
    await admin.put("/crm/attribute/", {**owner, "attribute_name": "tier", "attribute_value": "gold"})
    html = (await (await browser_as("admin")).get(f"/customers/{cast.alice_customer}")).text
    tabs = re.findall(r'id="tab-link-(\d)"[^>]*>([^<]+?)\s*(?:<span class="count">(\d+)</span>)?</a>', html)
    assert [(number, label.strip(), count) for number, label, count in tabs] == [
        ("1", "Overview", ""),
        ("2", "Sites", "0"),
        ("3", "Services", "0"),
        ("4", "Contacts", "2"),
        ("5", "Billing", "0"),
        ("6", "Activity Log", ""),
        ("7", "Tags", "0"),
        ("8", "Inventory", "0"),
        ("9", "Attributes", "1"),
    ]


async def test_tab_content_is_fetched_when_the_tab_is_shown(browser_as: LogIn, admin: Any, cast: Any) -> None:
    await admin.put(
        "/crm/attribute/",
        {"customer_id": cast.alice_customer, "attribute_name": "tier", "attribute_value": "gold-plated"},
    )
    agent = await browser_as("agent")
    html = (await agent.get(f"/customers/{cast.alice_customer}")).text
    assert "gold-plated" not in html
    assert f'hx-get="/customers/{cast.alice_customer}/attributes"' in html
    part = (await agent.get(f"/customers/{cast.alice_customer}/attributes", htmx=True)).text
    assert "gold-plated" in part
    assert "<html" not in part


async def test_the_overview_tells_what_is_due_and_what_runs(browser_as: LogIn, admin: Any, cast: Any) -> None:
    owner = {"customer_id": cast.alice_customer}
    await admin.put("/crm/service/", {**owner, "service_name": "Line one", "service_uuid": "l1", "retail_cost": 12.5})
    await admin.put("/crm/transaction/", {**owner, "title": "Setup", "retail_cost": 100, "tax_percentage": 20})
    await admin.put(
        "/crm/transaction/", {**owner, "title": "Goodwill", "retail_cost": -30, "transaction_type": "credit"}
    )
    await admin.patch(f"/crm/customer/customer_id/{cast.alice_customer}", {"customer_notes": "Rings twice"})
    shown = text_of((await (await browser_as("admin")).get(f"/customers/{cast.alice_customer}")).text)
    assert re.search(r"Balance due \D*90\.00", shown), shown
    assert "Line one" in shown
    assert "Rings twice" in shown


async def test_pills_show_current_tags_and_open_their_link(browser_as: LogIn, admin: Any, cast: Any) -> None:
    tag = {"customer_id": cast.alice_customer, "tag_hex_color": "FFFF00"}
    await admin.put("/crm/tag/", {**tag, "tag_text": "Case 7", "tag_link": "https://tickets.example/7"})
    later = {"tag_active_date": "2090-01-01 00:00:00"}
    await admin.put("/crm/tag/", {**tag, "tag_text": "Later", **later})
    html = (await (await browser_as("agent")).get(f"/customers/{cast.alice_customer}")).text
    assert re.search(r'<a class="pill pill-black" href="https://tickets.example/7" target="_blank"', html)
    assert "Later" not in html


async def test_archiving_names_what_stands_against_it(browser_as: LogIn, admin: Any, cast: Any) -> None:
    home = f"/customers/{cast.alice_customer}"
    service = {"customer_id": cast.alice_customer, "service_name": "Line", "service_uuid": "l1"}
    await admin.put("/crm/service/", service)
    person = await browser_as("admin")
    answer = await person.post(f"{home}/archive")
    assert answer.headers["location"] == home
    assert "1 active service" in (await person.get(home)).text
    assert "Restore" not in (await person.get(home)).text


async def test_an_archived_customer_is_read_only_until_it_is_restored(browser_as: LogIn, cast: Any) -> None:
    home = f"/customers/{cast.bob_customer}"
    person = await browser_as("admin")
    await person.post(f"{home}/archive")
    html = (await person.get(home)).text
    assert "This customer is archived" in html
    assert "Add Service" not in html
    assert "Add Contact" not in (await person.get(f"{home}/contacts")).text
    refused = await person.post(f"{home}/contacts/new", contact_firstname="Eve")
    assert refused.status_code == 409
    assert "Customer is archived" in refused.text
    assert "Bob Brown" not in (await person.get("/customers")).text
    assert (await person.post(f"{home}/restore")).status_code == 303
    assert "This customer is archived" not in (await person.get(home)).text
    shown = text_of((await person.get(f"{home}/activity")).text)
    assert "archived" in shown
    assert "restored" in shown


async def test_an_unknown_customer_and_a_row_of_another_one_are_not_found(
    browser_as: LogIn, admin: Any, cast: Any
) -> None:
    row = {"customer_id": cast.bob_customer, "contact_firstname": "Ben"}
    contact_id = (await admin.put("/crm/contact/", row)).json()["contact_id"]
    agent = await browser_as("agent")
    for path in ("", "/contacts", "/activity", "/services", "/edit"):
        assert (await agent.get(f"/customers/999999{path}")).status_code == 404, path
    for path in ("", "/edit"):
        answer = await agent.get(f"/customers/{cast.alice_customer}/contacts/{contact_id}{path}")
        assert answer.status_code == 404, path
    wrong = f"/customers/{cast.alice_customer}/contacts/{contact_id}/delete"
    assert (await agent.post(wrong)).status_code == 404
    assert (await admin.get(f"/crm/contact/contact_id/{contact_id}")).status_code == 200


async def test_a_reader_sees_no_button_that_changes(browser_as: LogIn, admin: Any, cast: Any) -> None:
    home = f"/customers/{cast.alice_customer}"
    await admin.put("/crm/contact/", {"customer_id": cast.alice_customer, "contact_firstname": "Ann"})
    auditor = await browser_as("auditor")
    for path in ("", "/sites", "/contacts", "/transactions", "/tags", "/attributes", "/activity", "/services"):
        main = (await auditor.get(f"{home}{path}")).text.partition("<main")[2]
        assert 'method="post"' not in main.partition("</main>")[0], path
        assert "Add " not in text_of(main.partition("</main>")[0]), path
    assert (await auditor.get(f"{home}/contacts/new")).status_code == 403
    assert (await auditor.post(f"{home}/tags/new", tag_text="x", tag_hex_color="#ffffff")).status_code == 403
    assert (await auditor.post(f"{home}/archive")).status_code == 403
