"""ProcessExternalCDR and ProcessEvent: an event becomes debits and a charging record; GetCDRs reads the records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from omnicrm.domain.charging import debits, seeds, triggers
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.cdr import FAILED, Cdr, cgrid
from omnicrm.domain.charging.cdr_query import FILTER, count_cdrs, find_cdrs
from omnicrm.domain.charging.debits import Usage
from omnicrm.domain.charging.filters import passes
from omnicrm.domain.charging.goparams import BOOL, INT, MAP, NUM, STR, STRS, TEXTS, GoStruct
from omnicrm.domain.charging.gotime import parse_time, parse_usage
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api, rpc

_TEXT_FIELDS = (
    "CGRID", "RunID", "OriginHost", "Source", "OriginID", "ToR", "RequestType", "Tenant", "Category", "Account",
    "Subject", "Destination", "SetupTime", "AnswerTime", "Usage", "CostSource", "CostDetails", "ExtraInfo",
)  # fmt: skip
_EXTERNAL = GoStruct(
    "ExternalCDRWithAPIOpts",
    **dict.fromkeys(_TEXT_FIELDS, STR),
    OrderID=INT,
    ExtraFields=TEXTS,
    Cost=NUM,
    PreRated=BOOL,
)
_EVENT = GoStruct("ArgV1ProcessEvent", Tenant=STR, ID=STR, Event=MAP, Flags=STRS)
_DEBITING = ("*prepaid", "*pseudoprepaid", "*postpaid")


@rpc("CDRsV1.ProcessExternalCDR", _EXTERNAL, writes=True, account_field="Account")
def process_external_cdr(call: Call, params: dict[str, Any]) -> str:
    return _process(call, params)


@rpc("CDRsV1.ProcessEvent", _EVENT, writes=True)
def process_event(call: Call, params: dict[str, Any]) -> str:
    """The event's own fields, as text or numbers; what a record has no field for goes to ExtraFields."""
    event = params["Event"] or {}
    if not event:
        raise EngineError("MANDATORY_IE_MISSING: [Event]")
    record: dict[str, Any] = dict.fromkeys(_TEXT_FIELDS, "")
    record.update(PreRated=False, Cost=0, ExtraFields={})
    for key, value in event.items():
        if key in _TEXT_FIELDS:
            record[key] = str(value)
        elif key == "PreRated":
            record[key] = value is True or str(value).lower() == "true"
        elif key == "Cost":
            record[key] = Decimal(str(value))
        else:
            record["ExtraFields"][key] = str(value)
    record["Tenant"] = record["Tenant"] or params["Tenant"]
    return _process(call, record)


def _process(call: Call, params: dict[str, Any]) -> str:
    record = Cdr(
        cgrid=params["CGRID"] or cgrid(params["OriginID"], params["OriginHost"]),
        run_id="",
        origin_id=params["OriginID"],
        origin_host=params["OriginHost"],
        source=params["Source"],
        tor=params["ToR"] or "*voice",
        request_type=params["RequestType"] or "*rated",
        tenant=call.tenant_of(params),
        category=params["Category"] or "call",
        account=params["Account"],
        subject=params["Subject"] or params["Account"],
        destination=params["Destination"],
        setup_at=parse_time(params["SetupTime"], call.now, call.zone),
        answer_at=parse_time(params["AnswerTime"], call.now, call.zone),
        usage=parse_usage(params["Usage"]),
        extra_fields=params["ExtraFields"] or {},
        pre_rated=bool(params["PreRated"]),
        cost=Decimal(params["Cost"]) if params["PreRated"] else FAILED,
    )
    runs = _runs(call, record)
    if not runs:
        # Without a charger no event is rated; the caller must know.
        raise EngineError("PARTIALLY_EXECUTED")
    for run_id in runs:
        run = msgspec.structs.replace(record, run_id=run_id)
        if run.known(call):
            raise EngineError("EXISTS")
        if not run.pre_rated and run.request_type != "*none":
            _charge(call, run)
        run.store(call)
    return "OK"


def _runs(call: Call, record: Cdr) -> list[str]:
    """RunID of every charger profile that the event passes."""
    profiles = call.tx.cached(("chargers", record.tenant), lambda: call.profiles("charger", record.tenant))
    if not profiles and call.fixes:
        profiles = {seeds.CHARGER_ID: seeds.CHARGER}
    event = _event_of(record)
    chosen = [
        profile
        for profile in profiles.values()
        if passes(profile["FilterIDs"], event, lambda ident: call.profile("filter", record.tenant, ident), call.now)
    ]
    return [profile["RunID"] or "*default" for profile in sorted(chosen, key=lambda profile: -profile["Weight"])]


def _event_of(record: Cdr) -> dict[str, Any]:
    return {
        **record.extra_fields,
        "ToR": record.tor,
        "RequestType": record.request_type,
        "Tenant": record.tenant,
        "Category": record.category,
        "Account": record.account,
        "Subject": record.subject,
        "Destination": record.destination,
        "Source": record.source,
        "OriginID": record.origin_id,
        "OriginHost": record.origin_host,
        "Usage": record.usage,
    }


def _charge(call: Call, record: Cdr) -> None:
    """Debits the event's units and sets its cost; a failure stays on the record and debits nothing."""
    try:
        if record.request_type in _DEBITING:
            _debit(call, record)
        elif record.usage > 0:
            raise EngineError("RATING_PLAN_NOT_FOUND")
        record.cost, record.cost_source = Decimal(0), "*cdrs"
    except EngineError as error:
        record.cost, record.extra_info = FAILED, error.message


def _debit(call: Call, record: Cdr) -> None:
    account = call.account(record.tenant, record.account)
    if account is None:
        raise EngineError("ACCOUNT_NOT_FOUND")
    if account.disabled:
        raise EngineError("ACCOUNT_DISABLED")
    account.clean_expired(call.now)
    usage = Usage(
        tor=record.tor,
        category=record.category,
        destination=record.destination,
        started_at=record.answer_at or record.setup_at or call.now,
        amount=record.usage,
    )

    def prefixes(ident: str) -> list[str]:
        destination = call.tx.cached(("destination", ident), lambda: call.profile("destination", "", ident))
        return destination["Prefixes"] or [] if destination else []

    paid, rest = debits.unit_debits(account, usage, prefixes)
    if rest:
        debits.check_money(account, usage, prefixes)
        # What is left must be paid in money, and there is no tariff yet to tell how much.
        raise EngineError("RATING_PLAN_NOT_FOUND")
    debits.apply(paid)
    triggers.count(account, usage, paid, prefixes)
    call.save_account(record.tenant, record.account, account)


@api("GetCDRs", FILTER, version=2)
def get_cdrs(call: Call, params: dict[str, Any]) -> Any:
    found = find_cdrs(call, params)
    if not found:
        raise EngineError("NOT_FOUND")
    return [record.external_wire(order_id) for order_id, record in found]


@rpc("CDRsV1.GetCDRs", FILTER)
def get_raw_cdrs(call: Call, params: dict[str, Any]) -> Any:
    found = find_cdrs(call, params)
    if not found:
        raise EngineError("SERVER_ERROR: NOT_FOUND")
    return [record.wire(order_id) for order_id, record in found]


rpc("CDRsV2.GetCDRs", FILTER)(get_raw_cdrs)


@rpc("CDRsV1.GetCDRsCount", FILTER)
def get_cdrs_count(call: Call, params: dict[str, Any]) -> int:
    return count_cdrs(call, params)
