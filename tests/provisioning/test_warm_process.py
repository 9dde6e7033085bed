"""The warm process: faster, never needed, ended with the product."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from omnicrm.integrations.ansible import AnsibleRunner, marks
from omnicrm.paths import PLAYBOOKS


def _gone(pid: int, within: float = 5) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def own_runner(tmp_path):
    runner = AnsibleRunner(tmp_path / "runs", PLAYBOOKS)
    yield runner
    runner.close()


def test_plays_are_forked_from_the_warm_process_and_shown_with_their_mark(own_runner, spec, tmp_path) -> None:
    own_runner.start()
    one = spec("- name: Sleep\n  command: sleep 2\n")
    mark = marks.mark(tmp_path / "runs", one.provision_id, one.lease)
    seen: set[int] = set()
    own_runner.run(one, lambda event: seen.update(marks.processes_of(mark)), lambda: False)
    parents = {int(Path(f"/proc/{own_runner.warm_pid}/stat").read_text().rpartition(")")[2].split()[1])}
    assert parents == {os.getpid()}
    # The shim, ansible-playbook and perhaps a worker.
    assert len(seen) >= 2
    assert own_runner.warm_pid not in seen


def test_a_play_runs_the_plain_way_without_the_warm_process(spec, tmp_path) -> None:
    runner = AnsibleRunner(tmp_path / "runs", PLAYBOOKS, warm=False)
    outcome = runner.run(spec("- name: Say\n  debug: {msg: 1}\n"), lambda event: None, lambda: False)
    assert (outcome.status, outcome.task_count) == ("successful", 1)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_play_runs_the_plain_way_while_the_warm_process_is_dead_and_it_comes_back(own_runner, spec) -> None:
    own_runner.start()
    first = own_runner.warm_pid
    os.kill(first, signal.SIGKILL)
    assert _gone(first)
    tasks = "- name: Say\n  debug: {msg: 1}\n"
    assert own_runner.run(spec(tasks), lambda event: None, lambda: False).status == "successful"
    deadline = time.monotonic() + 10
    while own_runner.warm_pid in (None, first) and time.monotonic() < deadline:
        own_runner.start()
        time.sleep(0.1)
    assert own_runner.warm_pid not in (None, first)
    assert own_runner.run(spec(tasks), lambda event: None, lambda: False).status == "successful"


def test_the_warm_process_ends_with_the_runner_and_leaves_nothing(spec, tmp_path) -> None:
    runner = AnsibleRunner(tmp_path / "runs", PLAYBOOKS)
    runner.start()
    pid = runner.warm_pid
    runner.close()
    assert _gone(pid)
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_warm_process_ends_when_the_product_is_killed(tmp_path) -> None:
    script = f"""
import time
from pathlib import Path
from omnicrm.integrations.ansible import AnsibleRunner
runner = AnsibleRunner(Path({str(tmp_path)!r}), Path({str(PLAYBOOKS)!r}))
runner.start()
print(runner.warm_pid, flush=True)
time.sleep(60)
"""
    env = {**os.environ, "PYTHONPATH": str(PLAYBOOKS.parent)}
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=env)
    pid = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdout.close()
    assert _gone(pid, within=10)


SHIM = [sys.executable, "-IS", str(PLAYBOOKS / "warm" / "shim.py")]


def _shim(home: Path, answers: list[bytes]) -> subprocess.CompletedProcess[str]:
    """Run the shim against a warm process that reads the request and says `answers`, then hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    # Through /proc, as a socket's path may not be longer than 107 bytes.
    folder = os.open(home, os.O_RDONLY)
    listener.bind(f"/proc/self/fd/{folder}/warm.sock")
    os.close(folder)
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            head, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
            for descriptor in descriptors:
                os.close(descriptor)
            size = int.from_bytes(head, "big")
            assert json.loads(connection.recv(size, socket.MSG_WAITALL))["argv"] == ["ansible-playbook", "play.yaml"]
            for answer in answers:
                connection.sendall(answer)
                if answer == b"S":
                    assert connection.recv(1) == b"G"

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return subprocess.run([*SHIM, str(home), "/bin/echo", "play.yaml"], capture_output=True, text=True, timeout=20)
    finally:
        thread.join()
        listener.close()


def test_the_shim_ends_with_the_code_of_the_play(tmp_path) -> None:
    ended = _shim(tmp_path, [b"S", bytes([4])])
    assert (ended.returncode, ended.stdout) == (4, "")


def test_a_play_that_the_warm_process_did_not_take_is_run_the_plain_way_once(tmp_path) -> None:
    ended = _shim(tmp_path, [])
    assert (ended.returncode, ended.stdout) == (0, "play.yaml\n")


def test_a_play_that_was_lost_after_its_start_is_not_run_again(tmp_path) -> None:
    ended = _shim(tmp_path, [b"S"])
    assert (ended.returncode, ended.stdout) == (250, "")


def test_without_a_warm_process_the_shim_is_the_plain_command(tmp_path) -> None:
    ended = subprocess.run([*SHIM, str(tmp_path), "/bin/echo", "a", "b c"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "a b c\n")


def test_importing_the_runner_is_cheap() -> None:
    code = "import sys, omnicrm.integrations.ansible; print('ansible_runner' in sys.modules, 'ansible' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(PLAYBOOKS.parent)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
    assert shown.split() == ["False", "False"]


def test_the_memory_of_the_warm_process_stays_small(runner, run) -> None:
    assert run("- debug: {msg: 1}\n").outcome.status == "successful"
    status = Path(f"/proc/{runner.warm_pid}/status").read_text()
    resident_kb = int(status.split("VmRSS:")[1].split()[0])
    assert resident_kb < 90_000
