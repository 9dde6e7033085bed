"""Bodies, lists and errors of the regular entities look as their chapters print them."""

from __future__ import annotations

from typing import Any


async def test_a_customer_is_created_with_its_contacts_and_read_with_them(admin: Any) -> None:
    made = await admin.put("/crm/customer/", {"customer_name": "Ada Ltd", "contacts": [{"contact_firstname": "Ada"}]})
    assert made.status_code == 200, made.text
    read = await admin.get(f"/crm/customer/customer_id/{made.json()['customer_id']}")
    assert [contact["contact_types"] for contact in read.json()["contacts"]] == ["Primary"]
    assert read.json()["customer_status"] == "Open"


async def test_nothing_is_stored_when_one_contact_of_a_new_customer_is_wrong(admin: Any) -> None:
    before = (await admin.get("/crm/customers")).json()["data"]
    made = await admin.put("/crm/customer/", {"customer_name": "X", "contacts": [{"contact_email": "no address"}]})
    assert made.status_code == 400
    assert "contacts.0.contact_email" in made.json()["errors"]
    assert (await admin.get("/crm/customers")).json()["data"] == before


async def test_an_unknown_key_is_refused_and_named(admin: Any) -> None:
    answer = await admin.put("/crm/customer/", {"customer_name": "Ada", "colour": "red"})
    assert answer.status_code == 400
    assert "colour" in answer.json()["errors"]


async def test_read_only_keys_of_a_patch_are_answered_as_ignored(admin: Any, cast: Any) -> None:
    answer = await admin.patch(
        f"/crm/customer/{cast.alice_customer}", {"created": "2020-01-01", "tax_identifier": "GB1"}
    )
    assert answer.status_code == 200
    assert answer.json()["ignored"] == ["created"]
    assert answer.json()["tax_identifier"] == "GB1"


async def test_lists_of_a_customer_are_bare_arrays_and_inventory_is_an_object(admin: Any, cast: Any) -> None:
    for name in ("contact", "site", "attribute", "tag"):
        assert (await admin.get(f"/crm/{name}/customer_id/{cast.alice_customer}")).json() == []
    assert (await admin.get(f"/crm/inventory/customer_id/{cast.alice_customer}")).json() == {"data": []}
    assert isinstance((await admin.get("/crm/customer/")).json(), list)
    assert list((await admin.get("/crm/customers")).json()) == ["data"]


async def test_what_belongs_to_an_archived_customer_is_read_only_until_its_restoration(admin: Any, cast: Any) -> None:
    customer = cast.bob_customer
    tag = {"customer_id": customer, "tag_text": "VIP", "tag_hex_color": "FFD700"}
    kept = (await admin.put("/crm/tag/", tag)).json()["tag_id"]
    assert (await admin.delete(f"/crm/customer/{customer}")).json() == {"result": "success"}
    for answer in (
        await admin.put("/crm/tag/", tag),
        await admin.patch(f"/crm/tag/{kept}", {"tag_text": "x"}),
        await admin.delete(f"/crm/tag/{kept}"),
        await admin.patch(f"/crm/customer/{customer}", {"customer_name": "x"}),
    ):
        assert answer.status_code == 409, answer.text
    assert (await admin.patch(f"/crm/customer/{customer}", {"customer_status": "Open"})).status_code == 200
    assert (await admin.delete(f"/crm/tag/{kept}")).status_code == 200
