"""Groups of action triggers and the triggers of an account (cgrates.md §4, §5.7)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec

from omnicrm.domain.charging.account import Account, flags_of
from omnicrm.domain.charging.amounts import number_of, to_units
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.goparams import BOOL, MAP, STR, STRS, GoStruct, require
from omnicrm.domain.charging.gotime import parse_time, parse_usage
from omnicrm.domain.charging.methods.balances import boolean
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api
from omnicrm.domain.charging.thresholds import KINDS, Trigger

GROUP = "trigger_group"
_TRIGGERS = frozenset({"triggers"})
_ONE = GoStruct("AttrGetAccount", Tenant=STR, Account=STR)
_SET = GoStruct("AttrSetActionTrigger", GroupID=STR, UniqueID=STR, ActionTrigger=MAP)
_REMOVE = GoStruct("AttrRemoveActionTrigger", GroupID=STR, UniqueID=STR)
_CHOOSE = {"Tenant": STR, "Account": STR, "GroupID": STR, "UniqueID": STR}
_SET_OF_ACCOUNT = GoStruct("AttrSetAccountActionTriggers", **_CHOOSE, ActionTrigger=MAP)
_RESET = GoStruct("AttrResetAccountActionTriggers", **_CHOOSE, Executed=BOOL)
_ADD = GoStruct(
    "AttrAddAccountActionTriggers", Tenant=STR, Account=STR, ActionTriggerIDs=STRS, ActionTriggerOverwrite=BOOL
)

_TEXTS = {"ThresholdType": "kind", "BalanceType": "balance_type", "ActionsID": "actions_id"}
_FILTER_MAPS = {
    "BalanceDestinationIds": "destinations",
    "BalanceCategories": "categories",
    "BalanceSharedGroups": "shared_groups",
    "BalanceTimingTags": "timing_ids",
}
_FILTER_TEXTS = {"BalanceID": "id", "BalanceRatingSubject": "rating_subject"}
_FILTER_BOOLS = {"BalanceBlocker": "blocker", "BalanceDisabled": "disabled"}


def update(call: Call, trigger: Trigger, given: dict[str, Any]) -> None:
    """Puts the given fields on a trigger. Raises EngineError for what cannot be read, and for an unknown type."""
    for key, name in _TEXTS.items():
        if key in given:
            setattr(trigger, name, str(given[key]))
    if trigger.kind not in KINDS:
        raise EngineError(f"UNSUPPORTED_FORMAT:{trigger.kind}")
    if "ThresholdValue" in given:
        trigger.threshold = Decimal(number_of(given["ThresholdValue"]))
        to_units(trigger.threshold, trigger.balance_type)
    if "Weight" in given:
        trigger.weight = float(number_of(given["Weight"]))
    if "Recurrent" in given:
        trigger.recurrent = boolean(given["Recurrent"])
    if "MinSleep" in given:
        trigger.min_sleep = parse_usage(str(given["MinSleep"]))
    if "ActivationDate" in given:
        trigger.active_at = parse_time(str(given["ActivationDate"]), call.now, call.zone)
    if "ExpirationDate" in given:
        trigger.expires_at = parse_time(str(given["ExpirationDate"]), call.now, call.zone)
    _update_filter(call, trigger, given)


def _update_filter(call: Call, trigger: Trigger, given: dict[str, Any]) -> None:
    wanted = trigger.balance
    for key, name in _FILTER_TEXTS.items():
        if key in given:
            setattr(wanted, name, str(given[key]))
    for key, name in _FILTER_MAPS.items():
        if key in given:
            setattr(wanted, name, flags_of(given[key]))
    for key, name in _FILTER_BOOLS.items():
        if key in given:
            setattr(wanted, name, boolean(given[key]))
    if "BalanceWeight" in given:
        wanted.weight = float(number_of(given["BalanceWeight"]))
    if "BalanceExpirationDate" in given:
        wanted.expires_at = parse_time(str(given["BalanceExpirationDate"]), call.now, call.zone)


def new_trigger(call: Call, group: str, ident: str, given: dict[str, Any]) -> Trigger:
    """A trigger of its fields. Raises EngineError."""
    if absent := [name for name in ("ThresholdType", "ThresholdValue") if name not in given]:
        raise EngineError(f"MANDATORY_IE_MISSING: [{' '.join(absent)}]")
    trigger = Trigger(group=group, ident=ident or str(uuid4()))
    update(call, trigger, given)
    return trigger


def group(call: Call, ident: str) -> list[Trigger] | None:
    """Triggers of a group, None when there is no such group."""
    stored = call.profile(GROUP, "", ident)
    return None if stored is None else msgspec.convert(stored, list[Trigger])


def attach(account: Account, triggers: Iterable[Trigger]) -> None:
    """Gives the account those of the triggers that it does not have."""
    known = {(trigger.group, trigger.ident) for trigger in account.triggers}
    account.triggers += [trigger for trigger in triggers if (trigger.group, trigger.ident) not in known]


def attach_groups(call: Call, account: Account, idents: list[str], *, overwrite: bool) -> None:
    """Gives the account the triggers of the groups. Raises EngineError when there is no such group."""
    groups = [group(call, ident) for ident in idents]
    if overwrite:
        account.triggers = []
    for triggers in groups:
        if triggers is None:
            raise EngineError("SERVER_ERROR: NOT_FOUND")
        attach(account, triggers)


@api("SetActionTrigger", _SET, writes=True)
def set_action_trigger(call: Call, params: dict[str, Any]) -> str:
    require(params, "GroupID")
    triggers = group(call, params["GroupID"]) or []
    known = next((trigger for trigger in triggers if trigger.ident == params["UniqueID"]), None)
    if known is not None:
        update(call, known, params["ActionTrigger"] or {})
    else:
        triggers.append(new_trigger(call, params["GroupID"], params["UniqueID"], params["ActionTrigger"] or {}))
    call.save_profile(GROUP, "", params["GroupID"], msgspec.to_builtins(triggers))
    return "OK"


@api("GetActionTriggers", GoStruct("AttrGetActionTriggers", GroupIDs=STRS))
def get_action_triggers(call: Call, params: dict[str, Any]) -> Any:
    wanted = params["GroupIDs"] or list(call.profiles(GROUP, ""))
    found = [trigger.wire() for ident in wanted for trigger in group(call, ident) or ()]
    if not found:
        raise EngineError("NOT_FOUND")
    return found


@api("RemoveActionTrigger", _REMOVE, writes=True)
def remove_action_trigger(call: Call, params: dict[str, Any]) -> str:
    """Removes a trigger of a group, or the group when none is named. Accounts keep theirs."""
    require(params, "GroupID")
    left = [
        trigger for trigger in group(call, params["GroupID"]) or [] if params["UniqueID"] not in ("", trigger.ident)
    ]
    if left:
        call.save_profile(GROUP, "", params["GroupID"], msgspec.to_builtins(left))
    else:
        call.remove_profile(GROUP, "", params["GroupID"])
    return "OK"


@api("GetAccountActionTriggers", _ONE)
def get_account_action_triggers(call: Call, params: dict[str, Any]) -> Any:
    require(params, "Account")
    account = call.existing_account(call.tenant_of(params), params["Account"])
    return [trigger.wire() for trigger in account.triggers]


@api("AddAccountActionTriggers", _ADD, writes=True, account_field="Account")
def add_account_action_triggers(call: Call, params: dict[str, Any]) -> str:
    require(params, "Account", "ActionTriggerIDs")
    tenant, name = call.tenant_of(params), params["Account"]
    account = call.existing_account(tenant, name)
    attach_groups(call, account, params["ActionTriggerIDs"], overwrite=bool(params["ActionTriggerOverwrite"]))
    call.save_account(tenant, name, account, asked=_TRIGGERS)
    return "OK"


@api("SetAccountActionTriggers", _SET_OF_ACCOUNT, writes=True, account_field="Account")
def set_account_action_triggers(call: Call, params: dict[str, Any]) -> str:
    account = _account(call, params)
    for trigger in _chosen(account, params):
        update(call, trigger, params["ActionTrigger"] or {})
    call.save_account(call.tenant_of(params), params["Account"], account, asked=_TRIGGERS)
    return "OK"


@api("RemoveAccountActionTriggers", GoStruct("AttrRemoveAccountActionTriggers", **_CHOOSE), writes=True,
     account_field="Account")  # fmt: skip
def remove_account_action_triggers(call: Call, params: dict[str, Any]) -> str:
    account = _account(call, params)
    gone = _chosen(account, params)
    account.triggers = [trigger for trigger in account.triggers if trigger not in gone]
    call.save_account(call.tenant_of(params), params["Account"], account, asked=_TRIGGERS)
    return "OK"


@api("ResetAccountActionTriggers", _RESET, writes=True, account_field="Account")
def reset_account_action_triggers(call: Call, params: dict[str, Any]) -> str:
    account = _account(call, params)
    for trigger in _chosen(account, params):
        trigger.executed = bool(params["Executed"])
    call.save_account(call.tenant_of(params), params["Account"], account)
    return "OK"


def _account(call: Call, params: dict[str, Any]) -> Account:
    require(params, "Account")
    return call.existing_account(call.tenant_of(params), params["Account"])


def _chosen(account: Account, params: dict[str, Any]) -> list[Trigger]:
    """Triggers of the account that GroupID and UniqueID name; what is empty names all."""
    group_id, ident = params["GroupID"], params["UniqueID"]
    return [t for t in account.triggers if group_id in ("", t.group) and ident in ("", t.ident)]
