"""Reads the ids of the engine's objects: which service and product they belong to (OC-07, OCS-071). Pure."""

from __future__ import annotations

import re

_MONTHLY = re.compile(r"ActionPlan_Monthly_(?P<service>.+)_(?P<product>[^_]+)")
_CHARGE = re.compile(r"ActionPlan_(?P<service>.+)_Monthly_Charge")
_RENEWAL_ACTIONS = re.compile(r"Action_AutoTopup_(?P<service>.+)_[^_]+")
_ACCOUNT_PROFILE = re.compile(r"(?:ATTR_ACCOUNT|FLTR_ACCOUNT)_(?P<service>.+)")
_PAIR = re.compile(r"(?P<key>[A-Za-z]+)_(?P<value>.+)")


def split_plan_id(plan_id: str) -> dict[str, str | int]:
    """Parts of a plan id: ServiceID, ProductID and whatever other `Key_value` parts it has; numbers as int.

    Understood are `Key_value__Key_value__…`, `ActionPlan_Monthly_{uuid}_{product}` and
    `ActionPlan_{uuid}_Monthly_Charge`; any other id gives an empty dict.
    """
    if match := _MONTHLY.fullmatch(plan_id):
        return {"ServiceID": match["service"], "ProductID": _number(match["product"])}
    if match := _CHARGE.fullmatch(plan_id):
        return {"ServiceID": match["service"]}
    parts: dict[str, str | int] = {}
    if "__" in plan_id:
        for part in plan_id.split("__"):
            if match := _PAIR.fullmatch(part):
                parts[match["key"]] = _number(match["value"])
    return parts


def _number(text: str) -> str | int:
    return int(text) if re.fullmatch(r"\d{1,18}", text) else text


def carries_product(plan_id: str) -> bool:
    """True for the plan of one service's product, the documented form of a renewal."""
    parts = split_plan_id(plan_id)
    return bool(parts.get("ServiceID")) and "ProductID" in parts


def same_product(plan_id: str, other: str) -> bool:
    """True when both are renewals of the same product."""
    product = split_plan_id(plan_id).get("ProductID")
    return product is not None and product == split_plan_id(other).get("ProductID")


def service_of_actions(actions_id: str) -> str | None:
    """Account (service uuid) that the id of an action set names."""
    match = _RENEWAL_ACTIONS.fullmatch(actions_id)
    return match["service"] if match else service_of(actions_id)


def service_of_profile(ident: str) -> str | None:
    """Account (service uuid) that the id of an attribute profile or a filter names."""
    match = _ACCOUNT_PROFILE.fullmatch(ident)
    return match["service"] if match else None


def service_of(plan_id: str) -> str | None:
    """Account (service uuid) that the id names, also of a prefix such as `ServiceID_{uuid}__*`."""
    service = split_plan_id(plan_id.removesuffix("*")).get("ServiceID")
    return str(service) if service else None
