"""SetAccount, GetAccount(s) and RemoveAccount."""

from __future__ import annotations

from typing import Any

from omnicrm.domain.charging.account import Account
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.goparams import BOOL, FLAGS, INT, STR, STRS, GoStruct, require
from omnicrm.domain.charging.methods.triggers import attach, attach_groups, new_trigger
from omnicrm.domain.charging.planids import carries_product, same_product
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api
from omnicrm.domain.charging.storage import ACCOUNTS
from omnicrm.domain.charging.tasks import queue_one_off, run_one_off

_ONE = GoStruct("AttrGetAccount", Tenant=STR, Account=STR)
_MANY = GoStruct("AttrGetAccounts", Tenant=STR, AccountIDs=STRS, Offset=INT, Limit=INT, Filter=FLAGS)
_SET_V1 = GoStruct(
    "AttrSetAccount",
    Tenant=STR,
    Account=STR,
    ActionPlanID=STR,
    ActionTriggersID=STR,
    ExtraOptions=FLAGS,
    ReloadScheduler=BOOL,
)
_SET_V2 = GoStruct(
    "AttrSetAccount",
    Tenant=STR,
    Account=STR,
    ActionPlanIDs=STRS,
    ActionPlansOverwrite=BOOL,
    ActionTriggerIDs=STRS,
    ActionTriggerOverwrite=BOOL,
    ExtraOptions=FLAGS,
    ReloadScheduler=BOOL,
)
_REMOVE = GoStruct("AttrRemoveAccount", Tenant=STR, Account=STR, ReloadScheduler=BOOL)


@api("GetAccount", _ONE, version=2)
def get_account(call: Call, params: dict[str, Any]) -> Any:
    tenant, name = call.tenant_of(params), params["Account"]
    return call.existing_account(tenant, name).wire(tenant, name)


@api("GetAccount", _ONE)
def get_account_v1(call: Call, params: dict[str, Any]) -> Any:
    tenant, name = call.tenant_of(params), params["Account"]
    return call.existing_account(tenant, name).old_wire(tenant, name)


@api("GetAccounts", _MANY, version=2)
def get_accounts(call: Call, params: dict[str, Any]) -> Any:
    tenant = call.tenant_of(params)
    return [account.wire(tenant, name) for name, account in _chosen(call, tenant, params)]


@api("GetAccounts", _MANY)
def get_accounts_v1(call: Call, params: dict[str, Any]) -> Any:
    tenant = call.tenant_of(params)
    return [account.old_wire(tenant, name) for name, account in _chosen(call, tenant, params)]


def _chosen(call: Call, tenant: str, params: dict[str, Any]) -> list[tuple[str, Account]]:
    names = params["AccountIDs"] or [key[1] for key, _ in call.rows.rows(ACCOUNTS, tenant=tenant)]
    wanted = params["Filter"] or {}
    found = []
    for name in page(names, params):
        account = call.account(tenant, name)
        if account is None:
            continue
        if wanted.get("Disabled") not in (None, account.disabled):
            continue
        if wanted.get("AllowNegative") not in (None, account.allow_negative):
            continue
        found.append((name, account))
    return found


def page(items: list[Any], params: dict[str, Any]) -> list[Any]:
    """The part that Offset and Limit name; no Limit means all."""
    offset = max(params["Offset"], 0)
    return items[offset : offset + params["Limit"]] if params["Limit"] > 0 else items[offset:]


@api("GetAccountsCount", GoStruct("TenantWithAPIOpts", Tenant=STR))
def get_accounts_count(call: Call, params: dict[str, Any]) -> int:
    return len(call.rows.rows(ACCOUNTS, tenant=call.tenant_of(params)))


@api("SetAccount", _SET_V2, version=2, writes=True, account_field="Account")
def set_account(call: Call, params: dict[str, Any]) -> str:
    require(params, "Account")
    return _set_account(call, params, params["ActionPlanIDs"] or [], bool(params["ActionPlansOverwrite"]))


@api("SetAccount", _SET_V1, writes=True, account_field="Account")
def set_account_v1(call: Call, params: dict[str, Any]) -> str:
    require(params, "Account")
    plan_id = params["ActionPlanID"]
    group_id = params["ActionTriggersID"]
    params["ActionTriggerIDs"] = [group_id] if group_id else []
    params["ActionTriggerOverwrite"] = bool(group_id)
    return _set_account(call, params, [plan_id] if plan_id else [], overwrite=bool(plan_id))


def _set_account(call: Call, params: dict[str, Any], plan_ids: list[str], overwrite: bool) -> str:
    tenant, name = call.tenant_of(params), params["Account"]
    plans = {plan_id: call.plan(plan_id) for plan_id in plan_ids}
    if None in plans.values():
        raise EngineError("SERVER_ERROR: NOT_FOUND")
    account = call.account(tenant, name) or Account()
    options = params["ExtraOptions"] or {}
    account.allow_negative = options.get("AllowNegative", account.allow_negative)
    account.disabled = options.get("Disabled", account.disabled)
    attach_groups(call, account, params["ActionTriggerIDs"] or [], overwrite=bool(params["ActionTriggerOverwrite"]))
    for plan_id, plan in plans.items():
        given = enumerate(plan.triggers, 1) if plan else ()
        attach(account, [new_trigger(call, plan_id, str(number), trigger) for number, trigger in given])
    asked = {"AllowNegative": "allow_negative", "Disabled": "disabled"}
    settings = {setting for option, setting in asked.items() if option in options}
    if params["ActionTriggerIDs"] or any(plan and plan.triggers for plan in plans.values()):
        settings.add("triggers")
    call.save_account(tenant, name, account, asked=frozenset(settings))
    attached = call.plans_of(tenant, name)
    if overwrite:
        for plan_id in _replaced(call, attached, plan_ids):
            call.detach(plan_id, tenant, name)
    for plan_id, plan in plans.items():
        if plan is not None and (plan_id in attached or queue_one_off(call, plan, tenant, name)):
            call.attach(plan_id, tenant, name)
    if params["ReloadScheduler"]:
        run_one_off(call)
    return "OK"


def _replaced(call: Call, attached: list[str], plan_ids: list[str]) -> list[str]:
    """Plans that an overwrite detaches; a single renewal plan replaces plans of its product only (OC-08)."""
    others = [plan_id for plan_id in attached if plan_id not in plan_ids]
    if not call.fixes or len(plan_ids) != 1 or not carries_product(plan_ids[0]):
        return others
    replaced = [plan_id for plan_id in others if same_product(plan_id, plan_ids[0])]
    if kept := [plan_id for plan_id in others if plan_id not in replaced]:
        call.note(f"OC-08: attaching {plan_ids[0]} left the account's other renewals in place: {', '.join(kept)}")
    return replaced


@api("RemoveAccount", _REMOVE, writes=True, account_field="Account")
def remove_account(call: Call, params: dict[str, Any]) -> str:
    require(params, "Account")
    tenant, name = call.tenant_of(params), params["Account"]
    if call.job is not None and name not in call.job.service_uuids and call.account(tenant, name) is not None:
        _check_made(call, tenant, name)
    call.remove_account(tenant, name)
    if params["ReloadScheduler"]:
        run_one_off(call)
    return "OK"


def _check_made(call: Call, tenant: str, name: str) -> None:
    """A job removes what it made or what belongs to its services, nothing else (PC-18)."""
    if not call.made_by_job("account", tenant, name):
        raise EngineError(f"UNAUTHORIZED: this job did not make account {name}")
