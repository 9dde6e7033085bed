"""What a play reads, sets, calls and undoes, as plain lines for people (`omnicrm plays show`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omnicrm.domain.provisioning import rules
from omnicrm.domain.provisioning.playnames import ORDER_NAMES, Reader, names_of
from omnicrm.domain.provisioning.plays import Found, Play


def calls(play: Play) -> list[tuple[str, str, str]]:
    """(method, address, what for) of each request of the play; JSON-RPC names the engine's method."""
    return [_call(found) for found in play.found if found.module == "uri" and isinstance(found.args, Mapping)]


def _call(found: Found) -> tuple[str, str, str]:
    body = found.args.get("body")
    method = str(found.args.get("method", "GET")).upper()
    purpose = str(found.task.get("name") or "")
    if isinstance(body, Mapping) and isinstance(body.get("method"), str):
        method = body["method"]
    return method, " ".join(str(found.args.get("url", "")).split()), purpose


def describe(play: Play, read: Reader) -> Iterator[str]:
    """The lines of `omnicrm plays show`."""
    names = names_of(play, read)
    system = names.inputs & rules.SYSTEM_NAMES
    order = names.inputs & ORDER_NAMES
    product = names.inputs - system - order
    needed = {name for name in product if name in names.needed and name not in names.optional}
    yield f"{play.name}: {play.description}"
    yield f"  file                {play.path}"
    yield f"  deprovision guard   {', '.join(_places(play)) or 'none: cannot deprovision or clean up after a crash'}"
    yield f"  actions             {', '.join(sorted({'order', *play.actions}))}"
    yield f"  inventory           {_listed(names.inventory)}"
    yield f"  product variables   {_listed(needed)}"
    yield f"  optional ones       {_listed(product - needed)}"
    yield f"  from the order      {_listed(order)}"
    yield f"  from the system     {_listed(system)}"
    yield f"  sets                {_listed(play.facts)}"
    yield "  calls"
    for method, address, purpose in calls(play):
        yield f"    {method:<28} {address}   ({purpose})"
    yield f"  tasks ({len(play.tasks)})"
    yield from (f"    {name}" for name in play.tasks)
    yield f"  undo ({len(play.undo)})"
    yield from (f"    {name}" for name in play.undo)


def _places(play: Play) -> list[str]:
    return sorted(f"{spot.file}, line {spot.line}" for spot in play.guards)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "-"
