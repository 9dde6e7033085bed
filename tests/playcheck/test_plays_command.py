"""`omnicrm plays …` as a person calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnicrm.cli import main

NO_CONFIG = ["--config", "/dev/null"]
SOUND = """\
- name: A trial
  hosts: localhost
  gather_facts: no
  tasks:
    - name: Work
      block:
        - name: Check that this is an order
          assert: {that: action != "deprovision"}
          when: action is defined
        - name: Note the size
          set_fact: {size: "{{ (data_gb | int) * 2 }}"}
        - name: Say it
          debug: {msg: "{{ hostvars[inventory_hostname]['Odd Box'] }} is {{ size }}"}
        - name: Call far away
          uri: {url: "http://192.0.2.1/x", timeout: 5}
          ignore_errors: true
      rescue:
        - name: Set the result
          assert: {that: action | default("order") == "deprovision"}
"""


@pytest.fixture
def play(tmp_path: Path) -> str:
    path = tmp_path / "play_trial.yaml"
    path.write_text("# Product variables: data_gb.\n" + SOUND)
    return str(path)


def test_check_exits_with_0_for_a_sound_play_and_with_1_for_an_error(
    play: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plays", "check", play, *NO_CONFIG]) == 0
    assert "1 files checked: 0 errors, 0 warnings" in capsys.readouterr().out
    broken = tmp_path / "play_broken.yaml"
    broken.write_text(SOUND.replace("set_fact: {size:", "set_fact: {password: hunter2, size:"))
    assert main(["plays", "check", str(broken), *NO_CONFIG]) == 1
    printed = capsys.readouterr().out
    assert "play_broken.yaml:11: error: password is a literal secret" in printed
    assert "    mend: take it from the configuration" in printed


def test_check_takes_a_file_of_tasks_and_without_a_name_checks_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = tmp_path / "task_mine.yaml"
    tasks.write_text("- name: Say\n  debug: {msg: '{{ unknown_here }}'}\n")
    assert main(["plays", "check", str(tasks), *NO_CONFIG]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    assert main(["plays", "check", "--set", f"provisioning.plays_dir={tmp_path}", *NO_CONFIG]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out


def test_show_tells_what_a_play_reads_sets_and_calls(play: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plays", "show", play, *NO_CONFIG]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for text in (
        "deprovision guard play_trial.yaml, line 8",
        "inventory Odd Box",
        "product variables data_gb",
        "sets size",
        "GET http://192.0.2.1/x (Call far away)",
        "tasks (4) Check that this is an order Note the size",
        "undo (1) Set the result",
    ):
        assert text in printed, text
    assert main(["plays", "show", "play_absent", *NO_CONFIG]) == 1
    assert "play_absent.yaml does not exist" in capsys.readouterr().err


def test_list_names_each_play_once_with_its_guard(
    play: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "play_simple_service.yaml").write_text("- name: Ours\n  hosts: localhost\n  tasks: []\n")
    (tmp_path / "play_unreadable.yaml").write_text("- name: [\n")
    assert main(["plays", "list", "--set", f"provisioning.plays_dir={tmp_path}", *NO_CONFIG]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    by_name = {line[0]: line[1:] for line in lines}
    assert len(lines) == len(by_name)
    assert by_name["play_trial"][0] == "guard"
    assert by_name["play_simple_service"][:3] == ["no", "guard", "Ours"]
    assert by_name["play_unreadable"][0] == "broken"
    assert not [name for name in by_name if name.startswith("task_")]


def test_a_real_run_is_refused_with_the_reason(play: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plays", "run", play, *NO_CONFIG]) == 2
    assert "a real run is an order" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dry_run_orders_the_play_in_a_demo_of_its_own(
    play: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the operator has configured must not be used: this engine would be unreachable.
    monkeypatch.setenv("OMNICRM__OCS__CGRATES", "192.0.2.1:2080")
    assert main(["plays", "run", play, "--dry-run", "--var", "data_gb=4", "--config", "/dev/null"]) == 0
    printed = capsys.readouterr().out
    assert "note: http://192.0.2.1/x is no sandbox" in printed
    assert "ok    Note the size" in printed
    assert "ign.  Call far away" in printed
    assert "Connection refused" in printed
    assert "result: success" in printed
