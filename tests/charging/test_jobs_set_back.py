"""Setting a job back where other jobs, people and use have changed the same things since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from omnicrm.domain.charging import models
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.journal import PROFILE_KINDS
from omnicrm.domain.charging.ports import EngineError, JobRef
from tests.charging.conftest import values

FIRST, SECOND = JobRef(1, 7, frozenset({"a"})), JobRef(2, 7, frozenset({"a"}))
PLAN = "ServiceID_a__ProductID_5__Renewal"


@pytest.fixture
def engine(database_url: str, open_engine: Callable[..., Engine]) -> Engine:
    """With an account, on each kind of database."""
    engine = open_engine(database_url)
    engine.call("ApierV2.SetAccount", {"Account": "a"})
    return engine


def add(engine: Engine, ident: str, value: int, job: JobRef | None = None, **more: Any) -> None:
    body = {"Account": "a", "BalanceType": "*data", "Balance": {"ID": ident, "Value": value}, **more}
    engine.call("ApierV1.AddBalance", body, job)


def set_actions(engine: Engine, ident: str, step: str = "*log", job: JobRef | None = None) -> None:
    engine.call("ApierV1.SetActions", {"ActionsId": ident, "Overwrite": True, "Actions": [{"Identifier": step}]}, job)


def set_plan(engine: Engine, time: str = "*monthly", job: JobRef | None = None) -> None:
    entry = {"ActionsId": "A", "Time": time}
    engine.call("ApierV1.SetActionPlan", {"Id": PLAN, "Overwrite": True, "ActionPlan": [entry]}, job)


def order(engine: Engine, job: JobRef) -> None:
    """A top-up with a renewal, as the shipped plays write it."""
    add(engine, "D", 1000, job, Overwrite=True)
    set_actions(engine, "A", job=job)
    set_plan(engine, job=job)
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIDs": [PLAN]}, job)


def plans(engine: Engine) -> list[str]:
    return [entry["ActionPlanId"] for entry in engine.call("ApierV1.GetAccountActionPlan", {"Account": "a"})]


def steps(engine: Engine, ident: str) -> list[str]:
    return [row["Identifier"] for row in engine.call("ApierV1.GetActions", ident)]


def account(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = engine.call("ApierV2.GetAccount", {"Account": "a"})
    return found


def test_cleaning_up_a_failed_order_leaves_what_its_retry_has_set_anew(engine: Engine) -> None:
    order(engine, FIRST)
    order(engine, SECOND)
    assert engine.undo(1) == []
    assert plans(engine) == [PLAN]
    assert steps(engine, "A") == ["*log"]
    assert values(engine, "a", "*data") == {"D": 1000}


@pytest.mark.parametrize("jobs", [(1, 2), (2, 1)])
def test_an_order_and_its_retry_are_both_set_back_in_either_order(engine: Engine, jobs: tuple[int, int]) -> None:
    add(engine, "D", 40)
    order(engine, FIRST)
    order(engine, SECOND)
    for job in jobs:
        engine.undo(job)
    assert values(engine, "a", "*data") == {"D": 40}
    assert plans(engine) == []
    with pytest.raises(EngineError, match="NOT_FOUND"):
        engine.call("ApierV1.GetActions", "A")
    with pytest.raises(EngineError, match="NOT_FOUND"):
        engine.call("ApierV1.GetActionPlan", {"ID": PLAN})


def test_a_failed_job_leaves_the_renewal_of_an_earlier_one_that_it_wrote_over(engine: Engine) -> None:
    order(engine, FIRST)
    before = engine.call("ApierV1.GetActionPlan", {"ID": PLAN})
    set_actions(engine, "A", "*topup", SECOND)
    set_plan(engine, "*daily", SECOND)
    assert engine.undo(2) == [f"action_plan {PLAN} put back", "actions A put back"]
    assert engine.call("ApierV1.GetActionPlan", {"ID": PLAN}) == before
    assert steps(engine, "A") == ["*log"]
    assert plans(engine) == [PLAN]


def test_what_somebody_has_written_since_is_nobodys_to_set_back(engine: Engine) -> None:
    set_actions(engine, "A", job=FIRST)
    set_actions(engine, "A", "*topup")
    assert engine.undo(1) == []
    assert steps(engine, "A") == ["*topup"]


def test_a_renewal_that_a_job_removed_is_there_again_and_will_run(engine: Engine) -> None:
    order(engine, FIRST)
    engine.call("ApierV1.RemoveActionPlan", {"Id": PLAN}, SECOND)
    assert engine.call("OmniSv1.GetJobJournal", {"ProvisionID": 2}) == [
        f"removed plan {PLAN} on account a",
        f"removed plan {PLAN}",
    ]
    engine.undo(2)
    entries = engine.call("ApierV1.GetAccountActionPlan", {"Account": "a"})
    assert [(entry["ActionPlanId"], entry["NextExecTime"]) for entry in entries] == [(PLAN, "2026-12-23T10:00:00Z")]


def test_a_plan_that_a_job_took_off_the_account_is_attached_again(engine: Engine) -> None:
    order(engine, FIRST)
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIDs": [], "ActionPlansOverwrite": True}, SECOND)
    assert plans(engine) == []
    assert engine.undo(2) == [f"account a attached to plan {PLAN} again"]
    assert plans(engine) == [PLAN]


def test_a_balance_that_a_job_removed_comes_back_with_what_was_left_in_it(engine: Engine) -> None:
    add(engine, "M", 50)
    engine.call("ApierV1.RemoveBalances", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": "M"}}, FIRST)
    assert engine.call("OmniSv1.GetJobJournal", {"ProvisionID": 1}) == ["removed balance M (*data) of a"]
    assert engine.undo(1) == ["balance M of a set back"]
    assert values(engine, "a", "*data") == {"M": 50}


def test_flags_that_a_job_set_are_set_back_and_the_money_stays(engine: Engine) -> None:
    options = {"Disabled": True, "AllowNegative": True}
    engine.call("ApierV2.SetAccount", {"Account": "a", "ExtraOptions": options}, FIRST)
    add(engine, "PAID", 9)
    assert engine.undo(1) == ["disabled of account a set back", "allow negative of account a set back"]
    assert (account(engine)["Disabled"], account(engine)["AllowNegative"]) == (False, False)
    assert values(engine, "a", "*data") == {"PAID": 9}


def test_a_flag_that_a_retry_asked_for_as_well_stays(engine: Engine) -> None:
    for job in (FIRST, SECOND):
        engine.call("ApierV2.SetAccount", {"Account": "a", "ExtraOptions": {"AllowNegative": True}}, job)
    assert engine.undo(1) == []
    assert account(engine)["AllowNegative"] is True
    engine.undo(2)
    assert account(engine)["AllowNegative"] is False


def test_the_attributes_of_a_balance_that_a_job_changed_are_set_back(engine: Engine) -> None:
    add(engine, "D", 50)
    body = {"ID": "D", "Weight": 20, "ExpiryTime": "2027-01-01T00:00:00Z", "Value": 80}
    engine.call("ApierV1.SetBalance", {"Account": "a", "BalanceType": "*data", "Balance": body}, FIRST)
    engine.call("ApierV1.DebitBalance", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": "D", "Value": 10}})
    engine.undo(1)
    (bucket,) = account(engine)["BalanceMap"]["*data"]
    assert (bucket["Value"], bucket["Weight"], bucket["ExpirationDate"]) == (40, 0, "0001-01-01T00:00:00Z")


def test_a_renewal_that_set_the_value_anew_is_not_taken_back(engine: Engine) -> None:
    add(engine, "D", 100, FIRST)
    add(engine, "D", 100, Overwrite=True)
    assert engine.undo(1) == []
    assert values(engine, "a", "*data") == {"D": 100}


@pytest.mark.parametrize("jobs", [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)])
@pytest.mark.parametrize("last", ["overwrites", "removes"])
def test_top_ups_before_a_bucket_was_lost_are_taken_out_of_it_in_any_order(
    engine: Engine, jobs: tuple[int, ...], last: str
) -> None:
    add(engine, "D", 40)
    add(engine, "D", 100, FIRST)
    add(engine, "D", 50, SECOND)
    third = JobRef(3, 7, frozenset({"a"}))
    if last == "overwrites":
        add(engine, "D", 1000, third, Overwrite=True)
    else:
        engine.call("ApierV1.RemoveBalances", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": "D"}}, third)
    for job in jobs:
        engine.undo(job)
    assert values(engine, "a", "*data") == {"D": 40}


def test_the_triggers_of_an_account_are_set_back(engine: Engine) -> None:
    for group in ("G", "H"):
        trigger = {"ThresholdType": "*min_balance", "ThresholdValue": 1, "BalanceType": "*data", "ActionsID": "A"}
        body = {"GroupID": group, "UniqueID": "1", "ActionTrigger": trigger}
        engine.call("ApierV1.SetActionTrigger", body)
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionTriggerIDs": ["G"]})
    body = {"Account": "a", "ActionTriggerIDs": ["H"], "ActionTriggerOverwrite": True}
    engine.call("ApierV2.SetAccount", body, FIRST)
    assert engine.undo(1) == ["triggers of account a set back"]
    assert [trigger["ID"] for trigger in account(engine)["ActionTriggers"]] == ["G"]


def test_an_account_that_a_job_removed_is_put_back_with_its_plans(engine: Engine) -> None:
    order(engine, FIRST)
    before = account(engine)
    engine.call("ApierV2.RemoveAccount", {"Account": "a"}, SECOND)
    engine.undo(2)
    assert account(engine) == before
    assert plans(engine) == [PLAN]


def test_an_account_that_another_job_has_used_stays(engine: Engine) -> None:
    engine.call("ApierV2.SetAccount", {"Account": "new"}, FIRST)
    body = {"Account": "new", "BalanceType": "*data", "Balance": {"ID": "PAID", "Value": 5}}
    engine.call("ApierV1.AddBalance", body, SECOND)
    assert engine.undo(1) == []
    assert values(engine, "new", "*data") == {"PAID": 5}


def test_setting_back_fires_no_trigger(open_engine: Callable[..., Engine]) -> None:
    """Or a recharge that failed would order the next one."""
    engine = open_engine()
    post = {"Identifier": "*http_post", "ExtraParameters": "http://localhost/"}
    engine.call("ApierV1.SetActions", {"ActionsId": "LOW", "Actions": [post]})
    trigger = {"ThresholdType": "*min_balance", "ThresholdValue": 5, "BalanceType": "*data", "ActionsID": "LOW"}
    body = {"GroupID": "G", "UniqueID": "1", "ActionTrigger": {**trigger, "Recurrent": True}}
    engine.call("ApierV1.SetActionTrigger", body)
    engine.call("ApierV2.SetAccount", {"Account": "a"})
    add(engine, "D", 3)
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionTriggerIDs": ["G"]})
    before = account(engine)["ActionTriggers"]
    for job in (FIRST, SECOND):
        add(engine, "D", 20, job)
    engine.undo(1)
    engine.call("OmniSv1.UndoJob", {"ProvisionID": 2})
    assert values(engine, "a", "*data") == {"D": 3}
    assert account(engine)["ActionTriggers"] == before


def test_every_kind_of_profile_that_is_journalled_is_told_and_removed(engine: Engine) -> None:
    trigger = {"ThresholdType": "*min_balance", "ThresholdValue": 1}
    for method, body in (
        ("APIerSv1.SetFilter", {"ID": "X", "Rules": []}),
        ("APIerSv1.SetAttributeProfile", {"ID": "X", "Attributes": [{"Path": "*req.A", "Value": []}]}),
        ("APIerSv1.SetChargerProfile", {"ID": "X", "RunID": "*default"}),
        ("APIerSv1.SetThresholdProfile", {"ID": "X", "MaxHits": -1, "ActionIDs": []}),
        ("ApierV1.SetDestination", {"Id": "X", "Prefixes": ["1"]}),
        ("ApierV1.SetActionTrigger", {"GroupID": "X", "UniqueID": "1", "ActionTrigger": trigger}),
    ):
        engine.call(method, body, FIRST)
    engine.call("ThresholdSv1.ProcessEvent", {"ID": "E", "Event": {"Account": "a"}}, FIRST)
    assert {entry.kind for entry in engine.journal(1)} == set(PROFILE_KINDS)
    assert len(engine.call("OmniSv1.GetJobJournal", {"ProvisionID": 1})) == len(PROFILE_KINDS)
    assert len(engine.undo(1)) == len(PROFILE_KINDS)
    with engine.database.reading() as connection:
        kinds = {row.kind for row in connection.execute(models.profile.select())}
    assert kinds <= {"threshold_hits"}
