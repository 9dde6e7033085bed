"""Product pages: list, five tabs, form, cloning."""

from __future__ import annotations

import re
from typing import Any

from tests.pages.conftest import LogIn, text_of

PLAN = {"product_name": "Mobile 10", "product_slug": "mobile-10", "category": "standalone", "service_type": "mobile"}


async def _product(admin: Any, **more: Any) -> int:
    answer = await admin.put("/crm/product/", {**PLAN, **more})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["product_id"])


async def test_the_list_shows_disabled_products_too_and_filters(browser_as: LogIn, admin: Any) -> None:
    await _product(admin)
    await _product(admin, product_name="Old one", product_slug="old", enabled=False, category="addon")
    person = await browser_as("admin")
    everything = (await person.get("/products")).text
    assert "Mobile 10" in everything
    assert "Old one" in everything
    addons = (await person.get("/products?category=addon")).text
    assert "Old one" in addons
    assert "Mobile 10" not in addons
    assert "Old one" not in (await person.get("/products?enabled=true")).text
    assert "Mobile 10" in (await person.get("/products?search=10")).text


async def test_view_and_edit_have_the_five_tabs_in_order(browser_as: LogIn, admin: Any) -> None:
    key = await _product(admin)
    person = await browser_as("admin")
    for path in (f"/products/{key}", f"/products/{key}/edit"):
        html = (await person.get(path)).text
        tabs = re.findall(r'role="tab"[^>]*>([^<]+)<', html)
        assert [tab.strip() for tab in tabs] == [
            "Basic Info",
            "Pricing",
            "Configuration",
            "Provisioning",
            "Availability",
        ]


async def test_create_by_the_form_with_features_line_by_line_and_chosen_items(browser_as: LogIn, admin: Any) -> None:
    for item in ("SIM Card", "Mobile Number"):
        await admin.put("/crm/inventory_template/", {"item": item, "wholesale_cost": 1, "retail_cost": 2})
    person = await browser_as("admin")
    form = (await person.get("/products/new")).text
    assert 'value="SIM Card"' in form
    values: dict[str, Any] = {
        **PLAN,
        "features_list": "10 GB of data\r\n\r\nUnlimited calls",
        "retail_cost": "15",
        "tax_percentage": "20",
        "inventory_items_list": ["", "SIM Card", "Mobile Number"],
        "relies_on_list": "mobile\nfibre",
        "auto_renew": "prompt",
        "available_from": "",
    }
    answer = await person.post("/products/new", **values)
    assert answer.status_code == 303, text_of(answer.text)
    key = answer.headers["location"].rpartition("/")[2]
    stored = (await admin.get(f"/crm/product/product_id/{key}")).json()
    assert stored["features"] == ["10 GB of data", "Unlimited calls"]
    assert sorted(stored["inventory_items_list"].strip("[]").split(", ")) == ["'Mobile Number'", "'SIM Card'"]
    assert stored["relies_on_list"] == "['mobile', 'fibre']"
    assert (stored["retail_cost"], stored["auto_renew"], stored["available_from"]) == (15.0, "prompt", None)
    shown = text_of((await person.get(f"/products/{key}")).text)
    assert re.search(r"20 % \(\D*3\.00 a month\)", shown)
    # Saved again as it is shown, nothing changes.
    html = (await person.get(f"/products/{key}/edit")).text
    again = {"features_list": "10 GB of data\nUnlimited calls", "retail_cost": "15.00", "tax_percentage": "20"}
    assert all(text in html for text in ("15.00", "10 GB of data\nUnlimited calls"))
    await person.post(f"/products/{key}/edit", **again)
    log = (await admin.get("/crm/activity/")).json()["data"]
    assert [entry["action"] for entry in log if entry["entity_type"] == "product"] == ["create"]


async def test_errors_are_counted_on_their_tabs(browser_as: LogIn) -> None:
    person = await browser_as("admin")
    wrong = {**PLAN, "product_slug": "with space", "retail_cost": "-1", "provisioning_json_vars": "{"}
    answer = await person.post("/products/new", **wrong)
    assert answer.status_code == 422
    tabs = re.findall(r'id="tab-link-(\d)"[^>]*>[^<]*(?:<span class="count">(\d)</span>)?', answer.text)
    assert dict(tabs) == {"1": "1", "2": "1", "3": "", "4": "1", "5": ""}
    assert "with space" in answer.text


async def test_a_clone_is_equal_but_for_name_and_slug_and_a_second_one_finds_a_free_slug(
    browser_as: LogIn, admin: Any
) -> None:
    key = await _product(admin, retail_cost=15, terms="None", inventory_items_list=["SIM Card"])
    person = await browser_as("admin")
    made = []
    for _ in range(2):
        answer = await person.post(f"/products/{key}/clone")
        assert answer.status_code == 303
        made.append(int(answer.headers["location"].split("/")[2]))
    source, first, second = [(await admin.get(f"/crm/product/product_id/{one}")).json() for one in (key, *made)]
    assert (first["product_name"], first["product_slug"]) == ("Mobile 10_clone", "mobile-10_clone")
    assert second["product_slug"] not in (source["product_slug"], first["product_slug"])
    own = {"product_id", "product_name", "product_slug", "created", "last_modified", "result"}
    assert {k: v for k, v in first.items() if k not in own} == {k: v for k, v in source.items() if k not in own}


async def test_a_used_product_is_kept_and_the_reason_is_shown(browser_as: LogIn, admin: Any, cast: Any) -> None:
    key = await _product(admin)
    service = {"customer_id": cast.alice_customer, "product_id": key, "service_name": "L", "service_uuid": "l1"}
    await admin.put("/crm/service/", service)
    person = await browser_as("admin")
    assert (await person.post(f"/products/{key}/delete")).headers["location"] == "/products"
    html = (await person.get("/products")).text
    assert "1 services use this product" in html
    assert "Mobile 10" in html


async def test_the_list_stays_within_its_statements(
    browser_as: LogIn, admin: Any, counted: Any, within_baseline: Any
) -> None:
    for number in range(10):
        await _product(admin, product_slug=f"p{number}")
    person = await browser_as("admin")
    with counted() as statements:
        assert (await person.get("/products")).status_code == 200
    within_baseline("products list", statements)


async def test_an_agent_sees_products_and_changes_none(browser_as: LogIn, admin: Any) -> None:
    key = await _product(admin)
    agent = await browser_as("agent")
    assert "Mobile 10" in (await agent.get("/products")).text
    html = (await agent.get(f"/products/{key}")).text
    assert "Edit Product" not in html
    assert "Clone Product" not in html
    assert (await agent.get(f"/products/{key}/edit")).status_code == 403
    assert (await agent.post(f"/products/{key}/clone")).status_code == 403
