"""Creating and editing a customer by the forms, as they work without JavaScript."""

from __future__ import annotations

from typing import Any

from tests.pages.conftest import LogIn, text_of

NEW = {
    "customer_account_type": "Individual",
    "customer_name": "",
    "contacts.0.contact_firstname": "Grace",
    "contacts.0.contact_lastname": "Hopper",
    "contacts.0.contact_email": "grace@example.com",
    "contacts.0.contact_types": "Primary",
}


async def _created(answer: Any) -> str:
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def test_a_new_customer_comes_with_contact_and_site_and_opens(browser_as: LogIn) -> None:
    agent = await browser_as("agent")
    site = {"sites.0.site_name": "Home", "sites.0.latitude": "47.365590", "sites.0.longitude": "8.524997"}
    home = await _created(await agent.post("/customers/new", **NEW, **site))
    shown = text_of((await agent.get(home)).text)
    assert "Grace Hopper" in shown
    assert "grace@example.com" in shown
    assert "8FVC9G8F+6X" in (await agent.get(f"{home}/sites")).text


async def test_the_site_may_be_given_by_its_plus_code_alone(browser_as: LogIn) -> None:
    agent = await browser_as("agent")
    home = await _created(await agent.post("/customers/new", **NEW, **{"sites.0.plus_code": "8fvc9g8f+6x"}))
    assert "8FVC9G8F+6X" in (await agent.get(f"{home}/sites")).text


async def test_without_any_site_field_no_site_is_made(browser_as: LogIn) -> None:
    agent = await browser_as("agent")
    home = await _created(await agent.post("/customers/new", **NEW, **{"sites.0.country": ""}))
    assert "No sites yet" in (await agent.get(f"{home}/sites")).text


async def test_all_errors_come_at_once_and_what_was_typed_stays(browser_as: LogIn) -> None:
    agent = await browser_as("agent")
    wrong = {
        "customer_account_type": "Business",
        "customer_notes": "Call in the morning",
        "contacts.0.contact_firstname": "",
        "contacts.0.contact_email": "not-an-email",
        "sites.0.site_name": "Shop",
        "sites.0.latitude": "95",
    }
    answer = await agent.post("/customers/new", **wrong)
    assert answer.status_code == 422
    for name in (
        "customer_name",
        "contacts.0.contact_firstname",
        "contacts.0.contact_lastname",
        "contacts.0.contact_email",
        "sites.0.latitude",
        "sites.0.longitude",
    ):
        assert f'id="field-{name}-error"' in answer.text, name
    assert "Call in the morning" in answer.text
    assert 'value="not-an-email"' in answer.text
    assert "Shop" not in (await agent.get("/customers?customer_status=all")).text


async def test_a_form_without_the_csrf_token_is_refused(browser_as: LogIn) -> None:
    agent = await browser_as("agent")
    answer = await agent.http.post("/customers/new", data=NEW, follow_redirects=False)
    assert answer.status_code == 403
    assert "Grace" not in (await agent.get("/customers?customer_status=all")).text


async def test_edit_changes_only_what_was_changed(browser_as: LogIn, admin: Any, cast: Any) -> None:
    agent = await browser_as("agent")
    answer = await agent.post(
        f"/customers/{cast.alice_customer}/edit",
        customer_name="Alice Ashton",
        customer_account_type="Individual",
        customer_status="Open",
        tax_identifier="",
    )
    assert answer.status_code == 303
    entries = (await admin.get(f"/crm/activity/customer_id/{cast.alice_customer}")).json()["data"]
    assert list(entries[0]["changes"]) == ["customer_name"]
    assert "Alice Ashton" in (await agent.get(f"/customers/{cast.alice_customer}")).text


async def test_a_refused_edit_shows_the_form_again_with_the_reason(browser_as: LogIn, cast: Any) -> None:
    agent = await browser_as("agent")
    answer = await agent.post(
        f"/customers/{cast.alice_customer}/edit",
        contract_start_date="2026-05-01T00:00",
        contract_end_date="2026-04-01T00:00",
    )
    assert answer.status_code == 422
    assert 'id="field-contract_end_date-error"' in answer.text


async def test_markup_in_names_is_shown_as_text(browser_as: LogIn) -> None:
    agent = await browser_as("agent")
    hostile = {**NEW, "customer_name": "<script>alert(1)</script>", "customer_notes": "<img src=x onerror=alert(2)>"}
    home = await _created(await agent.post("/customers/new", **hostile))
    for path in (home, "/customers", f"{home}/edit", f"{home}/activity", "/activity"):
        html = (await agent.get(path)).text
        assert "<script>alert" not in html, path
        assert "<img src=x" not in html, path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (await agent.get(home)).text


async def test_who_may_not_create_sees_no_button_and_no_form(browser_as: LogIn) -> None:
    auditor = await browser_as("auditor")
    assert "Create Customer" not in (await auditor.get("/customers")).text
    assert (await auditor.get("/customers/new")).status_code == 403
    assert (await auditor.post("/customers/new", **NEW)).status_code == 403
