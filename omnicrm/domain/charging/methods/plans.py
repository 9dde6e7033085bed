"""SetActionPlan, GetActionPlan, RemoveActionPlan, RemoveActionTiming, GetAccountActionPlan and GetScheduledActions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.documents import Plan, PlanEntry
from omnicrm.domain.charging.goparams import ANYTHING, BOOL, INT, NUM, STR, GoStruct, ListOf, missing, require
from omnicrm.domain.charging.gotime import format_time, parse_time
from omnicrm.domain.charging.methods.accounts import page
from omnicrm.domain.charging.methods.triggers import new_trigger
from omnicrm.domain.charging.planids import carries_product, service_of
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api
from omnicrm.domain.charging.storage import LINKS, PLAN_RUNS
from omnicrm.domain.charging.tasks import run_one_off
from omnicrm.domain.charging.timing import Timing, named_timing, number_list, valid_start

_ENTRY = GoStruct(
    "AttrActionPlan",
    **dict.fromkeys(("ActionsId", "TimingID", "Years", "Months", "MonthDays", "WeekDays", "Time"), STR),
    Weight=NUM,
)
_SET = GoStruct(
    "AttrSetActionPlan",
    Id=STR,
    ActionPlan=ListOf(_ENTRY),
    Overwrite=BOOL,
    ReloadScheduler=BOOL,
    ActionTriggers=ANYTHING,
)
_DAY_FIELDS = ("Years", "Months", "MonthDays", "WeekDays")


@api("SetActionPlan", _SET, writes=True)
def set_action_plan(call: Call, params: dict[str, Any]) -> str:
    require(params, "Id", "ActionPlan")
    plan_id = params["Id"]
    rows = params["ActionPlan"]
    for row in rows:
        if absent := missing(row, "ActionsId", "Time"):
            raise EngineError(f"MANDATORY_IE_MISSING:Action:{row['ActionsId']}:[{' '.join(absent)}]")
    known = call.plan(plan_id)
    if known is not None and not params["Overwrite"] and not _made_alike(call, plan_id, known, rows):
        raise EngineError("EXISTS")
    entries = [_entry(call, plan_id, row) for row in rows]
    if known is not None and not params["Overwrite"]:
        call.note(f"OC-09: the plan {plan_id} existed already, made alike by this job")
        return "OK"
    if known is not None:
        _keep_or_detach(call, plan_id)
    call.save_plan(plan_id, Plan(entries, _triggers(call, params)))
    if params["ReloadScheduler"]:
        run_one_off(call)
    return "OK"


def _made_alike(call: Call, plan_id: str, known: Plan, rows: list[dict[str, Any]]) -> bool:
    """True for a repetition by the same job of what it set before (OC-09)."""
    return (
        call.fixes
        and call.made_by_job("action_plan", "", plan_id)
        and [entry.actions_id for entry in known.entries] == [row["ActionsId"] for row in rows]
    )


def _keep_or_detach(call: Call, plan_id: str) -> None:
    """A plan that is set anew loses its accounts, unless play fixes are on (OCS-048)."""
    accounts = call.accounts_of(plan_id)
    if call.fixes:
        if accounts:
            call.note(f"OC-09: setting the plan {plan_id} anew kept its {len(accounts)} accounts attached")
        return
    for tenant, name in accounts:
        call.detach(plan_id, tenant, name)


def _triggers(call: Call, params: dict[str, Any]) -> list[dict[str, Any]]:
    triggers = params["ActionTriggers"]
    if not call.fixes or not isinstance(triggers, list) or not triggers:
        return []
    found = [trigger for trigger in triggers if isinstance(trigger, dict)]
    for trigger in found:
        new_trigger(call, params["Id"], "", trigger)
    call.note(f"OC-10: the {len(found)} triggers of the plan {params['Id']} go to the accounts that it is attached to")
    return found


def _entry(call: Call, plan_id: str, row: dict[str, Any]) -> PlanEntry:
    if call.actions(row["ActionsId"]) is None:
        raise EngineError(f"BROKEN_REFERENCE:{row['ActionsId']}")
    return PlanEntry(
        uuid=str(uuid4()),
        actions_id=row["ActionsId"],
        timing=_timing(call, plan_id, row),
        weight=float(row["Weight"]),
    )


def _timing(call: Call, plan_id: str, row: dict[str, Any]) -> Timing:
    now = call.local_now
    named = named_timing(row["Time"], now)
    if named is not None:
        # A renewal of the 31st, or of a 29 February, runs on the last day of a month that is shorter (OCS-049).
        named.clip = named.clip or (call.fixes and row["Time"] in ("*monthly", "*yearly"))
        return named
    if not valid_start(row["Time"]):
        raise EngineError(f"UNSUPPORTED_FORMAT:{row['Time']}")
    timing = Timing(
        id=row["TimingID"],
        years=number_list(row["Years"]),
        months=number_list(row["Months"]),
        month_days=number_list(row["MonthDays"]),
        week_days=number_list(row["WeekDays"]),
        start=row["Time"],
    )
    every_day = all(row[name] in ("", "*any") for name in _DAY_FIELDS)
    if call.fixes and every_day and ":" in timing.start and "*" not in timing.start and carries_product(plan_id):
        timing.month_days = [now.day]
        timing.clip = True
        timing.not_before = _end_of_day(now)
        call.note(f"OC-05: {plan_id} asked for {timing.start} every day; it runs monthly, from day {now.day} on")
    return timing


def _end_of_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


@api("GetActionPlan", GoStruct("AttrGetActionPlan", ID=STR))
def get_action_plan(call: Call, params: dict[str, Any]) -> Any:
    wanted = call.plan_ids() if params["ID"] in ("", "*") else [params["ID"]]
    found = [(plan_id, plan) for plan_id in wanted if (plan := call.plan(plan_id)) is not None]
    if not found:
        raise EngineError("NOT_FOUND")
    return [_wire(call, plan_id, plan) for plan_id, plan in found]


def _wire(call: Call, plan_id: str, plan: Plan) -> dict[str, Any]:
    accounts = call.accounts_of(plan_id)
    return {
        "Id": plan_id,
        "AccountIDs": {f"{tenant}:{name}": True for tenant, name in accounts} or None,
        "ActionTimings": [entry.wire() for entry in plan.entries],
    }


@api("RemoveActionPlan", GoStruct("AttrGetActionPlan", ID=STR), writes=True)
def remove_action_plan(call: Call, params: dict[str, Any]) -> str:
    require(params, "ID")
    plan_id = params["ID"]
    if call.fixes and plan_id.endswith("*"):
        return _remove_by_prefix(call, plan_id)
    call.remove_plan(plan_id)
    return "OK"


def _remove_by_prefix(call: Call, pattern: str) -> str:
    """OC-06, OCS-051, OCS-052: all plans of one service; a prefix that names no service is refused."""
    if service_of(pattern) is None:
        raise EngineError(f"UNSUPPORTED_FORMAT:{pattern}")
    prefix = pattern.removesuffix("*")
    removed = [plan_id for plan_id in call.plan_ids() if plan_id.startswith(prefix)]
    for plan_id in removed:
        call.remove_plan(plan_id)
    call.note(f"OC-06: {pattern} removed {', '.join(removed) or 'no plan'}")
    return "OK"


@api(
    "RemoveActionTiming",
    GoStruct(
        "AttrRemoveActionTiming", ActionPlanId=STR, ActionTimingId=STR, Tenant=STR, Account=STR, ReloadScheduler=BOOL
    ),
    writes=True,
    account_field="Account",
)
def remove_action_timing(call: Call, params: dict[str, Any]) -> str:
    require(params, "ActionPlanId")
    plan_id = params["ActionPlanId"]
    plan = call.plan(plan_id)
    if plan is None:
        raise EngineError("SERVER_ERROR: NOT_FOUND")
    if params["Account"]:
        call.detach(plan_id, call.tenant_of(params), params["Account"])
    elif params["ActionTimingId"]:
        plan.entries = [entry for entry in plan.entries if entry.uuid != params["ActionTimingId"]]
        call.save_plan(plan_id, plan)
    else:
        call.remove_plan(plan_id)
    if params["ReloadScheduler"]:
        run_one_off(call)
    return "OK"


@api("GetAccountActionPlan", GoStruct("AttrGetAccount", Tenant=STR, Account=STR))
def get_account_action_plan(call: Call, params: dict[str, Any]) -> Any:
    require(params, "Account")
    return [
        {
            "ActionPlanId": plan_id,
            "Uuid": entry.uuid,
            "ActionsId": entry.actions_id,
            "NextExecTime": format_time(runs.get(entry.uuid)),
        }
        for plan_id in call.plans_of(call.tenant_of(params), params["Account"])
        if (plan := call.plan(plan_id)) is not None
        for runs in [call.next_runs(plan_id)]
        for entry in plan.entries
    ]


@api(
    "GetScheduledActions",
    GoStruct("ArgsGetScheduledActions", Tenant=STR, Account=STR, TimeStart=STR, TimeEnd=STR, Offset=INT, Limit=INT),
)
def get_scheduled_actions(call: Call, params: dict[str, Any]) -> Any:
    begin, end = (parse_time(params[name] or "", call.now, call.zone) for name in ("TimeStart", "TimeEnd"))
    members: dict[str, list[tuple[str, str]]] = {}
    for (plan_id, tenant, name), _ in call.rows.rows(LINKS):
        members.setdefault(plan_id, []).append((tenant, name))
    found = []
    for (plan_id, timing), naive in call.rows.rows(PLAN_RUNS):
        moment = naive.replace(tzinfo=UTC)
        outside = (begin and moment < begin) or (end and moment >= end)
        if not outside and _concerns(params, members.get(plan_id, [])):
            found.append((moment, plan_id, timing))
    if not found:
        raise EngineError("NOT_FOUND")
    return [
        {
            "NextRunTime": format_time(moment),
            "Accounts": len(members.get(plan_id, [])),
            "ActionPlanID": plan_id,
            "ActionTimingUUID": timing,
            "ActionsID": entry.actions_id,
        }
        for moment, plan_id, timing in page(sorted(found), params)
        if (plan := call.plan(plan_id)) is not None
        for entry in plan.entries
        if entry.uuid == timing
    ]


def _concerns(params: dict[str, Any], accounts: list[tuple[str, str]]) -> bool:
    tenant, account = params["Tenant"], params["Account"]
    if not tenant and not account:
        return True
    return any((not tenant or tenant == t) and (not account or account == name) for t, name in accounts)
