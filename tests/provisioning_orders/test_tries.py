"""Trying again, cleaning again: never beside other work, never twice, and only by who may."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.errors import Conflict, NotPermitted
from omnicrm.domain.inventory.models import Inventory
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions, simple
from omnicrm.domain.provisioning.actions import Ended, Order, Started
from omnicrm.domain.provisioning.leftovers import Leftover
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.domain.services.models import CustomerService
from tests.provisioning_orders.conftest import Shop, finish

BOSS = Actor("boss", 1, frozenset({"admin"}))
LEFT = (Leftover("HSS http://10.0.0.9", "Delete the subscriber", "refused"),)


@pytest.fixture
def order(parts: root.Parts) -> Any:
    return lambda **values: parts.door.act_now(actions.order, BOSS, Order(values)).provision_id


def act(parts: root.Parts, action: Any, job: int, who: Actor = BOSS) -> int:
    return int(parts.door.act_now(action, who, Started(job)).provision_id)


def change(parts: root.Parts, shop: Shop, **columns: Any) -> None:
    """Set what pages cannot."""
    statement = update(CustomerService).where(CustomerService.service_id == shop.services["alice"]).values(columns)

    def write(session: Any) -> None:
        session.info.update(actor=SYSTEM, now=parts.door.clock(), currency="USD", bulk=True)
        session.execute(statement)

    parts.db.write(write)


def ended_with_leftovers(parts: root.Parts, job: int, succeeded: bool = True) -> None:
    parts.door.act_now(actions.end, SYSTEM, Ended(job, succeeded, leftovers=LEFT))
    ran = update(Job).where(Job.subject_id == job, Job.kind == "provision.run").values(state="done")
    parts.db.write(lambda session: session.execute(ran))


def test_of_a_job_and_its_retries_one_succeeds_once(parts: root.Parts, shop: Shop, order: Any) -> None:
    """A second path to the same work would charge it twice."""
    first = order(product_id=shop.products["plain"], customer_id=shop.alice, service_id=shop.services["alice"])
    finish(parts, first, False)
    second = act(parts, actions.retry, first)
    finish(parts, second, False)
    third = act(parts, actions.retry, first)
    for job in (first, second):
        with pytest.raises(Conflict, match=f"Job {third} tries this already"):
            act(parts, actions.retry, job)
    finish(parts, third)
    for job in (first, second):
        with pytest.raises(Conflict, match=f"Job {third} tries this already"):
            act(parts, actions.retry, job)


def test_what_a_failed_order_left_in_the_network_keeps_its_items_until_it_is_mended(
    parts: root.Parts, shop: Shop, order: Any
) -> None:
    job = order(**shop.order())
    ended_with_leftovers(parts, job, succeeded=False)
    with pytest.raises(Conflict, match="no longer available"):
        order(**shop.order())
    act(parts, actions.mended_by_hand, job)
    order(**shop.order())


def test_a_service_in_the_making_has_its_job(parts: root.Parts, shop: Shop, order: Any) -> None:
    maker = order(**shop.order())
    change(parts, shop, made_by_provision_id=maker)
    with pytest.raises(Conflict, match=f"Job {maker} is still working"):
        order(service_id=shop.services["alice"], action="deprovision")
    finish(parts, maker)
    order(service_id=shop.services["alice"], action="deprovision")


def test_no_clean_up_starts_beside_another_job_of_the_service(parts: root.Parts, shop: Shop, order: Any) -> None:
    ending = order(service_id=shop.services["alice"], action="deprovision")
    finish(parts, ending, False)
    other = order(product_id=shop.products["plain"], customer_id=shop.alice, service_id=shop.services["alice"])
    with pytest.raises(Conflict, match=f"Job {other} is still working"):
        act(parts, actions.clean_again, ending)


def test_who_may_not_cancel_a_service_does_not_end_it_by_a_clean_up(parts: root.Parts, shop: Shop, order: Any) -> None:
    ending = order(service_id=shop.services["alice"], action="deprovision")
    finish(parts, ending, False)
    may = frozenset({"view_provision", "update_provision"})
    with pytest.raises(NotPermitted, match="delete_customer_service"):
        act(parts, actions.clean_again, ending, Actor("agent", 2, may))
    act(parts, actions.clean_again, ending, Actor("lead", 2, may | {"delete_customer_service"}))


@pytest.mark.parametrize("mend", ["the first step", "the last step"])
def test_a_chain_that_left_something_in_any_step_keeps_the_items(
    parts: root.Parts, shop: Shop, order: Any, mend: str
) -> None:
    sim, service = shop.sims[0], shop.services["alice"]
    values = {"customer_id": shop.alice, "service_id": service, "item_state": "Assigned"}
    parts.door.act_now(RESOURCES["inventory"].actions["update"], SYSTEM, Write(sim, values))
    change(parts, shop, provisioning_play="good,last_step")

    def serves() -> int | None:
        return parts.door.read_now(lambda session: session.get_one(Inventory, sim).service_id)

    first = order(service_id=service, action="deprovision")
    ended_with_leftovers(parts, first)
    second = parts.door.read_now(
        lambda session: session.scalar(select(Provision.provision_id).order_by(-Provision.provision_id))
    )
    if mend == "the first step":
        finish(parts, second)
        assert serves() == service
        act(parts, actions.mended_by_hand, first)
    else:
        ended_with_leftovers(parts, second)
        act(parts, actions.mended_by_hand, first)
        assert serves() == service
        act(parts, actions.mended_by_hand, second)
    assert serves() is None


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"service_status": "Suspended"}, "is Suspended"),
        ({"service_status": "Inactive"}, "has ended"),
    ],
)
def test_a_charge_is_not_tried_again_on_a_service_that_may_not_be_charged(
    parts: root.Parts, shop: Shop, columns: dict[str, Any], reason: str
) -> None:
    call = simple.Call(shop.services["alice"], shop.products["plain"], recharge=True)
    job = parts.door.act_now(simple.start, BOSS, call).accepted().provision_id
    finish(parts, job, False)
    change(parts, shop, **columns)
    with pytest.raises(Conflict, match=reason):
        act(parts, actions.retry, job)
    change(parts, shop, service_status="Active")
    act(parts, actions.retry, job)


def test_a_disabled_product_is_not_tried_again(parts: root.Parts, shop: Shop) -> None:
    call = simple.Call(shop.services["alice"], shop.products["plain"], recharge=True)
    job = parts.door.act_now(simple.start, BOSS, call).accepted().provision_id
    finish(parts, job, False)
    update_product = RESOURCES["product"].actions["update"]
    parts.door.act_now(update_product, SYSTEM, Write(shop.products["plain"], {"enabled": False}))
    with pytest.raises(Conflict, match="is disabled"):
        act(parts, actions.retry, job)
