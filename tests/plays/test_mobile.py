"""play_local_mobile_sim and play_psim_only: order, refusal, deprovision, renewal."""

from __future__ import annotations

import pytest

from omnicrm.integrations.sandbox import snapshot
from omnicrm.integrations.sandbox.faults import Fault
from tests.plays.conftest import IMSI, World

pytestmark = pytest.mark.slow
PLAN = {"data_gb": 20, "days": 30, "voice_minutes": "unlimited", "sms_count": 100}
STOCK = {"SIM Card": 501, "Mobile Number": 502}


def test_an_order_makes_everything_and_deprovisioning_takes_it_away_again(world: World) -> None:
    code, output = world.run("play_local_mobile_sim", **PLAN, **STOCK, auto_renew="Yes")
    assert code == 0, output
    (service,) = world.crm.services.values()
    uuid = service["service_uuid"]
    assert uuid.startswith("Local_Mobile_SIM_")
    assert len(uuid) == len("Local_Mobile_SIM_") + 16
    assert (service["service_name"], service["service_status"]) == ("Mobile - +447700900123", "Active")
    balances = world.crm.accounts[uuid]["balances"]
    assert {name: (b["type"], b["Value"], b["ExpiryTime"]) for name, b in balances.items()} == {
        "DATA_20GB_Monthly": ("*data", 21474836480, "+720h"),
        "VOICE_Unlimited_Monthly": ("*voice", 999999999 * 10**9, "+720h"),
        "SMS_100_Monthly": ("*sms", 100, "+720h"),
    }
    assert world.crm.profiles == {f"ATTR_ACCOUNT_{uuid}", f"FLTR_ACCOUNT_{uuid}"}
    for item in (501, 502):
        assert world.crm.inventory[item]["service_id"] == service["service_id"]
        assert (world.crm.inventory[item]["customer_id"], world.crm.inventory[item]["item_state"]) == (7, "Assigned")
    assert [(row["title"], row["retail_cost"]) for row in world.crm.transactions.values()] == [
        ("Prepaid Mobile 20 GB - Setup Costs", 10.0),
        ("Prepaid Mobile 20 GB - First month", 15.0),
    ]
    hss = snapshot(world.store, "hss")
    assert [(peer, s["imsi"], s["msisdn"], s["apn_list"]) for peer, s in hss.subscribers] == [
        ("2", IMSI, "447700900123", "1,2"),
        ("1", IMSI, "447700900123", "1,2"),
    ]
    assert all(subscriber["authentication_keys"] for _, subscriber in hss.subscribers)
    (mail,) = snapshot(world.store, "mailjet").mails
    name = "Ann <b> {{ lookup('pipe', 'echo pwned') }} Lee"
    assert mail.recipients == f"{name} <ann@example.org>"
    assert f"Dear {name}," in mail.text
    assert "<p>Dear Ann &lt;b&gt; {{ lookup(" in mail.html
    assert "Prepaid Mobile 20 GB" in mail.text
    ((plan_id, plan),) = world.crm.plans.items()
    assert plan_id == f"ServiceID_{uuid}__ProductID_3__CustomerID_7__ProductName_Prepaid-Mobile-20-GB__MonthlyRenewal"
    assert plan["accounts"] == [uuid]
    assert plan["timing"]["MonthDays"] in [str(day) for day in range(1, 29)]
    (action, *_) = world.crm.actions[f"Action_AutoTopup_{uuid}_3"]
    path = f"/crm/provision/simple_provision_addon/service_id/{service['service_id']}/product_id/3"
    assert action["ExtraParameters"] == world.config["crm"]["base_url"] + path

    world.crm.plans["SharedByMany"] = {"timing": {"ActionsId": "Shared"}, "accounts": [uuid, "somebody-else"]}
    code, output = world.run(
        "play_local_mobile_sim",
        action="deprovision",
        service_id=service["service_id"],
        service_uuid=uuid,
        deprovision_subscriber=False,
        **PLAN,
    )
    assert code == 0, output
    assert (world.crm.accounts, world.crm.profiles, list(world.crm.plans)) == ({}, set(), ["SharedByMany"])
    assert world.crm.actions == {}
    assert service["service_status"] == "Deactivated"
    assert service["service_deactivate_date"].endswith("Z")
    for item in (501, 502):
        assert world.crm.inventory[item]["item_state"] == "Used"
        assert world.crm.inventory[item]["service_id"] is None
    assert world.crm.inventory[503]["service_id"] == 99
    dormant = [(s["msisdn"], s["ue_ambr_dl"]) for _, s in snapshot(world.store, "hss").subscribers]
    assert dormant == [("9999" + IMSI[-10:], 9999999)] * 2
    assert len(world.crm.transactions) == 2


def test_a_plan_that_the_hss_refuses_leaves_nothing_behind(world: World) -> None:
    before = world.crm.state()
    code, output = world.run("play_local_mobile_sim", **PLAN, **STOCK, apn_list="1,42")
    assert code != 0
    assert "access point 42 is not configured" in output or "422" in output
    assert "Failed at 'Tell the HSS'" in output
    assert world.crm.state() == before
    assert snapshot(world.store, "hss").subscribers == []
    verbs = [(verb, path.split("/")[2] if path else "") for verb, path, _ in world.crm.calls]
    assert ("PUT", "service") in verbs
    assert ("DELETE", "service") in verbs
    assert ("RemoveAccount", "") in verbs


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        (Fault("500", method="PUT", path_part="/2/"), "Tell the HSS"),
        (Fault("late", seconds=12, once=True, method="PUT"), "Tell the HSS"),
    ],
)
def test_an_hss_that_fails_or_answers_too_late_is_cleaned_on_both_peers(world: World, fault: Fault, where: str) -> None:
    before = world.crm.state()
    world.store.set_fault("hss", fault)
    code, output = world.run("play_local_mobile_sim", **PLAN, **STOCK)
    assert code != 0
    assert f"Failed at '{where}'" in output
    assert world.crm.state() == before
    assert snapshot(world.store, "hss").subscribers == []


def test_a_failure_at_the_last_charge_voids_the_first(world: World) -> None:
    world.config["hss"] = {"hss_peers": [], "apn_list": ""}
    world.crm.fail = {"First month"}
    before = world.crm.state()
    code, output = world.run("play_psim_only", **STOCK, iccid="", msisdn="")
    assert code != 0, output
    assert world.crm.state() == before


def test_a_crashed_order_is_undone_from_its_facts(world: World) -> None:
    before = world.crm.state()
    world.crm.fail = {"DELETE /crm/service"}
    world.run("play_psim_only", **STOCK, apn_list="1,42")
    world.crm.fail = set()
    (service,) = world.crm.services.values()
    stock = [dict(before["inventory"][item]) for item in (501, 502)]
    facts = {"new_service": True, "service_uuid": service["service_uuid"], "sim_imsi": IMSI, "hss_before": {}}
    code, output = world.run("play_psim_only", action="deprovision", stock_before=stock, **facts)
    assert code == 0, output
    assert world.crm.state() == before


def test_a_sim_in_use_is_refused_before_anything_is_made(world: World) -> None:
    before = world.crm.state()
    code, output = world.run("play_psim_only", **{**STOCK, "SIM Card": 503})
    assert code != 0
    assert "in use by another service" in output
    assert world.crm.state() == before
    assert not any(verb in ("PUT", "SetAccount", "RemoveAccount", "DELETE") for verb, _, _ in world.crm.calls)


def test_a_run_for_an_existing_service_renews_it(world: World) -> None:
    world.crm.services[99] = {
        "service_id": 99, "customer_id": 7, "service_uuid": "Local_Mobile_SIM_x", "service_status": "Active",
        "retail_cost": 14.0, "wholesale_cost": 5.0,
    }  # fmt: skip
    code, output = world.run("play_local_mobile_sim", **PLAN, service_id=99)
    assert code == 0, output
    assert [row["retail_cost"] for row in world.crm.transactions.values()] == [14.0]
    assert len(world.crm.accounts["Local_Mobile_SIM_x"]["balances"]) == 3
    assert list(world.crm.services) == [99]
    world.crm.fail = {"SetBalance"}
    code, output = world.run("play_local_mobile_sim", **PLAN, service_id=99)
    assert code != 0
    assert [row.get("void", False) for row in world.crm.transactions.values()] == [False, True]
    assert world.crm.services[99]["service_status"] == "Active"
    assert "RemoveAccount" not in [verb for verb, _, _ in world.crm.calls]
