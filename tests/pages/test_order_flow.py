"""The order flow in a browser without JavaScript: each step, what it refuses, and what comes of it (PROV-035..090)."""

from __future__ import annotations

import html
import re
from typing import Any

from tests.conftest import Cast
from tests.pages import shop
from tests.pages.conftest import LogIn, text_of


def _flow(cast: Cast) -> str:
    return f"/customers/{cast.alice_customer}/add-service"


def _step(answer: Any) -> str:
    """Name of the step that the trail marks as the present one."""
    found = re.search(r'aria-current="step">(.*?)</li>', answer.text, re.DOTALL)
    return re.sub(r"^\d+ ", "", text_of(found[1]).strip()) if found else "Product"


async def test_an_order_asks_for_items_then_renewal_then_review_and_starts_a_job(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    sim, _ = await shop.stock(admin, "8944001", "8944002")
    plan = await shop.product(admin, inventory_items_list="['SIM Card']", auto_renew="prompt", terms=shop.TERMS)
    person = await browser_as("agent")
    assert "Mobile 10" in (await person.get(_flow(cast))).text

    items = await person.get(f"{_flow(cast)}?product_id={plan}")
    assert _step(items) == "Equipment and numbers"
    assert f"#{sim} · ICCID: 8944001 · Shelf 1 · New" in items.text

    renewal = await person.get(f"{_flow(cast)}?product_id={plan}&item_SIM_Card={sim}")
    assert _step(renewal) == "Renewal"
    assert f'name="item_SIM_Card" value="{sim}"' in renewal.text

    review = await person.get(f"{_flow(cast)}?product_id={plan}&item_SIM_Card={sim}&auto_renew=true")
    assert _step(review) == "Review"
    shown = text_of(html.unescape(review.text))
    assert all(text in shown for text in ("Alice Adams (ID: 1)", "8944001", "Auto-renew Yes", "10 GB of data"))
    assert "Due today US$20.00" in shown

    answers = {"product_id": plan, "item_SIM_Card": sim, "auto_renew": "true", "terms": "true"}
    done = await person.post(_flow(cast), **answers)
    assert done.status_code == 303
    job = (await admin.get(f"/crm/provision/provision_id/{done.headers['location'].rpartition('/')[2]}")).json()
    assert (job["customer_id"], job["product_id"]) == (cast.alice_customer, plan)
    assert '"SIM Card": ' + str(sim) in job["provisioning_json_vars"]
    assert '"auto_renew": true' in job["provisioning_json_vars"]


async def test_a_product_without_items_and_questions_goes_straight_to_the_review(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    plan = await shop.product(admin)
    person = await browser_as("agent")
    assert _step(await person.get(f"{_flow(cast)}?product_id={plan}")) == "Review"
    assert (await person.post(_flow(cast), product_id=plan)).status_code == 303


async def test_terms_must_be_accepted_and_nothing_typed_is_lost(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    plan = await shop.product(admin, terms=shop.TERMS)
    site = (
        await admin.put(
            "/crm/site/", {"customer_id": cast.alice_customer, "site_name": "Home", "latitude": 49.4, "longitude": -2.3}
        )
    ).json()
    person = await browser_as("agent")
    refused = await person.post(_flow(cast), product_id=plan, site_id=site["site_id"])
    assert refused.status_code == 422
    assert "accept the terms" in refused.text
    assert re.search(rf'<option value="{site["site_id"]}" selected', refused.text)
    assert (await admin.get("/crm/provision/")).json()["data"] == []


async def test_accepting_the_terms_is_on_record(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    plan = await shop.product(admin, terms=shop.TERMS)
    person = await browser_as("agent")
    await person.post(_flow(cast), product_id=plan, terms="true")
    entries = (await admin.get(f"/crm/activity/customer_id/{cast.alice_customer}")).json()["data"]
    accepted = next(entry for entry in entries if entry["action"] == "terms")
    assert (accepted["title"], accepted["user_name"]) == ("Terms of Mobile 10 accepted", "agent")


async def test_a_missing_item_is_named_at_its_drop_down(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    await shop.stock(admin, "8944001")
    plan = await shop.product(admin, inventory_items_list="['SIM Card']")
    person = await browser_as("agent")
    fresh = await person.get(f"{_flow(cast)}?product_id={plan}")
    assert "Choose a SIM Card." not in fresh.text
    sent = await person.get(f"{_flow(cast)}?product_id={plan}&item_SIM_Card=")
    assert sent.status_code == 422
    assert "Choose a SIM Card." in sent.text
    assert (await person.post(_flow(cast), product_id=plan)).status_code == 422


async def test_of_two_orders_for_one_item_the_second_goes_back_to_the_choice(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    first, other = await shop.stock(admin, "8944001", "8944002")
    plan = await shop.product(admin, inventory_items_list="['SIM Card']")
    person = await browser_as("agent")
    order = {"product_id": plan, "item_SIM_Card": first}
    assert (await person.post(_flow(cast), **order)).status_code == 303
    late = await person.post(_flow(cast), **order)
    assert late.status_code == 422
    assert _step(late) == "Equipment and numbers"
    assert "no longer available" in late.text
    assert "8944001" not in late.text
    assert f'<option value="{other}"' in late.text
    assert len((await admin.get("/crm/provision/")).json()["data"]) == 1


async def test_an_empty_stock_says_what_to_look_at(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    await shop.stock(admin)
    plan = await shop.product(admin, inventory_items_list="['SIM Card']")
    person = await browser_as("agent")
    shown = text_of((await person.get(f"{_flow(cast)}?product_id={plan}")).text)
    assert "No inventory available." in shown
    assert "New or In Stock" in shown


async def test_only_the_right_items_are_listed_and_a_search_finds_the_others(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    ids = await shop.stock(admin, *(f"89{number:05d}" for number in range(60)))
    await admin.patch(f"/crm/inventory/inventory_id/{ids[0]}", {"item_state": "Damaged"})
    await admin.patch(f"/crm/inventory/inventory_id/{ids[1]}", {"customer_id": cast.bob_customer})
    plan = await shop.product(admin, inventory_items_list="['SIM Card']")
    person = await browser_as("agent")
    first = (await person.get(f"{_flow(cast)}?product_id={plan}")).text
    assert "8900000" not in first
    assert "8900001" not in first
    assert "50 of 58 shown" in first
    assert "8900059" not in first
    search = await person.get(f"{_flow(cast)}?product_id={plan}&item_SIM_Card=&find_SIM_Card=00059&step=items")
    assert "8900059" in search.text
    assert "Choose a SIM Card." not in search.text


async def test_products_for_others_are_hidden_with_the_reason_and_cannot_be_ordered(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    plan = await shop.product(admin, residential=False, business=True)
    person = await browser_as("agent")
    shown = text_of((await person.get(_flow(cast))).text)
    assert "No products available" in shown
    assert "Mobile 10 is not offered to individual customers" in shown
    refused = await person.post(_flow(cast), product_id=plan)
    assert refused.status_code == 422
    assert "is not offered to individual customers" in refused.text


async def test_an_add_on_goes_to_the_only_matching_service_or_asks_which(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    boost = await shop.product(admin, category="addon", product_name="Boost", provisioning_play="play_topup_no_charge")
    person = await browser_as("agent")
    assert "Boost needs an active mobile service" in text_of((await person.get(_flow(cast))).text)

    first = await shop.service(admin, cast.alice_customer)
    assert _step(await person.get(f"{_flow(cast)}?product_id={boost}")) == "Review"
    second = await shop.service(admin, cast.alice_customer, service_uuid="Line_2", service_name="Tablet")
    asked = await person.get(f"{_flow(cast)}?product_id={boost}")
    assert _step(asked) == "Service"
    assert f"Tablet (ID: {second})" in asked.text
    done = await person.post(_flow(cast), product_id=boost, service_id=first)
    key = done.headers["location"].rpartition("/")[2]
    assert (await admin.get(f"/crm/provision/provision_id/{key}")).json()["service_id"] == first


async def test_the_add_ons_of_a_service_are_those_of_its_type(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    await shop.product(admin, product_name="Plan", product_slug="plan")
    await shop.product(admin, category="addon", product_name="Boost", product_slug="boost")
    line = await shop.service(admin, cast.alice_customer)
    radio = await shop.service(admin, cast.alice_customer, service_type="internet", service_uuid="Line_2")
    person = await browser_as("agent")
    mobile = (await person.get(f"{_flow(cast)}?service_id={line}")).text
    assert "Boost" in mobile
    assert "Plan" not in text_of(mobile)
    assert "No compatible addons available" in (await person.get(f"{_flow(cast)}?service_id={radio}")).text


async def test_a_suspended_customer_gets_no_products(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    plan = await shop.product(admin)
    await admin.patch(f"/crm/customer/customer_id/{cast.alice_customer}", {"customer_status": "Suspended"})
    person = await browser_as("agent")
    assert "no new service can be ordered" in (await person.get(_flow(cast))).text
    assert (await person.post(_flow(cast), product_id=plan)).status_code == 422


async def test_a_business_customer_is_asked_for_contacts_and_order_number(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    await admin.patch(f"/crm/customer/customer_id/{cast.alice_customer}", {"customer_account_type": "Business"})
    contact = {"customer_id": cast.alice_customer, "contact_firstname": "Eve", "contact_email": "eve@example.com"}
    person_id = (await admin.put("/crm/contact/", contact)).json()["contact_id"]
    plan = await shop.product(admin, business=True)
    person = await browser_as("agent")
    assert "Purchase order number" in (await person.get(f"{_flow(cast)}?product_id={plan}")).text
    fields = {"product_id": plan, "billing_contact_id": person_id, "purchase_order_number": "PO-7"}
    key = (await person.post(_flow(cast), **fields)).headers["location"].rpartition("/")[2]
    variables = (await admin.get(f"/crm/provision/provision_id/{key}")).json()["provisioning_json_vars"]
    assert '"purchase_order_number": "PO-7"' in variables
    assert f'"billing_contact_id": "{person_id}"' in variables


async def test_template_text_in_an_order_is_shown_as_text(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    await admin.patch(f"/crm/customer/customer_id/{cast.alice_customer}", {"customer_account_type": "Business"})
    plan = await shop.product(admin, business=True)
    person = await browser_as("agent")
    done = await person.post(_flow(cast), product_id=plan, purchase_order_number="<b>{{ lookup('pipe', 'id') }}</b>")
    page = await person.get(done.headers["location"])
    assert "&lt;b&gt;{{ lookup(&#39;pipe&#39;, &#39;id&#39;) }}&lt;/b&gt;" in page.text


async def test_who_may_not_order_is_kept_out_of_the_flow(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    plan = await shop.product(admin)
    person = await browser_as("auditor")
    assert (await person.get(_flow(cast))).status_code == 403
    assert (await person.post(_flow(cast), product_id=plan)).status_code == 403
    assert "Assign to Customer" not in (await person.get("/catalogue")).text


async def test_unknown_customers_products_and_odd_numbers_do_no_harm(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    plan = await shop.product(admin)
    person = await browser_as("agent")
    assert (await person.get("/customers/9999/add-service")).status_code == 404
    assert (await person.get(f"{_flow(cast)}?product_id=9999")).status_code == 404
    assert (await person.get(f"{_flow(cast)}?product_id=%7B%7B7*7%7D%7D")).status_code == 200
    assert (await person.post(_flow(cast), product_id=plan, site_id="x; drop")).status_code == 422


async def test_the_catalogue_groups_by_customer_type_and_category(browser_as: LogIn, admin: Any) -> None:
    for place, (name, category, residential, business) in enumerate(
        (("Home", "standalone", True, False), ("Office", "bundle", False, True), ("Extra", "addon", True, True))
    ):
        await shop.product(
            admin,
            product_name=name,
            product_slug=f"p{place}",
            category=category,
            residential=residential,
            business=business,
        )
    await shop.product(admin, product_name="Gone", product_slug="gone", enabled=False)
    person = await browser_as("agent")
    private = text_of((await person.get("/catalogue")).text)
    assert "Individual Service Plans" in private and "Individual Add-ons" in private
    assert "Home" in private and "Extra" in private
    assert "Office" not in private and "Gone" not in private
    business = text_of((await person.get("/catalogue?type=Business")).text)
    assert "Business Service Plans" in business and "Office" in business and "Extra" in business
    assert "Office" in (await person.get("/catalogue?type=Business&search=office")).text
    assert "No products available" in (await person.get("/catalogue?search=nothing")).text


async def test_a_search_finds_words_of_the_features(browser_as: LogIn, admin: Any) -> None:
    await shop.product(admin)
    person = await browser_as("agent")
    assert "Mobile 10" in (await person.get("/catalogue?search=free+calls")).text


async def test_from_the_catalogue_the_customer_is_picked_by_name_id_mail_or_phone(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    plan = await shop.product(admin)
    contact = {"customer_id": cast.alice_customer, "contact_email": "alice@home.example", "contact_phone": "+44 1481 7"}
    await admin.put("/crm/contact/", contact)
    person = await browser_as("agent")
    link = f'href="/customers/{cast.alice_customer}/add-service?product_id={plan}"'
    for term in ("alice", str(cast.alice_customer), "home.example", "1481"):
        found = await person.get(f"/catalogue/{plan}/assign?search={term}", htmx=True)
        assert link in found.text, term
        assert "<html" not in found.text
    assert "Customer not found" in (await person.get(f"/catalogue/{plan}/assign?search=zzz")).text


async def test_a_products_page_shows_features_prices_terms_and_who_it_is_for(browser_as: LogIn, admin: Any) -> None:
    plan = await shop.product(admin, terms=shop.TERMS, relies_on_list="['12']")
    person = await browser_as("agent")
    shown = text_of((await person.get(f"/catalogue/{plan}")).text)
    assert all(
        text in shown for text in ("Free calls", "$15.00", "$5.00 setup", "Fair use.", "Individual customers", "12")
    )
