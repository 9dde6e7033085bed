# Part of OmniCRM. Copyright the OmniCRM authors. SPDX-License-Identifier: GPL-3.0-or-later
#
# This file imports ansible-core; it may be used under the GNU General Public License, version 3 or any later version.
"""The warm Ansible process: it imports ansible-core once and forks a ready `ansible-playbook` for each shim that asks.

Usage: server.py DESCRIPTOR, that of a listening Unix socket (a folder of mode 0700 is its only guard). It ends when its
standard input closes, that is with the process that started it. shim.py tells the protocol.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import select
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).parent))

import keeper

#: Marks every process of one run (omnicrm.integrations.ansible.marks). This process is started with blanks in it.
MARK = "OMNICRM_RUN"
#: Longest wait for a shim's half of the handshake, in seconds.
HANDSHAKE = 10
#: How often orphans of a killed keeper are looked for while plays run, in seconds.
LOOK_EVERY = 0.25
#: Plugins that every play of the chapters needs; the others load when they are first used.
_ACTIONS = ("uri", "set_fact", "assert", "debug", "fail", "include_vars", "command", "template", "normal", "pause")


def preload() -> None:
    """Import what a play needs, so that forks share it. `ansible.cli` has to come first."""
    import ansible.cli.playbook  # noqa: F401
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins import loader
    from ansible.template import Templar, trust_as_template

    loader.init_plugin_loader()
    # Each fork calls it again, as every start of ansible-playbook does; that it is there already is no news.
    warnings.filterwarnings("ignore", message="AnsibleCollectionFinder has already been configured")
    # PlaybookExecutor and the callback set-up read all of these at every start; here they are read once.
    for kind in ("connection", "shell", "become", "callback", "vars"):
        for _ in getattr(loader, f"{kind}_loader").all(class_only=True):
            pass
    for kind, names in {
        "action": _ACTIONS,
        "strategy": ("linear",),
        "cache": ("memory",),
        "inventory": ("ansible.builtin.yaml",),
        "lookup": ("env", "pipe"),
        "filter": ("json_query",),
    }.items():
        for name in names:
            getattr(loader, f"{kind}_loader").get(name, class_only=kind != "filter")
    # Jinja compiles its expressions at the first template; without this each task would, in a fork of its own.
    Templar(loader=DataLoader()).template(trust_as_template("{{ [1] | first | default(2) | int }}"))


def receive(connection: socket.socket) -> tuple[dict, list[int]]:
    """One request: 4 bytes of length with the three standard descriptors, then JSON."""
    head, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    size = int.from_bytes(head, "big")
    body = b""
    while len(body) < size:
        piece = connection.recv(size - len(body))
        if not piece:
            raise EOFError
        body += piece
    return json.loads(body), list(descriptors)


def show_mark(mark: str) -> None:
    """Write `mark` over the blanks in this fork's own environment block, which is what /proc/PID/environ shows."""
    with open("/proc/self/stat") as stat, open("/proc/self/environ", "rb") as environ:
        start = int(stat.read().rpartition(")")[2].split()[47])
        block = environ.read()
    at = block.find(f"{MARK}=".encode())
    if at < 0:
        return
    at += len(MARK) + 1
    width = block.index(b"\0", at) - at
    ctypes.memmove(start + at, mark.encode()[:width].ljust(width), width)


def become(request: dict, descriptors: list[int]) -> None:
    """Turn this fork into the process that the shim was meant to be."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number, inheritable=True)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    show_mark(os.environ.get(MARK, ""))
    random.seed()
    tempfile.tempdir = None
    from ansible import constants

    # Constants were fixed at import; these two belong to the run. (Plugin options are read from the environment anew.)
    home = os.environ.get("ANSIBLE_HOME", constants.ANSIBLE_HOME)
    os.makedirs(f"{home}/tmp", mode=0o700, exist_ok=True)
    constants.ANSIBLE_HOME = home
    constants.DEFAULT_LOCAL_TMP = tempfile.mkdtemp(prefix="local-", dir=f"{home}/tmp")
    for name, module in list(sys.modules.items()):
        if name.endswith(".awx_display"):
            # ansible-runner's callback notes at import where its events go.
            module.event_context.cache = module.IsolatedFileWrite()


def serve(connection: socket.socket, parent: int) -> NoReturn:
    """The life of one fork, the keeper of one play: handshake, play, exit code."""
    code = keeper.LOST
    try:
        keeper.die_with(parent)
        os.setsid()
        connection.settimeout(HANDSHAKE)
        request, descriptors = receive(connection)
        become(request, descriptors)
        keeper.limit()
        # Whatever fails before this leaves the shim to start the plain way.
        connection.sendall(b"S")
        if connection.recv(1) != b"G":
            os._exit(code)
        connection.settimeout(None)
        code = keeper.keep(lambda: play(request["argv"], connection))
        connection.sendall(bytes([code & 255]))
    except BaseException:
        traceback.print_exc()
    finally:
        # Not sys.exit: the exit handlers registered so far belong to the warm process.
        os._exit(code & 255)


def play(arguments: list[str], connection: socket.socket) -> NoReturn:
    """Be `ansible-playbook`."""
    code = keeper.LOST
    try:
        connection.close()
        from ansible.cli.playbook import PlaybookCLI

        try:
            PlaybookCLI.cli_executor(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code & 255)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    preload()
    gc.collect()
    gc.freeze()
    keeper.adopt()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    own = os.getpid()
    keepers: set[int] = set()
    watching = False
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [], LOOK_EVERY if watching else None)
        if sys.stdin in ready and not os.read(0, 1):
            keeper.end_all()
            return
        if listener in ready:
            connection, _ = listener.accept()
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                serve(connection, own)
            keepers.add(child)
            connection.close()
            watching = True
        elif watching:
            children = set(keeper.children_of(own))
            keepers &= children
            for orphan in children - keepers:
                keeper.end(orphan)
            # Not only while keepers live: what an orphan had started comes here when the orphan dies.
            watching = bool(children)


if __name__ == "__main__":
    main()
