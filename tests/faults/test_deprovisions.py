"""A deprovision with a fault at each of its requests: what the network still holds is not given to others, the job
names what is left, and "Clean up" brings it to its end once the neighbour is back (PROV-226, PROV-235, PC-12).

All of it takes several minutes: OMNICRM_FULL=1. The normal suite takes requests that tell others what to remove.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest

from omnicrm.domain.inventory.models import Inventory
from omnicrm.domain.provisioning import actions
from tests.faults.conftest import ONT, PLAYS, SIM, STAFF, Town
from tests.faults.neighbours import KINDS, Kind, Request, Scene

FULL = os.environ.get("OMNICRM_FULL") == "1"
READING: tuple[Kind, ...] = ("down", "error", "garbage", "cancel")
#: The end of a path, and what happens there.
EVERYDAY: dict[str, list[tuple[str, Kind]]] = {
    "mobile": [
        ("/crm/service/service_id/", "garbage"),
        ("/crm/inventory/service_id/", "garbage"),
        ("/crm/inventory/inventory_id/", "error"),
    ],
    "bundle": [("/ont/", "error")],
}


@pytest.fixture(scope="module")
def endings() -> dict[str, list[Request]]:
    """The requests of a deprovision that goes well, by what was ordered."""
    return {}


def ordered(town: Town, name: str) -> tuple[dict[str, int], int]:
    """The items and the first service of an order that went well."""
    items = town.stock(PLAYS[name][2])
    job = town.order(name, items)
    town.work()
    assert town.job(job).provisioning_status == 0, town.job(job).error
    return items, town.made(job)[0]


def requests_of(town: Town, name: str, endings: dict[str, list[Request]]) -> list[Request]:
    if name not in endings:
        scene = Scene()
        items, service = ordered(town, name)
        ending = town.deprovision(service)
        town.work(scene)
        assert (town.job(ending).provisioning_status, town.left(ending)) == (0, [])
        endings[name] = list(scene.calls)
        assert _held(town, items) == dict.fromkeys(items)
        assert _at_work(town, items) == set()
    return endings[name]


def _read(town: Town, number: int) -> Inventory:
    return town.parts.door.read_now(lambda session: session.get_one(Inventory, number))


def _held(town: Town, items: dict[str, int]) -> dict[str, int | None]:
    return {kind: _read(town, number).service_id for kind, number in items.items()}


def _at_work(town: Town, items: dict[str, int]) -> set[str]:
    """The kinds of items that the network still serves: a SIM whose subscriber is awake, an ONT whose line is lit."""
    found = set()
    if SIM in items:
        imsi = _read(town, items[SIM]).itemtext2
        awake = [row for row in town.subscribers() if row[1] == imsi and f"9999{imsi[-10:]}" not in row[2]]
        found |= {SIM} if awake else set()
    if ONT in items and _read(town, items[ONT]).itemtext2 in town.around.lines:
        found.add(ONT)
    return found


def ending_scene(town: Town, name: str, expected: list[Request], hit: int, kind: Kind) -> None:
    items, service = ordered(town, name)
    assert _at_work(town, items)
    ending = town.deprovision(service)
    cancel = partial(town.parts.door.act_now, actions.cancel, STAFF, actions.Started(ending))
    town.work(Scene(expected, hit, kind, cancel=cancel))
    served, held = _at_work(town, items), _held(town, items)
    assert [kind for kind in served if held[kind] is None] == []
    if town.left(ending) or town.job(ending).provisioning_status:
        town.around.mend()
        town.clean_again(ending)
    assert (town.job(ending).provisioning_status, town.left(ending)) == (0, []), town.job(ending).error
    assert _at_work(town, items) == set()
    assert _held(town, items) == dict.fromkeys(items)
    account = _account(town, service)
    assert [line for line in town.engine() if account in line] == []


def _account(town: Town, service_id: int) -> str:
    services: Any = town.world()["services"]
    return next(str(row[1]) for row in services if row[0] == service_id)


def scenes(name: str, expected: list[Request]) -> list[tuple[int, Kind]]:
    if FULL:
        kinds = [(hit, KINDS if one.changes else READING) for hit, one in enumerate(expected)]
        return [(hit, kind) for hit, several in kinds for kind in several]
    return [
        (next(hit for hit, one in enumerate(expected) if one.path.startswith(start)), kind)
        for start, kind in EVERYDAY[name]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.mysql) for name in EVERYDAY])
def test_what_a_deprovision_could_not_take_down_is_kept_from_others(
    whole: Town, name: str, endings: dict[str, list[Request]]
) -> None:
    defects = []
    expected = requests_of(whole, name, endings)
    for hit, kind in scenes(name, expected):
        try:
            ending_scene(whole, name, expected, hit, kind)
        except Exception as error:
            defects.append(f"{kind} at {hit} {expected[hit]}: {type(error).__name__} {error}"[:1500])
        finally:
            whole.around.mend()
    assert not defects, "\n\n".join(defects)
