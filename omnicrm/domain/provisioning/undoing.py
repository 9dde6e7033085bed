"""Undoing a failed job outside the CRM's own records: what its play can take back, and the charging engine's journal.

The play's clean-up runs for a service that the job made. On a service that was there before it would end that service:
there, and for plays without a clean-up, the journal alone sets things back (decision 30), and what the job did to other
systems is listed for a person to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.domain.jobs import Held, Runtime
from omnicrm.domain.provisioning.ending import CleanUp, Ended
from omnicrm.domain.provisioning.lease import Lease, refuse_lost
from omnicrm.domain.provisioning.leftovers import CRM, ENGINE, Leftover, Systems, Traces, read_traces, to_be_checked
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent
from omnicrm.domain.provisioning.orderplays import plays_dirs
from omnicrm.domain.provisioning.plays import Play, PlayError, read_play
from omnicrm.domain.provisioning.ports import OK
from omnicrm.domain.provisioning.recorder import Recorder
from omnicrm.domain.provisioning.redact import Redactor
from omnicrm.domain.provisioning.running import values_of

#: Begins what the undoing adds to the reason of a failed job.
_MARK = " Clean-up: "
FINISHED = "the service was taken away by a second run."
#: A job's page offers to try again where it reads this.
GIVEN_UP = "the clean-up failed and can be tried again."
_REMOVED = "what the job had made was removed again."
_LEFT = "not everything could be undone; what is left is listed with the job."
_NAMED = 5
_JOURNAL = "Undo what the job did there"
#: Before each further clean-up where a system could not be reached: it restarts, is mended, or is away for longer.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800))


def with_result(error: str, result: str) -> str:
    """The reason why a job failed, and what its undoing came to. An earlier result makes way, unless it is of things
    that were set back and there is no newer one."""
    reason, _, earlier = error.partition(_MARK)
    result = result or ("" if earlier.startswith((_LEFT, GIVEN_UP)) else earlier)
    return f"{reason.rstrip('.')}.{_MARK}{result}" if result else reason


def half_way(row: Provision) -> Leftover:
    """Of a deprovision that was stopped on request: it is not run again by itself."""
    text = "The job was cancelled when it had begun; run it again, or set the service right by hand."
    return Leftover(f"Service {row.service_id}", "Take the service away", text)


def play_of(runtime: Runtime, row: Provision) -> Play | None:
    """The job's play as it is now; None where it is gone or cannot be read."""
    try:
        return read_play(row.provisioning_play, plays_dirs(runtime.settings))
    except PlayError:
        return None


def is_on_service(row: Provision) -> bool:
    """Whether the job works on a service that was there before it."""
    return values_of(row).get("service_id") is not None


def why_not_by_play(row: Provision, play: Play | None) -> str:
    """Empty where the play's clean-up may undo the job."""
    if is_on_service(row) and row.action != "deprovision":
        return f"The service {values_of(row)['service_id']} was there before; the play's clean-up would end it."
    # A deprovision is undone by nothing: its second run is the clean-up, and a play for that alone needs no guard.
    if play is None or not (play.has_guard or row.action == "deprovision"):
        return f"The play {row.provisioning_play} has no clean-up that can be started."
    return ""


@dataclass(frozen=True)
class Journal:
    """What the charging engine's journal gave: what was set back, and what could not be."""

    undone: tuple[str, ...] = ()
    left: tuple[Leftover, ...] = ()
    #: The engine keeps a journal and was asked: what the job did there is done with.
    complete: bool = False
    #: It did not answer; ask again.
    unanswered: bool = False

    def tells_of(self, entry: Leftover) -> bool:
        """Whether what an earlier look at the journal left is known better now."""
        return (self.complete or self.unanswered) and (entry.where, entry.what) == (ENGINE, _JOURNAL)


def undo_in_engine(runtime: Runtime, row: Provision, recorder: Recorder, whole: Traces) -> Journal:
    """Set back what the job made in the charging engine; each thing becomes an event. Asked twice, it finds nothing.

    `whole` are the job's traces: an engine that is away does not matter where the job never reached it.
    """
    engine = runtime.port(ChargingEngine)
    try:
        if engine.made_by_job(row.provision_id) is None:
            return Journal()  # this engine keeps none
        undone = tuple(engine.undo_job(row.provision_id))
    except (EngineError, EngineUnavailable) as error:
        if not whole.may_have_changed(ENGINE):
            return Journal(complete=True)
        text = Redactor(runtime.settings.secret_values()).text(str(error))[:500]
        away = isinstance(error, EngineUnavailable)
        left = Leftover(ENGINE, _JOURNAL, text, away)
        return Journal(left=(left,), unanswered=True)
    for text in undone:
        recorder.say(f"Undo: {text}", "", OK)
    return Journal(undone, complete=True)


def traces_of(runtime: Runtime, row: Provision, play: Play | None, *, after: int = 0, undoing: bool = False) -> Traces:
    """What the stored events after that number tell."""

    def read(session: Session) -> Sequence[ProvisionEvent]:
        query = select(ProvisionEvent).where(
            ProvisionEvent.provision_id == row.provision_id, ProvisionEvent.event_number > after
        )
        return session.scalars(query.order_by(ProvisionEvent.event_number)).all()

    return read_traces(runtime.door.read_now(read), Systems(runtime.settings), play, undoing=undoing)


@dataclass(frozen=True)
class Undone:
    """How far the play's part of an undoing went: what it left, and whether something may still come."""

    left: Sequence[Leftover]
    #: The play has a clean-up for this job, and it ran.
    by_play: bool
    #: It ran just now, by itself.
    ran: bool = False
    #: A request may still be on its way.
    unsure: bool = False
    #: The clean-up of which this is a part; None for what a run undid by itself.
    todo: CleanUp | None = None


def settle(runtime: Runtime, held: Held, row: Provision, recorder: Recorder, ended: Ended, undone: Undone) -> Ended:
    """After the play's part: the charging engine's journal, what is left, the words for it, and what is still to come.

    The records of the CRM are taken back in the transaction that stores the answer (ending.end).
    """
    runtime.door.read_now(refuse_lost, Lease.of(held))
    play = play_of(runtime, row)
    whole = traces_of(runtime, row, play)
    journal = undo_in_engine(runtime, row, recorder, whole)
    given_back = {ENGINE} if journal.complete else set()
    # The service that it made, its items' links and its charges go with the job.
    given_back |= set() if is_on_service(row) else {CRM}
    open_steps = [entry for entry in undone.left if _concerns(entry, whole) and not journal.tells_of(entry)]
    left = [entry for entry in open_steps if entry.where not in given_back and not entry.own]
    left += [entry for entry in journal.left if entry not in left]
    if not undone.by_play:
        reason = why_not_by_play(row, play) or "The play has no clean-up of its own."
        left += to_be_checked(whole, {*given_back, *(entry.where for entry in journal.left)}, f"{reason} Please check.")
    result = _LEFT if left else _set_back(journal) if journal.undone else _REMOVED if undone.ran else ""
    return replace(
        ended,
        message=with_result(ended.message, result),
        leftovers=tuple(left),
        # A step that needs nothing itself may have told the others what to remove.
        clean_up=_still_to_come(runtime, row, journal, undone, (*open_steps, *journal.left)),
    )


def _concerns(entry: Leftover, whole: Traces) -> bool:
    """A system that was away from the start has nothing of the job."""
    return entry.where.startswith("Play") or whole.may_have_changed(entry.where)


def _set_back(journal: Journal) -> str:
    more = len(journal.undone) - _NAMED
    named = "; ".join(journal.undone[:_NAMED])
    return f"{named}; and {more} more." if more > 0 else f"{named}."


def _still_to_come(
    runtime: Runtime, row: Provision, journal: Journal, undone: Undone, left: Sequence[Leftover]
) -> CleanUp | None:
    todo = undone.todo or CleanUp("play")
    if journal.unanswered and todo.kind != "again":
        return replace(todo, kind="engine", at=None, unsure=undone.unsure)
    wait = runtime.settings.provisioning.late_answer_seconds
    if undone.unsure and todo.kind not in ("late", "again") and wait:
        return CleanUp("late", at=runtime.door.clock() + timedelta(seconds=wait))
    again = another_try(runtime, row, left, todo)
    # The engine has just come back, and the others may have with it.
    return replace(again, at=None) if again is not None and todo.kind == "engine" else again


def another_try(
    runtime: Runtime, row: Provision, left: Sequence[Leftover], todo: CleanUp | None = None
) -> CleanUp | None:
    """The clean-up that follows by itself where a system could not be reached; None after the last one, and where no
    clean-up can help."""
    done, without_play = (todo.tries, todo.without_play) if todo is not None else (0, "")
    away = {entry.where for entry in left if entry.away}
    if without_play or why_not_by_play(row, play_of(runtime, row)):
        away &= {ENGINE}
    if not away or done >= len(PAUSES):
        return None
    at = runtime.door.clock() + PAUSES[done]
    return CleanUp("again", at=at, without_play=without_play, tries=done + 1)
