"""Each shipped play with each kind of fault at each of its requests: afterwards the world is as before, or the job
names what is left where, and its clean-up mends it once the neighbour is back (PROV-226, PC-12, PC-18).

All of it takes several minutes: OMNICRM_FULL=1. The normal suite takes three plays, every second request, the kinds in
turn; on MariaDB every fourth.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from omnicrm.domain.provisioning import actions
from tests.conftest import MYSQL
from tests.faults.conftest import PLAYS, STAFF, Town
from tests.faults.neighbours import KINDS, Kind, Scene

#: A read that was cut, or that arrives late, changes nothing.
READING: tuple[Kind, ...] = ("down", "error", "garbage", "cancel")
#: Systems and calls without which an order may succeed: messages to people, hints to the engine, and the action that a
#: top-up had prepared, which the next one of its kind writes over.
OPTIONAL = {"smsc", "mailjet", "CacheSv1.ReloadCache", "APIerSv1.ResetAccountActionTriggers", "APIerSv1.RemoveActions"}
FULL = os.environ.get("OMNICRM_FULL") == "1"
EVERYDAY = ("mobile", "bundle", "topup")
STRIDE = 1 if FULL else 4 if MYSQL else 2


def requests_of(town: Town, name: str) -> list[Any]:
    """The requests of the play, in order, from an order that goes well and is taken away again."""
    if name not in town.requests:
        scene = Scene()
        items = town.stock(PLAYS[name][2])
        before = town.world()
        job = town.order(name, items)
        town.work(scene)
        assert town.job(job).provisioning_status == 0, town.job(job).error
        town.requests[name] = list(scene.calls)
        town.outcomes[name] = outcome(before, town.world())
        take_away(town, job)
    return town.requests[name]


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is not as before, one line each."""
    found = []
    for part, old in before.items():
        found += [f"{part} had {entry}" for entry in old if entry not in after[part]]
        found += [f"{part} has {entry}" for entry in after[part] if entry not in old]
    return found


#: What differs between two orders of the same: uuids, times, and the number of a job in a balance's name.
_OWN = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16}"
    r"|\d{4}(-\d\d){2}T[\d:.]+|(?<=Addon_)\d+|(?<=Topup_)\d+|(?<=Days_)\d+"
)


def outcome(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What an order did to the world, as it is for every order of the same; a service may have had another end."""
    lines = [_OWN.sub("*", line) for line in changes(before, after) if not line.startswith("services had")]
    return sorted(line if line.startswith("engine") else re.sub(r"\d+", "#", line) for line in lines)


def take_away(town: Town, job: int) -> None:
    for service in town.made(job):
        ending = town.deprovision(service)
        town.work()
        assert (town.job(ending).provisioning_status, town.left(ending)) == (0, []), town.job(ending).error


def play_scene(town: Town, name: str, hit: int, kind: Kind) -> str:
    """One order in one scene, and how it ended. "optional": it succeeded all the same. "undone": the world was as
    before at once, or after the late look. "named": after the clean-up that its page offers. "to check": and a person
    has to look at what the job names."""
    expected = requests_of(town, name)
    items = town.stock(PLAYS[name][2])
    before = town.world()
    job = town.order(name, items)
    cancel = partial(town.parts.door.act_now, actions.cancel, STAFF, actions.Started(job))
    town.work(Scene(expected, hit, kind, cancel=cancel))
    row = town.job(job)
    named = town.left(job)
    if row.provisioning_status == 0:
        assert named == []
        request = expected[hit]
        # An answer that cannot be read is no failure where nothing is read from it.
        assert kind == "garbage" or any(getattr(request, part) in OPTIONAL for part in ("system", "name"))
        town.around.mend()
        if request.name == "APIerSv1.RemoveActions":
            town.tidy()
        assert outcome(before, town.world()) == town.outcomes[name]
        take_away(town, job)
        return "optional"
    assert row.provisioning_status == 2
    assert row.error
    if named:
        town.around.mend()
        town.clean_again(job)
    assert changes(before, town.world()) == []
    if left := town.left(job):
        # A play's clean-up would end a service that was there before: what its own undoing left is for a person.
        assert PLAYS[name][3], left
        town.parts.door.act_now(actions.mended_by_hand, STAFF, actions.Started(job))
        return "to check"
    return "named" if named else "undone"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.mysql) for name in (PLAYS if FULL else EVERYDAY)]
)
def test_a_fault_at_any_request_of_a_play_leaves_nothing_unnamed(whole: Town, name: str) -> None:
    counts: dict[str, int] = {}
    defects = []
    for hit, request in list(enumerate(requests_of(whole, name)))[::STRIDE]:
        kinds = KINDS if request.changes else READING
        for kind in kinds if FULL else (kinds[hit // STRIDE % len(kinds)],):
            try:
                found = play_scene(whole, name, hit, kind)
            except Exception as error:
                found = "defect"
                defects.append(f"{kind} at {hit} {request}: {type(error).__name__} {error}"[:1500])
            finally:
                whole.around.mend()
            counts[found] = counts.get(found, 0) + 1
    print(name, len(whole.requests[name]), "requests:", counts)
    assert not defects, "\n\n".join(defects)


@pytest.mark.slow
def test_only_the_late_look_finds_a_subscriber_that_came_after_the_undoing(whole: Town) -> None:
    """Without it the matrix would turn red."""
    expected = requests_of(whole, "mobile")
    hit = next(place for place, one in enumerate(expected) if (one.system, one.method) == ("hss", "PUT"))
    settings = whole.parts.settings
    careless = replace(settings.provisioning, late_answer_seconds=0)
    items, before = whole.stock(PLAYS["mobile"][2]), None
    try:
        whole.parts.settings = replace(settings, provisioning=careless)
        before = whole.world()
        job = whole.order("mobile", items)
        whole.work(Scene(expected, hit, "late"))
        assert (whole.job(job).provisioning_status, whole.left(job)) == (2, [])
        assert len(whole.subscribers()) == len(before["hss"]) + 1
    finally:
        whole.parts.settings = settings
    whole.clean_again(job)
    assert changes(before, whole.world()) == []
