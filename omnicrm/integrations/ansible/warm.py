"""Keeps the warm Ansible process: starts it in the background, restarts it when it died, ends it with the product."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from omnicrm.integrations.ansible import environment, folder, marks

#: After a start, how long a dead process is left alone, in seconds; plays then start the plain way.
_RESTART_AFTER = 5.0


class WarmAnsible:
    """One warm process for this product process. Thread-safe. Every play may use `command()`, warm or not."""

    def __init__(self, run_root: Path, playbooks: Path) -> None:
        self._run_root = run_root
        self._playbooks = playbooks
        self._lock = threading.Lock()
        self._home: folder.Held | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        """Process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the warm process if there is none; answers at once, it needs about a second to be ready."""
        with self._lock:
            self._ensure()

    def command(self) -> list[str]:
        """What to run in place of `ansible-playbook`: the shim, which falls back to the plain one by itself."""
        with self._lock:
            return shim(self._playbooks, self._ensure().path)

    def close(self) -> None:
        """End the warm process; plays that it still runs are killed with it."""
        with self._lock:
            if self._process is not None:
                self._process.stdin.close()  # type: ignore[union-attr]
                try:
                    self._process.wait(5)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
                self._process = None
            if self._home is not None:
                self._home.remove()
                self._home = None

    def _ensure(self) -> folder.Held:
        if self._home is None:
            self._home = folder.hold(self._run_root, "warm")
        dead = self._process is None or self._process.poll() is not None
        if dead and time.monotonic() - self._started_at > _RESTART_AFTER:
            self._started_at = time.monotonic()
            (self._home.path / "warm.sock").unlink(missing_ok=True)
            try:
                self._process = self._spawn(self._home.path)
            except OSError:
                # No /proc, or no room for one more process: plays start the plain way.
                self._process = None
        return self._home

    def _spawn(self, home: Path) -> subprocess.Popen[bytes]:
        env = environment.base() | environment.fixed(self._playbooks)
        env |= {"ANSIBLE_HOME": str(home), "AWX_ISOLATED_DATA_DIR": str(home), marks.VARIABLE: " " * marks.WIDTH}
        # Listening before the process is ready: a shim that comes early waits rather than start the plain way.
        with _listen(home) as listener, folder.create(home / "warm.log") as log:
            return subprocess.Popen(
                [sys.executable, str(self._playbooks / "warm" / "server.py"), str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=home,
                env=env,
                pass_fds=[listener.fileno()],
            )


def shim(playbooks: Path, home: Path) -> list[str]:
    """The first words of a play's command line; without a warm process in `home` the play starts the plain way."""
    plain = environment.plain_playbook() or "/usr/bin/ansible-playbook"
    return [sys.executable, "-IS", str(playbooks / "warm" / "shim.py"), str(home), plain]


def _listen(home: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    descriptor = os.open(home, os.O_RDONLY)
    try:
        # Through /proc, because a socket's path may not be longer than 107 bytes.
        listener.bind(f"/proc/self/fd/{descriptor}/warm.sock")
    finally:
        os.close(descriptor)
    listener.listen(64)
    return listener
