"""An order with something wrong in it names what, and leaves nothing behind: no job, no reservation, no entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.resource import RESOURCES, Write
from tests.provisioning_orders.conftest import Shop

Body = Callable[[Shop], dict[str, Any]]


def product(name: str, **values: Any) -> Body:
    return lambda shop: {"product_id": shop.products[name], "customer_id": shop.alice, **values}


def mobile(**values: Any) -> Body:
    return lambda shop: shop.order(**values)


#: What is wrong -> (body, status, field, a word of the text).
REFUSED: dict[str, tuple[Body, int, str, str]] = {
    "nothing": (lambda shop: {}, 400, "customer_id", "required"),
    "no customer": (lambda shop: {"product_id": 1}, 400, "customer_id", "required"),
    "no product": (lambda shop: {"customer_id": shop.alice}, 400, "product_id", "required"),
    "an unknown customer": (mobile(customer_id=987654), 400, "customer_id", "customer 987654 does not exist"),
    "an unknown product": (mobile(product_id=987654), 400, "product_id", "product 987654 does not exist"),
    "an unknown service": (product("plain", service_id=987654), 400, "service_id", "service 987654 does not exist"),
    "a word as customer": (mobile(customer_id="Alice"), 400, "customer_id", "whole number"),
    "a fraction as product": (mobile(product_id=1.5), 400, "product_id", "whole number"),
    "a list as product": (mobile(product_id=[1]), 400, "product_id", "whole number"),
    "true as customer": (mobile(customer_id=True), 400, "customer_id", "whole number"),
    "a negative service": (product("plain", service_id=-1), 400, "service_id", "whole number"),
    "an endless number": (mobile(product_id="9" * 40), 400, "product_id", "whole number"),
    "a stranger's service": (
        lambda shop: product("plain", service_id=shop.services["bob"])(shop),
        400,
        "service_id",
        "belongs to another customer",
    ),
    "a stranger's site": (lambda shop: shop.order(site_id=shop.sites["bob"]), 400, "site_id", "does not exist at"),
    "an unknown site": (mobile(site_id=987654), 400, "site_id", "does not exist at"),
    # Items
    "no item chosen": (product("mobile"), 400, "SIM Card", "choose an item"),
    "one of two chosen": (lambda shop: product("mobile", **{"SIM Card": shop.sims[0]})(shop), 400, "Mobile Number", ""),
    "an unknown item": (mobile(**{"SIM Card": 987654}), 400, "SIM Card", "987654 does not exist"),
    "an item of another type": (
        lambda shop: shop.order(**{"SIM Card": shop.numbers[1]}),
        400,
        "SIM Card",
        "is a Mobile Number, not a SIM Card",
    ),
    "a word as item": (mobile(**{"SIM Card": "the first"}), 400, "SIM Card", "inventory_id of one item"),
    "two items of one type": (
        lambda shop: shop.order(SIM_Card=shop.sims[1]),
        400,
        "SIM Card",
        "one item",
    ),
    # Eligibility
    "a disabled product": (product("disabled"), 409, "product_id", "not on offer"),
    "a product of the past": (product("past"), 409, "product_id", "not on offer"),
    "a product to come": (product("future"), 409, "product_id", "not on offer"),
    "a business product": (product("business"), 409, "product_id", "not offered to individual"),
    "an add-on to nothing": (product("addon"), 409, "product_id", "television service"),
    "a product that needs another": (product("dependent"), 409, "product_id", "fibre"),
    # Plays
    "a product without a play": (product("playless"), 400, "provisioning_play", "neither"),
    "a play that is not there": (product("absent"), 400, "provisioning_play", "does not exist"),
    "a play that is no YAML": (product("broken"), 400, "provisioning_play", "broken.yaml, line"),
    "a play with a misplaced keyword": (product("misplaced"), 400, "provisioning_play", "line 4"),
    "a play with a missing include": (product("dangling"), 400, "provisioning_play", "task_absent.yaml"),
    "a way out of the plays folder": (
        product("plain", provisioning_play="../../../etc/passwd"),
        400,
        "provisioning_play",
        "no play name",
    ),
    "an absolute play": (product("plain", provisioning_play="/etc/passwd"), 400, "provisioning_play", "no play name"),
    # Variables
    "broken variables": (product("plain", provisioning_json_vars='{"a": '), 400, "provisioning_json_vars", "line 1"),
    "variables that are a list": (product("plain", provisioning_json_vars="[1]"), 400, "provisioning_json_vars", "obj"),
    "a name that is none": (product("plain", **{"1st": 1}), 400, "1st", "variable name"),
    "an empty name": (product("plain", **{"": 1}), 400, "", "variable name"),
    "a name with a template": (product("plain", **{"{{ x }}": 1}), 400, "{{ x }}", "variable name"),
    "a name that the play sets": (product("plain", imsi="001"), 400, "imsi", "sets this value itself"),
    "an account without a service": (product("plain", service_uuid="uuid_bob"), 400, "service_uuid", "may name it"),
    "Ansible's own marks": (product("plain", note={"__ansible_vault": "x"}), 400, "note", "reserved"),
    "a deep value": (product("plain", deep=json.loads("[" * 30 + "]" * 30)), 400, "deep", "nested"),
    "text that cannot be stored": (product("plain", note="a\x00b"), 400, "note", "cannot be stored"),
    "too many variables": (product("plain", note="x" * 300_000), 400, "provisioning_json_vars", "KB at most"),
    # Deprovision
    "a deprovision of nothing": (lambda shop: {"action": "deprovision"}, 400, "customer_id", "required"),
    "a deprovision of an unknown account": (
        lambda shop: {"action": "deprovision", "service_uuid": "uuid_nobody"},
        400,
        "service_uuid",
        "does not exist",
    ),
    "a deprovision whose account is another's": (
        lambda shop: {"action": "deprovision", "service_id": shop.services["alice"], "service_uuid": "uuid_bob"},
        400,
        "service_uuid",
        "does not belong",
    ),
    "a deprovision by a play without guard": (
        lambda shop: {
            "action": "deprovision",
            "service_id": shop.services["alice"],
            "provisioning_play": "no_guard",
        },
        409,
        "provisioning_play",
        "guard",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_an_order_is_refused_and_leaves_nothing(what: str, admin: Any, shop: Shop, left_behind: Any) -> None:
    body, status, field, word = REFUSED[what]
    before = left_behind()
    answer = await admin.put("/crm/provision/", body(shop))
    assert answer.status_code == status, answer.text
    assert field in answer.json()["errors"], answer.text
    assert word in answer.json()["errors"][field], answer.text
    assert answer.json()["message"]
    assert left_behind() == before


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"customer_status": "Suspended"}, "suspended"),
        ({"customer_status": "Closed"}, "closed"),
        ({"customer_status": "Archived"}, "archived"),
        ({"customer_enabled": False}, "disabled"),
    ],
)
async def test_a_customer_who_may_not_order_is_refused(
    admin: Any, shop: Shop, left_behind: Any, parts: root.Parts, values: dict[str, Any], word: str
) -> None:
    parts.door.act_now(RESOURCES["service"].actions["update"], SYSTEM, Write(1, {"service_status": "Inactive"}))
    parts.door.act_now(RESOURCES["customer"].actions["update"], SYSTEM, Write(shop.alice, values))
    before = left_behind()
    answer = await admin.put("/crm/provision/", shop.order())
    assert answer.status_code == 409
    assert word in answer.json()["message"]
    assert left_behind() == before


@pytest.mark.parametrize(
    "values",
    [{"item_state": "Used"}, {"item_state": "Damaged"}, {"customer_id": 1}, {"customer_id": 2}, {"item_state": "Lost"}],
    ids=str,
)
async def test_an_item_that_is_not_free_is_refused(
    admin: Any, shop: Shop, left_behind: Any, parts: root.Parts, values: dict[str, Any]
) -> None:
    parts.door.act_now(RESOURCES["inventory"].actions["update"], SYSTEM, Write(shop.sims[0], values))
    before = left_behind()
    answer = await admin.put("/crm/provision/", shop.order())
    assert answer.status_code == 409
    assert answer.json()["errors"] == {"SIM Card": "Inventory item is no longer available"}
    assert left_behind() == before


# ---- portal users


async def test_a_portal_user_orders_for_her_own_customer_only(as_user: Any, shop: Shop, left_behind: Any) -> None:
    before = left_behind()
    for customer in (shop.bob, 987654):
        body = {"product_id": shop.products["for_sale"], "customer_id": customer}
        answer = await as_user("alice").put("/crm/provision", body)
        assert answer.status_code == 403, "unknown and a stranger's are one answer (PROV-126)"
    assert left_behind() == before
    body = {"product_id": shop.products["for_sale"]}
    made = await as_user("alice").put("/crm/provision", body)
    assert made.status_code == 200, made.text


@pytest.mark.parametrize(
    "values",
    [
        {"monthly_cost": 0},
        {"provisioning_play": "no_guard"},
        {"provisioning_json_vars": "{}"},
        {"service_uuid": "uuid_bob"},
        {"data_gb": 1000},
    ],
    ids=str,
)
async def test_a_portal_user_sets_nothing_but_what_the_form_offers(
    as_user: Any, shop: Shop, left_behind: Any, values: dict[str, Any]
) -> None:
    before = left_behind()
    body = {"product_id": shop.products["for_sale"], **values}
    answer = await as_user("alice").put("/crm/provision", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"].keys() == values.keys()
    assert left_behind() == before


async def test_a_portal_user_cannot_buy_what_is_not_for_her_nor_end_a_service(
    as_user: Any, shop: Shop, left_behind: Any
) -> None:
    before = left_behind()
    alice = as_user("alice")
    assert (await alice.put("/crm/provision", {"product_id": shop.products["plain"]})).status_code == 409
    ending = {"action": "deprovision", "service_id": shop.services["alice"]}
    assert (await alice.put("/crm/provision", ending)).status_code == 403
    stranger = {"action": "deprovision", "service_id": shop.services["bob"]}
    assert (await alice.put("/crm/provision", stranger)).status_code in (400, 403, 404)
    assert left_behind() == before


@pytest.mark.parametrize(("who", "status"), [("", 401), ("nobody", 403), ("auditor", 403)])
async def test_who_may_not_order_is_refused(as_user: Any, shop: Shop, left_behind: Any, who: str, status: int) -> None:
    before = left_behind()
    assert (await as_user(who).put("/crm/provision", shop.order())).status_code == status
    assert left_behind() == before


# ---- bodies


@pytest.mark.parametrize("text", ['{"product_id": 1,', "[1]", '"x"', "not json", "{'a': 1}", '{"a": NaN}', "\xff"])
async def test_a_body_that_is_no_json_object_is_refused(admin: Any, shop: Shop, left_behind: Any, text: str) -> None:
    before = left_behind()
    raw = text.encode("latin-1")
    answer = await admin.request("PUT", "/crm/provision", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "JSON" in answer.json()["message"]
    assert left_behind() == before


async def test_a_body_of_ten_megabytes_is_refused_in_json(admin: Any, shop: Shop, left_behind: Any) -> None:
    before = left_behind()
    raw = json.dumps(shop.order(note="x" * 10_000_000)).encode()

    async def in_pieces() -> Any:
        for place in range(0, len(raw), 65_536):
            yield raw[place : place + 65_536]

    for content in (raw, in_pieces()):
        headers = {"Content-Type": "application/json"}
        answer = await admin.request("PUT", "/crm/provision", content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.json() == {"message": "The body is too large."}
    assert left_behind() == before
