"""play_local_data_addon and play_topup_hotspot on a service that is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from omnicrm.domain.charging.engine import Engine
from tests.plays.conftest import IMSI, TENANT, World

pytestmark = pytest.mark.slow


@pytest.fixture
def service(world: World, engine: Engine) -> dict[str, Any]:
    row: dict[str, Any] = {
        "service_id": 99, "customer_id": 7, "service_uuid": "Hotspot_x", "service_status": "Active",
        "service_deactivate_date": (datetime.now(UTC) + timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    world.crm.services[99] = row
    engine.call("ApierV2.SetAccount", {"Tenant": TENANT, "Account": "Hotspot_x"})
    return row


def _data(engine: Engine) -> list[dict[str, Any]]:
    account = engine.call("ApierV2.GetAccount", {"Tenant": TENANT, "Account": "Hotspot_x"})
    return list((account["BalanceMap"] or {}).get("*data", []))


def test_a_data_add_on_adds_its_gigabytes_once_an_order(world: World, engine: Engine, service: dict[str, Any]) -> None:
    for provision_id in (41, 42):
        code, output = world.run("play_local_data_addon", service_id=99, data_gb=10, provision_id=provision_id)
        assert code == 0, output
    assert [int(bucket["Value"]) for bucket in _data(engine)] == [10737418240, 10737418240]


def test_a_data_add_on_needs_an_active_service(world: World, engine: Engine, service: dict[str, Any]) -> None:
    service["service_status"] = "Suspended"
    code, output = world.run("play_local_data_addon", service_id=99, data_gb=10, provision_id=41)
    assert code != 0
    assert "The service is Suspended" in output
    assert _data(engine) == []


def test_hotspot_days_extend_the_service_and_last_as_long(
    world: World, engine: Engine, service: dict[str, Any]
) -> None:
    world.crm.inventory[501] |= {"service_id": 99, "customer_id": 7}
    named = {"service_uuid": "Hotspot_x", "imsi": IMSI, "provision_id": 41}
    code, output = world.run("play_topup_hotspot", days=7, **named)
    assert code == 0, output
    end = datetime.fromisoformat(service["service_deactivate_date"])
    assert abs(end - datetime.now(UTC) - timedelta(days=17)) < timedelta(minutes=5)
    (bucket,) = _data(engine)
    assert datetime.fromisoformat(bucket["ExpirationDate"]) == end
    assert int(bucket["Value"]) > 1024**5 * 0.9


def test_a_hotspot_top_up_with_a_strange_sim_changes_nothing(
    world: World, engine: Engine, service: dict[str, Any]
) -> None:
    before = dict(service)
    named = {"service_uuid": "Hotspot_x", "imsi": "001019999999999", "provision_id": 41}
    code, output = world.run("play_topup_hotspot", days=7, **named)
    assert code != 0
    assert "The SIM 001019999999999 is not one of this service" in output
    assert service == before
    assert _data(engine) == []


def test_a_hotspot_top_up_that_the_engine_refuses_leaves_the_end_as_it_was(world: World) -> None:
    world.crm.services[99] = {
        "service_id": 99, "customer_id": 7, "service_uuid": "Hotspot_x", "service_status": "Active",
        "service_deactivate_date": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    before = dict(world.crm.services[99])
    world.crm.fail = {"AddBalance"}
    code, output = world.run("play_topup_hotspot", days=7, service_id=99, provision_id=41)
    assert code != 0
    assert "Failed at 'Add the days'" in output
    assert world.crm.services[99] == before
