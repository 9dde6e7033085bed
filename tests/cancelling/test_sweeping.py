"""What the sweep after a deprovision removes from the charging engine, and what it leaves to others (OC-06)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.provisioning import cancelling, suspending
from omnicrm.domain.provisioning.cancelling import Cancel
from omnicrm.domain.resource import RESOURCES, Write
from tests.cancelling.conftest import PLAN, SHARED, Port
from tests.provisioning_orders.conftest import Shop, finish

BOSS = Actor("boss", 1, frozenset({"admin"}))


def add_actions(engine: Port, name: str, plan: str) -> None:
    engine.call("ApierV1.SetActions", {"ActionsId": name, "Actions": [{"Identifier": "*log"}]})
    entry = {"ActionsId": name, "MonthDays": "1", "Time": "00:00:00"}
    engine.call("ApierV1.SetActionPlan", {"Id": plan, "ActionPlan": [entry], "Overwrite": True})


def has_actions(engine: Port, name: str) -> bool:
    return name in engine.call("ApierV2.GetActions", {"ActionIDs": []})


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        ("Action_AutoTopup_uuid_alice_2", True),
        ("uuid_alice", True),
        ("Action_AutoTopup_uuid_alice2_2", False),
        ("Action_Topup_Standard", False),
    ],
)
def test_the_actions_of_a_renewal_go_with_it_when_they_are_named_after_its_account(
    parts: root.Parts, shop: Shop, engine: Port, work: Callable[[], list[str]], name: str, goes: bool
) -> None:
    add_actions(engine, name, PLAN)
    engine.call("ApierV2.SetAccount", {"Account": "uuid_alice", "ActionPlanIds": [PLAN]})
    assert has_actions(engine, name)
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    finish(parts, made.provision_id)
    work()
    assert engine.plans() == set()
    assert has_actions(engine, name) is not goes


@pytest.mark.parametrize("removed_by_hand", [False, True])
def test_a_renewal_that_was_paused_by_a_suspension_goes_too(
    parts: root.Parts, shop: Shop, engine: Port, work: Callable[[], list[str]], removed_by_hand: bool
) -> None:
    """The account is on no plan any more, so that the engine does not name it."""
    name = "Action_AutoTopup_uuid_alice_2"
    add_actions(engine, name, PLAN)
    engine.call("ApierV2.SetAccount", {"Account": "uuid_alice", "ActionPlanIds": [PLAN, SHARED]})
    parts.door.act_now(suspending.suspend, BOSS, shop.services["alice"])
    work()
    assert engine.plans() == set()
    if removed_by_hand:
        engine.call("ApierV1.RemoveActionPlan", {"Id": PLAN})
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    finish(parts, made.provision_id)
    work()
    plans = {row["Id"] for row in engine.call("ApierV1.GetActionPlan", {"ID": ""})}
    assert plans == {SHARED}
    assert has_actions(engine, name) is removed_by_hand
    assert engine.plans("uuid_bob") == {SHARED}


def test_a_service_that_lives_again_keeps_its_charging(
    parts: root.Parts, shop: Shop, engine: Port, work: Callable[[], list[str]], later: Any
) -> None:
    """The engine was away when it ended; the sweep goes on trying for hours."""
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    finish(parts, made.provision_id)
    engine.away = True
    work()
    engine.away = False
    values = {"service_status": "Active"}
    parts.door.act_now(RESOURCES["service"].actions["update"], SYSTEM, Write(shop.services["alice"], values))
    later(hours=1)
    assert "provision.sweep" in work()
    assert (engine.plans(), engine.is_disabled()) == ({PLAN, SHARED}, False)
