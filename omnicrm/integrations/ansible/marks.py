"""The mark that every process of a run carries in its environment, and ending processes by it (decision 30)."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

#: Environment variable of the mark.
VARIABLE = "OMNICRM_RUN"
#: Room that the warm process keeps for a mark in its own environment.
WIDTH = 64


def mark(run_root: Path, provision_id: int, lease: int) -> str:
    """`{instance}:{provision_id}:{lease}`; the instance keeps two products on one machine apart."""
    return f"{instance(run_root)}:{provision_id}:{lease}"


def instance(run_root: Path) -> str:
    return hashlib.sha256(os.fsencode(run_root.resolve())).hexdigest()[:12]


def marked(text: str) -> Iterator[int]:
    """Process ids whose mark is `text`. Needs /proc; elsewhere there are none to see."""
    wanted = f"{VARIABLE}={text}".encode()
    own = os.getpid()
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if not name.isdigit() or int(name) == own:
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                block = file.read()
        except OSError:
            continue
        if any(entry.rstrip() == wanted for entry in block.split(b"\0")):
            yield int(name)


def end_marked(text: str, within: float = 2.0) -> int:
    """Kill every process whose mark is `text`, again until none is left, at most `within` seconds; answers how many."""
    ended: set[int] = set()
    deadline = time.monotonic() + within
    while True:
        found = list(marked(text))
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                ended.add(pid)
            except ProcessLookupError:
                pass
        if not found or time.monotonic() > deadline:
            return len(ended)
        # A zombie keeps no environment, so one more look finds only what was forked meanwhile.
        time.sleep(0.01)
