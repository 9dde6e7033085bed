"""Void transactions, debits that stay debits, and lists that never ignore what they are asked."""

from __future__ import annotations

from typing import Any

import pytest


async def test_void_transactions_come_on_request_only(admin: Any, make: Any, world: Any) -> None:
    """BILL-062."""
    kept, void = await make("transaction", 2), await make("transaction", 4)
    await admin.delete(f"/crm/transaction/{void['transaction_id']}")

    async def ids(path: str) -> set[int]:
        return {row["transaction_id"] for row in (await admin.get(path)).json()["data"]}

    both = {kept["transaction_id"], void["transaction_id"]}
    for base in ("/crm/transaction", f"/crm/transaction/customer_id/{world.alice}"):
        assert await ids(base) == {kept["transaction_id"]}
        assert await ids(f"{base}?void=true") == {void["transaction_id"]}
        assert await ids(f'{base}?filters={{"void":[true,false]}}') == both
        assert await ids(f"{base}?search=void") == set()
    assert (await admin.get(f"/crm/transaction/{void['transaction_id']}")).json()["void"] is True


async def test_a_debit_cannot_become_negative(admin: Any, make: Any) -> None:
    debit, credit = await make("transaction", 2), await make("transaction", 3)
    refused = await admin.patch(f"/crm/transaction/{debit['transaction_id']}", {"retail_cost": -5})
    assert refused.status_code == 400 and "retail_cost" in refused.json()["errors"]
    assert (await admin.get(f"/crm/transaction/{debit['transaction_id']}")).json()["retail_cost"] == 12.0
    changed = await admin.patch(f"/crm/transaction/{credit['transaction_id']}", {"retail_cost": 5})
    assert changed.json()["retail_cost"] == -5.0


@pytest.mark.parametrize(
    "path",
    ["/crm/customer", "/crm/customers", "/crm/product", "/crm/inventory/customer_id/1", "/crm/tag/customer_id/1"],
)
@pytest.mark.parametrize("asked", ["sort=created", "order=desc", "page=2"])
async def test_a_list_answered_whole_refuses_what_it_cannot_do(path: str, asked: str, admin: Any, world: Any) -> None:
    refused = await admin.get(f"{path}?{asked}")
    assert refused.status_code == 400, refused.text
    assert list(refused.json()["errors"]) == [asked.partition("=")[0]]


async def test_with_per_page_a_whole_list_sorts_and_pages(admin: Any, make: Any) -> None:
    names = [(await make("customer", number))["customer_name"] for number in (1, 2, 4)]
    query = "sort=customer_name&order=desc&per_page=2&search=Customer"
    assert [row["customer_name"] for row in (await admin.get(f"/crm/customer?{query}")).json()] == names[:0:-1]
    rest = (await admin.get(f"/crm/customers?{query}&page=2")).json()
    assert [row["customer_name"] for row in rest["data"]] == names[:1]


async def test_an_order_alone_orders_by_the_key(admin: Any, make: Any) -> None:
    made = [(await make("site", number))["site_id"] for number in (1, 2, 3)]

    async def found(order: str) -> list[int]:
        rows = (await admin.get(f"/crm/site?order={order}")).json()["data"]
        return [row["site_id"] for row in rows if row["site_id"] in made]

    assert await found("asc") == made
    assert await found("desc") == made[::-1]
