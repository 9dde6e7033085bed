"""Requests as the documented plays write them: what the fixes make of them, and what happens with fixes off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError, JobRef
from tests.charging.conftest import Clock, values

JOB = JobRef(provision_id=3, customer_id=1)
SERVICE = "c2880638-0000-4000-8000-000000000001"
RENEWAL = f"ServiceID_{SERVICE}__ProductID_42__MonthlyRenewal"
EVERY_DAY = dict.fromkeys(("Years", "Months", "MonthDays", "WeekDays"), "*any")


def set_actions(engine: Engine, ident: str = "A") -> None:
    engine.call("ApierV1.SetActions", {"ActionsId": ident, "Overwrite": True, "Actions": [{"Identifier": "*log"}]})


def set_plan(engine: Engine, ident: str, job: JobRef | None = None, **fields: Any) -> str:
    entry = {"ActionsId": "A", **EVERY_DAY, "Time": "00:00:00", "Weight": 10, **fields}
    return str(engine.call("ApierV1.SetActionPlan", {"Id": ident, "ActionPlan": [entry], "ReloadScheduler": True}, job))


def attach(engine: Engine, *plans: str, overwrite: bool = False) -> None:
    engine.call(
        "ApierV2.SetAccount", {"Account": SERVICE, "ActionPlanIds": list(plans), "ActionPlansOverwrite": overwrite}
    )


def attached(engine: Engine) -> list[str]:
    return [plan["ActionPlanId"] for plan in engine.call("ApierV1.GetAccountActionPlan", {"Account": SERVICE})]


def next_runs(engine: Engine) -> list[str]:
    return [plan["NextExecTime"] for plan in engine.call("ApierV1.GetAccountActionPlan", {"Account": SERVICE})]


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (3600, 3600 * 10**9),
        ("3600", 3600 * 10**9),
        (999999999, 999999999 * 10**9),
        (7500000000000, 7500000000000),
        ("1h", 3600 * 10**9),
        (0, 0),
    ],
)
def test_plain_voice_numbers_below_a_billion_are_seconds(engine: Engine, value: Any, ns: int) -> None:
    engine.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*voice", "Balance": {"ID": "V", "Value": value}})
    assert values(engine, "a", "*voice") == {"V": ns}


def test_voice_units_of_actions_are_seconds_too(engine: Engine) -> None:
    row = {"Identifier": "*topup", "BalanceType": "*voice", "Units": 60}
    engine.call("ApierV1.SetActions", {"ActionsId": "V", "Actions": [row]})
    engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "V"})
    assert values(engine, "a", "*voice") == {"": 60 * 10**9}


def test_without_fixes_voice_is_nanoseconds_and_balance_keys_are_taken_as_written(bare: Engine) -> None:
    body = {"Account": "a", "BalanceType": "*voice", "Balance": {"id": "V", "Value": 3600}}
    bare.call("ApierV1.AddBalance", body)
    assert values(bare, "a", "*voice") == {"": 3600}


def test_the_renewal_that_asks_for_every_midnight_runs_monthly(engine: Engine) -> None:
    set_actions(engine)
    set_plan(engine, RENEWAL)
    attach(engine, RENEWAL)
    assert next_runs(engine) == ["2026-12-23T00:00:00Z"]


def test_a_renewal_set_up_before_its_time_of_day_waits_for_the_next_month(engine: Engine) -> None:
    set_actions(engine)
    set_plan(engine, RENEWAL, Time="23:00:00Z")
    attach(engine, RENEWAL)
    assert next_runs(engine) == ["2026-12-23T23:00:00Z"]


@pytest.mark.parametrize("time", ["*monthly", "00:00:00"])
def test_a_renewal_from_the_31st_falls_on_the_last_day_of_short_months(engine: Engine, clock: Clock, time: str) -> None:
    clock.now = datetime(2027, 1, 31, 9, tzinfo=UTC)
    set_actions(engine)
    set_plan(engine, RENEWAL, Time=time)
    attach(engine, RENEWAL)
    assert next_runs(engine)[0].startswith("2027-02-28T")


def test_a_plan_without_service_and_product_in_its_id_stays_daily(engine: Engine) -> None:
    set_actions(engine)
    set_plan(engine, "Nightly")
    attach(engine, "Nightly")
    assert next_runs(engine) == ["2026-11-24T00:00:00Z"]


def test_a_trailing_star_removes_the_plans_of_one_service(engine: Engine) -> None:
    set_actions(engine)
    others = f"ServiceID_{SERVICE}9__ProductID_1__Renewal"
    for ident in (RENEWAL, RENEWAL.replace("42", "43"), others):
        set_plan(engine, ident)
    engine.call("ApierV1.RemoveActionPlan", {"Id": f"ServiceID_{SERVICE}__*"})
    assert [plan["Id"] for plan in engine.call("ApierV1.GetActionPlan", {"ID": ""})] == [others]


@pytest.mark.parametrize("pattern", ["*", "Serv*", "ServiceID_*"])
def test_a_star_without_a_service_before_it_removes_nothing(engine: Engine, pattern: str) -> None:
    set_actions(engine)
    set_plan(engine, RENEWAL)
    with pytest.raises(EngineError):
        engine.call("ApierV1.RemoveActionPlan", {"Id": pattern})
    assert len(engine.call("ApierV1.GetActionPlan", {"ID": ""})) == 1


def test_attaching_one_renewal_replaces_that_of_the_same_product_only(engine: Engine) -> None:
    set_actions(engine)
    old = f"ActionPlan_Monthly_{SERVICE}_42"
    other = f"ActionPlan_Monthly_{SERVICE}_7"
    for ident in (old, other, RENEWAL):
        set_plan(engine, ident)
    attach(engine, old, other)
    attach(engine, RENEWAL, overwrite=True)
    assert attached(engine) == [other, RENEWAL]


def test_an_overwrite_with_no_plans_detaches_all(engine: Engine) -> None:
    set_actions(engine)
    set_plan(engine, RENEWAL)
    attach(engine, RENEWAL)
    attach(engine, overwrite=True)
    assert attached(engine) == []


def test_without_fixes_an_overwrite_detaches_every_other_plan(bare: Engine) -> None:
    set_actions(bare)
    other = RENEWAL.replace("42", "7")
    for ident in (RENEWAL, other):
        set_plan(bare, ident)
    attach(bare, other)
    attach(bare, RENEWAL, overwrite=True)
    assert attached(bare) == [RENEWAL]


def test_repeating_a_plan_without_overwrite_is_fine_for_the_job_that_made_it(engine: Engine) -> None:
    set_actions(engine)
    assert set_plan(engine, RENEWAL, JOB) == "OK"
    assert set_plan(engine, RENEWAL, JOB) == "OK"
    with pytest.raises(EngineError, match="EXISTS"):
        set_plan(engine, RENEWAL, JobRef(provision_id=4, customer_id=1))
    with pytest.raises(EngineError, match="EXISTS"):
        set_plan(engine, RENEWAL)


@pytest.mark.parametrize(("fixes", "kept"), [(True, [RENEWAL]), (False, [])])
def test_a_plan_that_is_set_anew_keeps_its_accounts(
    open_engine: Callable[..., Engine], fixes: bool, kept: list[str]
) -> None:
    engine = open_engine(play_fixes=fixes)
    set_actions(engine)
    set_plan(engine, RENEWAL)
    attach(engine, RENEWAL)
    body = {"Id": RENEWAL, "ActionPlan": [{"ActionsId": "A", "Time": "*monthly"}], "Overwrite": True}
    engine.call("ApierV1.SetActionPlan", body)
    assert attached(engine) == kept


def test_the_second_documented_shape_of_a_plan_is_understood(engine: Engine) -> None:
    set_actions(engine)
    body = {
        "Id": "ActionPlan_Service123_Monthly_Charge",
        "ActionsId": "A",
        "Timing": {"Years": [], "Months": [], "MonthDays": [1], "Time": "00:00:00Z"},
        "Weight": 10,
        "ActionTriggers": [{"ThresholdType": "*min_event_counter", "ThresholdValue": 1, "ActionsID": "B"}],
    }
    engine.call("ApierV1.SetActionPlan", body)
    attach(engine, "ActionPlan_Service123_Monthly_Charge")
    assert next_runs(engine) == ["2026-12-01T00:00:00Z"]


@pytest.mark.parametrize(
    "extra",
    [
        '{"Category":"^activation","Destination":"Auto Renewal"}',
        '{{ "Category": "^activation", "Destination": "Auto Renewal" }}',
        {"Category": "^activation", "Destination": "Auto Renewal"},
    ],
    ids=["proper", "broken quoting", "object"],
)
@pytest.mark.parametrize("version", ["ApierV1", "ApierV2"])
def test_cdrlog_as_the_chapters_print_it_writes_its_record(engine: Engine, version: str, extra: Any) -> None:
    units = "5" if version == "ApierV2" else 5
    rows = [
        {"Identifier": "*topup", "BalanceType": "*sms", "Units": units},
        {"Identifier": "*cdrlog", "BalanceType": "*generic", "ExtraParameters": extra},
    ]
    engine.call(f"{version}.SetActions", {"ActionsId": "L", "Actions": rows})
    engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": "L"})
    (record,) = engine.call("ApierV2.GetCDRs", {"Accounts": ["a"]})
    assert (record["Category"], record["Destination"], record["Cost"]) == ("activation", "Auto Renewal", 5)


@pytest.mark.parametrize("actions_id", ["Action_Topup_Standard", "Action_Standard_Charge"])
def test_action_sets_that_plays_run_without_making_them_exist(
    engine: Engine, open_engine: Callable[..., Engine], tmp_path: Any, actions_id: str
) -> None:
    assert engine.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": actions_id}) == "OK"
    bare = open_engine(f"sqlite:///{tmp_path}/bare.db", play_fixes=False)
    with pytest.raises(EngineError, match="NOT_FOUND"):
        bare.call("APIerSv1.ExecuteAction", {"Account": "a", "ActionsId": actions_id})


@pytest.mark.parametrize("prefix", ["ApierV1", "ApierV2", "APIerSv1", "APIerSv2"])
def test_reload_cache_answers_under_the_names_of_the_plays(engine: Engine, prefix: str) -> None:
    assert engine.call(f"{prefix}.ReloadCache", {"ArgsCache": "*all"}) == "OK"


def test_each_fix_that_acted_is_noted_with_the_job(engine: Engine) -> None:
    set_actions(engine)
    set_plan(engine, RENEWAL, JOB)
    body = {"Account": "a", "BalanceType": "*voice", "Balance": {"ID": "V", "Value": 3600}}
    engine.call("ApierV1.AddBalance", body, JOB)
    notes = engine.notes(JOB.provision_id)
    assert [note.split(":")[0] for note in notes] == ["OC-05", "OC-01"]
    assert engine.notes(99) == []
