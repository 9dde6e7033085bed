"""Finds folders and processes of plays on this machine, for `omnicrm check`. It touches neither."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from omnicrm.domain.checking.values import Remains
from omnicrm.integrations.ansible import marks


class MachineRemains:
    """Implements RunRemains for the plays whose folders lie under `run_root`."""

    def __init__(self, run_root: Path) -> None:
        self.run_root = run_root

    def remains(self) -> list[Remains]:
        """Processes need /proc to be seen; elsewhere only the folders are found."""
        return [*self._folders(), *self._processes()]

    def _folders(self) -> Iterator[Remains]:
        for path in sorted(self.run_root.glob("run-*-*")):
            numbers = path.name.split("-")[1:3]
            if all(number.isdecimal() for number in numbers):
                yield Remains(int(numbers[0]), int(numbers[1]), f"the folder {path}")

    def _processes(self) -> Iterator[Remains]:
        wanted = f"{marks.VARIABLE}={marks.instance(self.run_root)}:".encode()
        try:
            pids = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
        except OSError:
            return
        for pid in pids:
            try:
                block = Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            for entry in block.split(b"\0"):
                numbers = entry.rstrip().removeprefix(wanted).split(b":") if entry.startswith(wanted) else []
                if len(numbers) == 2 and all(number.isdigit() for number in numbers):
                    yield Remains(int(numbers[0]), int(numbers[1]), f"the process {pid}")
