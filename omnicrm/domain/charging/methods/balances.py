"""AddBalance, DebitBalance, SetBalance and RemoveBalances, and GetGranted, which CGRateS does not have."""

from __future__ import annotations

from typing import Any

from omnicrm.domain.charging import balances
from omnicrm.domain.charging.account import Account, flags_of
from omnicrm.domain.charging.amounts import number_of, to_units
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.documents import Action
from omnicrm.domain.charging.executor import log_cdr
from omnicrm.domain.charging.goparams import BOOL, MAP, NUM, STR, GoStruct, require
from omnicrm.domain.charging.gotime import parse_time
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api, rpc
from omnicrm.domain.charging.thresholds import Wanted

_FIELDS = {"Tenant": STR, "Account": STR, "BalanceType": STR, "Value": NUM, "Balance": MAP, "ActionExtraData": MAP}
_ADD = GoStruct("AttrAddBalance", **_FIELDS, Overwrite=BOOL, Cdrlog=BOOL)
_SET = GoStruct("AttrSetBalance", **_FIELDS, Cdrlog=BOOL)
_TEXTS = {"ID": "id", "UUID": "uuid", "RatingSubject": "rating_subject"}
_MAPS = {
    "DestinationIDs": "destinations",
    "Categories": "categories",
    "SharedGroups": "shared_groups",
    "TimingIDs": "timing_ids",
}
_BOOLS = {"Disabled": "disabled", "Blocker": "blocker"}


def wanted_of(call: Call, params: dict[str, Any]) -> Wanted:
    """The bucket that `Balance` and the top-level `Value` describe; a top-level value other than 0 wins (OC-32)."""
    given = params["Balance"] or {}
    wanted = Wanted()
    for key, name in _TEXTS.items():
        if key in given:
            setattr(wanted, name, str(given[key]))
    for key, name in _MAPS.items():
        if key in given:
            setattr(wanted, name, flags_of(given[key]))
    for key, name in _BOOLS.items():
        if key in given:
            setattr(wanted, name, boolean(given[key]))
    if "Weight" in given:
        wanted.weight = float(number_of(given["Weight"]))
    if "Factors" in given and isinstance(given["Factors"], dict):
        wanted.factors = {name: float(number_of(factor)) for name, factor in given["Factors"].items()}
    if "ExpiryTime" in given:
        wanted.expires_at = parse_time(str(given["ExpiryTime"]), call.now, call.zone)
    value = params["Value"] or given.get("Value")
    if value is not None:
        wanted.value = abs(to_units(number_of(value), params["BalanceType"]))
    return wanted


def boolean(value: Any) -> bool:
    """A JSON boolean or the words that Go's ParseBool takes."""
    if isinstance(value, bool):
        return value
    text = str(value)
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise EngineError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


@api("AddBalance", _ADD, writes=True, account_field="Account")
def add_balance(call: Call, params: dict[str, Any]) -> str:
    return _modify(call, params, "*topup")


@api("DebitBalance", _ADD, writes=True, account_field="Account")
def debit_balance(call: Call, params: dict[str, Any]) -> str:
    return _modify(call, params, "*debit")


def _modify(call: Call, params: dict[str, Any], verb: str) -> str:
    require(params, "Account", "BalanceType")
    wanted = wanted_of(call, params)
    reset = bool(params["Overwrite"])
    tenant, name = call.tenant_of(params), params["Account"]
    account = call.account(tenant, name) or Account()
    change = balances.credit if verb == "*topup" else balances.debit
    change(account, params["BalanceType"], wanted, call.now, reset=reset)
    call.save_account(tenant, name, account)
    _log_if_asked(call, params, f"{verb}_reset" if reset else verb, wanted)
    return "OK"


@api("SetBalance", _SET, writes=True, account_field="Account")
def set_balance(call: Call, params: dict[str, Any]) -> str:
    require(params, "Account", "BalanceType")
    wanted = wanted_of(call, params)
    if not wanted.id and not wanted.uuid:
        raise EngineError("MANDATORY_IE_MISSING: [BalanceID or BalanceUUID]")
    tenant, name = call.tenant_of(params), params["Account"]
    account = call.account(tenant, name) or Account()
    balances.set_balance(account, params["BalanceType"], wanted, call.now)
    call.save_account(tenant, name, account)
    _log_if_asked(call, params, "*set_balance", wanted)
    return "OK"


def _log_if_asked(call: Call, params: dict[str, Any], verb: str, wanted: Wanted) -> None:
    if params["Cdrlog"]:
        step = Action(identifier=verb, balance_type=params["BalanceType"])
        log_cdr(call, call.tenant_of(params), params["Account"], step, wanted.amount, {})


@api("RemoveBalances", _SET, writes=True, account_field="Account")
def remove_balances(call: Call, params: dict[str, Any]) -> str:
    require(params, "Account", "BalanceType", "Balance")
    tenant, name = call.tenant_of(params), params["Account"]
    account = call.existing_account(tenant, name)
    wanted = wanted_of(call, params)
    try:
        balances.remove_balances(account, params["BalanceType"], wanted, call.now)
    except EngineError:
        raise EngineError("PARTIALLY_EXECUTED") from None
    call.save_account(tenant, name, account)
    return "OK"


@rpc("OmniSv1.GetGranted", GoStruct("AttrGetAccount", Tenant=STR, Account=STR))
def get_granted(call: Call, params: dict[str, Any]) -> Any:
    """Size of each bucket by uuid, in wire numbers (OC-23)."""
    return call.existing_account(call.tenant_of(params), params["Account"]).granted()
