"""Who may charge a service by an address alone, what is refused, and what the job gets (PROV-198..205)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.views import simple_provision
from tests.provisioning_orders.conftest import Shop, finish
from tests.simple_provisioning.conftest import KEY


def path(shop: Shop, product: str = "plain", service: str = "alice", kind: str = "addon") -> str:
    where = f"service_id/{shop.services[service]}/product_id/{shop.products[product]}"
    return f"/crm/provision/simple_provision_{kind}/{where}"


def job(parts: root.Parts, provision_id: int) -> Provision:
    return parts.door.read_now(lambda session: session.get_one(Provision, provision_id))


def variables(parts: root.Parts, provision_id: int) -> dict[str, Any]:
    query = select(Provision.variables).where(Provision.provision_id == provision_id)
    return dict(json.loads(parts.door.read_now(lambda session: session.scalar(query)) or "{}")["values"])


def jobs(parts: root.Parts) -> int:
    return len(parts.door.read_now(lambda session: session.scalars(select(Provision.provision_id)).all()))


def change(parts: root.Parts, resource: str, key: int, **values: Any) -> None:
    parts.door.act_now(RESOURCES[resource].actions["update"], SYSTEM, Write(key, values))


async def test_a_key_starts_the_play_of_a_product_for_a_service(web: Any, shop: Shop, parts: root.Parts) -> None:
    answer = await web.post(path(shop, "mobile"), headers={"X-API-KEY": KEY})
    assert answer.status_code == 200, answer.text
    key = answer.json()["provision_id"]
    created = {"provision_id": key, "provisioning_status": 1, "message": "Provisioning job created"}
    assert answer.json() == created
    row = job(parts, key)
    assert (row.service_id, row.product_id, row.customer_id) == (
        shop.services["alice"],
        shop.products["mobile"],
        shop.alice,
    )
    assert (row.provisioning_play, row.initiating_user) == ("good", 1), "the first administrator is named"
    expected = {"service_id": shop.services["alice"], "product_id": shop.products["mobile"], "data_gb": 10}
    assert expected.items() <= variables(parts, key).items()
    assert "SIM Card" not in variables(parts, key), "a renewal picks no item"


async def test_a_trusted_address_needs_no_key(application: Litestar, shop: Shop, parts: root.Parts) -> None:
    for address, status in (("10.9.9.9", 200), ("10.9.9.8", 401)):
        transport = httpx.ASGITransport(application, client=(address, 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver.local") as client:
            assert (await client.post(path(shop))).status_code == status
    await parts.db.aclose()


@pytest.mark.parametrize(
    ("who", "status"), [("", 401), ("alice", 403), ("nobody", 403), ("auditor", 403), ("agent", 200), ("admin", 200)]
)
async def test_users_need_the_permission_to_order(
    as_user: Any, shop: Shop, parts: root.Parts, who: str, status: int
) -> None:
    for kind in ("addon", "addon_recharge"):
        if status != 200:
            assert (await as_user(who).post(path(shop, kind=kind))).status_code == status
    assert jobs(parts) == 0
    if status == 200:
        assert (await as_user(who).post(path(shop))).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"Account": "x", "data_gb": 999, "action": "deprovision"}', "application/json"),
        (b"{broken", "application/json"),
        (b"a=b&data_gb=999", "application/x-www-form-urlencoded"),
        (b"\x00\xff" * 1000, "application/octet-stream"),
        (b"<x/>", "no/such; type"),
        (b"", None),
    ],
    ids=["json", "broken", "form", "bytes", "strange", "empty"],
)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_any_body_is_taken_and_none_of_it_used(
    web: Any, shop: Shop, parts: root.Parts, body: bytes, kind: str | None, slash: str
) -> None:
    """PROV-201."""
    headers = {"X-API-KEY": KEY, **({"Content-Type": kind} if kind else {})}
    answer = await web.post(path(shop, "mobile") + slash, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found = variables(parts, answer.json()["provision_id"])
    assert found["data_gb"] == 10
    assert not {"Account", "action"} & found.keys()


async def test_a_body_without_end_is_refused(web: Any, shop: Shop, parts: root.Parts) -> None:
    answer = await web.post(path(shop), content=b"x" * (7 * 1024 * 1024), headers={"X-API-KEY": KEY})
    assert answer.status_code == 413
    assert jobs(parts) == 0


async def test_unknown_ids_are_not_found(admin: Any, shop: Shop, parts: root.Parts) -> None:
    service, product = shop.services["alice"], shop.products["plain"]
    base = "/crm/provision/simple_provision_addon"
    for where in (f"{service}/product_id/987654", f"987654/product_id/{product}", f"x/product_id/{product}"):
        assert (await admin.post(f"{base}/service_id/{where}")).status_code == 404
    assert (await admin.post(f"{base}/service_id/{service}")).status_code == 404
    assert (await admin.post(f"/crm/provision/simple_provision/service_id/{service}")).status_code == 404
    assert (await admin.get(path(shop))).status_code == 405
    assert jobs(parts) == 0


@pytest.mark.parametrize(
    ("resource", "values", "word"),
    [
        ("service", {"service_status": "Suspended"}, "is Suspended"),
        ("service", {"service_status": "Inactive"}, "is Inactive"),
        ("service", {"service_status": "Expired"}, "is Expired"),
        ("product", {"enabled": False}, "is disabled"),
        ("customer", {"customer_status": "Suspended"}, "Customer is suspended"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["addon", "addon_recharge"])
async def test_what_is_not_alive_is_not_charged_and_the_log_says_so(
    admin: Any, shop: Shop, parts: root.Parts, resource: str, values: dict[str, Any], word: str, kind: str
) -> None:
    """PROV-203."""
    keys = {"service": shop.services["alice"], "product": shop.products["plain"], "customer": shop.alice}
    change(parts, resource, keys[resource], **values)
    answer = await admin.post(path(shop, kind=kind))
    assert answer.status_code == 409
    assert word in answer.json()["message"] and "nothing was charged" in answer.json()["message"]
    assert jobs(parts) == 0
    query = select(CustomerActivity.title).where(CustomerActivity.service_id == shop.services["alice"])
    titles = parts.door.read_now(lambda session: session.scalars(query).all())
    assert any(title.startswith("Not charged: ") and word in title for title in titles)


async def test_a_call_soon_after_a_charge_is_refused_once_the_service_is_suspended(
    admin: Any, shop: Shop, parts: root.Parts
) -> None:
    finish(parts, (await admin.post(path(shop))).json()["provision_id"])
    change(parts, "service", shop.services["alice"], service_status="Suspended")
    assert (await admin.post(path(shop))).status_code == 409


async def test_a_disabled_sale_goes_on_for_those_who_have_it(admin: Any, shop: Shop) -> None:
    """The end of an offer is not the end of its renewals."""
    assert (await admin.post(path(shop, "past"))).status_code == 200


async def test_a_busy_service_is_to_be_asked_again(admin: Any, shop: Shop, parts: root.Parts) -> None:
    order = {"product_id": shop.products["plain"], "service_id": shop.services["alice"]}
    busy = (await admin.put("/crm/provision", order)).json()["provision_id"]
    answer = await admin.post(path(shop, "for_sale"))
    assert answer.status_code == 503
    assert answer.json()["provision_id"] == busy


@pytest.mark.parametrize(("succeeds", "status"), [(True, 0), (False, 2)])
async def test_a_recharge_waits_for_the_outcome(
    admin: Any, shop: Shop, parts: root.Parts, succeeds: bool, status: int
) -> None:
    waiting = asyncio.create_task(admin.post(path(shop, kind="addon_recharge")))
    while not jobs(parts):
        await asyncio.sleep(0.01)
    key = parts.door.read_now(lambda session: session.scalar(select(Provision.provision_id)))
    assert key is not None
    await asyncio.to_thread(finish, parts, key, succeeds, "" if succeeds else "the card was refused")
    answer = (await waiting).json()
    assert (answer["provision_id"], answer["provisioning_status"]) == (key, status)
    assert answer["message"] == ("Done" if succeeds else "the card was refused")


async def test_a_recharge_that_takes_longer_is_answered_with_its_job(
    admin: Any, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simple_provision, "_ROUNDS", 2)
    answer = await admin.post(path(shop, kind="addon_recharge"))
    assert (answer.status_code, answer.json()["provisioning_status"]) == (200, 1)
