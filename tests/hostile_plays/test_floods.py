"""A play that fills its folder, the memory, the event list or the output is stopped, or cut, with a clear text."""

from __future__ import annotations

import json

import pytest

from omnicrm.domain.provisioning.ports import FAILED, OK
from omnicrm.domain.provisioning.redact import MAX_RESULT_BYTES
from omnicrm.integrations.ansible import limits
from omnicrm.integrations.ansible.events import MAX_OUTPUT
from tests.hostile_plays.conftest import alive


def kept(ran) -> list[int]:
    """Bytes of each stored result."""
    return [len(json.dumps(event.result, default=str)) for event in ran.events if event.result]


def test_a_play_that_fills_its_folder_is_stopped(run, run_root, sleeper) -> None:
    fill = "for n in $(seq 100); do head -c 20000000 /dev/urandom > big$n; sleep 0.1; done"
    ran = run(f"- name: Fill\n  shell: |\n    {sleeper} &\n    {fill}\n", max_folder_mb=60)
    assert ran.outcome.status == "error"
    assert "filled its folder with more than 60 MB (provisioning.max_folder_mb)" in ran.outcome.message
    assert ran.ends == [("Fill", FAILED)]
    assert alive(sleeper) == []
    assert list(run_root.glob("run-*")) == []


def test_a_single_file_cannot_outgrow_the_limit_wherever_it_lies(run, tmp_path) -> None:
    outside = tmp_path / "outside"
    ran = run(f"- name: Fill\n  command: dd if=/dev/zero of={outside} bs=1M count=40\n", max_folder_mb=16)
    assert ran.outcome.status == "failed"
    assert outside.stat().st_size <= 16 * 2**20


def test_a_play_with_files_without_number_is_stopped(run, monkeypatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILES", 1000)
    ran = run("- shell: for n in $(seq 3000); do mkdir -p d$n/d; done; sleep 30\n")
    assert "more than 1000 files" in ran.outcome.message


def test_a_play_that_takes_all_memory_is_stopped(run) -> None:
    hog = "python3 -c 'import time; x = bytearray(900 * 2**20); time.sleep(30)'"
    ran = run(f'- name: Eat\n  shell: "{hog}"\n', max_memory_mb=700)
    assert ran.outcome.status == "error"
    assert "more than 700 MB of memory (provisioning.max_memory_mb)" in ran.outcome.message


def test_a_play_that_forks_and_forks_is_stopped(run, monkeypatch, sleeper) -> None:
    monkeypatch.setattr(limits, "MAX_PROCESSES", 40)
    ran = run(f"- name: Fork\n  shell: for n in $(seq 60); do {sleeper} & done; wait\n")
    assert "more than 40 processes" in ran.outcome.message
    assert alive(sleeper) == []


def test_tasks_without_end_are_stopped(run, plays, monkeypatch) -> None:
    monkeypatch.setattr(limits, "MAX_TASKS", 60)
    (plays / "again.yaml").write_text("- debug: {msg: 1}\n- include_tasks: '{{ file }}'\n")
    ran = run("- include_tasks: '{{ file }}'\n", variables={"file": "again.yaml"})
    assert ran.outcome.status == "error"
    assert "more than 60 tasks" in ran.outcome.message


def test_a_loop_of_many_items_is_one_event_of_bounded_size(run) -> None:
    ran = run("- name: Many\n  debug: {msg: '{{ item }} and more'}\n  loop: '{{ range(800) | list }}'\n")
    assert ran.ends == [("Many", OK)]
    assert max(kept(ran)) <= MAX_RESULT_BYTES


@pytest.mark.parametrize("size", [300_000, 5_000_000])
def test_a_result_of_megabytes_is_cut(run, size) -> None:
    ran = run(f"- name: Big\n  debug: {{msg: \"{{{{ 'x' * {size} }}}}\"}}\n- name: Next\n  debug: {{msg: 1}}\n")
    assert ran.ends == [("Big", OK), ("Next", OK)]
    assert max(kept(ran)) <= MAX_RESULT_BYTES
    assert ran.result("Big")["truncated"] is True


def test_output_past_all_tasks_is_cut_and_the_play_goes_on(run) -> None:
    flood = "head -c 3000000 /dev/zero | tr '\\\\0' 'x' | fold > /proc/{{ pid }}/fd/1"
    tasks = f"""
- set_fact: {{pid: "{{{{ lookup('pipe', 'echo $PPID') }}}}"}}
- name: Flood
  shell: "{flood}"
  ignore_errors: yes
- name: Next
  debug: {{msg: 1}}
"""
    ran = run(tasks)
    assert ran.ends[-1] == ("Next", OK)
    assert len(ran.outcome.output) <= MAX_OUTPUT


def test_an_answer_without_end_does_not_take_the_product_down(run, server) -> None:
    server.answer("/huge", b'{"a": "' + b"x" * 30_000_000 + b'"}')
    ran = run(
        f"- name: Read\n  uri: {{url: '{server.url}/huge', return_content: yes}}\n- name: Next\n  debug: {{msg: 1}}\n"
    )
    assert ran.ends == [("Read", OK), ("Next", OK)]
    assert max(kept(ran)) <= MAX_RESULT_BYTES
