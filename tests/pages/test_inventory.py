"""Stock pages: items by their template's labels, templates with their labels."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.pages.conftest import LogIn, text_of


@pytest.fixture
async def sim(admin: Any) -> int:
    """The template of SIM cards."""
    labels = {"itemtext1_label": "ICCID", "itemtext2_label": "IMSI", "itemtext3_label": "SIM Type"}
    template = {"item": "SIM Card", "wholesale_cost": 2.5, "retail_cost": 10, **labels}
    return int((await admin.put("/crm/inventory_template/", template)).json()["inventory_template_id"])


async def _item(admin: Any, number: int, **more: Any) -> int:
    values = {"item": "SIM Card", "itemtext1": f"8944{number:04}", "itemtext2": f"2345{number:04}", **more}
    answer = await admin.put("/crm/inventory/", values)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["inventory_id"])


async def test_a_new_item_starts_from_its_template(browser_as: LogIn, admin: Any, sim: int) -> None:
    person = await browser_as("admin")
    assert "SIM Card" in (await person.get("/inventory-items-list/new")).text
    form = (await person.get(f"/inventory-items-list/new?inventory_template_id={sim}")).text
    labels = [text_of(label).strip() for label in re.findall(r'<label class="form-label".*?</label>', form)]
    assert labels[:5] == ["ICCID", "IMSI", "SIM Type", "State", "Location"]
    assert "itemtext4" not in form
    assert 'value="10.00"' in form
    assert 'value="2.50"' in form
    sent = {"inventory_template_id": str(sim), "itemtext1": "8944", "retail_cost": "12.00", "item_state": "In Stock"}
    answer = await person.post("/inventory-items-list/new", **sent)
    assert answer.status_code == 303, text_of(answer.text)
    key = answer.headers["location"].rpartition("/")[2]
    stored = (await admin.get(f"/crm/inventory/inventory_id/{key}")).json()
    assert (stored["item"], stored["iccid"], stored["retail_cost"]) == ("SIM Card", "8944", 12.0)
    template = (await admin.get(f"/crm/inventory_template/inventory_template_id/{sim}")).json()
    assert template["retail_cost"] == 10.0


async def test_a_refused_item_keeps_its_template_and_labels(browser_as: LogIn, sim: int) -> None:
    person = await browser_as("admin")
    answer = await person.post("/inventory-items-list/new", inventory_template_id=str(sim), itemtext2="2345")
    assert answer.status_code == 422
    assert "is required (ICCID)" in answer.text
    assert f'name="inventory_template_id" value="{sim}"' in answer.text
    assert 'value="2345"' in answer.text


async def test_one_type_has_its_labels_as_column_heads(browser_as: LogIn, admin: Any, sim: int) -> None:
    await _item(admin, 1)
    person = await browser_as("agent")
    assert "Identifiers" in (await person.get("/inventory-items-list")).text
    head = (
        (await person.get("/inventory-items-list?item=SIM+Card")).text.partition("<thead")[2].partition("</thead>")[0]
    )
    assert "ICCID IMSI SIM Type State Location" in text_of(head).replace(" ▲", "")


async def test_the_five_groups_of_stock(browser_as: LogIn, admin: Any, sim: int) -> None:
    states = ("New", "In Stock", "Assigned", "Used", "Damaged", "Out of Service", "Lost", "Stolen", "Decommissioned")
    keys = {state: await _item(admin, number, item_state=state) for number, state in enumerate(states)}
    person = await browser_as("agent")
    for group, expected in (
        ("available", {"New", "In Stock"}),
        ("customers", {"Assigned"}),
        ("reuse", {"Used"}),
        ("problem", {"Damaged", "Out of Service"}),
        ("missing", {"Lost", "Stolen"}),
    ):
        html = (await person.get(f"/inventory-items-list?group={group}")).text
        shown = {state for state, key in keys.items() if f'/inventory-items-list/{key}"' in html}
        assert shown == expected, group
    html = (await person.get("/inventory-items-list?item_state=Lost")).text
    assert f'/inventory-items-list/{keys["Lost"]}"' in html
    assert f'/inventory-items-list/{keys["New"]}"' not in html


async def test_an_item_is_given_to_a_picked_customer(browser_as: LogIn, admin: Any, sim: int, cast: Any) -> None:
    key = await _item(admin, 1)
    agent = await browser_as("agent")
    options = (await agent.get("/customers/pick?customer_id=lice")).text
    assert f'value="Alice Adams (ID: {cast.alice_customer})"' in options
    picked = f"Alice Adams (ID: {cast.alice_customer})"
    answer = await agent.post(f"/inventory-items-list/{key}/edit", customer_id=picked, item_state="Assigned")
    assert answer.status_code == 303, text_of(answer.text)
    html = (await agent.get("/inventory-items-list")).text
    assert f'<a href="/customers/{cast.alice_customer}#8">Alice Adams</a>' in html
    assert f'value="{picked}"' in (await agent.get(f"/inventory-items-list/{key}/edit")).text
    unknown = await agent.post(f"/inventory-items-list/{key}/edit", customer_id="Nobody here")
    assert unknown.status_code == 422
    assert 'id="field-customer_id-error"' in unknown.text


async def test_a_device_password_never_comes_back_and_stays_when_left_empty(
    browser_as: LogIn, admin: Any, sim: int
) -> None:
    key = await _item(admin, 1, management_password="s3cret-word")
    person = await browser_as("admin")
    for path in ("", "/edit"):
        assert "s3cret-word" not in (await person.get(f"/inventory-items-list/{key}{path}")).text
    await person.post(f"/inventory-items-list/{key}/edit", management_password="", item_location="Shelf 3")
    stored = (await admin.get(f"/crm/inventory/inventory_id/{key}")).json()
    assert (stored["management_password"], stored["item_location"]) == ("s3cret-word", "Shelf 3")


async def test_a_template_starts_with_two_labels_and_takes_more(browser_as: LogIn, admin: Any) -> None:
    person = await browser_as("admin")
    form = (await person.get("/inventory-templates/new")).text
    assert 'value="Model Number"' in form
    assert 'value="Serial Number"' in form
    assert form.count("data-more-field hidden") == 18
    sent = {
        "item": "ONT",
        "retail_cost": "0",
        "wholesale_cost": "45",
        "itemtext1_label": "MAC",
        "itemtext2_label": "SN",
    }
    answer = await person.post("/inventory-templates/new", **sent, itemtext3_label="PON")
    assert answer.status_code == 303, text_of(answer.text)
    assert "MAC, SN, PON" in text_of((await person.get("/inventory-templates")).text)
    key = answer.headers["location"].rpartition("/")[2]
    cleared = await person.post(f"/inventory-templates/{key}/edit", itemtext1_label="")
    assert cleared.status_code == 422
    assert 'id="field-itemtext1_label-error"' in cleared.text


async def test_renaming_a_template_names_the_products_that_ask_for_it(browser_as: LogIn, admin: Any, sim: int) -> None:
    plan = {"product_name": "Mobile 10", "product_slug": "m10", "inventory_items_list": ["SIM Card"]}
    await admin.put("/crm/product/", plan)
    person = await browser_as("admin")
    form = text_of((await person.get(f"/inventory-templates/{sim}/edit")).text)
    assert "These products ask for “SIM Card” by name: Mobile 10." in form


async def test_a_template_with_items_is_kept(browser_as: LogIn, admin: Any, sim: int) -> None:
    await _item(admin, 1)
    person = await browser_as("admin")
    await person.post(f"/inventory-templates/{sim}/delete")
    html = (await person.get("/inventory-templates")).text
    assert "The template has items and cannot be deleted" in html
    assert "SIM Card" in html


async def test_the_list_stays_within_its_statements(
    browser_as: LogIn, admin: Any, sim: int, cast: Any, counted: Any, within_baseline: Any
) -> None:
    for number in range(10):
        await _item(admin, number, customer_id=cast.alice_customer)
    person = await browser_as("admin")
    with counted() as statements:
        assert (await person.get("/inventory-items-list")).status_code == 200
    within_baseline("inventory list", statements)
