"""Threshold profiles: events are counted, actions run between the first and the last hit, and sleep in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError
from tests.charging.conftest import Clock, values


def threshold(engine: Engine, **fields: Any) -> None:
    """A threshold that gives the event's account a message."""
    row = {"Identifier": "*topup", "BalanceType": "*sms", "BalanceId": "S", "Units": 1}
    engine.call("ApierV1.SetActions", {"ActionsId": "A", "Overwrite": True, "Actions": [row]})
    engine.call("ApierV1.SetThresholdProfile", {"ID": "T", "ActionIDs": ["A"], "MaxHits": -1, **fields})


def event(engine: Engine, account: str = "a") -> Any:
    return engine.call("ThresholdSv1.ProcessEvent", {"ID": "e", "Event": {"Account": account}})


def runs(engine: Engine) -> int:
    return int(values(engine, "a", "*sms").get("S", 0))


def hits(engine: Engine) -> int:
    return int(engine.call("ThresholdSv1.GetThreshold", {"ID": "T"})["Hits"])


@pytest.mark.parametrize(("least", "most", "expected"), [(0, -1, 5), (3, -1, 3), (2, 4, 3)])
def test_actions_run_from_the_first_wanted_hit_to_the_last(bare: Engine, least: int, most: int, expected: int) -> None:
    bare.call("ApierV2.SetAccount", {"Account": "a"})
    threshold(bare, MinHits=least, MaxHits=most)
    for _ in range(5):
        assert event(bare) == ["T"]
    assert runs(bare) == expected


def test_a_threshold_that_has_had_its_last_hit_counts_anew(bare: Engine) -> None:
    threshold(bare, MaxHits=2)
    event(bare)
    assert hits(bare) == 1
    event(bare)
    assert hits(bare) == 0


def test_a_threshold_sleeps_after_it_has_acted(bare: Engine, clock: Clock) -> None:
    threshold(bare, MinSleep=60 * 10**9)
    event(bare)
    event(bare)
    assert (runs(bare), hits(bare)) == (1, 2)
    assert bare.call("ThresholdSv1.GetThreshold", {"ID": "T"})["Snooze"] == "2026-11-23T10:01:00Z"
    clock.now += timedelta(seconds=60)
    event(bare)
    assert runs(bare) == 2


def test_only_events_that_pass_the_filters_count_and_the_heaviest_blocker_ends(bare: Engine) -> None:
    threshold(bare, FilterIDs=["*string:~*req.Account:a"])
    bare.call("ApierV1.SetThresholdProfile", {"ID": "FIRST", "Weight": 9, "Blocker": True, "MaxHits": -1})
    bare.call("ApierV1.SetThresholdProfile", {"ID": "B", "Weight": 10, "FilterIDs": ["*string:~*req.Account:b"]})
    assert event(bare, "a") == ["FIRST"]
    assert event(bare, "b") == ["B", "FIRST"]


def test_a_profile_is_set_read_and_removed(bare: Engine) -> None:
    threshold(bare, MinHits=2, Weight=5)
    assert bare.call("ApierV1.GetThresholdProfile", {"ID": "T"}) == {
        "Tenant": "cgrates.org",
        "ID": "T",
        "FilterIDs": None,
        "ActivationInterval": None,
        "MaxHits": -1,
        "MinHits": 2,
        "MinSleep": 0,
        "Blocker": False,
        "ActionIDs": ["A"],
        "Async": False,
        "Weight": 5,
    }
    assert bare.call("ApierV1.RemoveThresholdProfile", {"ID": "T"}) == "OK"
    for method in ("ApierV1.GetThresholdProfile", "ThresholdSv1.GetThreshold"):
        with pytest.raises(EngineError, match="NOT_FOUND"):
            bare.call(method, {"ID": "T"})
    with pytest.raises(EngineError, match="NOT_FOUND"):
        event(bare)


def test_a_profile_that_is_made_again_counts_from_nothing(bare: Engine) -> None:
    threshold(bare)
    event(bare)
    threshold(bare, Weight=1)
    assert hits(bare) == 1
    bare.call("ApierV1.RemoveThresholdProfile", {"ID": "T"})
    threshold(bare)
    assert hits(bare) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ID": ""}, "MANDATORY_IE_MISSING: [ID]"),
        ({"MinSleep": "1s"}, "json: cannot unmarshal string into Go struct field"
         " ThresholdProfileWithAPIOpts.MinSleep of type time.Duration"),
        ({"FilterIDs": ["FLTR_NOPE"]},
         "SERVER_ERROR: broken reference to filter: <FLTR_NOPE> for item with ID: cgrates.org:T"),
    ],
)  # fmt: skip
def test_a_bad_profile_is_refused(bare: Engine, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError) as refused:
        threshold(bare, **fields)
    assert refused.value.message == message


def test_an_action_that_fails_leaves_the_hit_counted(bare: Engine, caplog: pytest.LogCaptureFixture) -> None:
    threshold(bare, ActionIDs=["NOPE", "A"])
    event(bare)
    assert (runs(bare), hits(bare)) == (1, 1)
    assert "Threshold T could not run NOPE" in caplog.text
