"""Action triggers: thresholds of balances, counters and expiries, their rest after firing, and their groups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError, JobRef
from tests.charging.conftest import Clock, values


def fired(engine: Engine, account: str = "a") -> int:
    """How often the watched action set ran: it gives a message to a bucket of its own."""
    return int(values(engine, account, "*sms").get("NOTICE", 0))


def trigger(engine: Engine, kind: str, threshold: Any, **fields: Any) -> None:
    """A trigger on data buckets in the group G, and the account `a` that has it."""
    row = {"Identifier": "*topup", "BalanceType": "*sms", "BalanceId": "NOTICE", "Units": 1}
    engine.call("ApierV1.SetActions", {"ActionsId": "NOTICE", "Overwrite": True, "Actions": [row]})
    given = {"ThresholdType": kind, "ThresholdValue": threshold, "BalanceType": "*data", "ActionsID": "NOTICE"}
    body = {"GroupID": "G", "UniqueID": fields.pop("unique", "T"), "ActionTrigger": {**given, **fields}}
    engine.call("ApierV1.SetActionTrigger", body)
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionTriggerIDs": ["G"]})


def add(engine: Engine, value: int, ident: str = "D", **fields: Any) -> None:
    balance = {"ID": ident, "Value": value, **fields}
    engine.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*data", "Balance": balance})


def use(engine: Engine, value: int) -> None:
    engine.call(
        "ApierV1.DebitBalance", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": "D"}, "Value": value}
    )


def event(engine: Engine, origin: str, usage: int, **fields: str) -> None:
    body = {"OriginID": origin, "ToR": "*data", "RequestType": "*postpaid", "Account": "a", "Usage": str(usage)}
    engine.call("CDRsV1.ProcessExternalCDR", {**body, **fields})


def test_a_low_balance_fires_once_until_the_trigger_is_reset(
    database_url: str, open_engine: Callable[..., Engine]
) -> None:
    engine = open_engine(database_url, play_fixes=False)
    trigger(engine, "*min_balance", 20)
    add(engine, 100)
    use(engine, 79)
    assert fired(engine) == 0
    use(engine, 1)
    use(engine, 1)
    assert fired(engine) == 1
    (found,) = engine.call("ApierV1.GetAccountActionTriggers", {"Account": "a"})
    assert (found["Executed"], found["LastExecutionTime"]) == (True, "2026-11-23T10:00:00Z")
    engine.call("APIerSv1.ResetAccountActionTriggers", {"Account": "a", "Executed": False})
    use(engine, 1)
    assert fired(engine) == 2


def test_usage_that_a_bucket_pays_for_fires_as_well(bare: Engine) -> None:
    bare.call("APIerSv1.SetChargerProfile", {"ID": "DEFAULT", "RunID": "*default", "AttributeIDs": ["*none"]})
    trigger(bare, "*min_balance", 20)
    add(bare, 100)
    event(bare, "1", 85)
    assert (values(bare, "a", "*data"), fired(bare)) == ({"D": 15}, 1)


def test_a_threshold_in_money_is_in_the_unit_of_the_wire(bare: Engine) -> None:
    trigger(bare, "*min_balance", "2.5", BalanceType="*monetary")
    body = {"Account": "a", "BalanceType": "*monetary"}
    bare.call("ApierV1.AddBalance", {**body, "Value": 3})
    bare.call("ApierV1.DebitBalance", {**body, "Value": Decimal("0.49")})
    assert fired(bare) == 0
    bare.call("ApierV1.DebitBalance", {**body, "Value": Decimal("0.01")})
    assert fired(bare) == 1


def test_a_high_balance_fires_the_upper_threshold(bare: Engine) -> None:
    trigger(bare, "*max_balance", 100)
    add(bare, 99)
    assert fired(bare) == 0
    add(bare, 1)
    assert fired(bare) == 1


def test_only_buckets_that_the_trigger_chooses_and_that_changed_count(bare: Engine) -> None:
    trigger(bare, "*min_balance", 20, BalanceID="D")
    add(bare, 5, "OTHER")
    assert fired(bare) == 0
    add(bare, 100)
    use(bare, 90)
    bare.call("APIerSv1.ResetAccountActionTriggers", {"Account": "a", "Executed": False})
    add(bare, 1, "OTHER")
    assert fired(bare) == 1


def test_a_recurrent_trigger_fires_again_after_its_sleep(bare: Engine, clock: Clock) -> None:
    trigger(bare, "*min_balance", 20, Recurrent=True, MinSleep="1h")
    add(bare, 15)
    use(bare, 1)
    assert fired(bare) == 1
    clock.now += timedelta(hours=1)
    use(bare, 1)
    use(bare, 1)
    assert fired(bare) == 2


@pytest.mark.parametrize(
    "span", [{"ActivationDate": "2026-11-24T00:00:00Z"}, {"ExpirationDate": "2026-11-23T00:00:00Z"}]
)
def test_a_trigger_fires_within_its_time_only(bare: Engine, span: dict[str, str]) -> None:
    trigger(bare, "*min_balance", 20, **span)
    add(bare, 15)
    assert fired(bare) == 0


def test_a_disabled_account_fires_nothing(bare: Engine) -> None:
    trigger(bare, "*min_balance", 20)
    bare.call("ApierV2.SetAccount", {"Account": "a", "ExtraOptions": {"Disabled": True}})
    add(bare, 15)
    assert fired(bare) == 0


def test_what_a_trigger_changes_fires_no_other_and_the_heavier_is_first(bare: Engine) -> None:
    for ident, verb in (("FILL", "*topup_reset"), ("EMPTY", "*debit_reset")):
        row = {"Identifier": verb, "BalanceType": "*data", "BalanceId": "D", "Units": 50}
        bare.call("ApierV1.SetActions", {"ActionsId": ident, "Actions": [row]})
    trigger(bare, "*min_balance", 20, unique="LIGHT", ActionsID="FILL", Weight=1)
    trigger(bare, "*min_balance", 20, unique="HEAVY", ActionsID="EMPTY", Weight=9)
    add(bare, 15)
    assert values(bare, "a", "*data") == {"D": 50}
    assert all(found["Executed"] for found in bare.call("ApierV1.GetAccountActionTriggers", {"Account": "a"}))


def test_a_trigger_whose_actions_fail_leaves_the_change_in_place_and_stays_armed(
    bare: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    trigger(bare, "*min_balance", 20, ActionsID="MISSING")
    add(bare, 15)
    assert values(bare, "a", "*data") == {"D": 15}
    assert "could not run MISSING: NOT_FOUND" in caplog.text
    assert bare.call("ApierV1.GetAccountActionTriggers", {"Account": "a"})[0]["Executed"] is False


def test_an_expiry_fires_when_it_comes_though_nobody_uses_the_account(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    engine = open_engine(database_url, play_fixes=False)
    trigger(engine, "*balance_expired", 0, BalanceID="D")
    add(engine, 5, ExpiryTime="+2h")
    add(engine, 5, "OTHER", ExpiryTime="+1h")
    for hours, expected in ((1, 0), (1, 1), (1, 1)):
        clock.now += timedelta(hours=hours)
        engine.scheduler.run_due()
        assert fired(engine) == expected


def test_a_counter_adds_up_usage_and_is_shown_with_the_account(bare: Engine) -> None:
    bare.call("APIerSv1.SetChargerProfile", {"ID": "DEFAULT", "RunID": "*default", "AttributeIDs": ["*none"]})
    trigger(bare, "*max_event_counter", 100)
    add(bare, 1000)
    for number in range(3):
        event(bare, str(number), 40)
        assert fired(bare) == int(number == 2)
    counters = bare.call("ApierV2.GetAccount", {"Account": "a"})["UnitCounters"]["*data"]
    assert [(c["CounterType"], c["Counters"][0]["Value"]) for c in counters] == [("*event", 120)]
    bare.call("ApierV1.SetActions", {"ActionsId": "R", "Actions": [{"Identifier": "*reset_counters"}]})
    bare.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "R"})
    assert bare.call("ApierV2.GetAccount", {"Account": "a"})["UnitCounters"]["*data"][0]["Counters"][0]["Value"] == 0


def test_a_counter_of_a_bucket_counts_what_that_bucket_pays(bare: Engine) -> None:
    bare.call("APIerSv1.SetChargerProfile", {"ID": "DEFAULT", "RunID": "*default", "AttributeIDs": ["*none"]})
    trigger(bare, "*max_balance_counter", 100, BalanceID="FIRST")
    add(bare, 60, "FIRST", Weight=20)
    add(bare, 1000, "SECOND")
    event(bare, "1", 200)
    counters = bare.call("ApierV2.GetAccount", {"Account": "a"})["UnitCounters"]["*data"]
    assert (counters[0]["CounterType"], counters[0]["Counters"][0]["Value"], fired(bare)) == ("*balance", 60, 0)


def test_groups_are_set_listed_and_removed_and_accounts_keep_theirs(bare: Engine) -> None:
    trigger(bare, "*min_balance", 20, unique="1")
    trigger(bare, "*min_balance", 10, unique="2")
    bare.call("ApierV1.SetActionTrigger", {"GroupID": "G", "UniqueID": "2", "ActionTrigger": {"ThresholdValue": 11}})
    found = bare.call("ApierV1.GetActionTriggers", {"GroupIDs": ["G"]})
    assert [(item["UniqueID"], item["ThresholdValue"]) for item in found] == [("1", 20), ("2", 11)]
    bare.call("ApierV1.RemoveActionTrigger", {"GroupID": "G", "UniqueID": "1"})
    bare.call("ApierV1.RemoveActionTrigger", {"GroupID": "G"})
    with pytest.raises(EngineError, match="NOT_FOUND"):
        bare.call("ApierV1.GetActionTriggers", {"GroupIDs": ["G"]})
    mine = bare.call("ApierV1.GetAccountActionTriggers", {"Account": "a"})
    assert [(item["ID"], item["UniqueID"]) for item in mine] == [("G", "1"), ("G", "2")]


def test_triggers_of_an_account_are_changed_and_taken_away(bare: Engine) -> None:
    trigger(bare, "*min_balance", 20)
    chosen = {"Account": "a", "GroupID": "G", "UniqueID": "T"}
    bare.call("ApierV1.SetAccountActionTriggers", {**chosen, "ActionTrigger": {"ThresholdValue": 5}})
    add(bare, 15)
    assert fired(bare) == 0
    bare.call("ApierV1.RemoveAccountActionTriggers", chosen)
    assert bare.call("ApierV2.GetAccount", {"Account": "a"})["ActionTriggers"] is None
    bare.call("ApierV1.AddAccountActionTriggers", {"Account": "a", "ActionTriggerIDs": ["G"]})
    use(bare, 1)
    assert fired(bare) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "MANDATORY_IE_MISSING: [ThresholdType ThresholdValue]"),
        ({"ThresholdType": "*min_balance"}, "MANDATORY_IE_MISSING: [ThresholdValue]"),
        ({"ThresholdType": "*often", "ThresholdValue": 1}, "UNSUPPORTED_FORMAT:*often"),
        ({"ThresholdType": "*min_balance", "ThresholdValue": "x"}, 'strconv.ParseFloat: parsing "x": invalid syntax'),
        ({"ThresholdType": "*min_balance", "ThresholdValue": 1e30}, "SERVER_ERROR: value out of range"),
        ({"ThresholdType": "*min_balance", "ThresholdValue": 1, "MinSleep": "often"}, 'time: invalid duration "often"'),
        ({"ThresholdType": "*min_balance", "ThresholdValue": 1, "ActivationDate": "soon"}, "Unsupported time format"),
    ],
)
def test_a_bad_trigger_is_refused(bare: Engine, given: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError) as refused:
        bare.call("ApierV1.SetActionTrigger", {"GroupID": "G", "ActionTrigger": given})
    assert refused.value.message == message


def test_a_group_that_does_not_exist_is_a_broken_reference_and_no_account_is_made(bare: Engine) -> None:
    with pytest.raises(EngineError) as refused:
        bare.call("ApierV2.SetAccount", {"Account": "new", "ActionTriggerIDs": ["NOPE"]})
    assert refused.value.message == "SERVER_ERROR: NOT_FOUND"
    assert bare.call("ApierV2.GetAccountsCount") == 0


def test_triggers_of_a_plan_in_the_second_documented_shape_go_to_its_accounts(engine: Engine) -> None:
    row = {"Identifier": "*log"}
    for ident in ("Action_Service123_Add_Monthly_Data", "Action_Service123_HTTP_Callback"):
        engine.call("ApierV1.SetActions", {"ActionsId": ident, "Actions": [row]})
    body = {
        "Id": "ActionPlan_Service123_Monthly_Charge",
        "ActionsId": "Action_Service123_Add_Monthly_Data",
        "Timing": {"Years": [], "Months": [], "MonthDays": [1], "Time": "00:00:00Z"},
        "Weight": 10,
        "ActionTriggers": [
            {"ThresholdType": "*min_event_counter", "ThresholdValue": 1, "ActionsID": "Action_Service123_HTTP_Callback"}
        ],
    }
    engine.call("ApierV1.SetActionPlan", body)
    for _ in range(2):
        engine.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": [body["Id"]]})
    (found,) = engine.call("ApierV1.GetAccountActionTriggers", {"Account": "a"})
    assert (found["ID"], found["ActionsID"]) == (body["Id"], "Action_Service123_HTTP_Callback")


def test_a_trigger_does_not_revive_an_account_that_a_heavier_one_removed(bare: Engine) -> None:
    bare.call("ApierV1.SetActions", {"ActionsId": "GONE", "Actions": [{"Identifier": "*remove_account"}]})
    bare.call("ApierV2.SetAccount", {"Account": "a"})
    trigger(bare, "*max_balance", 10, unique="FIRST", ActionsID="GONE", Weight=20)
    trigger(bare, "*max_balance", 10, Weight=10)
    add(bare, 20)
    with pytest.raises(EngineError, match="NOT_FOUND"):
        bare.call("ApierV2.GetAccount", {"Account": "a"})


def test_what_anothers_one_off_run_fires_is_not_the_jobs(bare: Engine) -> None:
    step = {"Identifier": "*topup", "BalanceType": "*data", "BalanceId": "D", "Units": 10}
    bare.call("ApierV1.SetActions", {"ActionsId": "START", "Actions": [step]})
    bare.call("ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": [{"ActionsId": "START", "Time": "*asap"}]})
    bare.call("ApierV2.SetAccount", {"Account": "a"})
    trigger(bare, "*max_balance", 10)
    bare.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"]})
    job = JobRef(5, 1, frozenset({"mine"}))
    bare.call("ApierV2.SetAccount", {"Account": "mine", "ReloadScheduler": True}, job)
    assert fired(bare) == 1
    assert [(entry.kind, entry.ident) for entry in bare.journal(5)] == [("account", "mine")]
