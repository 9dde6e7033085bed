"""The plays' charging calls mean to the engine what they are meant to: units, expiry, plans; and nothing stays behind.

The engine runs without its play fixes, so that what holds here holds for a CGRateS too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from omnicrm.domain.charging.engine import Engine
from tests.plays.conftest import TENANT, World, everything

pytestmark = pytest.mark.slow
STOCK = {"SIM Card": 501, "Mobile Number": 502}


def test_an_order_is_charged_for_right_and_leaves_no_trace_when_it_ends(world: World, engine: Engine) -> None:
    plan = {"data_gb": 20, "days": 30, "voice_minutes": 300, "sms_count": "unlimited"}
    code, output = world.run("play_local_mobile_sim", **plan, **STOCK, auto_renew=True)
    assert code == 0, output
    (service,) = world.crm.services.values()
    uuid = service["service_uuid"]
    account = engine.call("ApierV2.GetAccount", {"Tenant": TENANT, "Account": uuid})
    values = {kind: [(b["ID"], int(b["Value"])) for b in buckets] for kind, buckets in account["BalanceMap"].items()}
    assert values == {
        "*data": [("DATA_20GB_Monthly", 20 * 1024**3)],
        "*voice": [("VOICE_300Min_Monthly", 300 * 60 * 10**9)],
        "*sms": [("SMS_Unlimited_Monthly", 999999999)],
    }
    expiry = datetime.fromisoformat(account["BalanceMap"]["*data"][0]["ExpirationDate"])
    assert abs(expiry - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    (renewal,) = engine.call("ApierV1.GetAccountActionPlan", {"Tenant": TENANT, "Account": uuid})
    wait = datetime.fromisoformat(renewal["NextExecTime"]) - datetime.now(UTC)
    assert timedelta(days=26) < wait < timedelta(days=32)
    profile = engine.call("APIerSv1.GetAttributeProfile", {"Tenant": TENANT, "ID": f"ATTR_ACCOUNT_{uuid}"})
    assert profile["Attributes"][0]["Value"][0]["Rules"] == "447700900123"

    code, output = world.run("play_local_mobile_sim", action="deprovision", service_id=service["service_id"])
    assert code == 0, output
    assert everything(engine) == []
    assert output.count("...ignoring") == 0


def test_a_refused_order_leaves_nothing_in_the_engine(world: World, engine: Engine) -> None:
    code, output = world.run("play_local_mobile_sim", data_gb=1, **STOCK, apn_list="42", auto_renew="1")
    assert code != 0
    assert "Failed at 'Tell the HSS'" in output
    assert everything(engine) == []


def test_a_top_up_from_product_variables_adds_a_balance(world: World, engine: Engine) -> None:
    code, output = world.run("play_simple_service")
    assert code == 0, output
    (service,) = world.crm.services.values()
    code, output = world.run("play_topup_no_charge", service_id=service["service_id"], data_gb=0.5, voice_minutes=10)
    assert code == 0, output
    account = engine.call("ApierV2.GetAccount", {"Tenant": TENANT, "Account": service["service_uuid"]})
    assert {kind: int(buckets[0]["Value"]) for kind, buckets in account["BalanceMap"].items()} == {
        "*monetary": 0,
        "*data": 512 * 1024**2,
        "*voice": 600 * 10**9,
    }
    assert everything(engine) == [f"{TENANT}:{service['service_uuid']}"]
