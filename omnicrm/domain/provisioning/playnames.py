"""The names that a play reads and where: what it needs from outside, what it makes itself, which stock it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnicrm.domain.provisioning import rules
from omnicrm.domain.provisioning.playfile import Entry
from omnicrm.domain.provisioning.plays import Play, Spot


@dataclass(frozen=True, slots=True)
class Reading:
    """What one text of a play reads. `guarded` names may be undefined there; `error` is a fault of its syntax."""

    names: frozenset[str] = frozenset()
    guarded: frozenset[str] = frozenset()
    #: Names of inventory templates, from `hostvars[inventory_hostname]['SIM Card']`.
    inventory: frozenset[str] = frozenset()
    error: str = ""


#: Reads a text; the flag says that all of it is a condition, without braces.
Reader = Callable[[str, bool], Reading]

#: Beside rules.SYSTEM_NAMES: what an order may carry, and so a play may find undefined.
ORDER_NAMES = frozenset({"action", "deprovision_subscriber", "service_uuid"}) | rules.CUSTOMER_KEYS
#: What Ansible's templates know of themselves; rules.is_reserved knows the rest.
_BUILT_IN = frozenset({"now", "range", "dict", "namespace", "cycler", "joiner", "lipsum", "loop", "True", "False"})
_CONDITIONS = frozenset({"when", "failed_when", "changed_when", "until"})
_DECLARED = re.compile(r"[A-Za-z_]\w*")


@dataclass(slots=True)
class Names:
    """The names of a play and of what it includes."""

    #: Where each name is read that may not be undefined there.
    needed: dict[str, list[Spot]] = field(default_factory=dict)
    #: Names that are read where they may be undefined.
    optional: set[str] = field(default_factory=set)
    inventory: set[str] = field(default_factory=set)
    #: Texts that are no valid template, with the reason.
    faults: list[tuple[Spot, str, str]] = field(default_factory=list)
    #: Names that the play sets itself, and those that it declares in its opening comment.
    own: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)

    @property
    def inputs(self) -> set[str]:
        """What must come from the product, the order or the system."""
        return {name for name in (*self.needed, *self.optional) if name not in self.own and not is_ansible(name)}

    @property
    def undefined(self) -> dict[str, list[Spot]]:
        """Names that nothing documented defines: product variables that the play does not declare, or mistakes."""
        known = self.own | self.optional | self.declared | rules.SYSTEM_NAMES | ORDER_NAMES
        return {name: spots for name, spots in self.needed.items() if name not in known and not is_ansible(name)}


def is_ansible(name: str) -> bool:
    return name in _BUILT_IN or (rules.is_reserved(name) and name not in rules.SYSTEM_NAMES)


def names_of(play: Play, read: Reader) -> Names:
    """Read every text of `play`."""
    found = Names(own=set(play.facts) | set(play.named), declared=_declared(play))
    for file, document in play.documents.items():
        for spot, text, condition in texts(document, Spot(file, 1)):
            if not condition and "{{" not in text and "{%" not in text:
                continue
            reading = read(text, condition)
            if reading.error:
                found.faults.append((spot, text, reading.error))
            found.optional |= reading.guarded
            found.inventory |= reading.inventory
            for name in sorted(reading.names - reading.guarded):
                found.needed.setdefault(name, []).append(spot)
    for task in play.found:
        control = task.task.get("loop_control")
        if isinstance(control, Mapping) and isinstance(control.get("loop_var"), str):
            found.own.add(control["loop_var"])
    return found


def texts(value: Any, spot: Spot, condition: bool = False, module: str = "") -> Iterator[tuple[Spot, str, bool]]:
    """All texts inside `value` with their place, and whether each is a condition."""
    if isinstance(value, str):
        yield spot, value, condition
    elif isinstance(value, Mapping):
        here = Spot(spot.file, value.line) if isinstance(value, Entry) else spot
        for key, item in value.items():
            bare = key in _CONDITIONS or (module == "assert" and key == "that") or (module == "debug" and key == "var")
            yield from texts(item, here, bare, str(key).rpartition(".")[2])
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, spot, condition, module)


def _declared(play: Play) -> set[str]:
    """The words after "Product variables:" in the comment at the top of the play's file."""
    words: set[str] = set()
    text, on = play.path.read_text("utf-8", errors="replace"), False
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        on = on or "product variables:" in line.lower()
        words |= set(_DECLARED.findall(line)) if on else set()
    return words
