"""A value that must be unique stays unique, also when two callers send it in the same moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.errors import Conflict, DomainError, Invalid
from omnicrm.domain.resource import RESOURCES, Write
from tests.resources.samples import SAMPLES, World

#: Resource -> the field of which no two records hold the same value.
UNIQUE = {"product": "product_slug", "inventory_template": "item", "service": "service_uuid"}


def at_once(calls: list[Any]) -> list[Any]:
    """Run the calls in threads that start together; results and refusals in order."""
    barrier, outcomes = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place: int) -> None:
        barrier.wait()
        try:
            outcomes[place] = calls[place]()
        except DomainError as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


@pytest.mark.parametrize("name", UNIQUE)
async def test_the_second_record_of_a_unique_value_is_refused(name: str, admin: Any, make: Any, world: World) -> None:
    first = await make(name, 2)
    body = SAMPLES[name].create(world, world.bob, 4)
    answer = await admin.put(f"/crm/{name}", body | {UNIQUE[name]: first[UNIQUE[name]]})
    assert answer.status_code in (400, 409)
    assert UNIQUE[name] in answer.json()["errors"]


@pytest.mark.parametrize("name", UNIQUE)
def test_of_two_creates_at_once_one_wins_and_the_other_is_refused(name: str, parts: root.Parts, world: World) -> None:
    create, value = RESOURCES[name].actions["create"], SAMPLES[name].create(world, world.alice, 2)[UNIQUE[name]]
    bodies = [SAMPLES[name].create(world, world.alice, number) | {UNIQUE[name]: value} for number in (4, 6, 8)]
    calls = [lambda body=body: parts.door.act_now(create, SYSTEM, Write(None, body)) for body in bodies]
    outcomes = at_once(calls)
    lost = [outcome for outcome in outcomes if isinstance(outcome, DomainError)]
    assert len(lost) == 2
    assert all(isinstance(error, Conflict | Invalid) for error in lost)
    model = RESOURCES[name].model
    column = getattr(model, UNIQUE[name])
    stored = parts.door.read_now(lambda session: session.query(model).filter(column == value).count())
    assert stored == 1


def test_an_attribute_put_at_once_by_many_is_one_attribute(parts: root.Parts, world: World) -> None:
    """PUT is create or change (CRM-133): whoever comes second changes, or is told to read again."""
    create = RESOURCES["attribute"].actions["create"]
    bodies = [{"customer_id": world.alice, "attribute_name": "tier", "attribute_value": f"v{n}"} for n in range(4)]
    calls = [lambda body=body: parts.door.act_now(create, SYSTEM, Write(None, body)) for body in bodies]
    outcomes = at_once(calls)
    assert any(not isinstance(outcome, DomainError) for outcome in outcomes)
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if isinstance(outcome, DomainError))
    model = RESOURCES["attribute"].model
    stored = parts.door.read_now(lambda session: session.query(model).filter(model.attribute_name == "tier").all())
    assert len(stored) == 1


def test_two_changes_of_one_record_at_once_are_both_kept(parts: root.Parts, world: World) -> None:
    """Each changes its own field; neither writes an old value of the other's back."""
    update = RESOURCES["site"].actions["update"]
    calls = [
        lambda values=values: parts.door.act_now(update, SYSTEM, Write(world.sites[world.alice], values))
        for values in ({"city": "York"}, {"site_name": "Depot"}, {"zip_code": "YO1"})
    ]
    assert not any(isinstance(outcome, DomainError) for outcome in at_once(calls))
    model = RESOURCES["site"].model
    row = parts.door.read_now(lambda session: session.get(model, world.sites[world.alice]))
    assert (row.city, row.site_name, row.zip_code) == ("York", "Depot", "YO1")
