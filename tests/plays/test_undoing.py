"""What task_undo_service.yaml means by success, and the generic play that ends a service of any kind."""

from __future__ import annotations

import pytest

from omnicrm.domain.charging.engine import Engine
from omnicrm.integrations.sandbox import snapshot
from omnicrm.integrations.sandbox.call import Call
from omnicrm.integrations.sandbox.hss import answer
from tests.plays.conftest import IMSI, TENANT, World, everything

pytestmark = pytest.mark.slow
STOCK = {"SIM Card": 501, "Mobile Number": 502}
SLEEPING = {"imsi": IMSI, "msisdn": "9999" + IMSI[-10:], "enabled": True, "apn_list": "1", "ue_ambr_dl": 9999999}


def test_the_generic_play_ends_a_service_of_any_kind(world: World, engine: Engine) -> None:
    code, output = world.run("play_local_mobile_sim", data_gb="unlimited", auto_renew=True, **STOCK)
    assert code == 0, output
    (service,) = world.crm.services.values()
    account = engine.call("ApierV2.GetAccount", {"Tenant": TENANT, "Account": service["service_uuid"]})
    assert account["BalanceMap"]["*data"][0]["ID"] == "DATA_Unlimited_Monthly"

    named = {"service_id": service["service_id"], "deprovision_subscriber": True}
    code, output = world.run("play_deprovision_service", action="deprovision", **named)
    assert code == 0, output
    assert everything(engine) == []
    assert service["service_status"] == "Deactivated"
    assert snapshot(world.store, "hss").subscribers == []
    assert world.crm.inventory[501]["item_state"] == "Used"
    assert output.count("...ignoring") == 0


def test_the_generic_play_is_no_order(world: World) -> None:
    before = world.crm.state()
    code, output = world.run("play_deprovision_service", service_id=99)
    assert code != 0
    assert "it only takes a service away" in output
    assert world.crm.state() == before
    assert world.crm.calls == []


def test_an_engine_that_refuses_a_removal_is_not_taken_for_a_success(world: World) -> None:
    code, output = world.run("play_simple_service")
    assert code == 0, output
    (service,) = world.crm.services.values()
    world.crm.fail = {"GetAccountActionPlan", "RemoveFilter", "RemoveAccount"}
    code, output = world.run("play_simple_service", action="deprovision", service_id=service["service_id"])
    assert code == 0, output
    failed = [line for line in output.splitlines() if "...ignoring" in line]
    assert [line.partition("]")[0] for line in failed] == [
        "TASK [Find its renewals",
        "TASK [Remove its charging profiles",
        "TASK [Remove the charging account",
    ]
    assert all("SERVER_ERROR: told to fail" in line for line in failed)


def test_what_is_gone_already_counts_as_removed(world: World, engine: Engine) -> None:
    code, output = world.run("play_simple_service")
    assert code == 0, output
    (service,) = world.crm.services.values()
    engine.call("ApierV2.RemoveAccount", {"Tenant": TENANT, "Account": service["service_uuid"]})
    code, output = world.run("play_simple_service", action="deprovision", service_id=service["service_id"])
    assert code == 0, output
    assert output.count("...ignoring") == 0


@pytest.mark.parametrize("unread", ["/crm/inventory/service_id/", "/crm/inventory/inventory_id/501"])
def test_a_sim_that_could_not_be_read_stays_with_its_service(world: World, unread: str) -> None:
    code, output = world.run("play_psim_only", **STOCK)
    assert code == 0, output
    (service,) = world.crm.services.values()
    ending = {"action": "deprovision", "service_id": service["service_id"], "deprovision_subscriber": True}
    world.crm.fail = {f"GET {unread}"}
    code, output = world.run("play_psim_only", **ending)
    assert code == 0, output
    assert output.count("...ignoring") == 1
    assert len(snapshot(world.store, "hss").subscribers) == 2
    assert world.crm.inventory[501]["service_id"] == service["service_id"]
    world.crm.fail = set()
    code, output = world.run("play_psim_only", **ending)
    assert code == 0, output
    assert snapshot(world.store, "hss").subscribers == []
    assert (world.crm.inventory[501]["service_id"], world.crm.inventory[501]["item_state"]) == (None, "Used")


def test_a_renewal_that_was_made_but_not_attached_is_removed_too(world: World) -> None:
    before = world.crm.state()
    world.crm.fail = {"SetActionPlan"}
    code, output = world.run("play_psim_only", auto_renew=True, **STOCK)
    assert code != 0
    assert "Failed at 'Plan the renewal for each month'" in output
    assert world.crm.state() == before
    assert world.crm.actions == {}


def test_a_sleeping_sim_wakes_with_an_order_and_sleeps_again_when_it_fails(world: World) -> None:
    for peer in ("1", "2"):
        made = answer(world.store, Call("PUT", (peer, "subscriber", IMSI), SLEEPING))
        assert made.status == 200
    before = [profile | {"last_modified": ""} for _, profile in snapshot(world.store, "hss").subscribers]
    world.crm.fail = {"First month"}
    code, output = world.run("play_psim_only", ue_ambr_dl=50000, **STOCK)
    assert code != 0
    assert "Failed at 'Record the first month'" in output
    after = [profile | {"last_modified": ""} for _, profile in snapshot(world.store, "hss").subscribers]
    same = ("imsi", "msisdn", "enabled", "apn_list", "ue_ambr_dl")
    assert [[row[name] for name in same] for row in after] == [[row[name] for name in same] for row in before]
    world.crm.fail = set()
    code, output = world.run("play_psim_only", ue_ambr_dl=50000, **STOCK)
    assert code == 0, output
    awake = [(profile["msisdn"], profile["ue_ambr_dl"]) for _, profile in snapshot(world.store, "hss").subscribers]
    assert awake == [("447700900123", 50000)] * 2
