"""Attribute, filter, charger and resource profiles, destinations, and AttributeSv1.ProcessEvent."""

from __future__ import annotations

from typing import Any

from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.filters import active, is_inline, passes, value_of
from omnicrm.domain.charging.goparams import (
    BOOL,
    INT,
    MAP,
    NUM,
    STR,
    STRS,
    GoStruct,
    ListOf,
    missing,
    require,
    zero,
)
from omnicrm.domain.charging.gotime import format_time, parse_time
from omnicrm.domain.charging.methods.accounts import page
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import api, rpc

INTERVAL = GoStruct("ActivationInterval", ActivationTime=STR, ExpiryTime=STR)
_ONE = GoStruct("TenantIDWithAPIOpts", Tenant=STR, ID=STR)
_PAGE = GoStruct("PaginatorWithTenant", Tenant=STR, Offset=INT, Limit=INT)
_RSR = GoStruct("RSRParser", Rules=STR)
_ATTRIBUTE = GoStruct("Attribute", FilterIDs=STRS, Path=STR, Type=STR, Value=ListOf(_RSR))
_ATTRIBUTES = GoStruct(
    "AttributeProfileWithAPIOpts",
    Tenant=STR,
    ID=STR,
    Contexts=STRS,
    FilterIDs=STRS,
    ActivationInterval=INTERVAL,
    Attributes=ListOf(_ATTRIBUTE),
    Blocker=BOOL,
    Weight=NUM,
)
_RULE = GoStruct("FilterRule", Type=STR, Element=STR, Values=STRS)
_FILTER = GoStruct("FilterWithAPIOpts", Tenant=STR, ID=STR, Rules=ListOf(_RULE), ActivationInterval=INTERVAL)
_CHARGER = GoStruct(
    "ChargerProfileWithAPIOpts",
    Tenant=STR,
    ID=STR,
    FilterIDs=STRS,
    ActivationInterval=INTERVAL,
    RunID=STR,
    AttributeIDs=STRS,
    Weight=NUM,
)


def _interval(call: Call, given: dict[str, Any]) -> dict[str, str] | None:
    if given == zero(INTERVAL):
        return None
    return {name: format_time(parse_time(text, call.now, call.zone)) for name, text in given.items()}


def check_filters(call: Call, tenant: str, ident: str, filter_ids: list[str] | None) -> None:
    """Raises EngineError when a filter profile that is named does not exist."""
    for filter_id in filter_ids or ():
        if not is_inline(filter_id) and call.profile("filter", tenant, filter_id) is None:
            raise EngineError(
                f"SERVER_ERROR: broken reference to filter: <{filter_id}> for item with ID: {tenant}:{ident}"
            )


def register(kind: str, name: str) -> None:
    """Get, Remove and Get…IDs of a kind of profile."""

    @api(f"Get{name}", _ONE)
    def get(call: Call, params: dict[str, Any]) -> Any:
        require(params, "ID")
        tenant = call.tenant_of(params)
        document = call.profile(kind, tenant, params["ID"])
        if document is None:
            raise EngineError("NOT_FOUND")
        return {"Tenant": tenant, "ID": params["ID"], **document}

    @api(f"Remove{name}", _ONE, writes=True)
    def remove(call: Call, params: dict[str, Any]) -> str:
        require(params, "ID")
        tenant = call.tenant_of(params)
        if call.profile(kind, tenant, params["ID"]) is None:
            raise EngineError("NOT_FOUND")
        call.remove_profile(kind, tenant, params["ID"])
        return "OK"

    @api(f"Get{name}IDs", _PAGE)
    def ids(call: Call, params: dict[str, Any]) -> Any:
        found = list(call.profiles(kind, call.tenant_of(params)))
        if not found:
            raise EngineError("NOT_FOUND")
        return page(found, params)


for _kind, _name in {
    "attribute": "AttributeProfile",
    "filter": "Filter",
    "charger": "ChargerProfile",
    # Resources are not kept here; plays clean them up all the same and are told that there is none (OCS-063).
    "resource": "ResourceProfile",
}.items():
    register(_kind, _name)


@api("SetAttributeProfile", _ATTRIBUTES, writes=True)
def set_attribute_profile(call: Call, params: dict[str, Any]) -> str:
    require(params, "ID", "Attributes")
    tenant, ident = call.tenant_of(params), params["ID"]
    for attribute in params["Attributes"]:
        if absent := missing(attribute, "Path"):
            raise EngineError(f"MANDATORY_IE_MISSING: [{absent[0]}]")
        check_filters(call, tenant, ident, attribute["FilterIDs"])
    check_filters(call, tenant, ident, params["FilterIDs"])
    return save(call, "attribute", params, ("Contexts", "FilterIDs", "ActivationInterval", "Attributes", "Blocker"))


@api("SetFilter", _FILTER, writes=True)
def set_filter(call: Call, params: dict[str, Any]) -> str:
    require(params, "ID")
    return save(call, "filter", params, ("Rules", "ActivationInterval"))


@api("SetChargerProfile", _CHARGER, writes=True)
def set_charger_profile(call: Call, params: dict[str, Any]) -> str:
    require(params, "ID")
    check_filters(call, call.tenant_of(params), params["ID"], params["FilterIDs"])
    return save(call, "charger", params, ("FilterIDs", "ActivationInterval", "RunID", "AttributeIDs"))


def save(call: Call, kind: str, params: dict[str, Any], names: tuple[str, ...]) -> str:
    """Stores a profile made of these fields."""
    document = {name: params[name] for name in names}
    document["ActivationInterval"] = _interval(call, params["ActivationInterval"])
    if "Weight" in params:
        document["Weight"] = params["Weight"]
    call.save_profile(kind, call.tenant_of(params), params["ID"], document)
    return "OK"


@api("SetDestination", GoStruct("AttrSetDestination", Id=STR, Prefixes=STRS, Overwrite=BOOL), writes=True)
def set_destination(call: Call, params: dict[str, Any]) -> str:
    require(params, "Id", "Prefixes")
    if not params["Overwrite"] and call.profile("destination", "", params["Id"]) is not None:
        raise EngineError("EXISTS")
    call.save_profile("destination", "", params["Id"], {"Prefixes": params["Prefixes"]})
    return "OK"


@api("GetDestination", STR)
def get_destination(call: Call, ident: str) -> Any:
    document = call.profile("destination", "", ident)
    if document is None:
        raise EngineError("NOT_FOUND")
    return {"Id": ident, **document}


@rpc(
    "AttributeSv1.ProcessEvent",
    GoStruct("AttrArgsProcessEvent", Tenant=STR, ID=STR, Context=STR, Event=MAP, AttributeIDs=STRS, APIOpts=MAP),
)
def process_event(call: Call, params: dict[str, Any]) -> Any:
    """Applies the matching attribute profiles to an event: constants and copies of other fields."""
    require(params, "Event")
    tenant, event = call.tenant_of(params), dict(params["Event"])
    matched, altered = [], []
    for ident, profile in _matching(call, tenant, event, params):
        matched.append(f"{tenant}:{ident}")
        for attribute in profile["Attributes"]:
            if attribute["Type"] not in ("*constant", "*variable", ""):
                raise EngineError(f"SERVER_ERROR: unsupported type: <{attribute['Type']}>")
            if not event_passes(call, tenant, attribute["FilterIDs"], event):
                continue
            event[attribute["Path"].removeprefix("*req.")] = "".join(
                _rule_value(rule["Rules"], attribute["Type"], event) for rule in attribute["Value"] or ()
            )
            altered.append(attribute["Path"])
        if profile["Blocker"]:
            break
    if not matched:
        raise EngineError("NOT_FOUND")
    return {
        "MatchedProfiles": matched,
        "AlteredFields": list(dict.fromkeys(altered)),
        "Tenant": tenant,
        "ID": params["ID"],
        "Time": None,
        "Event": dict(sorted(event.items())),
        "APIOpts": params["APIOpts"] or {},
    }


def _matching(
    call: Call, tenant: str, event: dict[str, Any], params: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    wanted = params["AttributeIDs"]
    context = params["Context"] or "*any"
    found = [
        (ident, profile)
        for ident, profile in call.profiles("attribute", tenant).items()
        if (not wanted or ident in wanted)
        and {context, "*any"} & set(profile["Contexts"] or ["*any"])
        and active(profile["ActivationInterval"], call.now)
        and event_passes(call, tenant, profile["FilterIDs"], event)
    ]
    return sorted(found, key=lambda item: -item[1]["Weight"])


def event_passes(call: Call, tenant: str, filter_ids: list[str] | None, event: dict[str, Any]) -> bool:
    return passes(filter_ids, event, lambda ident: call.profile("filter", tenant, ident), call.now)


def _rule_value(rule: str, kind: str, event: dict[str, Any]) -> str:
    return rule if kind == "*constant" else value_of(rule, event) or ""
