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


@pytest.fixture
def line(world: World) -> dict[str, int]:
    """An OLT, and what a bundle with a line is made of."""
    world.config["olt"] = {"url": f"http://{world.crm.address}/olt/"}
    for number, kind in ((505, "GPON Port"), (506, "ONT Device")):
        world.crm.inventory[number] = {
            "inventory_id": number, "item": kind, "item_state": "New", "customer_id": None, "service_id": None,
            "itemtext1": f"0/1/{number}", "itemtext2": f"SN{number}",
        }  # fmt: skip
    return {"Modem Router": 504, "GPON Port": 505, "ONT Device": 506}


@pytest.mark.parametrize("ending", ["play_bundle_internet_tv_voice", "play_deprovision_service"])
def test_a_line_is_lit_and_its_items_are_the_services_until_it_ends(
    world: World, engine: Engine, line: dict[str, int], ending: str
) -> None:
    code, output = world.run("play_bundle_internet_tv_voice", **line)
    assert code == 0, output
    main = next(iter(world.crm.services.values()))
    assert world.crm.lines == {"SN506": {"serial_number": "SN506", "port": "0/1/505", "account": main["service_uuid"]}}
    held = [world.crm.inventory[item] for item in line.values()]
    assert [(row["service_id"], row["item_state"]) for row in held] == [(main["service_id"], "Assigned")] * 3

    code, output = world.run(ending, action="deprovision", service_id=main["service_id"])
    assert code == 0, output
    assert world.crm.lines == {}
    assert [(row["service_id"], row["item_state"]) for row in held] == [(None, "Used")] * 3
    assert output.count("...ignoring") == 0


def test_an_ont_stays_with_its_service_until_the_olt_has_let_go_of_it(
    world: World, engine: Engine, line: dict[str, int]
) -> None:
    code, output = world.run("play_bundle_internet_tv_voice", **line)
    assert code == 0, output
    main = next(iter(world.crm.services.values()))
    ending = {"action": "deprovision", "service_id": main["service_id"]}
    world.crm.fail = {"DELETE /olt"}
    code, output = world.run("play_bundle_internet_tv_voice", **ending)
    assert code == 0, output
    assert output.count("...ignoring") == 1
    assert world.crm.inventory[506]["service_id"] == main["service_id"]
    world.crm.fail = set()
    code, output = world.run("play_bundle_internet_tv_voice", **ending)
    assert code == 0, output
    assert world.crm.lines == {}
    assert (world.crm.inventory[506]["service_id"], world.crm.inventory[506]["item_state"]) == (None, "Used")


@pytest.mark.parametrize("fault", ["PUT /olt", "First month"])
def test_a_bundle_with_a_line_that_fails_leaves_nothing(
    world: World, engine: Engine, line: dict[str, int], fault: str
) -> None:
    before = world.crm.state()
    world.crm.fail = {fault}
    code, output = world.run("play_bundle_internet_tv_voice", **line)
    assert code != 0, output
    assert ("DELETE", "/olt/ont/SN506") in [call[:2] for call in world.crm.calls]
    assert world.crm.state() == before


def test_a_port_in_use_is_refused_before_anything_is_made(world: World, line: dict[str, int]) -> None:
    world.crm.inventory[505] |= {"customer_id": 7, "service_id": 99}
    before = world.crm.state()
    code, output = world.run("play_bundle_internet_tv_voice", **line)
    assert code != 0
    assert "Item 505 is in use" in output
    assert world.crm.state() == before
