"""No process outlives its run, however it detaches; a play that kills what runs it ends its job, not the product."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.paths import PLAYBOOKS
from tests.hostile_plays.conftest import alive, wait_until

#: Ways to detach; {sleep} outlives the task, `started` tells that it runs.
DETACHED = {
    "background": "{sleep} > /dev/null 2>&1 & echo started",
    "session": "(setsid {sleep} > /dev/null 2>&1 &) ; echo started",
    "no environment": "(env -i setsid {sleep} > /dev/null 2>&1 &) ; echo started",
    "no environment, no folder": "cd / && (env -i setsid {sleep} > /dev/null 2>&1 &) ; echo started",
    "nohup": "nohup {sleep} > /dev/null 2>&1 & echo started",
}
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.execve("/bin/sleep", {arguments}, {{}})
    os._exit(0)
"""


@pytest.fixture(params=["warm", "plain"])
def either(request, runner, tmp_path):
    """The runner with its warm process, and one without."""
    yield runner if request.param == "warm" else AnsibleRunner(tmp_path / "runs", PLAYBOOKS, warm=False)


@pytest.mark.parametrize("way", DETACHED)
def test_what_a_play_leaves_running_ends_with_it(runner, spec, sleeper, way) -> None:
    shell = DETACHED[way].format(sleep=sleeper)
    outcome = runner.run(spec(f"- name: Detach\n  shell: {shell!r}\n"), lambda event: None, lambda: False)
    assert outcome.status == "successful"
    assert alive(sleeper) == []


def test_a_double_forked_daemon_without_environment_ends_with_the_run(either, spec, sleeper, plays) -> None:
    (plays / "daemon.py").write_text(DAEMON.format(arguments=sleeper.split()))
    tasks = "- name: Detach\n  command: python3 daemon.py\n- name: Look\n  command: pgrep -fx '" + sleeper + "'\n"
    outcome = either.run(spec(tasks), lambda event: None, lambda: False)
    assert outcome.status == "successful", "the daemon was running while the play did"
    assert alive(sleeper) == []


def test_a_cancelled_run_takes_its_daemons_along(either, spec, sleeper, plays) -> None:
    (plays / "daemon.py").write_text(DAEMON.format(arguments=sleeper.split()))
    tasks = "- name: Detach\n  command: python3 daemon.py\n- name: Wait\n  pause: {seconds: 60}\n"
    asked: list[float] = []

    def stop() -> bool:
        if alive(sleeper):
            asked.append(time.monotonic())
        return bool(asked)

    outcome = either.run(spec(tasks), lambda event: None, stop)
    assert outcome.status == "canceled"
    assert time.monotonic() - asked[0] < 1.5
    assert alive(sleeper) == []


def test_a_loop_without_end_is_stopped_and_leaves_no_process(run, sleeper) -> None:
    shell = f"trap '' TERM HUP INT; while true; do {sleeper} & wait; done"
    ran = run(f'- name: For ever\n  shell: "{shell}"\n', silence_timeout=2)
    assert ran.outcome.status == "timeout"
    assert alive(sleeper) == []


@pytest.mark.parametrize("victim", ["$PPID", "0", "-$PPID"])
def test_a_task_that_kills_its_parent_or_group_fails_its_job_only(runner, spec, victim) -> None:
    events: list = []
    tasks = f"- name: Kill\n  shell: kill -9 {victim}\n- name: Go on\n  debug: {{msg: 1}}\n"
    began = time.monotonic()
    outcome = runner.run(spec(tasks), events.append, lambda: False)
    assert outcome.status in ("failed", "error")
    assert outcome.message
    assert time.monotonic() - began < 10
    assert 1 not in {event.status for event in {event.number: event for event in events}.values()}
    assert runner.run(spec("- debug: {msg: 1}\n"), lambda event: None, lambda: False).status == "successful"


KILL = """
- name: Kill what runs it
  shell: |
    (env -i setsid {sleep} > /dev/null 2>&1 &)
    keeper=$$
    up() {{ ps -o ppid= -p $1 | tr -d ' '; }}
    while [ $(up $keeper) -ne {warm} ]; do play=$keeper; keeper=$(up $keeper); done
    exec kill -9 {victim}
"""


@pytest.mark.parametrize("victim", ["$play", "$keeper", "{warm}", "$play $keeper {warm}"])
def test_a_play_may_kill_whatever_runs_it(tmp_path, spec, sleeper, victim) -> None:
    """The play itself, its keeper, the warm process: its job fails, its processes end, the next play runs."""
    runner = AnsibleRunner(tmp_path / "runs", PLAYBOOKS)
    runner.start()
    assert runner.run(spec("- debug: {msg: 1}\n"), lambda event: None, lambda: False).status == "successful"
    events: list = []
    tasks = KILL.format(sleep=sleeper, warm=runner.warm_pid, victim=victim.format(warm=runner.warm_pid))
    outcome = runner.run(spec(tasks), events.append, lambda: False)
    wait_until(lambda: not alive(sleeper), 2)
    assert outcome.status == "error"
    assert events[1].message == "the process that ran the play was lost"
    assert runner.run(spec("- debug: {msg: 1}\n"), lambda event: None, lambda: False).status == "successful"
    runner.close()
    assert list((tmp_path / "runs").iterdir()) == []


def test_daemons_of_a_killed_product_end_with_it(tmp_path, spec, sleeper) -> None:
    """The warm process sees its product go, and ends what lies below it, marked or not."""
    script = f"""
import sys
from pathlib import Path
from omnicrm.domain.provisioning.ports import RunSpec
from omnicrm.integrations.ansible import AnsibleRunner
runner = AnsibleRunner(Path({str(tmp_path / "runs")!r}), Path({str(PLAYBOOKS)!r}))
runner.start()
spec = RunSpec(provision_id=5, lease=2, play="play_test", plays_dirs=(Path({str(tmp_path / "plays")!r}),),
    variables={{}}, crm_config={{}}, job_token="t" * 20, crm_url="http://127.0.0.1:9")
runner.run(spec, lambda event: print(event.name, flush=True), lambda: False)
"""
    spec(f"- name: Detach\n  shell: cd / && (env -i setsid {sleeper} > /dev/null 2>&1 &)\n- pause: {{seconds: 60}}\n")
    env = {**os.environ, "PYTHONPATH": str(PLAYBOOKS.parent)}
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, env=env)
    wait_until(lambda: alive(sleeper), 20)
    child.kill()
    child.wait()
    wait_until(lambda: not alive(sleeper), 5)


def test_a_play_that_is_lost_while_it_undoes_itself_has_not_undone_itself(runner, spec, plays) -> None:
    """A failed task alone does not mean that the play came to its end: then the product's own clean-up has to run."""
    play = """
- name: A test
  hosts: localhost
  gather_facts: no
  tasks:
    - block:
        - name: Fail
          fail: {msg: no luck}
      rescue:
        - name: Undo
          debug: {msg: begun}
        - name: Lose the play
          shell: |
            keeper=$$
            up() { ps -o ppid= -p $1 | tr -d ' '; }
            while [ $(up $keeper) -ne WARM ]; do play=$keeper; keeper=$(up $keeper); done
            kill -9 $play
"""
    (plays / "play_test.yaml").write_text(play.replace("WARM", str(runner.warm_pid)))
    events: list = []
    outcome = runner.run(spec(), events.append, lambda: False)
    assert [event.name for event in events][-1] == "Fatal error"
    assert outcome.status == "error", "not `failed`, which means that its rescue has run"
    assert outcome.failed_task == "Fail"
