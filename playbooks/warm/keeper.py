# Part of OmniCRM. Copyright the OmniCRM authors. SPDX-License-Identifier: Apache-2.0
"""Keeps the processes of a run together: what it forks, however it detaches, stays below its keeper and ends with it.

The keeper is a *subreaper*: a process that gave up its parent becomes a child of the keeper instead of going to init,
also when it made a session of its own and cleared its environment. The play in turn dies with its keeper. Only the
standard library, as little as possible of it: this runs before every play. Linux; elsewhere a run is a plain child.
"""

import contextlib
import os
import signal
import sys
import time

#: Longest fight against what the play left running, in seconds.
PATIENCE = 5.0
#: The exit code of a run whose play was lost.
LOST = 250
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option, value):
    import ctypes

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt():
    """From now on this process is the parent of every orphan among its descendants."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent):
    """End this process when `parent`, the process that forked it, ends; at once if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(LOST)


def limit():
    """No core dumps with secrets in them, no file above OMNICRM_MAX_FILE bytes, and first to go if memory runs out."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = os.environ.get("OMNICRM_MAX_FILE", "")
    with contextlib.suppress(ValueError, OSError):
        if size.isdecimal():
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def children_of(pid):
    """Ids of the living children of a process. None where there is no /proc."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == pid and state != b"Z":
                found.append(int(name))
    return found


def end(pid):
    """Kill a process; it may be gone."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def end_all():
    """Kill everything below this process. Grandchildren become children as their parents die."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for pid in children_of(os.getpid()):
            end(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def keep(play):
    """Run `play()`, which never returns, in a child; its exit code, once nothing that it started is left."""

    def give_up(*_):
        end_all()
        os._exit(LOST)

    adopt()
    own = os.getpid()
    child = os.fork()
    if child == 0:
        die_with(own)
        # A session of its own: a play that kills its process group does not reach its keeper.
        os.setsid()
        play()
        os._exit(LOST)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, give_up)
    while True:
        pid, status = os.wait()
        if pid == child:
            end_all()
            return status >> 8 if not status & 127 else LOST
