"""Which processes belong to a run, what they use, and ending them all (decision 30).

Three nets, for a process may slip through one: the mark that every process of a run inherits in its environment;
whatever descends from a marked process (orphans stay below the run's keeper, playbooks/warm/keeper.py); and whatever
works inside the run's folder. Needs /proc; elsewhere there are no processes to see.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

#: Environment variable of the mark.
VARIABLE = "OMNICRM_RUN"
#: Room that the warm process keeps for a mark in its own environment.
WIDTH = 64
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    #: Memory in RAM, in bytes; pages shared with a relative count for each.
    memory: int


def mark(run_root: Path, provision_id: int, lease: int) -> str:
    """`{instance}:{provision_id}:{lease}`; the instance keeps two products on one machine apart."""
    return f"{instance(run_root)}:{provision_id}:{lease}"


def instance(run_root: Path) -> str:
    return hashlib.sha256(os.fsencode(run_root.resolve())).hexdigest()[:12]


def processes_of(mark: str, folder: Path | None = None) -> dict[int, Process]:
    """The living processes of a run by their id: marked, descended from a marked one, or at work in its folder."""
    alive = _living()
    wanted = f"{VARIABLE}={mark}".encode()
    inside = f"{folder}/" if folder is not None else ""
    found = {pid for pid in alive if _carries(pid, wanted) or (inside and _works_in(pid, inside))}
    children: dict[int, list[int]] = {}
    for process in alive.values():
        children.setdefault(process.parent, []).append(process.pid)
    unseen = list(found)
    while unseen:
        below = set(children.get(unseen.pop(), ())) - found
        found |= below
        unseen += below
    return {pid: alive[pid] for pid in found}


def end_marked(mark: str, folder: Path | None = None, within: float = 2.0) -> int:
    """Kill every process of a run, again until none is left, at most `within` seconds; answers how many.

    A process whose children live dies after them: killed first, it would let those go that only their descent shows.
    """
    ended: set[int] = set()
    deadline = time.monotonic() + within
    while found := processes_of(mark, folder):
        late = time.monotonic() > deadline
        parents = {process.parent for process in found.values()}
        for pid in found:
            if late or found[pid].parent in found or pid not in parents:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    ended.add(pid)
        if late:
            break
        time.sleep(0.01)
    return len(ended)


def _living() -> dict[int, Process]:
    """Every process but this one; one that only waits to be buried has no room, no environment and no children."""
    own, found = os.getpid(), {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not name.isdigit() or int(name) == own:
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] not in (b"Z", b"X"):
            found[int(name)] = Process(int(name), int(fields[1]), int(fields[21]) * _PAGE)
    return found


def _carries(pid: int, wanted: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            block = file.read()
    except OSError:
        return False
    return any(entry.rstrip() == wanted for entry in block.split(b"\0"))


def _works_in(pid: int, inside: str) -> bool:
    try:
        return f"{os.readlink(f'/proc/{pid}/cwd')}/".startswith(inside)
    except OSError:
        return False
