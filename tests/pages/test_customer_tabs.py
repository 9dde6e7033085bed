"""The tabs of the customer page: each record added, changed and removed by its form, plain and in place."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.pages.conftest import LogIn, text_of

#: tab -> (form, a text of its row, a change, the text of the changed row).
FORMS: dict[str, tuple[dict[str, str], str, dict[str, str], str]] = {
    "contacts": (
        {"contact_firstname": "Ada", "contact_lastname": "Byron", "contact_email": "ada@example.com"},
        "Ada Byron",
        {"contact_lastname": "Lovelace"},
        "Ada Lovelace",
    ),
    "sites": (
        {"site_name": "Farm", "latitude": "-37.8136", "longitude": "144.9631"},
        "4RJ65XP7+H6",
        {"site_name": "Old farm"},
        "Old farm",
    ),
    "tags": (
        {"tag_text": "VIP", "tag_hex_color": "#ffd700"},
        "VIP",
        {"tag_text": "Gold"},
        "Gold",
    ),
    "attributes": (
        {"attribute_name": "external_id", "attribute_value": "A-17"},
        "A-17",
        {"attribute_value": "A-18"},
        "A-18",
    ),
    "transactions": (
        {"transaction_type": "debit", "title": "Router", "retail_cost": "49.90", "tax_percentage": "20"},
        "49.90",
        {"title": "Router, second hand"},
        "second hand",
    ),
}
KEYS = {"contacts": "contact", "sites": "site", "tags": "tag", "attributes": "attribute", "transactions": "transaction"}


def _first_row(html: str, slug: str) -> int:
    found = re.search(rf"/{slug}/(\d+)/edit", html)
    assert found, html
    return int(found[1])


@pytest.mark.parametrize("slug", FORMS)
async def test_add_change_and_remove_by_plain_forms(slug: str, browser_as: LogIn, cast: Any) -> None:
    person, base = await browser_as("admin"), f"/customers/{cast.alice_customer}/{slug}"
    values, shown, change, changed = FORMS[slug]
    answer = await person.post(f"{base}/new", **values)
    assert answer.status_code == 303, text_of(answer.text)
    assert answer.headers["location"].startswith(f"/customers/{cast.alice_customer}#")
    listed = (await person.get(base)).text
    assert shown in listed
    key = _first_row(listed, slug)
    form = (await person.get(f"{base}/{key}/edit")).text
    assert all(value in form for name, value in values.items() if name in change)
    assert (await person.post(f"{base}/{key}/edit", **change)).status_code == 303
    assert changed in (await person.get(base)).text
    assert (await person.post(f"{base}/{key}/delete")).status_code == 303
    assert changed not in text_of((await person.get(base)).text)


@pytest.mark.parametrize("slug", FORMS)
async def test_a_change_in_place_answers_list_toast_and_count(slug: str, browser_as: LogIn, cast: Any) -> None:
    person, home = await browser_as("admin"), f"/customers/{cast.alice_customer}"
    values, shown, _, _ = FORMS[slug]
    answer = await person.post(f"{home}/{slug}/new", htmx=True, on=home, **values)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert shown in answer.text
    assert 'hx-swap-oob="beforeend:#toasts"' in answer.text
    assert re.search(r'hx-swap-oob="innerHTML:#tab-link-\d .count">1</span>', answer.text)
    standalone = await person.post(f"{home}/{slug}/new", htmx=True, on=f"{home}/{slug}", **values)
    assert "#tab-link" not in standalone.text


@pytest.mark.parametrize(
    ("slug", "values", "field"),
    [
        ("contacts", {"contact_email": "not-an-email"}, "contact_email"),
        ("sites", {"site_name": "Nowhere"}, "latitude"),
        ("sites", {"latitude": "95", "longitude": "1"}, "latitude"),
        ("sites", {"latitude": "1", "longitude": "1", "plus_code": "ABC"}, "plus_code"),
        ("tags", {"tag_text": "x", "tag_hex_color": "gold"}, "tag_hex_color"),
        ("tags", {"tag_text": "x", "tag_hex_color": "#fff", "tag_link": "javascript:alert(1)"}, "tag_link"),
        ("attributes", {"attribute_name": "a", "attribute_value": "x" * 151}, "attribute_value"),
        ("transactions", {"title": "x", "retail_cost": "12,50"}, "retail_cost"),
        ("transactions", {"title": "", "retail_cost": "1"}, "title"),
        ("transactions", {"title": "x", "retail_cost": "1", "tax_percentage": "101"}, "tax_percentage"),
    ],
)
async def test_a_bad_value_is_named_beside_its_field_and_nothing_is_stored(
    slug: str, values: dict[str, str], field: str, browser_as: LogIn, cast: Any
) -> None:
    person, base = await browser_as("admin"), f"/customers/{cast.alice_customer}/{slug}"
    for htmx in (False, True):
        answer = await person.post(f"{base}/new", htmx=htmx, **values)
        assert answer.status_code == 422
        assert f'id="field-{field}-error"' in answer.text
        for name, value in values.items():
            if name not in ("tag_hex_color",) and value:
                assert value in answer.text, name
    assert f" No {slug} yet" in text_of((await person.get(base)).text)


async def test_a_contact_of_another_type_takes_the_mark_of_the_primary(browser_as: LogIn, cast: Any) -> None:
    person, base = await browser_as("agent"), f"/customers/{cast.alice_customer}/contacts"
    await person.post(f"{base}/new", contact_firstname="Ann")
    await person.post(f"{base}/new", contact_firstname="Ben", contact_types="primary, Billing")
    rows = re.findall(r"<tr.*?</tr>", (await person.get(base)).text, re.S)[1:]
    assert [("Ann" in row, "Primary</span>" in row) for row in rows] == [(True, False), (False, True)]
    assert "It is the primary contact" in rows[1]


async def test_inactive_tags_are_shown_on_request_and_marked(browser_as: LogIn, cast: Any) -> None:
    person, base = await browser_as("agent"), f"/customers/{cast.alice_customer}/tags"
    old = {"tag_active_date": "2020-01-01T00:00", "tag_deactivate_date": "2021-01-01T00:00"}
    await person.post(f"{base}/new", tag_text="Bygone", tag_hex_color="#000080", **old)
    assert "Bygone" not in (await person.get(base)).text
    shown = text_of((await person.get(f"{base}?inactive=true")).text)
    assert "Bygone Expired" in shown


async def test_the_form_of_a_new_tag_starts_with_now_and_the_end_of_time(
    browser_as: LogIn, parts: Any, cast: Any
) -> None:
    form = (await (await browser_as("agent")).get(f"/customers/{cast.alice_customer}/tags/new")).text
    starts = re.findall(r'type="datetime-local"[^>]*value="([^"]*)"', form)
    assert [start[:10] for start in starts] == [f"{parts.door.clock():%Y-%m-%d}", "2099-01-01"]
    assert "data-tag-preview" in form


async def test_times_are_typed_and_shown_in_the_deployments_zone(browser_as: LogIn, admin: Any, cast: Any) -> None:
    person, base = await browser_as("agent"), f"/customers/{cast.alice_customer}/tags"
    dates = {"tag_active_date": "2026-07-01T12:00", "tag_deactivate_date": "2099-01-01T00:00"}
    await person.post(f"{base}/new", tag_text="Summer", tag_hex_color="#ffffff", **dates)
    stored = (await admin.get(f"/crm/tag/customer_id/{cast.alice_customer}")).json()[0]
    key = _first_row((await person.get(f"{base}?inactive=true")).text, "tags")
    assert 'value="2026-07-01T12:00"' in (await person.get(f"{base}/{key}/edit")).text
    assert stored["tag_active_date"] == "2026-07-01 12:00:00"  # the tests run in UTC


async def test_the_location_is_told_while_it_is_typed(browser_as: LogIn) -> None:
    agent = await browser_as("agent")
    for query, told in (
        ("latitude=47.365590&longitude=8.524997", "Location set: 8FVC9G8F+6X"),
        ("plus_code=8FVC9G8F%2B6X", "Location set: 8FVC9G8F+6X"),
        ("latitude=47", "Location not set"),
        ("latitude=nan&longitude=nan", "Location not set"),
        ("latitude=95&longitude=1", "Location not set"),
        ("plus_code=ABC", "Location not set"),
    ):
        assert told in (await agent.get(f"/site-location?{query}", htmx=True)).text, query


async def test_a_site_shows_its_plus_code_with_a_link_to_a_map(browser_as: LogIn, cast: Any) -> None:
    agent, base = await browser_as("agent"), f"/customers/{cast.alice_customer}/sites"
    await agent.post(f"{base}/new", plus_code="8FVC9G8F+6X", address_note="Left at the red barn")
    key = _first_row((await agent.get(base)).text, "sites")
    html = (await agent.get(f"{base}/{key}")).text
    assert 'data-copy="8FVC9G8F+6X"' in html
    assert "query=8FVC9G8F%2B6X" in html
    assert "Left at the red barn" in html


async def test_totals_follow_debits_credits_and_voids(browser_as: LogIn, cast: Any) -> None:
    person, base = await browser_as("admin"), f"/customers/{cast.alice_customer}/transactions"
    await person.post(f"{base}/new", transaction_type="debit", title="Setup", retail_cost="100", tax_percentage="10")
    await person.post(
        f"{base}/new",
        transaction_type="credit",
        credit_type="refund",
        title="Back",
        retail_cost="25",
        tax_percentage="9",
    )
    await person.post(f"{base}/new", transaction_type="debit", title="Mistake", retail_cost="7")
    shown = text_of((await person.get(base)).text)
    assert re.search(
        r"Balance due \D*92\.00 Uninvoiced \D*92\.00 Charges \D*117\.00 Credits and payments \D*25\.00", shown
    )
    key = _first_row((await person.get(base)).text, "transactions")  # the newest stands first
    assert (await person.post(f"{base}/{key}/delete")).status_code == 303
    html = (await person.get(base)).text
    assert re.search(r"Balance due \D*85\.00", text_of(html))
    assert "Mistake" not in text_of(html)
    assert "Mistake" in text_of((await person.get(f"{base}?void=true")).text)
    assert (await person.post(f"{base}/{key}/delete", htmx=True)).status_code == 409


async def test_the_items_of_the_customer_are_listed_with_their_labels(browser_as: LogIn, admin: Any, cast: Any) -> None:
    labels = {"itemtext1_label": "ICCID", "itemtext2_label": "IMSI"}
    await admin.put("/crm/inventory_template/", {"item": "SIM Card", "wholesale_cost": 1, "retail_cost": 2, **labels})
    item = {"item": "SIM Card", "itemtext1": "8944", "customer_id": cast.alice_customer, "item_state": "Assigned"}
    await admin.put("/crm/inventory/", item)
    shown = text_of((await (await browser_as("agent")).get(f"/customers/{cast.alice_customer}/inventory")).text)
    assert "SIM Card ICCID 8944 Assigned" in shown
