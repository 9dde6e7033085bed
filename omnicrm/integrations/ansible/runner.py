"""Implements PlaybookRunner on ansible-runner: folders, the warm process, and what is left of dead runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from omnicrm.domain.provisioning.ports import RunOutcome, RunSpec, TaskEvent
from omnicrm.integrations.ansible import folder, marks
from omnicrm.integrations.ansible.warm import WarmAnsible, shim


class AnsibleRunner:
    """Implements PlaybookRunner. Thread-safe: runs may go on side by side. `playbooks` is omnicrm.paths.PLAYBOOKS."""

    def __init__(self, run_root: Path, playbooks: Path, *, warm: bool = True) -> None:
        self._run_root = run_root
        self._warm = WarmAnsible(run_root, playbooks) if warm else None
        self._playbooks = playbooks

    def start(self) -> None:
        """Wake the warm process in the background, so that the first play starts fast as well."""
        if self._warm:
            self._warm.start()

    @property
    def warm_pid(self) -> int | None:
        """Process id of the warm process while it lives (`omnicrm doctor` tells its memory)."""
        return self._warm.pid if self._warm else None

    def close(self) -> None:
        """End the warm process. Stop running plays first (their `should_stop`)."""
        if self._warm:
            self._warm.close()

    def clean_leftovers(self) -> int:
        """Remove folders and processes of runs whose product process died (decision 30); answers how many runs."""
        count = 0
        for held in folder.abandoned(self._run_root):
            kind, *numbers = held.path.name.split("-")
            if kind == "run" and len(numbers) >= 2 and numbers[0].isdigit() and numbers[1].isdigit():
                self.end_run(int(numbers[0]), int(numbers[1]), held.path)
                count += 1
            held.remove()
        return count

    def end_run(self, provision_id: int, lease: int, folder: Path | None = None) -> int:
        """Kill what is left of a run, whoever started it; answers the number of processes."""
        return marks.end_marked(marks.mark(self._run_root, provision_id, lease), folder)

    def run(self, spec: RunSpec, on_event: Callable[[TaskEvent], None], should_stop: Callable[[], bool]) -> RunOutcome:
        """See PlaybookRunner."""
        # Imported late: ansible-runner takes a quarter of a second, and most processes of the product run no play.
        from omnicrm.integrations.ansible.play_run import PlayRun

        held = folder.hold(self._run_root, f"run-{spec.provision_id}-{spec.lease}")
        try:
            mark = marks.mark(self._run_root, spec.provision_id, spec.lease)
            command = self._warm.command() if self._warm else shim(self._playbooks, held.path)
            return PlayRun(spec, on_event, should_stop, held.path, self._playbooks, mark, command).run()
        finally:
            self.end_run(spec.provision_id, spec.lease, held.path)
            held.remove()
