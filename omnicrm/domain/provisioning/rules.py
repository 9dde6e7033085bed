"""Which variables a job gets: parsing, merge order, reserved names, what customers may send. Pure (PROV-137–148)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from omnicrm.domain.errors import Invalid

#: Set by the system alone (PROV-139).
SYSTEM_NAMES = frozenset(
    {"access_token", "initiating_user", "product_id", "customer_id", "service_id", "crm_config", "provision_id"}
)
#: Keys of a request that steer the job; they are read by the order itself and never become variables.
CONTROL_KEYS = frozenset(
    {"product_id", "customer_id", "service_id", "provisioning_play", "provisioning_json_vars", "provisioning_chain"}
)
#: What a customer's own order may carry beside inventory (PROV-148, PC-38).
CUSTOMER_KEYS = frozenset(
    {"auto_renew", "site_id", "billing_contact_id", "technical_contact_id", "purchase_order_number", "install_date"}
)
#: Names that mean something to Ansible itself.
_ANSIBLE_NAMES = frozenset(
    {"hostvars", "groups", "group_names", "inventory_hostname", "inventory_hostname_short", "inventory_dir", "vars"}
    | {"inventory_file", "playbook_dir", "play_hosts", "role_name", "role_names", "role_path", "omit", "environment"}
    | {"lookup", "query", "q", "item", "loop_control", "connection", "hosts", "tasks", "undef"}
)
_NAME = re.compile(r"[^\W\d][\w .\-/()]{0,119}")
_MAX_DEPTH = 20
_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Merged:
    variables: dict[str, Any]
    #: Reserved names that somebody tried to set and that were left out; worth a warning on the job (PC-08).
    dropped: tuple[str, ...] = ()


def parse_json_vars(value: str | Mapping[str, Any] | None, field: str = "provisioning_json_vars") -> dict[str, Any]:
    """`provisioning_json_vars` as an object; empty means none, raw line breaks inside texts are allowed (PC-28).

    Raises Invalid({field: …}) with line and column of the error.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    if not value.strip():
        return {}
    try:
        parsed = json.loads(value, strict=False)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Invalid({field: f"this is not valid JSON ({where}: {error.msg})"}) from error
    except RecursionError as error:
        raise Invalid({field: "the JSON is nested too deeply"}) from error
    if not isinstance(parsed, dict):
        raise Invalid({field: 'give a JSON object, such as {"data_gb": 20}'})
    return parsed


def merge_variables(
    *,
    product: Mapping[str, Any],
    request: Mapping[str, Any],
    inventory: Mapping[str, int],
    system: Mapping[str, Any],
    play_names: Collection[str] = (),
) -> Merged:
    """The variables of a job: product < request < inventory < system (PC-08).

    `product` and `request` are parsed values, `inventory` maps a template's name to the chosen item's id and appears
    under that name and under its identifier form (`SIM Card`, `SIM_Card`; PC-40); None values of `system` stay
    undefined (PROV-144). `play_names` are the names that the play sets itself (plays.Play.own_names).
    Raises Invalid naming each key that is no variable name, that the play sets itself and the product does not
    declare (decision 32), or whose value is no plain JSON.
    """
    errors: dict[str, str] = {}
    dropped: list[str] = []
    merged: dict[str, Any] = {}
    for source, values in (("product", product), ("request", request)):
        for name, value in values.items():
            if name in CONTROL_KEYS and source == "request":
                continue
            if is_reserved(name):
                dropped.append(name)
            elif text := _fault(name, value):
                errors[name] = text
            elif source == "request" and name in play_names and name not in product and name != "service_uuid":
                errors[name] = "the play sets this value itself; let the product declare it to allow it in an order"
            else:
                merged[name] = value
    present = {name: value for name, value in system.items() if value is not None}
    if "service_uuid" in request and not may_name_service(merged.get("action"), present.get("service_id")):
        errors["service_uuid"] = "only an order for an existing service (service_id) or a deprovision may name it"
    if errors:
        raise Invalid(errors)
    for template, inventory_id in inventory.items():
        merged[template] = merged[identifier(template)] = inventory_id
    merged.update(present)
    if len(json.dumps(merged, default=str)) > _MAX_BYTES:
        raise Invalid({"provisioning_json_vars": f"the variables of one job may take {_MAX_BYTES // 1024} KB at most"})
    return Merged(merged, tuple(dict.fromkeys(dropped)))


def may_name_service(action: Any, service_id: Any) -> bool:
    """Whether a request may carry `service_uuid` (decision 32): else a play could be led to a stranger's account."""
    return action == "deprovision" or service_id is not None


def customer_request(request: Mapping[str, Any], inventory: Iterable[str]) -> dict[str, Any]:
    """A customer's own order, checked: only what the order form offers (PROV-148). Raises Invalid naming the rest.

    `inventory` are the template names that the product asks for.
    """
    forms = {form for template in inventory for form in (template, identifier(template))}
    # The play and the defaults of a product are not a customer's choice (PC-39, PROV-146).
    allowed = CUSTOMER_KEYS | {"product_id", "customer_id", "service_id"} | forms
    refused = [name for name in request if name not in allowed]
    if refused:
        raise Invalid(dict.fromkeys(refused, "this cannot be set with an order of your own"))
    return dict(request)


def is_reserved(name: str) -> bool:
    """Names that only the system or Ansible gives a value."""
    return name in SYSTEM_NAMES or name in _ANSIBLE_NAMES or name.lower().startswith(("ansible_", "__"))


def identifier(template: str) -> str:
    """`SIM Card` as a plain variable name: `SIM_Card` (PC-40)."""
    return re.sub(r"\W", "_", template)


def renews(value: Any) -> bool:
    """Whether an `auto_renew` of any documented spelling means on; `prompt` means off (PROV-145)."""
    return str(value).strip().lower() in ("true", "1", "yes")


def _fault(name: str, value: Any) -> str | None:
    if not _NAME.fullmatch(name):
        return "this is no variable name: a letter first, then letters, digits, spaces and . - / ( ) _"
    return _value_fault(value, 0)


def is_plain(value: Any) -> bool:
    """Whether a value that a play or an outside system gave may become a variable of another run."""
    return _value_fault(value, 0) is None


def _value_fault(value: Any, depth: int) -> str | None:
    if depth > _MAX_DEPTH:
        return f"values may be nested {_MAX_DEPTH} deep at most"
    if value is None or isinstance(value, bool | int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else "this is no finite number"
    if isinstance(value, str):
        return _text_fault(value)
    if isinstance(value, Mapping):
        faults = (_key_fault(key) or _value_fault(item, depth + 1) for key, item in value.items())
    elif isinstance(value, list | tuple):
        faults = (_value_fault(item, depth + 1) for item in value)
    else:
        return f"a {type(value).__name__} is no JSON value"
    return next((fault for fault in faults if fault), None)


def _key_fault(key: Any) -> str | None:
    if not isinstance(key, str):
        return "keys inside a value must be texts"
    if key.startswith("__ansible"):
        # Ansible's own marks inside JSON (`__ansible_vault`, `__ansible_unsafe`): a request must not forge them.
        return f"the key {key} is reserved"
    return _text_fault(key)


def _text_fault(text: str) -> str | None:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return "the text holds characters that cannot be stored"
    return None
