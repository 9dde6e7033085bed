"""Running a job: mint its token, run the play, store its events live, settle its end. Runs in a worker thread."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.orm import Session, undefer

from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.errors import Unavailable
from omnicrm.domain.identity import tokens
from omnicrm.domain.jobs import Held, Job, Runtime, job
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent, Status
from omnicrm.domain.provisioning.plays import read_play
from omnicrm.domain.provisioning.ports import OK, RUNNING, PlaybookRunner, RunOutcome, RunSpec, TaskEvent
from omnicrm.settings import Settings
from omnicrm.store import Base

_events = Base.metadata.tables["Provision_Event"]
_jobs = Base.metadata.tables["Provision"]
FAILED = int(Status.FAILED)


@job("provision.run", lane="plays", max_attempts=1, lost="provision.lost")
def run_provision(runtime: Runtime, held: Held) -> None:
    """One play, once: a job whose worker died is never run again but undone (decision 30)."""
    row = _load(runtime, held)
    runtime.door.act_now(actions.start, SYSTEM, actions.Started(row.provision_id))
    recorder = _Recorder(runtime, row.provision_id, first=0)
    outcome = _play(runtime, held, row, recorder, {})
    recorder.close(outcome)
    ended = actions.Ended(
        row.provision_id,
        outcome.status == "successful",
        outcome.message,
        recorder.facts_text(),
        # A play that was stopped from outside has not run its own rescue.
        clean_up=outcome.status in ("canceled", "timeout", "error"),
        lease=actions.Lease(held.job_id, held.lease),
    )
    runtime.door.act_now(actions.end, SYSTEM, ended)


@job("provision.lost", max_attempts=10)
def answer_lost(runtime: Runtime, held: Held) -> None:
    """The worker of a job died: fail the job, and let its play undo what it had made (decisions 16 and 30)."""
    row = _load(runtime, held)
    if row.provisioning_status != Status.RUNNING:
        return
    recorder = _Recorder(runtime, row.provision_id, first=_last_number(runtime, row.provision_id))
    reason = str(held.args.get("reason") or "The worker of this job stopped.")
    recorder.say("The job was interrupted", reason, FAILED)
    facts = runtime.door.read_now(_recorded_facts, row.provision_id)
    lease = actions.Lease(held.job_id, held.lease)
    ended = actions.Ended(row.provision_id, False, reason, json.dumps(facts), clean_up=True, lease=lease)
    runtime.door.act_now(actions.end, SYSTEM, ended)


@job("provision.clean", lane="plays", max_attempts=3, lost="provision.uncleaned")
def clean_up(runtime: Runtime, held: Held) -> None:
    """Undo a run that could not undo itself: its play's clean-up with the values that it had set (decision 30)."""
    row = _load(runtime, held)
    lease = actions.Lease(held.job_id, held.lease)
    recorder = _Recorder(runtime, row.provision_id, first=_last_number(runtime, row.provision_id))
    refusal = _why_not_undone(runtime, row)
    if refusal:
        recorder.say("Clean-up", refusal, FAILED)
        message = f"{row.error.rstrip('.')}. {refusal}"
        runtime.door.act_now(actions.end, SYSTEM, actions.Ended(row.provision_id, False, message, lease=lease))
        return
    outcome = _play(runtime, held, row, recorder, {**json.loads(row.facts or "{}"), "action": "deprovision"})
    recorder.close(outcome)
    if outcome.status != "successful":
        raise Unavailable(outcome.message or "The clean-up did not succeed.")
    message = f"{row.error.rstrip('.')}. What the job had made was removed again."
    runtime.door.act_now(actions.end, SYSTEM, actions.Ended(row.provision_id, False, message, lease=lease))


def _why_not_undone(runtime: Runtime, row: Provision) -> str:
    """Empty where the play's clean-up may run. On a service that was there before, it would end that service."""
    values = json.loads(row.variables or "{}").get("values", {})
    if values.get("service_id") is not None and row.action != "deprovision":
        return f"What it had done to service {values['service_id']} is not undone; please check that service."
    play = read_play(row.provisioning_play, actions.plays_dirs(runtime.settings))
    return "" if play.has_guard else f"The play {row.provisioning_play} cannot undo itself; what it had made is left."


@job("provision.uncleaned", max_attempts=10)
def answer_uncleaned(runtime: Runtime, held: Held) -> None:
    """The clean-up itself failed for good: say so on the job, free its stock, void its charges."""
    row = _load(runtime, held)
    reason = str(held.args.get("reason") or "")
    message = f"{row.error.rstrip('.')}. The clean-up failed and can be tried again: {reason}"
    lease = actions.Lease(held.job_id, held.lease)
    runtime.door.act_now(actions.end, SYSTEM, actions.Ended(row.provision_id, False, message, lease=lease))


def _load(runtime: Runtime, held: Held) -> Provision:
    def read(session: Session) -> Provision:
        row = session.get(Provision, held.subject_id, options=[undefer(Provision.variables), undefer(Provision.facts)])
        if row is None:
            raise RuntimeError(f"provisioning job {held.subject_id} does not exist")
        return row

    return runtime.door.read_now(read)


def _play(runtime: Runtime, held: Held, row: Provision, recorder: _Recorder, more: dict[str, Any]) -> RunOutcome:
    settings = runtime.settings
    secret = settings.jwt_secret.reveal() if settings.jwt_secret else ""
    limit = settings.provisioning.max_seconds
    token = tokens.job_token(secret, row.provision_id, held.job_id, held.lease, runtime.door.clock(), limit + 600)
    values = json.loads(row.variables or "{}").get("values", {})
    spec = RunSpec(
        provision_id=row.provision_id,
        lease=held.lease,
        play=row.provisioning_play,
        plays_dirs=actions.plays_dirs(settings),
        variables={
            **values,
            **more,
            "provision_id": row.provision_id,
            "initiating_user": row.initiating_user,
            "access_token": token,
        },
        crm_config=settings.crm_config(),
        job_token=token,
        crm_url=settings.server.local_url,
        charging_url=None if settings.ocs.mode == "direct" else f"http://{settings.ocs.endpoint}",
        mailjet_url=settings.mailjet.base_url,
        env=_environment(settings),
        secrets=settings.secret_values(),
        silence_timeout=settings.provisioning.timeout_seconds,
        overall_timeout=limit,
    )
    return runtime.port(PlaybookRunner).run(spec, recorder, _Stop(runtime, held))


def _environment(settings: Settings) -> dict[str, str]:
    """What `lookup('env', …)` of the documented plays reads (PROV-170)."""
    mailjet = settings.mailjet
    pairs = {"MAILJET_API_KEY": mailjet.api_key, "MAILJET_SECRET": mailjet.api_secret}
    return {name: value.reveal() for name, value in pairs.items() if value is not None}


class _Stop:
    """Whether the run must end: its lease is lost, or somebody pressed Cancel. Asks the database twice a second."""

    def __init__(self, runtime: Runtime, held: Held) -> None:
        self.runtime, self.held = runtime, held
        self.next_look = 0.0
        self.asked = False

    def __call__(self) -> bool:
        if not self.asked and not self.held.stopping() and time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + 0.5
            query = select(Job.cancel_requested).where(Job.job_id == self.held.job_id)
            self.asked = bool(self.runtime.door.read_now(lambda session: session.scalar(query)))
        return self.asked or self.held.stopping()


class _Recorder:
    """Stores events while the play runs, each in a transaction of its own, so that a reader sees them live.

    It writes past the activity log on purpose: the log gets the job's start and end, not its every step.
    """

    def __init__(self, runtime: Runtime, provision_id: int, first: int) -> None:
        self.runtime, self.provision_id, self.first = runtime, provision_id, first
        self.facts: dict[str, Any] = {}
        self.last = first

    def __call__(self, event: TaskEvent) -> None:
        self.facts.update(event.facts)
        number = self.first + event.number
        self.last = max(self.last, number)
        if event.status == RUNNING:
            self._insert(number, event.name, RUNNING, event.started_at)
        else:
            self._close(number, event)

    def say(self, name: str, message: str, status: int) -> None:
        """An event of our own."""
        self.last += 1
        now = self.runtime.door.clock()
        self._insert(self.last, name, status, now, message=message[:2000], ended_at=now)

    def close(self, outcome: RunOutcome) -> None:
        for warning in outcome.warnings:
            self.say("Warning", warning, OK)
        self.facts = {**self.facts, **outcome.facts}

    def facts_text(self) -> str:
        return json.dumps(self.facts, default=str)

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

        def write(session: Session) -> None:
            match = (_events.c.provision_id == self.provision_id) & (_events.c.event_number == number)
            session.execute(update(_events).where(match).values(values))
            done: dict[str, Any] = {"tasks_done": _jobs.c.tasks_done + (0 if event.corrects else 1)}
            if event.facts:
                done["facts"] = self.facts_text()
            session.execute(update(_jobs).where(_jobs.c.provision_id == self.provision_id).values(done))

        self.runtime.door.db.write(write)


def _last_number(runtime: Runtime, provision_id: int) -> int:
    query = select(func.max(ProvisionEvent.event_number)).where(ProvisionEvent.provision_id == provision_id)
    return runtime.door.read_now(lambda session: session.scalar(query)) or 0


def _recorded_facts(session: Session, provision_id: int) -> dict[str, Any]:
    """What the dead run had stored of its facts."""
    text = session.scalar(select(Provision.facts).where(Provision.provision_id == provision_id))
    return dict(json.loads(text)) if text else {}
