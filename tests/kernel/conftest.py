"""Actions and job kinds that exist for one test only, and threads that start together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omnicrm.domain import jobs
from omnicrm.domain.action import ACTIONS, Action, action


@pytest.fixture
def declare() -> Iterator[Callable[..., Action[Any, Any]]]:
    """`declare(body, permission="admin")` is an action of that body; the registry forgets it after the test."""
    before = dict(ACTIONS)

    def make(body: Callable[..., Any], name: str = "test.body", **options: Any) -> Action[Any, Any]:
        return action(name, **{"permission": "admin", **options})(body)

    yield make
    ACTIONS.clear()
    ACTIONS.update(before)


@pytest.fixture
def kind() -> Iterator[Callable[..., str]]:
    """`kind("greet", function, max_attempts=3)` declares a job kind for this test."""
    before = dict(jobs.KINDS)

    def make(name: str, run: Callable[[Any, Any], None] = lambda runtime, held: None, **options: Any) -> str:
        jobs.job(name, **options)(run)
        return name

    yield make
    jobs.KINDS.clear()
    jobs.KINDS.update(before)


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """`work(0)` … `work(count - 1)` in threads that start at once; what each returned, or the exception it raised."""
    barrier, outcomes = threading.Barrier(count), [None] * count

    def run(place: int) -> None:
        barrier.wait()
        try:
            outcomes[place] = work(place)
        except Exception as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes
