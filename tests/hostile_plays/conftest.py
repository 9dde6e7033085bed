"""The runner with its warm process, as in tests/provisioning; and processes known by what they were started as."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.provisioning.conftest import Ran, plays, run, run_root, runner, server, spec

__all__ = ["plays", "run", "run_root", "runner", "server", "spec"]

_seconds = count(100_001)


def alive(command: str) -> list[int]:
    """Ids of the processes with that command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().split(b"\0")[:-1] == command.encode().split():
                found.append(int(path.parent.name))
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail("it did not happen in time")


@pytest.fixture
def sleeper() -> str:
    """A command line that no other process has; whatever is left of it is ended after the test."""
    command = f"sleep {next(_seconds)}"
    yield command
    for pid in alive(command):
        with contextlib.suppress(ProcessLookupError):
            import os
            import signal

            os.kill(pid, signal.SIGKILL)


def seen(ran: Ran) -> str:
    """Everything that leaves the runner and is stored, shown or mailed; `facts` are encrypted at rest."""
    parts: list[Any] = [ran.outcome.message, ran.outcome.output, ran.outcome.failed_task, ran.outcome.warnings]
    parts += [(event.name, event.message, event.result) for event in ran.events]
    return repr(parts)
