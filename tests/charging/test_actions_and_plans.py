"""Action sets, what running them does, and plans: `*asap`, attachments, scheduled runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError
from tests.charging.conftest import Clock, values


def set_actions(engine: Engine, *rows: dict[str, Any], ident: str = "A") -> None:
    engine.call("ApierV1.SetActions", {"ActionsId": ident, "Overwrite": True, "Actions": list(rows)})


def execute(engine: Engine, ident: str = "A", account: str = "a") -> None:
    engine.call("APIerSv1.ExecuteAction", {"Account": account, "ActionsId": ident})


def step(identifier: str, kind: str = "*data", units: float = 0, **fields: Any) -> dict[str, Any]:
    return {"Identifier": identifier, "BalanceType": kind, "Units": units, **fields}


def test_actions_run_heaviest_first_whatever_their_order(bare: Engine) -> None:
    set_actions(bare, step("*topup_reset", units=1, Weight=1), step("*topup", units=10, Weight=20))
    execute(bare)
    assert values(bare, "a", "*data") == {"": 1}


def test_an_unknown_action_stops_the_set_and_nothing_is_kept(bare: Engine) -> None:
    set_actions(bare, step("*topup", units=10, Weight=20), step("*nope"))
    with pytest.raises(EngineError, match="PARTIALLY_EXECUTED"):
        execute(bare)
    with pytest.raises(EngineError, match="NOT_FOUND"):
        bare.call("ApierV2.GetAccount", {"Account": "a"})


def test_a_step_that_fails_writes_no_record_of_the_steps_before_it(bare: Engine) -> None:
    set_actions(
        bare,
        step("*topup", units=10, Weight=20),
        {"Identifier": "*cdrlog", "Weight": 10},
        step("*remove_balance", BalanceId="none", Weight=1),
    )
    with pytest.raises(EngineError, match="PARTIALLY_EXECUTED"):
        execute(bare)
    assert bare.call("CDRsV1.GetCDRsCount", {}) == 0


def test_an_expiry_of_an_action_counts_from_its_run(bare: Engine, clock: Clock) -> None:
    set_actions(bare, step("*topup", units=1, ExpiryTime="+24h"))
    clock.now = clock.now.replace(day=25)
    execute(bare)
    (bucket,) = bare.call("ApierV2.GetAccount", {"Account": "a"})["BalanceMap"]["*data"]
    assert bucket["ExpirationDate"] == "2026-11-26T10:00:00Z"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step("*topup_reset", units=1)], {"DATA": 1, "OTHER": 1}),
        ([step("*debit", units=100, BalanceId="OTHER")], {"DATA": 1000, "OTHER": -93}),
        ([step("*debit_reset", units=1, BalanceId="OTHER")], {"DATA": 1000, "OTHER": -1}),
        ([step("*set_balance", units=5, BalanceId="DATA")], {"DATA": 5, "OTHER": 7}),
        ([step("*remove_balance", BalanceId="DATA")], {"OTHER": 7}),
        ([step("*debit", units=9, BalanceId="OTHER", Weight=2), step("*topup_zero_negative", Weight=1)],
         {"DATA": 1000, "OTHER": 0}),
        ([step("*remove_account")], None),
    ],
)  # fmt: skip
def test_each_balance_action_does_what_its_name_says(
    bare: Engine, steps: list[dict[str, Any]], expected: dict[str, int] | None
) -> None:
    for ident, value in (("DATA", 1000), ("OTHER", 7)):
        bare.call(
            "ApierV1.AddBalance", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": ident, "Value": value}}
        )
    set_actions(bare, *steps)
    execute(bare)
    if expected is None:
        assert bare.call("ApierV2.GetAccountsCount") == 0
    else:
        assert values(bare, "a", "*data") == expected


def test_reset_account_leaves_one_empty_money_bucket(bare: Engine) -> None:
    bare.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*data", "Value": 9})
    set_actions(bare, step("*reset_account", kind=""))
    execute(bare)
    assert list(bare.call("ApierV2.GetAccount", {"Account": "a"})["BalanceMap"]) == ["*monetary"]
    assert values(bare, "a", "*monetary") == {"": 0}


@pytest.mark.parametrize(
    ("identifier", "field", "value"),
    [
        ("*disable_account", "Disabled", True),
        ("*enable_account", "Disabled", False),
        ("*allow_negative", "AllowNegative", True),
        ("*deny_negative", "AllowNegative", False),
    ],
)
def test_flags_of_the_account_are_set_by_actions(bare: Engine, identifier: str, field: str, value: bool) -> None:
    bare.call("ApierV2.SetAccount", {"Account": "a", "ExtraOptions": {field: not value}})
    set_actions(bare, {"Identifier": identifier})
    execute(bare)
    assert bare.call("ApierV2.GetAccount", {"Account": "a"})[field] is value


def test_http_post_leaves_after_the_commit_with_the_whole_account(open_engine: Callable[..., Engine]) -> None:
    sent: list[tuple[str, dict[str, Any], Any]] = []
    arrived = threading.Event()

    def post(url: str, body: bytes, key: str) -> None:
        sent.append((url, json.loads(body), values(engine, "a", "*sms")))
        arrived.set()

    engine = open_engine(post=post)
    set_actions(engine, {"Identifier": "*http_post", "ExtraParameters": "http://127.0.0.1:9/x", "Weight": 1},
                step("*topup", "*sms", 5, Weight=2))  # fmt: skip
    execute(engine)
    assert arrived.wait(5)
    url, account, committed = sent[0]
    assert (url, account["ID"], committed) == ("http://127.0.0.1:9/x", "cgrates.org:a", {"": 5})


def test_a_target_of_http_post_that_is_down_does_not_fail_the_set(open_engine: Callable[..., Engine]) -> None:
    def post(url: str, body: bytes, key: str) -> None:
        raise ConnectionRefusedError

    engine = open_engine(post=post)
    set_actions(engine, {"Identifier": "*http_post", "ExtraParameters": "http://127.0.0.1:9/x"})
    execute(engine)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"Weight": 1}, "MANDATORY_IE_MISSING:Action::[Identifier]"),
        ({"Identifier": "*cdrlog", "BalanceType": "*generic"}, "MANDATORY_IE_MISSING:Action:*cdrlog:[Units]"),
        ({"Identifier": "*topup", "Units": 5},
         "json: cannot unmarshal number into Go struct field TPAction.Actions.Units of type string"),
        ({"Identifier": "*topup", "Units": "x"}, 'strconv.ParseFloat: parsing "x": invalid syntax'),
        ({"Identifier": "*topup", "BalanceBlocker": "maybe"},
         'strconv.ParseBool: parsing "maybe": invalid syntax'),
    ],
)  # fmt: skip
def test_a_bad_action_is_refused_with_the_engines_text(bare: Engine, row: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError) as refused:
        bare.call("ApierV2.SetActions", {"ActionsId": "X", "Actions": [row]})
    assert refused.value.message == message
    with pytest.raises(EngineError, match="NOT_FOUND"):
        bare.call("ApierV2.GetActions", {"ActionIDs": ["X"]})


def plan(engine: Engine, ident: str, *times: str) -> None:
    entries = [{"ActionsId": "A", "Time": time, "Weight": 10} for time in times]
    engine.call("ApierV1.SetActionPlan", {"Id": ident, "ActionPlan": entries, "Overwrite": True})


def test_asap_runs_when_the_scheduler_is_told_to_reload(bare: Engine) -> None:
    set_actions(bare, step("*topup", units=5))
    plan(bare, "P", "*asap")
    bare.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"]})
    assert bare.call("ApierV2.GetAccount", {"Account": "a"})["BalanceMap"] is None
    bare.call("ApierV2.SetAccount", {"Account": "b", "ReloadScheduler": True})
    assert values(bare, "a", "*data") == {"": 5}
    bare.call("ApierV2.SetAccount", {"Account": "b", "ReloadScheduler": True})
    assert values(bare, "a", "*data") == {"": 5}


def test_a_plan_with_asap_and_a_time_runs_once_and_keeps_the_account(bare: Engine) -> None:
    set_actions(bare, step("*topup", units=5))
    plan(bare, "P", "*asap", "*monthly")
    for _ in range(2):
        bare.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"], "ReloadScheduler": True})
    assert values(bare, "a", "*data") == {"": 5}
    assert len(bare.call("ApierV1.GetAccountActionPlan", {"Account": "a"})) == 2


def test_a_task_that_fails_does_not_stop_the_others(bare: Engine) -> None:
    set_actions(bare, {"Identifier": "*nope"})
    plan(bare, "BAD", "*asap")
    bare.call("ApierV1.SetActions", {"ActionsId": "B", "Actions": [step("*topup", units=1)]})
    entry = {"ActionsId": "B", "Time": "*asap"}
    bare.call("ApierV1.SetActionPlan", {"Id": "GOOD", "ActionPlan": [entry]})
    body = {"Account": "a", "ActionPlanIds": ["BAD", "GOOD"], "ReloadScheduler": True}
    assert bare.call("ApierV2.SetAccount", body) == "OK"
    assert values(bare, "a", "*data") == {"": 1}


def test_removing_an_account_takes_it_from_its_plans(bare: Engine) -> None:
    set_actions(bare, step("*topup", units=5))
    plan(bare, "P", "*monthly")
    bare.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"]})
    bare.call("ApierV1.RemoveAccount", {"Account": "a"})
    (found,) = bare.call("ApierV1.GetActionPlan", {"ID": "P"})
    assert found["AccountIDs"] is None
    with pytest.raises(EngineError, match="NOT_FOUND"):
        bare.call("ApierV1.GetScheduledActions", {"Account": "a"})


def test_scheduled_runs_are_listed_in_their_order_within_a_span(bare: Engine) -> None:
    set_actions(bare, step("*topup", units=5))
    for ident, time in (("LATER", "23:00:00"), ("SOONER", "11:00:00"), ("MONTHLY", "*monthly")):
        plan(bare, ident, time)

    def found(**wanted: Any) -> list[str]:
        return [item["ActionPlanID"] for item in bare.call("ApierV1.GetScheduledActions", wanted)]

    assert found() == ["SOONER", "LATER", "MONTHLY"]
    assert found(TimeEnd="2026-11-24T00:00:00Z") == ["SOONER", "LATER"]
    assert found(TimeStart="2026-11-23T23:00:00Z", TimeEnd="2026-11-24T00:00:00Z") == ["LATER"]
    assert found(Limit=1, Offset=1) == ["LATER"]


@pytest.mark.parametrize("time", ["00:00:00Z", "25:00:00", "noon", "1:2", "*fortnightly", "00:00:60"])
def test_a_time_that_is_none_is_refused(bare: Engine, time: str) -> None:
    set_actions(bare, step("*topup", units=5))
    with pytest.raises(EngineError) as refused:
        plan(bare, "P", time)
    assert refused.value.message == f"UNSUPPORTED_FORMAT:{time}"


def test_version_1_of_set_account_attaches_one_plan_and_replaces_the_others(bare: Engine) -> None:
    set_actions(bare, step("*topup", units=5))
    for ident in ("P", "Q"):
        plan(bare, ident, "*monthly")
    bare.call("ApierV1.SetAccount", {"Account": "a", "ActionPlanID": "P"})
    bare.call("ApierV1.SetAccount", {"Account": "a", "ActionPlanID": "Q"})
    bare.call("ApierV1.SetAccount", {"Account": "a"})
    assert [found["ActionPlanId"] for found in bare.call("ApierV1.GetAccountActionPlan", {"Account": "a"})] == ["Q"]
