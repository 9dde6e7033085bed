"""One operation on many customers: by the page and by JSON, with a result for each."""

from __future__ import annotations

from typing import Any

from tests.pages.conftest import LogIn, text_of


async def _blocked(admin: Any, customer_id: int) -> None:
    await admin.put("/crm/service/", {"customer_id": customer_id, "service_name": "L", "service_uuid": "l1"})


async def test_archiving_two_reports_the_blocked_one(browser_as: LogIn, admin: Any, cast: Any) -> None:
    await _blocked(admin, cast.alice_customer)
    person = await browser_as("admin")
    ids = f"{cast.alice_customer},{cast.bob_customer}"
    answer = await person.post("/customers/batch", customer_ids=ids, action="archive")
    shown = text_of(answer.text)
    assert "Alice Adams Refused The customer cannot be archived: it has 1 active service" in shown
    assert "Bob Brown Done" in shown
    assert (await admin.get(f"/crm/customer/customer_id/{cast.bob_customer}")).json()["customer_status"] == "Archived"


async def test_json_answers_a_result_for_each(admin: Any, cast: Any) -> None:
    await _blocked(admin, cast.alice_customer)
    body = {"customer_ids": [cast.alice_customer, cast.bob_customer, 999], "action": "archive"}
    answer = await admin.post("/crm/customer/bulk", body)
    assert answer.status_code == 200
    assert [(one["customer_id"], one["result"]) for one in answer.json()["results"]] == [
        (cast.alice_customer, "error"),
        (cast.bob_customer, "success"),
        (999, "error"),
    ]


async def test_status_and_tag_for_all_chosen(admin: Any, cast: Any) -> None:
    ids = [cast.alice_customer, cast.bob_customer]
    await admin.post(
        "/crm/customer/bulk", {"customer_ids": ids, "action": "set_status", "customer_status": "Suspended"}
    )
    tag = {"tag_text": "Outage", "tag_hex_color": "FF0000"}
    await admin.post("/crm/customer/bulk", {"customer_ids": ids, "action": "add_tag", **tag})
    for key in ids:
        assert (await admin.get(f"/crm/customer/customer_id/{key}")).json()["customer_status"] == "Suspended"
        assert [one["tag_text"] for one in (await admin.get(f"/crm/tag/customer_id/{key}")).json()] == ["Outage"]


async def test_bad_requests_are_named(admin: Any, cast: Any) -> None:
    ids = [cast.alice_customer]
    for body, field in (
        ({"customer_ids": ids, "action": "explode"}, "action"),
        ({"customer_ids": [], "action": "archive"}, "customer_ids"),
        ({"customer_ids": "1", "action": "archive"}, "customer_ids"),
        ({"customer_ids": ids, "action": "set_status"}, "customer_status"),
        ({"customer_ids": ids, "action": "archive", "force": True}, "force"),
    ):
        answer = await admin.post("/crm/customer/bulk", body)
        assert answer.status_code == 400, body
        assert field in answer.json()["errors"], body


async def test_the_permission_of_the_single_operation_applies(as_user: Any, cast: Any) -> None:
    body = {"customer_ids": [cast.bob_customer], "action": "archive"}
    answer = await as_user("agent").post("/crm/customer/bulk", body)  # may update, may not delete
    assert answer.status_code == 403
    assert (await as_user("auditor").post("/crm/customer/bulk", body)).status_code == 403


async def test_the_export_holds_the_chosen_customers_and_no_formulas(browser_as: LogIn, admin: Any, cast: Any) -> None:
    await admin.patch(f"/crm/customer/customer_id/{cast.bob_customer}", {"customer_name": "=cmd|'/c calc'!A1"})
    agent = await browser_as("agent")
    answer = await agent.post("/customers/export", customer_ids=f"{cast.alice_customer},{cast.bob_customer}")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    lines = answer.text.splitlines()
    assert lines[0].startswith("customer_id,customer_name,")
    assert "Alice Adams" in lines[1]
    assert lines[2].startswith(f"{cast.bob_customer},'=cmd")
