"""play_simple_service and play_topup_no_charge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from omnicrm.integrations.sandbox import snapshot
from omnicrm.integrations.sandbox.faults import Fault
from tests.plays.conftest import World

pytestmark = pytest.mark.slow


def test_a_simple_service_is_made_and_taken_away(world: World) -> None:
    world.store.set_fault("mailjet", Fault("500"))
    code, output = world.run("play_simple_service", site_id=12)
    assert code == 0, output
    (service,) = world.crm.services.values()
    uuid = service["service_uuid"]
    assert uuid.startswith("Service_")
    assert (service["service_name"], service["site_id"]) == (f"Prepaid Mobile 20 GB - {uuid}", 12)
    (balance,) = world.crm.accounts[uuid]["balances"].values()
    assert (balance["type"], balance["Value"], balance["ExpiryTime"], balance["Blocker"]) == (
        "*monetary", 0, "+4320h", True,
    )  # fmt: skip
    assert [row["retail_cost"] for row in world.crm.transactions.values()] == [10.0, 15.0]
    assert "...ignoring" in output

    code, output = world.run("play_simple_service", action="deprovision", service_id=service["service_id"])
    assert code == 0, output
    assert world.crm.accounts == {}
    assert service["service_status"] == "Deactivated"


def test_a_simple_service_that_cannot_be_charged_for_leaves_nothing(world: World) -> None:
    before = world.crm.state()
    world.crm.fail = {"/crm/transaction/"}
    code, output = world.run("play_simple_service")
    assert code != 0
    assert "Failed at 'Record the set-up fee'" in output
    assert world.crm.state() == before


def _existing(world: World) -> dict[str, Any]:
    service = {
        "service_id": 99, "customer_id": 7, "service_uuid": "Service_x", "service_status": "Inactive",
        "service_deactivate_date": (datetime.now(UTC) + timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    world.crm.services[99] = service
    world.crm.accounts["Service_x"] = {"balances": {}}
    return service


def test_a_top_up_grants_what_the_product_names_and_moves_the_end(world: World) -> None:
    service = _existing(world)
    code, output = world.run("play_topup_no_charge", service_id=99, data_gb=5, sms_count=50, days=30)
    assert code == 0, output
    granted = {
        b["BalanceType"]: (b["Units"], b["ExpiryTime"]) for b in world.crm.accounts["Service_x"]["balances"].values()
    }
    assert granted == {"*data": (5 * 1024**3, "+720h"), "*sms": (50, "+720h")}
    end = datetime.fromisoformat(service["service_deactivate_date"])
    assert abs(end - datetime.now(UTC) - timedelta(days=40)) < timedelta(minutes=5)
    assert service["service_status"] == "Active"
    assert world.crm.transactions == {}
    (sms,) = snapshot(world.store, "smsc").messages
    assert (sms.destination, sms.source) == ("447700900999", "Example")
    assert service["service_deactivate_date"][:10] in sms.body


@pytest.mark.parametrize("status", ["Suspended", "Pending Cancellation"])
@pytest.mark.parametrize("play", ["play_topup_no_charge", "play_topup_hotspot"])
def test_a_top_up_leaves_the_status_of_a_service_that_has_not_run_out(world: World, play: str, status: str) -> None:
    service = _existing(world)
    service["service_status"] = status
    before = service["service_deactivate_date"]
    code, output = world.run(play, service_id=99, data_gb=5, days=30, provision_id=41)
    assert code == 0, output
    assert service["service_status"] == status
    assert service["service_deactivate_date"] > before


def test_a_failed_top_up_leaves_a_status_that_changed_meanwhile(world: World) -> None:
    service = _existing(world)
    service["service_status"] = "Active"
    patch = world.crm.crm

    def suspended_in_between(verb: str, path: str, body: Any) -> tuple[int, Any]:
        answer = patch(verb, path, body)
        if verb == "PATCH" and "service_deactivate_date" in body:
            service["service_status"] = "Suspended"
        return answer

    world.crm.crm = suspended_in_between  # type: ignore[method-assign]
    code, output = world.run("play_topup_no_charge", service_id=99)
    assert code != 0
    assert "Failed at 'Run the top-up'" in output
    assert service["service_status"] == "Suspended"


def test_a_top_up_whose_action_is_unknown_puts_the_service_back(world: World) -> None:
    service = _existing(world)
    before = dict(service)
    code, output = world.run("play_topup_no_charge", service_id=99)
    assert code != 0
    assert "Failed at 'Run the top-up'" in output
    assert world.crm.calls[-2][2]["ActionsId"] == "Action_Topup_Standard"
    assert service == before
    assert world.crm.accounts["Service_x"]["balances"] == {}


def test_a_top_up_is_not_granted_again_by_a_deprovision_run(world: World) -> None:
    _existing(world)
    code, output = world.run("play_topup_no_charge", service_id=99, data_gb=5, action="deprovision")
    assert code == 0, output
    assert world.crm.calls == []
