"""The bundle plays: three services on one account, one price, one modem; nothing left of a failed or ended one."""

from __future__ import annotations

import pytest

from omnicrm.domain.charging.engine import Engine
from tests.plays.conftest import World, everything

pytestmark = pytest.mark.slow


def test_a_bundle_is_three_services_on_one_account_and_ends_as_one(world: World, engine: Engine) -> None:
    given = {"Modem Router": 504, "IPTV_Service_ID": "SeniorBundle", "site_id": 12}
    code, output = world.run("play_seniors_package", **given)
    assert code == 0, output
    main, tv, phone = world.crm.services.values()
    assert [row["service_type"] for row in (main, tv, phone)] == ["internet", "iptv", "fixed-voice"]
    assert [row["bundled_parent"] for row in (main, tv, phone)] == [None, main["service_id"], main["service_id"]]
    assert [row["retail_cost"] for row in (main, tv, phone)] == [15.0, 0, 0]
    assert tv["service_notes"] == "IPTV package: SeniorBundle"
    assert {row["site_id"] for row in (main, tv, phone)} == {12}
    assert everything(engine) == [f"example.org:{main['service_uuid']}"]
    assert world.crm.inventory[504]["service_id"] == main["service_id"]
    assert [row["retail_cost"] for row in world.crm.transactions.values()] == [10.0, 15.0]

    code, output = world.run("play_seniors_package", action="deprovision", service_id=main["service_id"])
    assert code == 0, output
    assert {row["service_status"] for row in (main, tv, phone)} == {"Deactivated"}
    assert everything(engine) == []
    assert (world.crm.inventory[504]["service_id"], world.crm.inventory[504]["item_state"]) == (None, "Used")
    assert output.count("...ignoring") == 0


def test_a_bundle_that_fails_at_its_last_charge_leaves_nothing(world: World, engine: Engine) -> None:
    world.crm.fail = {"First month"}
    before = world.crm.state()
    given = {"Modem Router": 504, "provision_cpe": True}
    code, output = world.run("play_bundle_internet_tv_voice", **given)
    assert code != 0
    assert "Failed at 'Record the first month'" in output
    assert world.crm.state() == before
    assert everything(engine) == []


def test_a_crashed_bundle_is_undone_from_its_facts(world: World, engine: Engine) -> None:
    before = world.crm.state()
    code, output = world.run("play_bundle_internet_tv_voice", **{"Modem Router": 504})
    assert code == 0, output
    main = next(iter(world.crm.services.values()))
    stock = [{key: before["inventory"][504][key] for key in ("inventory_id", "item_state", "customer_id")}]
    facts = {"new_service": True, "service_uuid": main["service_uuid"], "stock_before": stock}
    charges = list(world.crm.transactions.values())
    more = {"setup_charge": {"json": charges[0]}, "month_charge": {"json": charges[1]}}
    code, output = world.run("play_bundle_internet_tv_voice", action="deprovision", **facts, **more)
    assert code == 0, output
    assert world.crm.state() == before
    assert everything(engine) == []


def test_a_line_that_the_olt_refuses_undoes_the_bundle(world: World, engine: Engine) -> None:
    world.config["olt"] = {"url": f"http://{world.crm.address}/olt/"}
    before = world.crm.state()
    given = {"Modem Router": 504, "GPON Port": 502, "ONT Device": 501}
    code, output = world.run("play_bundle_internet_tv_voice", **given)
    assert code != 0
    assert "Failed at 'Activate the ONT'" in output
    assert ("DELETE", f"/olt/ont/{world.crm.inventory[501]['itemtext2']}") in [call[:2] for call in world.crm.calls]
    assert world.crm.state() == before
