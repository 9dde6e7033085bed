"""Threshold profiles and the hits of events on them (cgrates.md §4, "ThresholdSv1").

Account changes and CDRs are not fed in by themselves: a threshold counts the events of `ThresholdSv1.ProcessEvent`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.executor import execute
from omnicrm.domain.charging.filters import active
from omnicrm.domain.charging.goparams import BOOL, DURATION, INT, MAP, NUM, STR, STRS, GoStruct, Kind, ListOf, require
from omnicrm.domain.charging.gotime import ZERO_TIME, format_time, parse_time
from omnicrm.domain.charging.methods.profiles import INTERVAL, check_filters, event_passes, register, save
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api, rpc

log = logging.getLogger(__name__)

PROFILE, HITS = "threshold", "threshold_hits"
_FIELDS: dict[str, Kind | ListOf | GoStruct] = {
    "FilterIDs": STRS,
    "ActivationInterval": INTERVAL,
    "MaxHits": INT,
    "MinHits": INT,
    "MinSleep": DURATION,
    "Blocker": BOOL,
    "ActionIDs": STRS,
    "Async": BOOL,
}
_PROFILE = GoStruct("ThresholdProfileWithAPIOpts", Tenant=STR, ID=STR, **_FIELDS, Weight=NUM)
_EVENT = GoStruct("ThresholdsArgsProcessEvent", Tenant=STR, ID=STR, ThresholdIDs=STRS, Event=MAP, APIOpts=MAP)
_FRESH = {"Hits": 0, "Snooze": ZERO_TIME}

register(PROFILE, "ThresholdProfile")


@api("SetThresholdProfile", _PROFILE, writes=True)
def set_threshold_profile(call: Call, params: dict[str, Any]) -> str:
    require(params, "ID")
    tenant, ident = call.tenant_of(params), params["ID"]
    check_filters(call, tenant, ident, params["FilterIDs"])
    if call.profile(PROFILE, tenant, ident) is None:
        call.remove_profile(HITS, tenant, ident)
    return save(call, PROFILE, params, tuple(_FIELDS))


@rpc("ThresholdSv1.GetThreshold", GoStruct("TenantIDWithAPIOpts", Tenant=STR, ID=STR))
def get_threshold(call: Call, params: dict[str, Any]) -> Any:
    require(params, "ID")
    tenant, ident = call.tenant_of(params), params["ID"]
    if call.profile(PROFILE, tenant, ident) is None:
        raise EngineError("NOT_FOUND")
    return {"Tenant": tenant, "ID": ident, **(call.profile(HITS, tenant, ident) or _FRESH)}


@rpc("ThresholdSv1.ProcessEvent", _EVENT, writes=True)
def process_event(call: Call, params: dict[str, Any]) -> list[str]:
    """Counts the event on the thresholds that it matches, and runs the actions of those that are reached."""
    require(params, "Event")
    tenant, event, wanted = call.tenant_of(params), params["Event"], params["ThresholdIDs"]
    found = [
        (ident, profile)
        for ident, profile in call.profiles(PROFILE, tenant).items()
        if (not wanted or ident in wanted)
        and active(profile["ActivationInterval"], call.now)
        and event_passes(call, tenant, profile["FilterIDs"], event)
    ]
    if not found:
        raise EngineError("NOT_FOUND")
    matched = []
    for ident, profile in sorted(found, key=lambda item: -item[1]["Weight"]):
        matched.append(ident)
        _hit(call, tenant, ident, profile, str(event.get("Account") or ""))
        if profile["Blocker"]:
            break
    return matched


def _hit(call: Call, tenant: str, ident: str, profile: dict[str, Any], account: str) -> None:
    """One more hit. `MaxHits` -1 is without end; a threshold that has had its last hit counts anew."""
    state = dict(call.profile(HITS, tenant, ident) or _FRESH)
    state["Hits"] += 1
    last = profile["MaxHits"]
    snooze = parse_time(state["Snooze"], call.now)
    awake = snooze is None or snooze <= call.now
    if awake and state["Hits"] >= profile["MinHits"] and (last == -1 or state["Hits"] <= last):
        for actions_id in profile["ActionIDs"] or ():
            _run(call, tenant, ident, actions_id, account)
        state["Snooze"] = format_time(call.now + timedelta(microseconds=profile["MinSleep"] // 1000))
    if state["Hits"] == last:
        call.remove_profile(HITS, tenant, ident)
    else:
        call.save_profile(HITS, tenant, ident, state)


def _run(call: Call, tenant: str, ident: str, actions_id: str, account: str) -> None:
    written = len(call.tx.appended)
    actions = call.actions(actions_id)
    try:
        if actions is None:
            raise EngineError("NOT_FOUND")
        execute(call, actions, tenant, account)
    except EngineError as error:
        del call.tx.appended[written:]
        log.error("Threshold %s could not run %s for account %s: %s", ident, actions_id, account, error.message)
