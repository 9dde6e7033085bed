"""Suspending and resuming services (OCS-118, OC-21, PC-41): the charging engine first, then the status, then the play.

The engine is told by a job, which goes on trying while it is away; until it has answered the service keeps its status
(OCS-121). Suspending disables the account and takes it off its plans, since a plan tops up a disabled account too
(decision 11); the job remembers the plans, and resuming puts the account back on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain import alerts
from omnicrm.domain.action import Ctx, action
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.domain.errors import Conflict, DomainError, Unavailable
from omnicrm.domain.jobs import Held, Job, Runtime, job
from omnicrm.domain.provisioning.orderplays import names_in, plays_dirs
from omnicrm.domain.provisioning.orders import Order, order
from omnicrm.domain.provisioning.plays import PlayError, read_play
from omnicrm.domain.services.models import PENDING, CustomerService
from omnicrm.domain.services.resource import services

KIND = "service.set_status"
SUSPENDED = "Suspended"
_OPEN = ("queued", "running")


@action("services.suspend", permission="update_customer_service")
def suspend(ctx: Ctx, cmd: int) -> Job:
    """Stop a service until it is resumed; its balances, items and record stay. Answers the job that does it."""
    row = ctx.load(CustomerService, cmd, *services.scope(ctx.actor, services, "update"), name="Service")
    if row.group != "Active":
        raise Conflict(f"The service is {row.service_status}; only an active one can be suspended.")
    return _change(ctx, row, SUSPENDED)


@action("services.resume", permission="update_customer_service")
def unsuspend(ctx: Ctx, cmd: int) -> Job:
    """Let a suspended service work again. Answers the job that does it."""
    row = ctx.load(CustomerService, cmd, *services.scope(ctx.actor, services, "update"), name="Service")
    if row.group != SUSPENDED:
        raise Conflict(f"The service is {row.service_status}; only a suspended one can be resumed.")
    return _change(ctx, row, "Active")


def _change(ctx: Ctx, row: CustomerService, to: str) -> Job:
    under_way = open_change(ctx.session, row.service_id)
    if under_way is not None:
        word = "suspended" if under_way.args.get("to") == SUSPENDED else "resumed"
        raise Conflict(f"The service is being {word} already.", job_id=under_way.job_id)
    # The same words that an edited status gives the job (services.actions.update_service).
    return ctx.later(KIND, row.service_id, args={"to": to, "by": [ctx.actor.user_id, ctx.actor.name]})


def open_change(session: Session, service_id: int) -> Job | None:
    """The job that suspends or resumes this service right now."""
    query = select(Job).where(Job.kind == KIND, Job.subject_id == service_id, Job.state.in_(_OPEN))
    return session.scalars(query.order_by(Job.job_id.desc()).limit(1)).one_or_none()


@job(KIND, max_attempts=12, lost="service.status_unset")
def set_status(runtime: Runtime, held: Held) -> None:
    """Make the engine follow, then write the status; a second run finds the work done."""
    service_id, to = int(held.subject_id or 0), str(held.args["to"])
    if runtime.door.read_now(_is_outdated, held):
        return
    if to not in (SUSPENDED, "Active"):
        runtime.door.act_now(follow_end, SYSTEM, service_id)
        return
    row = runtime.door.read_now(lambda session: session.get(CustomerService, service_id))
    if row is None or row.group == "Inactive":
        return
    engine = runtime.port(ChargingEngine)
    try:
        if to == SUSPENDED:
            _stop_charging(runtime, held, engine, row.service_uuid)
        else:
            _resume_charging(runtime, held, engine, row.service_uuid)
    except (EngineUnavailable, EngineError) as error:
        _alarm(runtime, service_id, to, str(error))
        raise Unavailable(f"The charging engine did not take it: {error}") from error
    runtime.door.act_now(reached, SYSTEM, Reached(service_id, to, tuple(held.args.get("by") or (None, "system"))))


def _is_outdated(session: Session, held: Held) -> bool:
    """Whether somebody changed his mind meanwhile. Raises Unavailable while an earlier change is being made."""
    same = Job.kind == KIND, Job.subject_id == held.subject_id
    newer = select(Job.job_id).where(*same, Job.job_id > held.job_id, Job.state.in_((*_OPEN, "done")))
    if session.scalar(newer.limit(1)) is not None:
        return True
    older = select(Job.job_id).where(*same, Job.job_id < held.job_id, Job.state == "running")
    if session.scalar(older.limit(1)) is not None:
        raise Unavailable("An earlier change of this service is still being made.")
    return False


def _stop_charging(runtime: Runtime, held: Held, engine: ChargingEngine, account: str) -> None:
    found = engine.account(account)
    if found is None:
        return  # a service without charging
    plans = {str(entry["ActionPlanId"]) for entry in engine.action_plans(account)}
    if found.get("Disabled"):  # suspended before: what was remembered then still counts
        plans |= set(runtime.door.read_now(plans_of, held.subject_id))
    # Stored before they are given up: a crash in between must not forget them.
    runtime.door.db.write(lambda session: _remember(session, held.job_id, sorted(plans)))
    engine.call(
        "ApierV2.SetAccount",
        {
            "Account": account,
            "ActionPlanIds": [],
            "ActionPlansOverwrite": True,
            "ExtraOptions": {"Disabled": True},
            "ReloadScheduler": True,
        },
    )


def _remember(session: Session, job_id: int, plans: list[str]) -> None:
    row = session.get_one(Job, job_id)
    row.args = {**row.args, "plans": plans}


def _resume_charging(runtime: Runtime, held: Held, engine: ChargingEngine, account: str) -> None:
    if engine.account(account) is None:
        return
    engine.call("ApierV2.SetAccount", {"Account": account, "ExtraOptions": {"Disabled": False}})
    for plan in runtime.door.read_now(plans_of, held.subject_id):
        body = {"Account": account, "ActionPlanIds": [plan], "ActionPlansOverwrite": False, "ReloadScheduler": True}
        try:
            engine.call("ApierV2.SetAccount", body)
        except EngineError as error:
            if "NOT_FOUND" not in error.message:  # a plan that was removed meanwhile is not wanted any more
                raise


def plans_of(session: Session, service_id: int) -> list[str]:
    """The plans that the account of a service was on when it was suspended last; the engine may still have them."""
    query = select(Job).where(Job.kind == KIND, Job.subject_id == service_id).order_by(Job.job_id.desc())
    remembered = (row.args.get("plans") for row in session.scalars(query.limit(50)))
    return next((list(plans) for plans in remembered if plans is not None), [])


@dataclass(frozen=True)
class Reached:
    service_id: int
    to: str
    by: tuple[int | None, str]


@action("services.status_reached", permission="admin")
def reached(ctx: Ctx, cmd: Reached) -> None:
    """The engine has followed: write the status, and ask for the service's play where it handles the change (PC-41).

    The play is a job of its own: one that cannot be read, or a service that is busy, does not hold the status up.
    """
    row = ctx.load(CustomerService, cmd.service_id, name="Service")
    word = "suspend" if cmd.to == SUSPENDED else "unsuspend"
    if row.group == "Inactive":
        return
    if cmd.to == SUSPENDED:
        row.service_status = SUSPENDED
    elif row.group == SUSPENDED:
        row.service_status = PENDING if row.cancel_at is not None else "Active"
    ctx.called(row, "suspended" if cmd.to == SUSPENDED else "resumed")
    alerts.clear_alert(ctx.session, _alert_of(row.service_id), ctx.now)
    alerts.clear_alert(ctx.session, _play_alert_of(row.service_id), ctx.now)
    handled = _handled(ctx, row, word)
    if handled is not None:
        ctx.later("service.status_play", row.service_id, args={"to": cmd.to, "action": handled, "by": list(cmd.by)})


def _handled(ctx: Ctx, row: CustomerService, word: str) -> str | None:
    """The action with which the service's play takes the change: the word itself, or `update`; None for neither."""
    words: set[str] = set()
    for name in names_in(row.provisioning_play):
        try:
            words |= read_play(name, plays_dirs(ctx.settings)).actions
        except PlayError:
            continue
    return next((found for found in (word, "update") if found in words), None)


@job("service.status_play", max_attempts=8)
def run_play(runtime: Runtime, held: Held) -> None:
    """Place the play's run; an alert says that it waits, until it is placed or the status changes again."""
    try:
        runtime.door.act_now(place_play, SYSTEM, held.job_id)
    except DomainError as error:
        service_id, word = int(held.subject_id or 0), "suspended" if held.args["to"] == SUSPENDED else "resumed"
        title = f"Service {service_id} is {word}, but its play for that has not run"
        _raise(runtime, _play_alert_of(service_id), service_id, title, error.message)
        raise


@action("services.status_play", permission="admin")
def place_play(ctx: Ctx, cmd: int) -> None:
    """Order the run that job `cmd` is about, once: the job keeps its number."""
    row = ctx.session.get_one(Job, cmd, with_for_update=True)
    service = ctx.load(CustomerService, int(row.subject_id or 0), name="Service")
    if "provision_id" in row.args:
        return
    if service.group == row.args["to"]:
        made = order.body(ctx, Order({"service_id": service.service_id, "action": row.args["action"]}))
        user_id, name = row.args["by"]
        made.initiating_user, made.initiating_name = user_id or made.initiating_user, name[:150]
        row.args = {**row.args, "provision_id": made.provision_id}
    alerts.clear_alert(ctx.session, _play_alert_of(service.service_id), ctx.now)


@action("services.follow_end", permission="admin")
def follow_end(ctx: Ctx, cmd: int) -> None:
    """Staff set a service to Inactive: where one of its plays can take it down, that is done (OCS-117, PROV-229)."""
    row = ctx.load(CustomerService, cmd, name="Service")
    names = names_in(row.deprovisioning_play) or names_in(row.provisioning_play)
    if row.group == "Inactive" and row.deleted_at is None and names:
        ctx.later("service.end", row.service_id)


def _alert_of(service_id: int) -> str:
    return f"service:{service_id}:status"


def _play_alert_of(service_id: int) -> str:
    return f"service:{service_id}:status_play"


def _alarm(runtime: Runtime, service_id: int, to: str, reason: str) -> None:
    """At the first failure: a service that should be blocked is not."""
    verb = "suspended" if to == SUSPENDED else "resumed"
    title = f"Service {service_id} should be {verb}, but the charging engine did not take it"
    _raise(runtime, _alert_of(service_id), service_id, title, reason, severity="critical")


def _raise(
    runtime: Runtime, key: str, service_id: int, title: str, detail: str, severity: alerts.Severity = "warning"
) -> None:
    link, now = f"/services/{service_id}", runtime.door.clock()

    def write(session: Session) -> None:
        alerts.raise_alert(session, key, title, now, detail=detail[:500], link=link, severity=severity)

    runtime.door.db.write(write)


@job("service.status_unset", max_attempts=10)
def answer_unset(runtime: Runtime, held: Held) -> None:
    """The engine could not be told for hours: the service keeps its status, and the alert says that nobody tries on."""
    reason = str(held.args.get("reason") or "")
    failed: Any = runtime.door.read_now(lambda session: session.get(Job, held.args.get("job_id")))
    to = str(failed.args.get("to")) if failed is not None else SUSPENDED
    _alarm(runtime, int(held.subject_id or 0), to, f"{reason} It is not tried any more; please do it again.")
