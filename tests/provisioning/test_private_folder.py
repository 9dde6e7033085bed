"""The private folder of a run (PROV-160, 171, 172, 258, 288, PC-04, PC-31)."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from omnicrm.domain.provisioning.plays import PlayError
from omnicrm.integrations.ansible import folder, marks
from omnicrm.paths import PLAYBOOKS

LOOK = """
- name: Look
  command:
    argv:
      - sh
      - -c
      - 'cd {{ playbook_dir }}/../.. && find . -type f -printf "%m %p\\n" && find . -type d -printf "%m %p\\n" && pwd'
"""


def _runs(run_root) -> list[str]:
    return [path.name for path in run_root.glob("run-*")]


def test_files_are_owner_only_and_laid_out_as_documented_plays_expect(run, plays) -> None:
    (plays / "templates").mkdir()
    (plays / "templates" / "router.j2").write_text("x")
    (plays / "helper.sh").write_text("#!/bin/sh\n")
    (plays / "helper.sh").chmod(0o755)
    (plays / ".git").mkdir()
    (plays / ".git" / "config").write_text("secret")
    *rows, path = run(LOOK).result("Look")["stdout"].splitlines()
    modes = {row.split(" ", 1)[1]: int(row.split(" ", 1)[0], 8) for row in rows}
    for name in (
        "./crm_config.yaml",
        "./Provisioners/crm_config.yaml",
        "./Provisioners/plays/play_test.yaml",
        "./Provisioners/plays/templates/router.j2",
        "./env/extravars",
        "./http.json",
    ):
        assert modes[name] == 0o600, name
    assert modes["./Provisioners/plays/helper.sh"] == 0o700
    assert not any(".git" in name for name in modes)
    # Ansible's own temporary files lie below home/ and tmp/, which nobody else may enter.
    ours = {name: mode for name, mode in modes.items() if not name.startswith(("./home/", "./tmp/"))}
    assert not [name for name, mode in ours.items() if mode & (stat.S_IRWXG | stat.S_IRWXO)]
    assert not os.path.exists(path)


@pytest.mark.parametrize(
    ("tasks", "status"),
    [("- debug: {msg: 1}\n", "successful"), ("- fail: {msg: 1}\n", "failed"), ("- nonsense_: {}\n", "error")],
)
def test_nothing_is_left_however_a_run_ends(run, run_root, tasks, status) -> None:
    assert run(tasks).outcome.status == status
    assert _runs(run_root) == []


def test_nothing_is_left_when_the_caller_raises(runner, spec, run_root) -> None:
    def lost(event) -> None:
        raise RuntimeError("the lease is gone")

    with pytest.raises(RuntimeError, match="the lease is gone"):
        runner.run(spec("- name: Wait\n  pause: {seconds: 30}\n"), lost, lambda: False)
    assert _runs(run_root) == []


def test_all_three_ways_to_the_configuration_give_the_same(run) -> None:
    ran = run(
        """
- include_vars: {file: "../crm_config.yaml", name: one}
- include_vars: {file: "../../crm_config.yaml", name: two}
- name: Show
  debug: {msg: ["{{ one }}", "{{ two }}", "{{ crm_config }}"]}
""",
        crm_config={
            "crm": {"base_url": "http://x"},
            "hss": {"hss_peers": ["http://a", "http://b"]},
            "n": 1,
            "on": True,
        },
    )
    one, two, given = ran.result("Show")["msg"]
    assert (
        one
        == two
        == given
        == {
            "crm": {"base_url": "http://x"},
            "hss": {"hss_peers": ["http://a", "http://b"]},
            "n": 1,
            "on": True,
        }
    )


def test_the_variables_and_the_token_stand_in_no_command_line(runner, spec, run_root) -> None:
    one = spec("- command: sleep 1\n", variables={"word": "VARIABLE-VALUE-1"}, job_token="TOKEN-VALUE-1")
    lines: list[str] = []

    def look(event) -> None:
        for pid in marks.processes_of(marks.mark(run_root, one.provision_id, one.lease)):
            with contextlib.suppress(OSError):
                lines.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))

    runner.run(one, look, lambda: False)
    assert any("extravars" in line for line in lines)
    assert not [line for line in lines if "VARIABLE-VALUE-1" in line or "TOKEN-VALUE-1" in line]


def test_a_play_sees_nothing_of_the_products_environment(run, monkeypatch) -> None:
    monkeypatch.setenv("OMNICRM__SECURITY__JWT_SECRET", "do-not-show")
    monkeypatch.setenv("STRIPE_SECRET", "do-not-show")
    ran = run(
        "- name: Env\n  command: env\n- name: Mail\n  debug: {msg: \"{{ lookup('env', 'MAILJET_API_KEY') }}\"}\n",
        env={"MAILJET_API_KEY": "abc"},
    )
    assert "do-not-show" not in ran.result("Env")["stdout"]
    assert "OMNICRM__" not in ran.result("Env")["stdout"]
    assert ran.result("Mail")["msg"] == "abc"


def test_runs_side_by_side_do_not_see_each_other(runner, spec) -> None:
    tasks = """
- name: Mine
  debug: {msg: "{{ who }} {{ hostvars[inventory_hostname]['SIM Card'] | default('none') }} {{ access_token }}"}
- pause: {seconds: 1}
- name: Still mine
  debug: {msg: "{{ who }} {{ playbook_dir }}"}
"""
    seen: dict[str, list] = {"a": [], "b": [], "c": []}
    threads = []
    for name, messages in seen.items():
        extra = {"SIM Card": 7} if name == "a" else {}
        one = spec(tasks, variables={"who": name, **extra}, job_token=f"tk-{name}")

        def go(one=one, messages=messages) -> None:
            runner.run(one, lambda event: messages.append((event.result or {}).get("msg")), lambda: False)

        threads.append(threading.Thread(target=go))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = {name: [text for text in messages if text] for name, messages in seen.items()}
    assert [texts[name][0] for name in "abc"] == ["a 7 tk-a", "b none tk-b", "c none tk-c"]
    assert len({messages[-1].split()[1] for messages in texts.values()}) == 3


def test_a_changed_play_is_used_by_the_next_run(run) -> None:
    assert run("- name: Old name\n  debug: {msg: 1}\n").ends[0][0] == "Old name"
    assert run("- name: New name\n  debug: {msg: 1}\n").ends[0][0] == "New name"


def test_folders_of_dead_processes_are_found_and_those_of_living_ones_are_not(tmp_path) -> None:
    living = folder.hold(tmp_path, "run-1-1")
    dead = folder.hold(tmp_path, "run-2-1")
    os.close(dead._lock)
    found = folder.abandoned(tmp_path)
    assert [held.path for held in found] == [dead.path]
    for held in (*found, living):
        held.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_plays_folder_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(folder, "MAX_PLAY_FILES", 3)
    source = tmp_path / "home"
    source.mkdir()
    for number in range(5):
        (source / f"{number}.txt").write_text("x")
    (tmp_path / "run").mkdir()
    with pytest.raises(PlayError, match="more than 3 files"):
        folder.lay_out(tmp_path / "run", plays_dirs=[source], crm_config={}, extra={}, defaults={}, http={})


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else for a moment")
def test_what_a_play_made_unreadable_is_removed_too() -> None:
    """Root reads everything; the product need not be root."""
    script = """
import os, sys, tempfile
from pathlib import Path
from omnicrm.integrations.ansible import folder
os.setuid(65534)
held = folder.hold(Path(tempfile.mkdtemp()), "run-1-1")
deep = held.path / "a" / "b"
deep.mkdir(parents=True)
(deep / "file").write_text("x")
for path in (deep, deep.parent):
    path.chmod(0)
held.remove()
sys.exit(held.path.exists())
"""
    env = {**os.environ, "PYTHONPATH": str(PLAYBOOKS.parent)}
    assert subprocess.run([sys.executable, "-c", script], env=env).returncode == 0
