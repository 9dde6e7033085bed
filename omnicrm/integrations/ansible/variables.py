"""Variables on their way into a play: every text as data that is never evaluated, defaults that a play may replace."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from omnicrm.domain.provisioning.redact import is_secret_key


def as_data(value: Any) -> Any:
    """`value` with every text marked so that Ansible prints `{{ … }}` in it literally (PC-10).

    Ansible reads its own marks from keys named `__ansible…`; rules.merge_variables refuses those, and one that came
    another way raises ValueError here.
    """
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, Mapping):
        for key in value:
            if str(key).startswith("__ansible"):
                raise ValueError(f"{key} is reserved and cannot be a key of a variable")
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    return value


def split_defaults(variables: Mapping[str, Any], facts: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(extra variables, host variables). An empty text for a name that the play sets itself is a host variable.

    Extra variables beat a play's own `set_fact`: with the documented `{"iccid": "", "msisdn": ""}` (PROV-143) the
    number read from inventory would be lost. As a host variable it is there until the play sets it.
    """
    defaults = {name: value for name, value in variables.items() if value == "" and name in facts}
    return {name: value for name, value in variables.items() if name not in defaults}, defaults


def secret_values(value: Any, under_secret: bool = False) -> set[str]:
    """The texts that stand under a secret's name anywhere in `value`, such as `ki` or `api_key`."""
    if isinstance(value, str):
        # "Bearer abc": the part that is secret is the last word.
        return {value, value.rpartition(" ")[2]} if under_secret else set()
    if isinstance(value, Mapping):
        return set().union(
            *(
                secret_values(item, under_secret or (is_secret_key(str(key)) and key != "key"))
                for key, item in value.items()
            )
        )
    if isinstance(value, list | tuple):
        return set().union(*(secret_values(item, under_secret) for item in value))
    return set()
