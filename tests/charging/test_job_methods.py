"""GetJobJournal and UndoJob over the socket: what a provisioning job made, in words, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError, JobRef
from omnicrm.integrations.cgrates import CgratesClient
from tests.charging.conftest import TENANT, Socket, values

JOBS = {"live": JobRef(7, 1, frozenset({"mine"})), "other": JobRef(8, 1)}
MADE = [
    "account new",
    "action set A",
    "plan P",
    "plan P on account new",
    "balance D (*data) of mine",
    "filter profile F",
    "attribute profile ATTR",
]


@dataclass
class Jobs:
    """The engine's socket as plays use it and as the CRM uses it."""

    engine: Engine
    socket: Socket
    client: CgratesClient

    def play(self, method: str, params: dict[str, Any], token: str = "live") -> Any:
        answer = self.socket.rpc(method, params, token)
        assert answer["error"] is None
        return answer["result"]

    def everything(self) -> None:
        """What a provisioning play does; the plan is attached with the account's second request."""
        self.play("ApierV2.SetAccount", {"Account": "new"})
        self.play("ApierV1.SetActions", {"ActionsId": "A", "Actions": [{"Identifier": "*log"}]})
        self.play("ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": [{"ActionsId": "A", "Time": "*monthly"}]})
        self.play("ApierV2.SetAccount", {"Account": "new", "ActionPlanIds": ["P"]})
        for value in (5, 6):
            balance = {"ID": "D", "Value": value}
            self.play("ApierV1.AddBalance", {"Account": "mine", "BalanceType": "*data", "Balance": balance})
        self.play("APIerSv1.SetFilter", {"ID": "F", "Rules": []})
        self.play("APIerSv1.SetAttributeProfile", {"ID": "ATTR", "Attributes": [{"Path": "*req.A", "Value": []}]})


@pytest.fixture(params=[True, False], ids=["play fixes", "bare"])
def jobs(
    request: pytest.FixtureRequest, open_engine: Callable[..., Engine], listen: Callable[[Door], Socket]
) -> Iterator[Jobs]:
    engine = open_engine(play_fixes=request.param)
    engine.call("ApierV2.SetAccount", {"Account": "mine"})
    socket = listen(Door(engine, job_of=JOBS.get))
    client = CgratesClient(f"127.0.0.1:{socket.port}", TENANT)
    yield Jobs(engine, socket, client)
    client.close()


def test_what_a_job_made_is_told_in_words_oldest_first_and_each_thing_once(jobs: Jobs) -> None:
    jobs.everything()
    assert jobs.client.made_by_job(7) == MADE
    assert jobs.client.made_by_job(8) == []


def test_what_is_gone_since_is_not_told(jobs: Jobs) -> None:
    jobs.everything()
    jobs.client.call("ApierV1.RemoveAccount", {"Account": "new"})
    jobs.client.call("ApierV1.RemoveBalances", {"Account": "mine", "BalanceType": "*data", "Balance": {"ID": "D"}})
    jobs.client.call("APIerSv1.RemoveFilter", {"ID": "F"})
    assert jobs.client.made_by_job(7) == ["action set A", "plan P", "attribute profile ATTR"]


def test_a_plan_attached_anew_by_somebody_else_is_not_the_jobs(jobs: Jobs) -> None:
    jobs.everything()
    for plans in ([], ["P"]):
        body = {"Account": "new", "ActionPlanIds": plans, "ActionPlansOverwrite": True}
        jobs.client.call("ApierV2.SetAccount", body)
    assert "plan P on account new" not in (jobs.client.made_by_job(7) or [])


def test_undoing_over_the_socket_says_what_it_took_back_newest_first_and_only_once(jobs: Jobs) -> None:
    jobs.everything()
    done = jobs.client.undo_job(7)
    assert done[0] == "attribute ATTR removed"
    assert done[-1] == "account new removed"
    assert jobs.client.undo_job(7) == []
    assert jobs.client.made_by_job(7) == []
    assert values(jobs.engine, "mine", "*data") == {}


def test_a_job_undoes_only_itself(jobs: Jobs) -> None:
    jobs.everything()
    answer = jobs.socket.rpc("OmniSv1.UndoJob", {"ProvisionID": 7}, "other")
    assert answer["error"] == "UNAUTHORIZED: a job undoes only what it made itself"
    assert jobs.client.made_by_job(7) is not None
    assert len(jobs.play("OmniSv1.UndoJob", {"ProvisionID": 7})) > 3


@pytest.mark.parametrize("params", [{}, {"ProvisionID": 0}, {"ProvisionID": -1}, {"ProvisionID": "7"}])
def test_a_job_without_a_proper_number_is_refused(jobs: Jobs, params: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="ProvisionID"):
        jobs.client.call("OmniSv1.UndoJob", params)
