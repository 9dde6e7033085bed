"""Provisioning jobs at the engine's door: tokens, other customers' accounts, the journal and its undoing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from omnicrm.domain.charging.door import JOB_ENDED, Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError, JobRef
from tests.charging.conftest import Socket, values

JOB = JobRef(provision_id=7, customer_id=1, service_uuids=frozenset({"mine"}))
OWNERS = {"mine": 1, "sibling": 1, "stranger": 2}


@pytest.fixture
def door(engine: Engine) -> Door:
    for account in OWNERS:
        engine.call("ApierV2.SetAccount", {"Account": account})
    return Door(engine, job_of={"live": JOB}.get, owner_of=OWNERS.get)


def ask(door: Door, method: str, params: dict[str, Any], token: str | None = "live") -> Any:
    return door.submit(method, [params], token).result(10)


def test_a_token_whose_job_has_ended_may_not_even_read(door: Door, listen: Callable[[Door], Socket]) -> None:
    socket = listen(door)
    for method in ("CoreSv1.Ping", "ApierV2.GetAccount", "ApierV2.RemoveAccount"):
        assert socket.rpc(method, {"Account": "mine"}, token="dead")["error"] == JOB_ENDED
    assert socket.rpc("ApierV2.GetAccount", {"Account": "mine"}, token="")["error"] == JOB_ENDED
    assert socket.rpc("CoreSv1.Ping", {}, token="live")["result"] == "Pong"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ApierV2.SetAccount", {}),
        ("ApierV1.SetAccount", {}),
        ("ApierV1.AddBalance", {"BalanceType": "*data", "Value": 1}),
        ("ApierV1.DebitBalance", {"BalanceType": "*data", "Value": 1}),
        ("ApierV1.SetBalance", {"BalanceType": "*data", "Balance": {"ID": "x", "Value": 1}}),
        ("ApierV1.RemoveBalances", {"BalanceType": "*data", "Balance": {"ID": "x"}}),
        ("APIerSv1.ExecuteAction", {"ActionsId": "Action_Topup_Standard"}),
        ("APIerSv1.ResetAccountActionTriggers", {"Executed": False}),
        ("APIerSv1.AddAccountActionTriggers", {"ActionTriggerIDs": ["G"]}),
        ("CDRsV1.ProcessExternalCDR", {"ToR": "*sms", "Usage": "1"}),
        ("CDRsV1.ProcessEvent", {"Event": {"Account": "stranger", "ToR": "*sms"}}),
        ("ThresholdSv1.ProcessEvent", {"Event": {"Account": "stranger"}}),
        ("ApierV2.RemoveAccount", {}),
    ],
)
def test_a_job_may_not_touch_another_customers_account(door: Door, method: str, params: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="UNAUTHORIZED: account stranger belongs to another customer's service"):
        ask(door, method, {"Account": "stranger", **params})
    assert door.engine.call("ApierV2.GetAccount", {"Account": "stranger"})["BalanceMap"] is None


def test_without_a_job_the_owner_of_an_account_does_not_matter(door: Door) -> None:
    assert ask(door, "ApierV1.AddBalance", {"Account": "stranger", "BalanceType": "*sms", "Value": 1}, None) == "OK"


def test_a_job_may_top_up_another_service_of_its_customer_but_not_remove_it(door: Door) -> None:
    ask(door, "ApierV1.AddBalance", {"Account": "sibling", "BalanceType": "*sms", "Value": 1})
    with pytest.raises(EngineError, match="UNAUTHORIZED: this job did not make account sibling"):
        ask(door, "ApierV1.RemoveAccount", {"Account": "sibling"})


def test_a_job_removes_its_own_services_account_and_what_it_made(door: Door) -> None:
    ask(door, "ApierV2.SetAccount", {"Account": "new"})
    for account in ("mine", "new", "never-was"):
        assert ask(door, "ApierV2.RemoveAccount", {"Account": account}) == "OK"


def test_a_job_may_not_remove_the_plan_of_another_customers_service(door: Door) -> None:
    engine = door.engine
    engine.call("ApierV1.SetActions", {"ActionsId": "A", "Actions": [{"Identifier": "*log"}]})
    entry = {"ActionsId": "A", "Time": "*monthly"}
    for plan in ("Shared", "ServiceID_stranger__ProductID_1__Renewal"):
        engine.call("ApierV1.SetActionPlan", {"Id": plan, "ActionPlan": [entry]})
    engine.call("ApierV2.SetAccount", {"Account": "stranger", "ActionPlanIds": ["Shared"]})
    for method, params in (
        ("RemoveActionPlan", {"Id": "Shared"}),
        ("SetActionPlan", {"Id": "Shared", "ActionPlan": [entry], "Overwrite": True}),
        ("RemoveActionPlan", {"Id": "ServiceID_stranger__*"}),
        ("RemoveActionTiming", {"ActionPlanId": "Shared"}),
    ):
        with pytest.raises(EngineError, match="UNAUTHORIZED"):
            ask(door, f"ApierV1.{method}", params)
    assert [plan["Id"] for plan in engine.call("ApierV1.GetActionPlan", {"ID": ""})] == [
        "ServiceID_stranger__ProductID_1__Renewal",
        "Shared",
    ]


@pytest.mark.parametrize("owner", ["stranger", "sibling"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ApierV1.SetActions", {"ActionsId": "Action_AutoTopup_{}_5", "Actions": [{"Identifier": "*log"}]}),
        ("ApierV2.SetActions", {"ActionsId": "ServiceID_{}__ProductID_5", "Actions": [{"Identifier": "*log"}]}),
        ("APIerSv1.RemoveActions", {"ActionIDs": ["Action_AutoTopup_{}_5"]}),
        ("APIerSv1.SetAttributeProfile", {"ID": "ATTR_ACCOUNT_{}", "Attributes": [{"Path": "*req.A", "Value": []}]}),
        ("APIerSv1.RemoveAttributeProfile", {"ID": "ATTR_ACCOUNT_{}"}),
        ("APIerSv1.SetFilter", {"ID": "FLTR_ACCOUNT_{}", "Rules": []}),
        ("APIerSv1.RemoveFilter", {"ID": "FLTR_ACCOUNT_{}"}),
    ],
)
def test_what_is_named_after_an_account_is_its_customers(
    door: Door, method: str, params: dict[str, Any], owner: str
) -> None:
    named = msgspec.json.decode(msgspec.json.encode(params).replace(b"{}", owner.encode()))
    refusal = ""
    try:
        ask(door, method, named)
    except EngineError as error:
        refusal = error.message
    assert refusal.startswith(f"UNAUTHORIZED: account {owner} belongs to another") == (owner == "stranger"), refusal


def everything(door: Door) -> None:
    """What a provisioning play does, in its order."""
    ask(door, "ApierV2.SetAccount", {"Account": "new"})
    ask(door, "ApierV1.AddBalance", {"Account": "new", "BalanceType": "*data", "Balance": {"ID": "D", "Value": 5}})
    ask(door, "ApierV1.SetActions", {"ActionsId": "A", "Actions": [{"Identifier": "*log"}]})
    ask(door, "ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": [{"ActionsId": "A", "Time": "*monthly"}]})
    ask(door, "ApierV2.SetAccount", {"Account": "new", "ActionPlanIds": ["P"]})
    ask(door, "APIerSv1.SetFilter", {"ID": "F", "Rules": []})
    ask(door, "APIerSv1.SetAttributeProfile", {"ID": "ATTR", "Attributes": [{"Path": "*req.A", "Value": []}]})


def test_the_journal_lists_what_a_job_made(door: Door) -> None:
    everything(door)
    assert [(entry.kind, entry.ident) for entry in door.engine.journal(7)] == [
        ("account", "new"),
        ("actions", "A"),
        ("action_plan", "P"),
        ("attachment", "new"),
        ("filter", "F"),
        ("attribute", "ATTR"),
    ]
    assert door.engine.journal(8) == []


def test_undoing_a_job_leaves_the_engine_as_it_was_and_is_repeatable(door: Door) -> None:
    everything(door)
    assert len(door.engine.undo(7)) == 6
    assert door.engine.undo(7) == []
    assert door.engine.journal(7) == []
    for method, params in (
        ("ApierV2.GetAccount", {"Account": "new"}),
        ("ApierV1.GetActionPlan", {"ID": "P"}),
        ("APIerSv1.GetFilter", {"ID": "F"}),
        ("APIerSv1.GetAttributeProfile", {"ID": "ATTR"}),
    ):
        with pytest.raises(EngineError, match="NOT_FOUND"):
            door.engine.call(method, params)
    assert door.engine.call("ApierV2.GetAccountsCount") == len(OWNERS)


def test_what_the_job_removed_itself_is_not_in_the_journal(door: Door) -> None:
    everything(door)
    ask(door, "ApierV2.RemoveAccount", {"Account": "new"})
    ask(door, "ApierV1.RemoveActionPlan", {"Id": "P"})
    assert [entry.kind for entry in door.engine.journal(7)] == ["actions", "filter", "attribute"]
    assert len(door.engine.undo(7)) == 3


def test_undoing_a_top_up_takes_back_the_new_bucket_and_the_added_amount_only(door: Door) -> None:
    engine = door.engine
    for ident, value in (("OLD", 100), ("USED", 10)):
        body = {"Account": "mine", "BalanceType": "*data", "Balance": {"ID": ident, "Value": value}}
        engine.call("ApierV1.AddBalance", body)
    for ident, value in (("OLD", 40), ("USED", 5), ("NEW", 7)):
        body = {"Account": "mine", "BalanceType": "*data", "Balance": {"ID": ident, "Value": value}}
        ask(door, "ApierV1.AddBalance", body)
    engine.call(
        "ApierV1.DebitBalance", {"Account": "mine", "BalanceType": "*data", "Balance": {"ID": "USED", "Value": 12}}
    )
    engine.undo(7)
    assert values(engine, "mine", "*data") == {"OLD": 100, "USED": 0}


def test_a_refused_request_leaves_no_journal(door: Door) -> None:
    with pytest.raises(EngineError):
        ask(door, "ApierV2.SetAccount", {"Account": "half", "ActionPlanIds": ["NOPE"]})
    assert door.engine.journal(7) == []
