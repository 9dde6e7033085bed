"""SetActions, GetActions, RemoveActions and ExecuteAction."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from omnicrm.domain.charging.account import flags_of
from omnicrm.domain.charging.amounts import number_of, number_text, parse_number
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.documents import Action, ActionSet
from omnicrm.domain.charging.executor import execute
from omnicrm.domain.charging.goparams import BOOL, INT, NUM, STR, STRS, GoStruct, ListOf, missing, require
from omnicrm.domain.charging.methods.accounts import page
from omnicrm.domain.charging.methods.balances import boolean
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api
from omnicrm.domain.charging.storage import ACTIONS

_COMMON = {
    **dict.fromkeys(
        (
            "Identifier",
            "BalanceId",
            "BalanceUuid",
            "BalanceType",
            "ExpiryTime",
            "TimingTags",
            "DestinationIds",
            "RatingSubject",
            "Categories",
            "SharedGroups",
            "ExtraParameters",
            "BalanceBlocker",
            "BalanceDisabled",
        ),
        STR,
    ),
    "Weight": NUM,
}
_ROW_V1 = GoStruct("V1TPAction", **_COMMON, Units=NUM, BalanceWeight=NUM, Filters=STRS)
_ROW_V2 = GoStruct("TPAction", **_COMMON, Units=STR, BalanceWeight=STR, Filters=STR)
_SET_V1 = GoStruct("V1AttrSetActions", ActionsId=STR, Overwrite=BOOL, Actions=ListOf(_ROW_V1))
_SET_V2 = GoStruct("AttrSetActions", ActionsId=STR, Overwrite=BOOL, Actions=ListOf(_ROW_V2))
_EXECUTE = GoStruct("AttrExecuteAction", Tenant=STR, Account=STR, ActionsId=STR)


@api("SetActions", _SET_V1, writes=True)
def set_actions_v1(call: Call, params: dict[str, Any]) -> str:
    return _set_actions(call, params, _from_v1)


@api("SetActions", _SET_V2, version=2, writes=True)
def set_actions(call: Call, params: dict[str, Any]) -> str:
    return _set_actions(call, params, _from_v2)


def _set_actions(call: Call, params: dict[str, Any], convert: Any) -> str:
    require(params, "ActionsId", "Actions")
    actions_id = params["ActionsId"]
    rows = params["Actions"]
    for row in rows:
        needed = ["Identifier"]
        if convert is _from_v2 and row["BalanceType"]:
            needed.append("Units")
        if absent := missing(row, *needed):
            raise EngineError(f"MANDATORY_IE_MISSING:Action:{row['Identifier']}:[{' '.join(absent)}]")
    known = call.actions(actions_id) if _stored(call, actions_id) else None
    wanted = ActionSet([convert(row) for row in rows])
    if known is not None and not params["Overwrite"]:
        if call.fixes and known == wanted and call.made_by_job("actions", "", actions_id):
            call.note(f"OC-09: the action set {actions_id} existed already, made alike by this job")
            return "OK"
        raise EngineError("EXISTS")
    call.save_actions(actions_id, wanted)
    return "OK"


def _stored(call: Call, actions_id: str) -> bool:
    return call.rows.get(ACTIONS, actions_id) is not None


def _from_v1(row: dict[str, Any]) -> Action:
    action = _common(row)
    action.units = number_text(Decimal(row["Units"]))
    action.balance_weight = float(row["BalanceWeight"]) or None
    action.filters = row["Filters"] or []
    return action


def _from_v2(row: dict[str, Any]) -> Action:
    action = _common(row)
    if row["Units"]:
        action.units = number_text(number_of(row["Units"]))
    if row["BalanceWeight"]:
        action.balance_weight = float(parse_number(row["BalanceWeight"]))
    action.filters = [part for part in row["Filters"].split(";") if part]
    return action


def _common(row: dict[str, Any]) -> Action:
    return Action(
        identifier=row["Identifier"],
        balance_id=row["BalanceId"],
        balance_uuid=row["BalanceUuid"],
        balance_type=row["BalanceType"],
        expiry=row["ExpiryTime"],
        timing_tags=row["TimingTags"],
        destinations=flags_of(row["DestinationIds"]),
        rating_subject=row["RatingSubject"],
        categories=flags_of(row["Categories"]),
        shared_groups=flags_of(row["SharedGroups"]),
        extra=row["ExtraParameters"],
        blocker=boolean(row["BalanceBlocker"]) if row["BalanceBlocker"] else None,
        disabled=boolean(row["BalanceDisabled"]) if row["BalanceDisabled"] else None,
        weight=float(row["Weight"]),
    )


@api("GetActions", STR)
def get_actions_v1(call: Call, actions_id: str) -> Any:
    """The parameter is the bare id, not an object."""
    return [action.wire() for action in _known(call, actions_id).actions]


@api("GetActions", GoStruct("AttrGetActions", ActionIDs=STRS, Offset=INT, Limit=INT), version=2)
def get_actions(call: Call, params: dict[str, Any]) -> Any:
    wanted = params["ActionIDs"] or [key[0] for key, _ in call.rows.rows(ACTIONS)]
    if not wanted:
        raise EngineError("SERVER_ERROR: NOT_FOUND")
    return {
        actions_id: [action.full_wire(actions_id) for action in _known(call, actions_id).actions]
        for actions_id in page(wanted, params)
    }


def _known(call: Call, actions_id: str) -> ActionSet:
    actions = call.actions(actions_id)
    if actions is None:
        raise EngineError("SERVER_ERROR: NOT_FOUND")
    return actions


@api("RemoveActions", GoStruct("AttrRemoveActions", ActionIDs=STRS), writes=True)
def remove_actions(call: Call, params: dict[str, Any]) -> str:
    require(params, "ActionIDs")
    for actions_id in params["ActionIDs"]:
        call.remove_actions(actions_id)
    return "OK"


@api("ExecuteAction", _EXECUTE, writes=True, account_field="Account")
def execute_action(call: Call, params: dict[str, Any]) -> str:
    actions = call.actions(params["ActionsId"])
    if actions is None:
        raise EngineError("NOT_FOUND")
    execute(call, actions, call.tenant_of(params), params["Account"])
    return "OK"
