"""What a deprovision that ended well leaves: an ended service, free stock, nothing that charges (PROV-235, OC-06)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain import alerts
from omnicrm.domain.action import Ctx, action
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.charging import planids
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.domain.errors import Unavailable
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.inventory.models import Inventory
from omnicrm.domain.jobs import Held, Runtime, job
from omnicrm.domain.provisioning import suspending
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.orderplays import is_extra
from omnicrm.domain.services.models import PENDING, CustomerService
from omnicrm.domain.services.queries import INACTIVE


def close(ctx: Ctx, row: Provision, *, keep_stock: bool = False) -> None:
    """The final state of a service whose deprovision ended well, whatever its play left open (PROV-235, CRM-204).

    With `keep_stock` items that are still linked stay so: a SIM that the network has not let go of is not for others.
    The play's own words and states stay. A deprovision of another product than the service's took an add-on away:
    then only that product's renewals are swept.
    """
    service = _service_of(ctx, row)
    if service is None:
        return
    ctx.later("provision.sweep", row.provision_id)
    if is_extra(service, row.product_id):
        return
    if service.group != "Inactive" or service.service_status == PENDING:
        service.service_status = "Inactive"
    if service.service_deactivate_date is None or service.service_deactivate_date > ctx.now:
        service.service_deactivate_date = ctx.now
    service.cancel_at = service.status_before = None
    service.auto_renew = False
    service.deleted_at = service.deleted_at or ctx.now  # leaves the customer's own lists (PROV-236)
    if not keep_stock:
        free_stock(ctx, service)
    alerts.clear_alert(ctx.session, alert_of(service.service_id), ctx.now)
    children = select(CustomerService.service_id).where(
        CustomerService.bundled_parent == service.service_id, CustomerService.service_status.not_in(INACTIVE)
    )
    for child in ctx.session.scalars(children):  # a bundle ends whole, also where its play forgot a part
        ctx.later("service.end", child)


def _service_of(ctx: Ctx, row: Provision) -> CustomerService | None:
    """The service that a deprovision was for, locked."""
    if row.action != "deprovision" or row.service_id is None:
        return None
    return ctx.session.get(CustomerService, row.service_id, with_for_update=True)


def lives_again(session: Session, row: Provision) -> bool:
    """Whether somebody uses a service again whose deprovision ended well."""
    service = session.get(CustomerService, row.service_id) if row.service_id is not None else None
    if service is None or row.action != "deprovision" or row.provisioning_status != Status.SUCCESS:
        return False
    return service.group != "Inactive" and not is_extra(service, row.product_id)


def free_kept_stock(ctx: Ctx, row: Provision) -> None:
    """A deprovision that now leaves nothing behind gives back the items that `close` had kept.

    Nothing happens where the service lives again, or lives on because an add-on was taken away.
    """
    service = _service_of(ctx, row)
    if service is not None and service.group == "Inactive" and not is_extra(service, row.product_id):
        free_stock(ctx, service)


def free_stock(ctx: Ctx, service: CustomerService) -> None:
    """Take every item off an ended service."""
    for item in ctx.session.scalars(select(Inventory).where(Inventory.service_id == service.service_id)):
        stock.unlink(ctx, item)


def alert_of(service_id: int) -> str:
    """The alert of a service that should end and does not."""
    return f"service:{service_id}:end"


@job("provision.sweep", max_attempts=8, lost="provision.unswept")
def sweep(runtime: Runtime, held: Held) -> None:
    """Remove what would still charge an ended service, and say what it was (OC-06): plans, and an enabled account."""
    found = runtime.door.read_now(_ended, held.subject_id)
    if found is None:
        return
    try:
        removed = _swept(runtime.port(ChargingEngine), *found)
    except EngineUnavailable as error:
        raise Unavailable(f"The charging engine cannot be reached: {error}") from error
    except EngineError as error:
        raise Unavailable(f"The charging engine refused: {error.message}") from error
    runtime.door.act_now(note_swept, SYSTEM, Swept(int(held.subject_id or 0), tuple(removed)))


def _ended(session: Any, provision_id: int) -> tuple[str, int | None, bool, list[str]] | None:
    """Account, product, whether the whole service ended, and the plans that it was taken off while suspended."""
    job = session.get(Provision, provision_id)
    service = session.get(CustomerService, job.service_id) if job is not None and job.service_id else None
    if service is None or lives_again(session, job):
        return None
    paused = suspending.plans_of(session, service.service_id)
    return service.service_uuid, job.product_id, not is_extra(service, job.product_id), paused


def _swept(
    engine: ChargingEngine, account: str, product_id: int | None, whole: bool, paused: Iterable[str]
) -> list[str]:
    removed = []
    plans = {str(entry["ActionPlanId"]): str(entry.get("ActionsId") or "") for entry in engine.action_plans(account)}
    for plan in paused:
        if plan not in plans and planids.service_of(plan) == account:
            plans |= _plan_without_account(engine, plan)
    for plan, actions in sorted(plans.items()):
        own = planids.service_of(plan) == account
        if own and (whole or planids.split_plan_id(plan).get("ProductID") == product_id):
            engine.call("ApierV1.RemoveActionPlan", {"Id": plan})
            removed.append(f"renewal {plan}")
            if _is_named_after(account, actions):  # others run what is not
                engine.call("APIerSv1.RemoveActions", {"ActionIDs": [actions]})
                removed.append(f"actions {actions}")
        elif whole:  # a plan that serves others too
            engine.call("ApierV1.RemoveActionTiming", {"ActionPlanId": plan, "Account": account})
            removed.append(f"membership in plan {plan}")
    found = engine.account(account) if whole else None
    if found is not None and not found.get("Disabled"):
        engine.call("ApierV2.SetAccount", {"Account": account, "ExtraOptions": {"Disabled": True}})
        removed.append("the account was still enabled; it is disabled now")
    return removed


def _plan_without_account(engine: ChargingEngine, plan: str) -> dict[str, str]:
    """Its id and that of its actions; empty where the engine has it no more."""
    try:
        rows = engine.call("ApierV1.GetActionPlan", {"ID": plan}) or []
    except EngineError as error:
        if error.message.endswith("NOT_FOUND"):
            return {}
        raise
    return {plan: next((str(entry["ActionsID"]) for row in rows for entry in row["ActionTimings"] or ()), "")}


def _is_named_after(account: str, actions: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(account)}(?![A-Za-z0-9])", actions) is not None


@dataclass(frozen=True)
class Swept:
    provision_id: int
    removed: tuple[str, ...]


@action("provision.swept", permission="admin")
def note_swept(ctx: Ctx, cmd: Swept) -> None:
    """Log what the play had left in the charging engine; nothing where it left nothing."""
    row = ctx.load(Provision, cmd.provision_id)
    alerts.clear_alert(ctx.session, f"provision:{row.provision_id}:sweep", ctx.now)
    if cmd.removed:
        ctx.note(
            "service",
            "sweep",
            "Charging of the ended service was stopped",
            description="\n".join(cmd.removed),
            customer_id=row.customer_id,
            service_id=row.service_id,
            entity_id=row.service_id,
        )


@job("provision.unswept", max_attempts=10)
def answer_unswept(runtime: Runtime, held: Held) -> None:
    """The engine could not be asked for hours: an ended service may still be charged."""
    alarm(
        runtime,
        f"provision:{held.subject_id}:sweep",
        "An ended service may still be charged",
        str(held.args.get("reason") or ""),
        f"/provisioning/{held.subject_id}",
    )


def alarm(runtime: Runtime, key: str, title: str, detail: str, link: str) -> None:
    """Raise a critical alert from a job."""
    now = runtime.door.clock()
    runtime.door.db.write(
        lambda session: alerts.raise_alert(session, key, title, now, detail=detail, link=link, severity="critical")
    )
