"""The jobs that run and undo orders, in worker threads: run once, answer for dead workers, clean up, give up."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.errors import Unavailable
from omnicrm.domain.jobs import Held, Job, Runtime, job
from omnicrm.domain.provisioning import actions, closing, leftovers, undoing
from omnicrm.domain.provisioning.ending import CleanUp, Ended, Mended, end, mend
from omnicrm.domain.provisioning.lease import Lease
from omnicrm.domain.provisioning.leftovers import Leftover, Traces
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.plays import Play
from omnicrm.domain.provisioning.ports import FAILED, IGNORED
from omnicrm.domain.provisioning.recorder import Kept, Recorder
from omnicrm.domain.provisioning.running import run_play
from omnicrm.domain.provisioning.steps import INTERRUPTED

_STOPPED = "The worker of this job stopped."


@job("provision.run", lane="plays", max_attempts=1, lost="provision.lost")
def run_provision(runtime: Runtime, held: Held) -> None:
    """One play, once: a job whose worker died is never run again but undone (decision 30)."""
    row = _load(runtime, held)
    runtime.door.act_now(actions.start, SYSTEM, actions.Started(row.provision_id))
    recorder = Recorder(runtime, row.provision_id, Lease.of(held), keep=True)
    outcome = run_play(runtime, held, row, recorder)
    play = undoing.play_of(runtime, row)
    ending = row.action == "deprovision"
    traces = undoing.traces_of(runtime, row, play, after=recorder.first, undoing=ending)
    ended = Ended(row.provision_id, False, outcome.message, recorder.kept.text(), lease=Lease.of(held))
    succeeded = outcome.status == "successful"
    if ending and (succeeded or outcome.status == "failed" or not outcome.task_count):
        again = undoing.another_try(runtime, row, traces.left)
        ended = replace(ended, succeeded=succeeded, leftovers=tuple(traces.left), clean_up=again)
    elif outcome.status == "canceled" and not runtime.door.read_now(_is_cancelled, held):
        # The worker shuts down, which nobody asked of this job.
        recorder.say(INTERRUPTED, _STOPPED, FAILED)
        ended = replace(ended, message=_STOPPED, clean_up=CleanUp("play", unsure=bool(traces.unsure)))
    elif ending and outcome.status == "canceled":
        ended = replace(ended, leftovers=(undoing.half_way(row),) if traces.turned else ())
    elif succeeded:
        ended = replace(ended, succeeded=True)  # what failed was optional (PROV-194)
    elif (outcome.status == "failed" and traces.undid) or not outcome.task_count:
        # The play's own rescue has run, or no task has.
        undone = undoing.Undone(traces.left, by_play=True, unsure=bool(traces.unsure))
        ended = undoing.settle(runtime, held, row, recorder, ended, undone)
    else:
        ended = replace(ended, clean_up=CleanUp("play", unsure=bool(traces.unsure)))
    runtime.door.act_now(end, SYSTEM, ended)


@job("provision.lost", max_attempts=10)
def answer_lost(runtime: Runtime, held: Held) -> None:
    """The worker of a job died: fail the job, and let its play undo what it had made (decisions 16 and 30)."""
    row = _load(runtime, held)
    if row.provisioning_status != Status.RUNNING:
        return
    traces = undoing.traces_of(runtime, row, undoing.play_of(runtime, row))
    recorder = Recorder(runtime, row.provision_id, Lease.of(held))
    reason = str(held.args.get("reason") or _STOPPED)
    recorder.say(INTERRUPTED, reason, FAILED)
    clean_up = CleanUp("play", unsure=bool(traces.unsure))
    ended = Ended(row.provision_id, False, reason, clean_up=clean_up, lease=Lease.of(held))
    runtime.door.act_now(end, SYSTEM, ended)


@job("provision.clean", lane="plays", max_attempts=5, lost="provision.uncleaned")
def clean_up(runtime: Runtime, held: Held) -> None:
    """Undo a failed job: its play's clean-up with the values that it had set (decision 30), journal and records.

    A deprovision is run again instead: that is how it comes to its end.
    """
    row = _load(runtime, held)
    if row.provisioning_status == Status.SUCCESS and row.action != "deprovision":
        return
    todo = CleanUp.of(held.args)
    if runtime.door.read_now(closing.lives_again, row):
        return
    recorder = Recorder(runtime, row.provision_id, Lease.of(held))
    play = undoing.play_of(runtime, row)
    refusal = undoing.why_not_by_play(row, play)
    traces = Traces()
    if todo.kind != "engine" and (reason := todo.without_play or refusal):
        recorder.say("Clean-up without the play", reason, IGNORED)
    elif todo.kind != "engine":
        traces = _clean_by_play(runtime, held, row, recorder, play)
    left = leftovers.still_left(leftovers.load(row.leftovers), traces)
    if row.action == "deprovision":
        _end_deprovision(runtime, held, row, left, refusal, todo)
        return
    undone = undoing.Undone(
        left,
        by_play=not refusal or todo.kind in ("engine", "again"),
        ran=traces.turned,
        unsure=todo.unsure or bool(traces.unsure),
        todo=todo,
    )
    ended = Ended(row.provision_id, False, row.error, lease=Lease.of(held))
    ended = undoing.settle(runtime, held, row, recorder, ended, undone)
    if ended.clean_up is not None and ended.clean_up.kind == "engine":
        runtime.door.act_now(mend, SYSTEM, Mended(row.provision_id, ended.leftovers, ended.lease))
        raise Unavailable("The charging engine does not answer; it is asked again.")
    runtime.door.act_now(end, SYSTEM, ended)


def _clean_by_play(runtime: Runtime, held: Held, row: Provision, recorder: Recorder, play: Play | None) -> Traces:
    """The play's own clean-up. Raises Unavailable where it does not come to its end, after noting what is left."""
    kept = Kept(row.facts)
    facts = {**kept.set, "action": "deprovision"}
    outcome = run_play(runtime, held, row, recorder, facts, kept.registered)
    traces = undoing.traces_of(runtime, row, play, after=recorder.first, undoing=True)
    if outcome.status != "successful":
        step = outcome.failed_task or "Run the clean-up"
        stopped = Leftover(f"Play {row.provisioning_play}", step, outcome.message or "The clean-up did not succeed.")
        left = leftovers.still_left(leftovers.load(row.leftovers), traces)
        runtime.door.act_now(mend, SYSTEM, Mended(row.provision_id, (*left, stopped), Lease.of(held)))
        raise Unavailable(stopped.text)
    traces.answered.add(f"Play {row.provisioning_play}")
    return traces


def _end_deprovision(
    runtime: Runtime, held: Held, row: Provision, left: list[Leftover], refusal: str, todo: CleanUp
) -> None:
    """A service that is gone after all is a deprovision that succeeded."""
    if refusal:
        raise Unavailable(refusal)
    again = undoing.another_try(runtime, row, left, todo)
    if row.provisioning_status == Status.SUCCESS:
        mended = Mended(row.provision_id, tuple(left), Lease.of(held), again, is_over=True)
        runtime.door.act_now(mend, SYSTEM, mended)
        return
    message = undoing.with_result(row.error, undoing.FINISHED)
    ended = Ended(row.provision_id, True, message, leftovers=tuple(left), lease=Lease.of(held), clean_up=again)
    runtime.door.act_now(end, SYSTEM, ended)


@job("provision.uncleaned", max_attempts=10)
def answer_uncleaned(runtime: Runtime, held: Held) -> None:
    """The clean-up itself failed for good: set back what journal and records can, and say the rest on the job."""
    row = _load(runtime, held)
    reason = str(held.args.get("reason") or "The clean-up did not come to its end.")
    stopped = Leftover(f"Play {row.provisioning_play}", "Run the clean-up", reason)
    left = tuple(leftovers.load(row.leftovers)) or (stopped,)
    if row.action != "deprovision":
        recorder = Recorder(runtime, row.provision_id, Lease.of(held))
        whole = undoing.traces_of(runtime, row, undoing.play_of(runtime, row))
        left += undoing.undo_in_engine(runtime, row, recorder, whole).left
    again = undoing.another_try(runtime, row, left, runtime.door.read_now(_todo, held))
    if row.provisioning_status == Status.SUCCESS:
        runtime.door.act_now(mend, SYSTEM, Mended(row.provision_id, left, Lease.of(held), again, is_over=True))
        return
    message = undoing.with_result(row.error, f"{undoing.GIVEN_UP} {reason}")
    ended = Ended(row.provision_id, False, message, leftovers=left, clean_up=again, lease=Lease.of(held))
    runtime.door.act_now(end, SYSTEM, ended)


def _is_cancelled(session: Session, held: Held) -> bool:
    """Whether somebody asked this job to stop."""
    return bool(session.scalar(select(Job.cancel_requested).where(Job.job_id == held.job_id)))


def _todo(session: Session, held: Held) -> CleanUp:
    """The clean-up that this job answers for."""
    failed = session.get(Job, held.args.get("job_id"))
    return CleanUp.of(failed.args if failed is not None else {})


def _load(runtime: Runtime, held: Held) -> Provision:
    def read(session: Session) -> Provision:
        row = session.get(Provision, held.subject_id, options=[undefer(Provision.variables), undefer(Provision.facts)])
        if row is None:
            raise RuntimeError(f"provisioning job {held.subject_id} does not exist")
        return row

    return runtime.door.read_now(read)
