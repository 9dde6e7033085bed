"""The table of JSON-RPC methods: name, shape of the parameter, function, and whether it writes.

`ApierV1`, `ApierV2`, `APIerSv1` and `APIerSv2` share their methods: what version 2 does not have anew it takes from
version 1 (cgrates.md §1, OCS-007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.goparams import GoStruct, Kind
from omnicrm.domain.charging.ports import EngineError

Run = Callable[[Call, Any], Any]

API_VERSIONS = {"ApierV1": 1, "APIerSv1": 1, "ApierV2": 2, "APIerSv2": 2}
# Services that exist even where none of their methods is offered here.
_SERVICES = {*API_VERSIONS, "SchedulerSv1", "CoreSv1", "CacheSv1", "CDRsV1", "CDRsV2", "SessionSv1", "AttributeSv1"}


@dataclass(frozen=True, slots=True)
class Method:
    """`name` is the part after the dot; `account_field` names the field that holds the account it changes."""

    name: str
    shape: GoStruct | Kind
    run: Run
    writes: bool
    account_field: str = ""


_api: dict[tuple[int, str], Method] = {}
_other: dict[str, Method] = {}


def api(
    name: str, shape: GoStruct | Kind, *, version: int = 1, writes: bool = False, account_field: str = ""
) -> Callable[[Run], Run]:
    """Registers a method of the four API prefixes."""

    def register(run: Run) -> Run:
        _api[version, name] = Method(name, shape, run, writes, account_field)
        return run

    return register


def rpc(name: str, shape: GoStruct | Kind, *, writes: bool = False, account_field: str = "") -> Callable[[Run], Run]:
    """Registers a method of another service under its whole name."""

    def register(run: Run) -> Run:
        _other[name] = Method(name.partition(".")[2], shape, run, writes, account_field)
        return run

    return register


def find(name: str, *, any_version: bool = False) -> Method:
    """The method of this name. With `any_version` a version 1 prefix also finds what only version 2 has (OC-13).

    Raises EngineError with the text of Go's rpc package.
    """
    service, dot, method = name.rpartition(".")
    if not dot:
        raise EngineError(f"rpc: service/method request ill-formed: {name}")
    if service not in API_VERSIONS:
        if name in _other:
            return _other[name]
        if service not in {known.partition(".")[0] for known in _other} | _SERVICES:
            raise EngineError(f"rpc: can't find service {name}")
        raise EngineError(f"rpc: can't find method {name}")
    version = API_VERSIONS[service]
    for wanted in (version, 1, 2) if any_version else (version, 1):
        if (wanted, method) in _api:
            return _api[wanted, method]
    raise EngineError(f"rpc: can't find method {name}")
