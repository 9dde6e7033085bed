"""What a run may use besides time: room in its folder, memory, processes, tasks. Watched once a second."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from omnicrm.domain.provisioning.ports import RunSpec
from omnicrm.integrations.ansible.marks import Process

#: A play needs a handful; a run that has these many forks without end.
MAX_PROCESSES = 200
#: Files in the folder of a run; the plays folder may hold 2,000 of them.
MAX_FILES = 20_000
#: Tasks that a run may start, for each is kept as an event: an include that includes itself has no end.
MAX_TASKS = 2_000


def excess(spec: RunSpec, processes: Mapping[int, Process], folder: Path, tasks: int) -> str:
    """Why a run has to end, for people; empty while it keeps its limits."""
    if tasks > MAX_TASKS:
        return f"stopped: the play started more than {MAX_TASKS} tasks"
    if len(processes) > MAX_PROCESSES:
        return f"stopped: the play had more than {MAX_PROCESSES} processes"
    if sum(process.memory for process in processes.values()) > spec.max_memory_mb * 2**20:
        return f"stopped: the play took more than {spec.max_memory_mb} MB of memory (provisioning.max_memory_mb)"
    files, used = _measure(folder)
    if files > MAX_FILES:
        return f"stopped: the play made more than {MAX_FILES} files in its folder"
    if used > spec.max_folder_mb * 2**20:
        room = f"{spec.max_folder_mb} MB (provisioning.max_folder_mb)"
        return f"stopped: the play filled its folder with more than {room}"
    return ""


def _measure(folder: Path) -> tuple[int, int]:
    """(files and folders, bytes on disk) below `folder`; counting stops above MAX_FILES. Links are not followed."""
    files, used, unseen = 0, 0, [str(folder)]
    while unseen and files <= MAX_FILES:
        # The play goes on meanwhile: whatever vanishes does not count.
        with contextlib.suppress(OSError), os.scandir(unseen.pop()) as entries:
            for entry in entries:
                files += 1
                with contextlib.suppress(OSError):
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        unseen.append(entry.path)
    return files, used
