"""The customer list: columns, filters, search, pages, empty states."""

from __future__ import annotations

from typing import Any

from tests.pages.conftest import LogIn, text_of


async def _customer(admin: Any, name: str, **more: Any) -> int:
    answer = await admin.put("/crm/customer/", {"customer_name": name, **more})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["customer_id"])


async def test_a_row_tells_contact_services_and_tags(browser_as: LogIn, admin: Any) -> None:
    contact = {"contact_firstname": "Carl", "contact_lastname": "Cox", "contact_email": "carl@example.com"}
    customer_id = await _customer(admin, "Cox Ltd", customer_account_type="Business", contacts=[contact])
    tag = {"customer_id": customer_id, "tag_text": "VIP", "tag_hex_color": "FFD700"}
    await admin.put("/crm/tag/", tag)
    await admin.put(
        "/crm/tag/",
        {
            **tag,
            "tag_text": "Bygone",
            "tag_active_date": "2020-01-01 00:00:00",
            "tag_deactivate_date": "2021-01-01 00:00:00",
        },
    )
    await admin.put("/crm/service/", {"customer_id": customer_id, "service_name": "Line", "service_uuid": "line-1"})
    html = (await (await browser_as("agent")).get("/customers")).text
    shown = text_of(html)
    assert f'href="/customers/{customer_id}">Cox Ltd</a>' in html
    assert "Carl Cox carl@example.com 1 VIP" in shown
    assert "Bygone" not in html


async def test_only_open_customers_until_the_filter_says_otherwise(browser_as: LogIn, admin: Any) -> None:
    for status in ("Closed", "Suspended", "Archived"):
        await _customer(admin, f"The {status} one", customer_status=status)
    agent = await browser_as("agent")
    assert "The Closed one" not in (await agent.get("/customers")).text
    assert "The Closed one" in (await agent.get("/customers?customer_status=Closed")).text
    everything = (await agent.get("/customers?customer_status=all")).text
    assert all(f"The {status} one" in everything for status in ("Closed", "Suspended", "Archived"))
    assert "Alice Adams" in everything


async def test_search_finds_by_part_of_the_name_and_by_id(browser_as: LogIn, cast: Any) -> None:
    agent = await browser_as("agent")
    by_name = (await agent.get("/customers?search=lice")).text
    assert "Alice Adams" in by_name
    assert "Bob Brown" not in by_name
    by_id = (await agent.get(f"/customers?search={cast.bob_customer}")).text
    assert "Bob Brown" in by_id


async def test_a_search_without_hits_says_so_and_leads_back(browser_as: LogIn) -> None:
    html = (await (await browser_as("agent")).get("/customers?search=zzz")).text
    assert "Nothing matches" in html
    assert "Clear search" in html
    assert "<table" not in html


async def test_tag_filter_and_sorting_live_in_the_address(browser_as: LogIn, admin: Any, cast: Any) -> None:
    await admin.put("/crm/tag/", {"customer_id": cast.bob_customer, "tag_text": "Gold", "tag_hex_color": "FFD700"})
    agent = await browser_as("agent")
    tagged = (await agent.get("/customers?tag=Gold")).text
    assert "Bob Brown" in tagged
    assert "Alice Adams" not in tagged
    rising = (await agent.get("/customers?sort=customer_name&order=asc")).text
    assert rising.index("Alice Adams") < rising.index("Bob Brown")
    assert 'aria-sort="ascending"' in rising
    falling = (await agent.get("/customers?sort=customer_name&order=desc")).text
    assert falling.index("Bob Brown") < falling.index("Alice Adams")


async def test_pages_hold_ten_rows_and_none_twice(browser_as: LogIn, admin: Any) -> None:
    for number in range(23):
        await _customer(admin, f"Customer number {number:02}")
    agent = await browser_as("agent")
    seen = []
    for page in (1, 2, 3):
        html = (await agent.get(f"/customers?page={page}")).text
        seen.append([n for n in range(1, 26) if f'href="/customers/{n}">' in html])
    assert [len(page) for page in seen] == [10, 10, 5]
    assert len({row for page in seen for row in page}) == 25


async def test_a_page_beyond_the_last_one_does_not_claim_an_empty_list(browser_as: LogIn) -> None:
    html = (await (await browser_as("agent")).get("/customers?page=9")).text
    assert "No customers yet" not in html
    assert "Clear search" in html


async def test_a_bad_filter_in_the_address_is_named(browser_as: LogIn) -> None:
    answer = await (await browser_as("agent")).get("/customers?per_page=100000")
    assert answer.status_code == 400
    assert "per_page" in answer.text


async def test_htmx_gets_the_list_alone(browser_as: LogIn) -> None:
    html = (await (await browser_as("agent")).get("/customers?search=lice", htmx=True)).text
    assert "<html" not in html
    assert 'id="customer-panel-rows"' in html


async def test_the_list_and_the_page_stay_within_their_statements(
    browser_as: LogIn, admin: Any, counted: Any, within_baseline: Any
) -> None:
    for number in range(10):
        customer_id = await _customer(
            admin, f"C{number}", contacts=[{"contact_firstname": "A", "contact_lastname": "B"}]
        )
        await admin.put("/crm/tag/", {"customer_id": customer_id, "tag_text": "T", "tag_hex_color": "FFD700"})
        await admin.put(
            "/crm/service/", {"customer_id": customer_id, "service_name": "S", "service_uuid": f"u{number}"}
        )
    person = await browser_as("admin")
    with counted() as statements:
        assert (await person.get("/customers")).status_code == 200
    within_baseline("customers list", statements)
    with counted() as statements:
        assert (await person.get(f"/customers/{customer_id}")).status_code == 200
    within_baseline("customer page", statements)


async def test_who_has_no_permission_is_refused_and_a_stranger_is_sent_to_the_login(browser_as: LogIn) -> None:
    assert (await (await browser_as("nobody")).get("/customers")).status_code == 403
    alice = await browser_as("alice")
    assert (await alice.get("/customers")).status_code == 403
    assert (await alice.get("/customers/1")).status_code == 403
    alice.http.cookies.delete("omnicrm_session")
    answer = await alice.get("/customers?search=x")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=/customers")
