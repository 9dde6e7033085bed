"""`crm_config`: the part of the settings that playbooks see, under the names of the former file (PROV-172, PC-04).

Never in it: jwt_secret, the database, Stripe's secret, API keys, trusted addresses, mail server logins.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from omnicrm.settings import old
from omnicrm.settings.keys import parts
from omnicrm.settings.secret import Secret
from omnicrm.settings.tree import Settings

#: Always there, empty where unset, since plays test them by their length.
_ALWAYS = ("ocs.ocsApi", "smsc.smsc_url", "smsc.api_key", "mailjet.api_key", "mailjet.api_secret")


def crm_config(settings: Settings) -> dict[str, Any]:
    """Plain JSON values by section. Unset keys are absent, so that `is defined` and `default()` work in plays."""
    config: dict[str, Any] = {}
    for name in sorted(old.SECTIONS):
        config[name] = {**deepcopy(settings.extra.get(name, {})), **_plain(getattr(settings, name))}
    for path in _ALWAYS:
        section, name = path.split(".")
        config[section].setdefault(name, "")
    config["service_types"] = list(settings.service_types)
    if settings.cbc_url is not None:
        config["cbc_url"] = _plain(settings.cbc_url)
    config["ocs"]["cgrates"] = config["ocs"]["OCS"] = settings.ocs.endpoint
    config["email"] = {name: config["mailjet"][name] for name in ("api_key", "api_secret")}
    smsc = config["smsc"]
    config["smc"] = {
        "source_msidn": smsc["source_msisdn"],
        "smc_url": smsc["smsc_url"],
        "api_key": smsc["api_key"],
    }
    stripe = {
        name: getattr(settings.stripe, name) for name in ("publishable_key", "currency", "statement_descriptor_suffix")
    }
    config["stripe"] = {name: value for name, value in stripe.items() if value is not None}
    return {**deepcopy(settings.extra.get("", {})), **config}


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if is_dataclass(value):
        known = parts(type(value))
        found = {item.name: getattr(value, item.name) for item in fields(value) if item.name in known}
        return {name: _plain(item) for name, item in found.items() if item is not None}
    return value
