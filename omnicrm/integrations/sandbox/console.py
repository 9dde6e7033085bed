"""What the Sandbox page does with the sandboxes: look into one, move its fault switch, clear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnicrm.domain.errors import NotFound
from omnicrm.integrations.sandbox.faults import fault_of_form
from omnicrm.integrations.sandbox.snapshot import TITLES, Snapshot, snapshot
from omnicrm.integrations.sandbox.store import SandboxStore, System


class Console:
    """The active sandboxes behind one door. Its methods read and write a file: call them in a thread."""

    def __init__(self, store: SandboxStore, systems: Sequence[System]) -> None:
        self._store = store
        #: (key, title) of each active sandbox, in the order of the page.
        self.systems: list[tuple[str, str]] = [(system, TITLES[system]) for system in systems]

    def look(self, system: str) -> Snapshot:
        return snapshot(self._store, self._known(system))

    def switch(self, system: str, form: Mapping[str, Any]) -> None:
        """Move the fault switch as the form says. Invalid names every wrong field."""
        self._store.set_fault(self._known(system), fault_of_form(form))

    def clear(self, system: str) -> None:
        self._store.clear(self._known(system))

    def _known(self, system: str) -> System:
        for key, _ in self.systems:
            if key == system:
                return key  # type: ignore[return-value]
        raise NotFound("There is no such sandbox, or it is not active.")
