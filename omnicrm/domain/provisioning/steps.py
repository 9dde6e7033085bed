"""How far a job has come, as a list of steps for people: what is done, what runs, what is to come, what is undone.

Pure but for reading the play's file once a job, from which the names of the tasks to come are known (PROV-183).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from omnicrm.domain.errors import Invalid
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent, Status
from omnicrm.domain.provisioning.plays import read_play

SKIPPED, UNDONE = "skipped", "undone"
#: How a job ended: by itself, well or badly, or stopped from outside.
End = Literal["succeeded", "failed", "cancelled", "timed out", "over a limit", "interrupted"]
#: How the runner words the two limits of time (play_run.py); its other limits are of room, memory and tasks.
_TIMES = ("stopped: the play ran longer", "stopped: no task made progress")
#: The event of our own that tells of a dead worker (flows.py).
INTERRUPTED = "The job was interrupted"


@dataclass(frozen=True, slots=True)
class Step:
    """`status` is an event's (Status), "skipped", "undone", or None for a task to come. Duration in seconds."""

    name: str
    status: int | str | None = None
    seconds: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """`undo` is what followed a failure; `total` is never below `done`."""

    steps: list[Step]
    undo: list[Step]
    done: int
    total: int


def end_of(provision: Provision, events: Sequence[ProvisionEvent], was_cancelled: bool) -> End:
    """What put an end to a job that is over."""
    if provision.provisioning_status == Status.SUCCESS:
        return "succeeded"
    if was_cancelled:
        return "cancelled"
    if provision.error.startswith("stopped: "):
        return "timed out" if provision.error.startswith(_TIMES) else "over a limit"
    return "interrupted" if any(event.event_name == INTERRUPTED for event in events) else "failed"


@lru_cache(maxsize=128)
def known_tasks(provision_id: int, play: str, plays_dirs: tuple[Path, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the tasks of a job's play, and of its undoing, as the file was when the job was first looked at."""
    try:
        found = read_play(play, plays_dirs)
    except Invalid:
        return (), ()  # the file is gone or broken; the job says so itself
    return tuple(found.tasks), tuple(found.undo)


def course(
    provision: Provision,
    events: Sequence[ProvisionEvent],
    tasks: Sequence[str],
    undo_tasks: Sequence[str],
    over: bool,
) -> Course:
    """The steps of a job. A deprovision is one list: its guard turns it to the tasks that undo."""
    ending = provision.action == "deprovision"
    turns = (Status.FAILED, Status.IGNORED) if ending else (Status.FAILED,)
    turn = next((place for place, event in enumerate(events) if event.provisioning_status in turns), None)
    before, after = (events, []) if turn is None else (events[: turn + 1], events[turn + 1 :])
    steps = [_step(event) for event in before]
    undo = [_step(event, undoing=not ending) for event in after]
    for place, event in enumerate(after):
        if not ending and event.provisioning_status == Status.IGNORED and event.event_name in tasks:
            undo[place] = Step(event.event_name, SKIPPED)  # the guard, which turned a clean-up run to its undoing
    if ending and turn is not None and events[turn].provisioning_status == Status.IGNORED:
        steps[turn] = Step(events[turn].event_name, SKIPPED)
    if not over:
        if turn is None and not ending:
            steps += _to_come(before, tasks)
        else:
            undo += _to_come(after, undo_tasks)
    done = sum(event.provisioning_status != Status.RUNNING for event in events)
    total = len(steps) + len(undo)
    return Course(steps + undo, [], done, total) if ending else Course(steps, undo, done, total)


def _step(event: ProvisionEvent, undoing: bool = False) -> Step:
    status: int | str = event.provisioning_status
    if event.skipped:
        status = SKIPPED
    elif undoing and status == Status.SUCCESS:
        status = UNDONE
    seconds = None if event.ended_at is None else (event.ended_at - event.timestamp).total_seconds()
    failed = event.provisioning_status in (Status.FAILED, Status.IGNORED)
    return Step(event.event_name, status, seconds, event.message if failed else "")


def _to_come(events: Iterable[ProvisionEvent], tasks: Sequence[str]) -> list[Step]:
    """The tasks behind the last one that an event names."""
    place = 0
    for event in events:
        if event.event_name in tasks[place:]:
            place = tasks.index(event.event_name, place) + 1
    return [Step(name) for name in tasks[place:]]
