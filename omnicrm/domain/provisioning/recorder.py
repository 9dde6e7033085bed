"""Storing what a run tells: its events as they come, and the values that an undoing run needs (decision 30)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.orm import Session

from omnicrm.domain.jobs import Runtime
from omnicrm.domain.provisioning import rules
from omnicrm.domain.provisioning.lease import Lease, refuse_lost
from omnicrm.domain.provisioning.models import ProvisionEvent
from omnicrm.domain.provisioning.ports import OK, RUNNING, RunOutcome, TaskEvent
from omnicrm.store import Base

_events = Base.metadata.tables["Provision_Event"]
_jobs = Base.metadata.tables["Provision"]
#: Of one value, and of all that are kept for a clean-up, in characters of JSON.
_MAX_VALUE = 64 * 1024
_MAX_VALUES = 512 * 1024


class Kept:
    """What a run had set and registered, as `Provision.facts` holds it; encrypted there, for it may hold secrets."""

    def __init__(self, text: str | None = None) -> None:
        stored = json.loads(text or "{}")
        if stored.keys() != {"set", "registered"}:
            stored = {"set": stored, "registered": {}}  # a job from before results were kept
        self.set: dict[str, Any] = stored["set"]
        self.registered: dict[str, Any] = stored["registered"]
        self._sizes = {(kind, name): _size(value) for kind in stored for name, value in stored[kind].items()}

    def take(self, facts: Mapping[str, Any], registered: Mapping[str, Any] | None = None) -> None:
        """Add values; one that is too large, or that no variable may hold, is left out."""
        for kind, into, values in (("set", self.set, facts), ("registered", self.registered, registered or {})):
            for name, value in values.items():
                size = _size(value)
                others = sum(self._sizes.values()) - self._sizes.get((kind, name), 0)
                into.pop(name, None)
                self._sizes.pop((kind, name), None)
                if size <= _MAX_VALUE and others + size <= _MAX_VALUES and rules.is_plain(value):
                    into[name] = value
                    self._sizes[kind, name] = size

    def text(self) -> str:
        return json.dumps({"set": self.set, "registered": self.registered})


def _size(value: Any) -> int:
    try:
        return len(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return _MAX_VALUES


class Recorder:
    """Stores events while the play runs, each in a transaction of its own, so that a reader sees them live.

    It writes past the activity log on purpose: the log gets the job's start and end, not its every step. Values are
    kept with `keep`; what an undoing run registers is about the undoing. A worker that lost its lease gets a Conflict,
    which ends its play.
    """

    def __init__(self, runtime: Runtime, provision_id: int, lease: Lease, *, keep: bool = False) -> None:
        self.runtime, self.provision_id, self.lease, self.keep = runtime, provision_id, lease, keep
        self.kept = Kept()
        #: Number of the last event from before this run.
        self.first = self.last = runtime.door.read_now(_last_number, provision_id)

    def __call__(self, event: TaskEvent) -> None:
        number = self.first + event.number
        self.last = max(self.last, number)
        if event.status == RUNNING:
            self._insert(number, event.name, RUNNING, event.started_at)
        else:
            self._close(number, event)

    def say(self, name: str, message: str, status: int) -> None:
        """An event of our own; unlike a task that was cut, it has a result."""
        self.last += 1
        now = self.runtime.door.clock()
        result = json.dumps({"msg": message})
        self._insert(
            self.last, name, status, now, message=message[:2000], ended_at=now, provisioning_result_json=result
        )

    def close(self, outcome: RunOutcome) -> None:
        for warning in outcome.warnings:
            self.say("Warning", warning, OK)
        self.kept.take(outcome.facts)

    def _insert(self, number: int, name: str, status: int, at: datetime, **more: Any) -> None:
        row = {
            "provision_id": self.provision_id,
            "event_number": number,
            "event_name": name[:500],
            "provisioning_status": status,
            "skipped": False,
            "provisioning_result_json": "{}",
            "message": "",
            "timestamp": at,
            **more,
        }
        count = _jobs.c.task_count
        grown = {"task_count": case((count < number, number), else_=count)}

        def write(session: Session) -> None:
            refuse_lost(session, self.lease)
            session.execute(insert(_events).values(row))
            session.execute(update(_jobs).where(_jobs.c.provision_id == self.provision_id).values(grown))

        self.runtime.door.db.write(write)

    def _close(self, number: int, event: TaskEvent) -> None:
        values = {
            "provisioning_status": event.status,
            "skipped": event.skipped,
            "provisioning_result_json": json.dumps(event.result or {}, default=str),
            "message": event.message[:2000],
            "ended_at": event.ended_at or self.runtime.door.clock(),
        }
        done: dict[str, Any] = {"tasks_done": _jobs.c.tasks_done + (0 if event.corrects else 1)}
        if self.keep and (event.facts or event.registered):
            self.kept.take(event.facts, event.registered)
            done["facts"] = self.kept.text()

        def write(session: Session) -> None:
            refuse_lost(session, self.lease)
            match = (_events.c.provision_id == self.provision_id) & (_events.c.event_number == number)
            session.execute(update(_events).where(match).values(values))
            session.execute(update(_jobs).where(_jobs.c.provision_id == self.provision_id).values(done))

        self.runtime.door.db.write(write)


def _last_number(session: Session, provision_id: int) -> int:
    query = select(func.max(ProvisionEvent.event_number)).where(ProvisionEvent.provision_id == provision_id)
    return session.scalar(query) or 0
