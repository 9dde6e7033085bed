"""Time limits, cancelling, and that no process survives a run (PROV-167, PC-07, decision 30)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from omnicrm.domain.provisioning.ports import FAILED, RUNNING
from omnicrm.integrations.ansible import AnsibleRunner, marks
from omnicrm.paths import PLAYBOOKS

SLEEPY = """
- name: Leave something behind
  shell: "(setsid sleep 300 &) ; echo started"
- name: Sleep
  command: sleep 301
"""


def _alive(command: str) -> list[int]:
    """Ids of the processes with that command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().split(b"\0")[:-1] == command.encode().split():
                found.append(int(path.parent.name))
    return found


def _run(runner, spec, stop) -> tuple:
    events: list = []
    outcome = runner.run(spec, events.append, stop)
    return outcome, events


def test_a_stopped_run_ends_within_a_second_and_takes_its_children_along(runner, spec) -> None:
    asleep = threading.Event()
    asked: list[float] = []

    def stop() -> bool:
        if asleep.is_set() and _alive("sleep 301"):
            asked.append(time.monotonic())
        return bool(asked)

    outcome = runner.run(spec(SLEEPY), lambda event: asleep.set() if event.name == "Sleep" else None, stop)
    took = time.monotonic() - asked[0]
    assert outcome.status == "canceled"
    assert outcome.failed_task == "Sleep"
    assert took < 1.5
    assert _alive("sleep 300") == []
    assert _alive("sleep 301") == []


def test_temporary_files_of_modules_lie_in_the_folder_that_goes_with_the_run(runner, spec, run_root) -> None:
    events: list = []
    tasks = "- name: Where\n  command: sh -c 'echo $TMPDIR; dirname $(mktemp)'\n"
    runner.run(spec(tasks), events.append, lambda: False)
    for path in events[-1].result["stdout_lines"]:
        assert Path(path).is_relative_to(run_root.resolve())
        assert not Path(path).exists()


def test_a_run_without_progress_is_stopped_as_timeout(runner, spec) -> None:
    started = time.monotonic()
    outcome, events = _run(runner, spec(SLEEPY, silence_timeout=3), lambda: False)
    assert time.monotonic() - started < 20
    assert outcome.status == "timeout"
    assert "no task made progress for 3 seconds" in outcome.message
    last = events[-1]
    assert (last.name, last.status, last.message) == ("Sleep", FAILED, outcome.message)
    assert _alive("sleep 300") == _alive("sleep 301") == []


def test_a_long_play_that_makes_progress_is_not_cut(runner, spec) -> None:
    tasks = "\n".join(f"- name: Step {n}\n  pause: {{seconds: 2}}" for n in range(3))
    outcome, _ = _run(runner, spec(tasks, silence_timeout=4.5), lambda: False)
    assert outcome.status == "successful"


def test_a_run_beyond_the_overall_limit_is_stopped_although_it_makes_progress(runner, spec) -> None:
    tasks = "\n".join(f"- name: Step {n}\n  pause: {{seconds: 1}}" for n in range(30))
    outcome, events = _run(runner, spec(tasks, overall_timeout=3), lambda: False)
    assert outcome.status == "timeout"
    assert "longer than 3 seconds" in outcome.message
    assert 1 not in {event.status for event in {event.number: event for event in events}.values()}


def test_what_a_successful_play_leaves_running_is_ended(runner, spec) -> None:
    tasks = '- shell: "(setsid sleep 302 &) ; echo started"\n'
    outcome, _ = _run(runner, spec(tasks), lambda: False)
    assert outcome.status == "successful"
    assert _alive("sleep 302") == []


def test_a_caller_that_raises_in_should_stop_ends_the_run(runner, spec) -> None:
    def stop() -> bool:
        raise LookupError("no database")

    try:
        runner.run(spec("- command: sleep 303\n"), lambda event: None, stop)
    except LookupError as error:
        assert str(error) == "no database"
    else:
        raise AssertionError("the error was lost")
    assert _alive("sleep 303") == []


def test_a_run_whose_process_is_lost_ends_as_error_and_explains(runner, spec, run_root) -> None:
    one = spec("- name: Sleep\n  command: sleep 305\n")
    events: list = []

    def lose(event) -> None:
        events.append(event)
        if event.status == RUNNING:
            marks.end_marked(marks.mark(run_root, one.provision_id, one.lease))

    outcome = runner.run(one, lose, lambda: False)
    assert outcome.status == "error"
    assert [(event.name, event.status) for event in events] == [
        ("Sleep", RUNNING),
        ("Sleep", FAILED),
        ("Fatal error", RUNNING),
        ("Fatal error", FAILED),
    ]
    assert "lost" in events[1].message


def test_nobody_is_asked_at_a_prompt(runner, spec) -> None:
    outcome, _ = _run(runner, spec("- pause: {prompt: Go on?}\n"), lambda: False)
    assert outcome.status == "successful"


def test_output_without_end_is_capped(runner, spec) -> None:
    tasks = """
- name: Flood
  fail: {msg: "{{ 'x' * 30000 }}"}
  loop: "{{ range(40) | list }}"
  ignore_errors: yes
"""
    outcome, events = _run(runner, spec(tasks), lambda: False)
    assert outcome.status == "successful"
    assert len(outcome.output) <= 256 * 1024
    assert len(str(events[-1].result)) < 70_000


def test_marks_keep_two_products_apart(tmp_path) -> None:
    one, two = (marks.mark(tmp_path / name, 1, 1) for name in ("a", "b"))
    assert one != two
    child = subprocess.Popen(["sleep", "60"], env={**os.environ, marks.VARIABLE: one})
    try:
        time.sleep(0.1)
        assert marks.end_marked(two, within=0.2) == 0
        assert child.poll() is None
        assert list(marks.processes_of(one)) == [child.pid]
        threading.Thread(target=child.wait).start()
        assert marks.end_marked(one) == 1
        assert child.wait(2) == -signal.SIGKILL
    finally:
        child.kill()


def test_leftovers_of_a_killed_product_are_cleaned_at_the_next_start(spec, tmp_path) -> None:
    script = f"""
import sys
from pathlib import Path
from omnicrm.domain.provisioning.ports import RunSpec
from omnicrm.integrations.ansible import AnsibleRunner
runner = AnsibleRunner(Path({str(tmp_path / "runs")!r}), Path({str(PLAYBOOKS)!r}))
plays = (Path({str(tmp_path / "plays")!r}),)
spec = RunSpec(provision_id=5, lease=2, play="play_test", plays_dirs=plays, variables={{}}, crm_config={{}},
    job_token="t" * 20, crm_url="http://127.0.0.1:9")
runner.run(spec, lambda event: print(event.name, flush=True), lambda: False)
"""
    spec("- name: Sleep\n  command: sleep 304\n")
    env = {**os.environ, "PYTHONPATH": str(PLAYBOOKS.parent)}
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=env)
    assert child.stdout.readline().strip() == "Sleep"
    while not _alive("sleep 304"):
        time.sleep(0.05)
    child.kill()
    child.wait()
    child.stdout.close()
    successor = AnsibleRunner(tmp_path / "runs", PLAYBOOKS, warm=False)
    assert successor.clean_leftovers() == 1
    assert _alive("sleep 304") == []
    assert list((tmp_path / "runs").iterdir()) == []
