"""Runs of action sets that wait as rows: one-off runs of `*asap` and claimed runs of plans (cgrates.md §5.5).

A row is deleted in the transaction that holds the run's effects, by whichever process deletes it: that is what makes a
run happen exactly once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from omnicrm.domain.charging import models, triggers
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.documents import Plan, PlanEntry
from omnicrm.domain.charging.executor import execute
from omnicrm.domain.charging.ports import EngineError, Trouble
from omnicrm.domain.charging.storage import PLAN_RUNS
from omnicrm.domain.charging.timing import ASAP, next_run

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the task table; `plan_id` is "" and `due_at` None for a one-off run. Times are naive UTC."""

    id: int
    tenant: str
    account: str
    actions_id: str
    created_at: datetime
    plan_id: str
    due_at: datetime | None

    @property
    def key(self) -> str:
        """Names this run of the plan, the same in every process and after every crash; "" for a one-off run."""
        return f"{self.plan_id}|{self.account}|{self.due_at.replace(tzinfo=UTC).isoformat()}" if self.due_at else ""


def waiting(connection: Connection, limit: int, one_off_before: datetime) -> list[Task]:
    """Tasks in their order: claimed runs of plans, and one-off runs that were queued by this moment (naive UTC)."""
    table = models.task.c
    chosen = or_(table.plan_id != "", table.created_at <= one_off_before)
    return _tasks(connection, chosen, limit)


def _tasks(connection: Connection, chosen: Any, limit: int | None = None) -> list[Task]:
    table = models.task.c
    columns = (table.id, table.tenant, table.account, table.actions_id, table.created_at, table.plan_id, table.due_at)
    rows = connection.execute(select(*columns).where(chosen).order_by(table.id).limit(limit))
    return [Task(*row) for row in rows]


def queue_one_off(call: Call, plan: Plan, tenant: str, name: str) -> bool:
    """Queues a one-off run for each `*asap` timing. True when the plan has others, for which the account stays."""
    for entry in plan.entries:
        if entry.timing.start == ASAP:
            _queue(call, tenant, name, entry.actions_id)
    return any(entry.timing.start != ASAP for entry in plan.entries)


def claim(call: Call, plan_id: str, due: dict[str, datetime]) -> None:
    """Queues the due runs of a plan for each of its accounts, and moves its timings on to their next run.

    `due` holds the moments (naive UTC) by the timings' uuids; one that is no longer stored was claimed by another
    process. The next run lies after now and after the due moment, so what was missed comes once, however often it was
    missed, and a clock that is set back repeats nothing. Of runs due at the same moment the heavier is first.
    """
    accounts = call.accounts_of(plan_id)
    for entry in sorted(_claimed(call, plan_id, due), key=lambda entry: (due[entry.uuid], -entry.weight)):
        moment = due[entry.uuid]
        following = next_run(entry.timing, max(call.now, moment.replace(tzinfo=UTC)), call.zone)
        call.schedule(plan_id, entry.uuid, following)
        for tenant, name in accounts:
            _queue(call, tenant, name, entry.actions_id, plan_id, moment)
        log.info("Plan %s, due %s, for %d accounts; next run: %s", plan_id, moment, len(accounts), following)


def skip_missed(call: Call, plan_id: str, due: dict[str, datetime]) -> None:
    """Moves timings on without a run, as CGRateS does with what was missed while it was down."""
    for entry in _claimed(call, plan_id, due):
        call.schedule(plan_id, entry.uuid, next_run(entry.timing, call.now, call.zone))


def _claimed(call: Call, plan_id: str, due: dict[str, datetime]) -> list[PlanEntry]:
    """Entries of the plan whose next run is still the due one. Runs that belong to no entry are removed."""
    plan = call.plan(plan_id)
    entries = {entry.uuid: entry for entry in plan.entries} if plan else {}
    for timing in due.keys() - entries.keys():
        call.schedule(plan_id, timing, None)
    return [entries[t] for t in due if t in entries and call.rows.get(PLAN_RUNS, plan_id, t) == due[t]]


def _queue(
    call: Call, tenant: str, name: str, actions_id: str, plan_id: str = "", due_at: datetime | None = None
) -> None:
    call.tx.append(
        models.task,
        tenant=tenant,
        account=name,
        actions_id=actions_id,
        created_at=call.now.replace(tzinfo=None),
        plan_id=plan_id,
        due_at=due_at,
    )


def run_one_off(call: Call) -> None:
    """Runs the one-off runs that wait, those of this request included, in their order."""
    own = [row for where, row in call.tx.appended if where is models.task]
    call.tx.appended[:] = [entry for entry in call.tx.appended if entry[0] is not models.task]
    # What others had queued is not the work of the job that asks now.
    foreign = replace(call, job=None, touched={})
    for task in _tasks(call.tx.connection, models.task.c.plan_id == ""):
        run(foreign, task)
    triggers.settle(foreign)
    for row in own:
        _execute(call, row["tenant"], row["account"], row["actions_id"], "")


def run(call: Call, task: Task) -> None:
    """Runs a task and removes it; nothing happens when another process has taken it. One that fails is logged and gone.

    A run is dropped when its account is gone, or was taken from the plan after the run had been claimed.
    """
    table = models.task.c
    # The id alone would not do: SQLite gives the id of a removed last row again.
    mine = (table.id == task.id, table.created_at == task.created_at, table.account == task.account)
    if not call.tx.execute(delete(models.task).where(*mine)):
        return
    if call.account(task.tenant, task.account) is None:
        return
    if task.plan_id and task.plan_id not in call.plans_of(task.tenant, task.account):
        return
    _execute(call, task.tenant, task.account, task.actions_id, task.key)


def _execute(call: Call, tenant: str, name: str, actions_id: str, key: str) -> None:
    actions = call.actions(actions_id)
    written = len(call.tx.appended)
    try:
        if actions is None:
            raise EngineError("NOT_FOUND")
        execute(call, actions, tenant, name, key)
    except EngineError as error:
        del call.tx.appended[written:]
        log.error("The run of %s for account %s (%s) failed: %s", actions_id, name, key or "one-off", error.message)
        if key:
            title = f"The charging engine could not run {actions_id} for account {name}"
            call.troubles.append(Trouble(key, title, f"Due run {key}: {error.message}"))
    else:
        log.info("Ran %s for account %s (%s)", actions_id, name, key or "one-off")
