"""What tasks' results tell about what is left, without a play: systems, things that are gone, requests on their way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omnicrm.domain.provisioning.leftovers import (
    Leftover,
    Systems,
    dump,
    load,
    may_have_arrived,
    read_traces,
    still_left,
    to_be_checked,
)
from omnicrm.domain.provisioning.plays import Play, read_play
from omnicrm.domain.provisioning.recorder import Kept
from omnicrm.settings import load as load_settings

HSS = "http://user:secret@10.1.1.1:8080"
OK, RUNNING, FAILED, IGNORED = 0, 1, 2, 3
PLAY = Play("line", Path("line.yaml"), tasks=["Order", "Optional"], undo=["Remove", "Set the result"])


@pytest.fixture
def systems(tmp_path: Path) -> Systems:
    sets = {"hss.hss_peers": f"[{HSS}]", "sandbox.enabled": "true", "ocs.listen": "127.0.0.1:2080"}
    return Systems(load_settings(sets=sets, environ={}, data_dir=tmp_path))


@dataclass
class Task:
    event_name: str
    provisioning_status: int
    provisioning_result_json: str = '{"msg": ""}'
    skipped: bool = False
    message: str = ""
    event_number: int = 0


def task(name: str, status: int, /, **result: Any) -> Task:
    return Task(name, status, json.dumps(result))


TURN = task("Order", FAILED, msg="no")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://127.0.0.1:5000/crm/service/service_id/4", "CRM"),
        ("http://localhost:5000/crm/service/", "CRM"),
        ("http://127.0.0.1:2080/jsonrpc", "Charging engine"),
        ("http://user:secret@10.1.1.1:8080/subscriber/001?key=1", "HSS http://10.1.1.1:8080"),
        ("http://10.1.1.1:8080/subscriber", "HSS http://10.1.1.1:8080"),
        ("http://10.1.1.1:8081/subscriber", "http://10.1.1.1:8081"),
        ("https://ann:pw@switch.example.com/line/7?token=abc", "https://switch.example.com"),
        ("http://[broken", "an address that cannot be read"),
    ],
)
def test_a_system_is_named_without_user_password_path_and_query(systems: Systems, url: str, name: str) -> None:
    assert systems.name(url) == name


@pytest.mark.parametrize(
    "result",
    [
        {"url": f"{HSS}/s/1", "status": 404, "msg": "Not Found"},
        {"url": f"{HSS}/s/1", "status": 410, "msg": "Gone"},
        {"url": "http://127.0.0.1:2080/jsonrpc", "status": 200, "json": {"result": None, "error": "NOT_FOUND"}},
        {"url": "http://127.0.0.1:2080/jsonrpc", "status": 200, "json": {"error": {"message": "NOT_FOUND:x"}}},
    ],
)
def test_what_is_gone_already_is_no_leftover(systems: Systems, result: dict[str, Any]) -> None:
    assert read_traces([TURN, task("Remove", IGNORED, failed=True, **result)], systems, PLAY).left == []


def test_a_wrong_address_of_the_engine_is_not_taken_for_an_account_that_is_gone(systems: Systems) -> None:
    result = {"url": "http://127.0.0.1:2080/jsonrpc", "status": 404, "msg": "Not Found"}
    assert len(read_traces([TURN, task("Remove", IGNORED, **result)], systems, PLAY).left) == 1


def test_ignored_failures_count_from_the_turn_to_the_clean_up_on_and_of_its_tasks_only(systems: Systems) -> None:
    refused = {"url": f"{HSS}/s/1", "status": 500, "msg": "refused"}
    tasks = [
        task("Optional", IGNORED, **refused),
        TURN,
        task("Optional", IGNORED, **refused),
        task("Remove", IGNORED, **refused),
        task("Set the result", FAILED, msg="Failed at 'Order'"),
    ]
    assert read_traces(tasks, systems, PLAY).left == [Leftover("HSS http://10.1.1.1:8080", "Remove", "refused")]


def test_each_item_of_a_loop_stands_for_itself(systems: Systems) -> None:
    items = [
        {"url": f"{HSS}/s/1", "status": 200},
        {"url": f"{HSS}/s/2", "status": 404, "failed": True},
        {"url": "http://10.2.2.2/s/3", "status": 500, "failed": True, "msg": "busy"},
    ]
    found = read_traces([TURN, task("Remove", IGNORED, results=items, msg="one failed")], systems, PLAY)
    assert found.left == [Leftover("http://10.2.2.2", "Remove", "busy")]


def test_a_result_that_nobody_can_read_is_still_a_leftover(systems: Systems) -> None:
    found = read_traces([TURN, Task("Remove", IGNORED, "garbage", message="it broke")], systems, PLAY)
    assert found.left == [Leftover("Play line", "Remove", "it broke")]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"url": HSS, "status": 200}, True),
        ({"url": HSS, "status": 500, "failed": True}, True),
        ({"url": HSS, "status": -1, "failed": True, "no_answer": True}, True),
        ({"url": HSS, "status": -1, "failed": True, "msg": "refused"}, False),
        ({"url": HSS, "status": 401, "failed": True}, False),
        ({"rc": 0, "stdout": "done"}, True),
        ({"changed": False, "ansible_facts": {"a": 1}, "_ansible_no_log": False}, False),
        ({"failed": True, "msg": "No", "assertion": "a == 1", "evaluated_to": False, "exception": "-"}, False),
    ],
)
def test_a_system_that_was_away_from_the_start_has_nothing_of_the_job(
    systems: Systems, result: dict[str, Any], expected: bool
) -> None:
    first = task("Optional", IGNORED if result.get("failed") else OK, **result)
    assert read_traces([first, TURN], systems, PLAY).may_have_changed("HSS http://10.1.1.1:8080") is expected


def test_a_task_that_was_cut_may_have_done_anything(systems: Systems) -> None:
    found = read_traces([Task("Order", RUNNING, "{}")], systems, PLAY)
    assert [entry.what for entry in found.unsure] == ["Order"]
    assert found.may_have_changed("anything")


CUT = """
- name: A play
  hosts: localhost
  tasks:
    - {name: Wait, pause: {seconds: 9}}
    - {name: Look, uri: {url: 'http://10.1.1.1'}}
    - set_fact: {a: 1}
    - {name: Include, include_tasks: "{{ more }}"}
    - {name: Tell, uri: {url: "{{ item }}/line", method: PUT}}
    - {name: Tell one, uri: {url: "http://10.1.1.1:8080/line", method: PUT}}
    - {name: Pay, uri: {url: "http://{{ crm_config.ocs.cgrates }}/jsonrpc", method: POST}}
    - {name: Extend, uri: {url: "{{ crm_config['crm']['base_url'] }}/crm/service/4", method: PATCH}}
    - {name: Both, uri: {url: "http://{{ crm_config.ocs.cgrates }}/jsonrpc", method: POST}}
    - {name: Both, uri: {url: "{{ crm_config.crm.base_url }}/crm/service/4", method: PATCH}}
    - {name: Greet, uri: {url: "{{ crm_config.smsc.smsc_url }}", method: POST}}
    - {name: Run, command: reboot}
"""


@pytest.fixture
def cut(tmp_path: Path) -> Play:
    (tmp_path / "cut.yaml").write_text(CUT)
    return read_play("cut", (tmp_path,))


@pytest.mark.parametrize("name", ["Wait", "Look", "set_fact", "ansible.builtin.set_fact", "Include"])
def test_a_task_that_was_cut_while_it_waited_or_read_has_done_nothing(systems: Systems, cut: Play, name: str) -> None:
    found = read_traces([Task(name, RUNNING, "{}")], systems, cut)
    assert (found.unsure, found.touched) == ([], set())


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("Tell one", "HSS http://10.1.1.1:8080"),
        ("Pay", "Charging engine"),
        ("Extend", "CRM"),
        ("Greet", "SMS centre"),
        *((name, None) for name in ("Tell", "Both", "Run", "A name with {{ values }}")),
    ],
)
def test_a_request_that_was_cut_belongs_to_its_system_where_the_play_names_one(
    systems: Systems, cut: Play, name: str, where: str | None
) -> None:
    found = read_traces([Task(name, RUNNING, "{}")], systems, cut)
    assert [(entry.where, entry.what) for entry in found.unsure] == [(where or "Play cut", name)]
    assert found.may_have_changed("anything") is (where is None)
    assert where is None or found.may_have_changed(where)
    covered = {"Charging engine"}
    named = [] if where in ("Charging engine", "CRM", "SMS centre") else [name]
    assert [entry.what for entry in to_be_checked(found, covered, "")] == named


@pytest.mark.parametrize(
    ("status", "away"), [(-1, True), (502, True), (503, True), (504, True), (500, False), (403, False)]
)
def test_a_step_failed_at_a_system_that_is_away_is_worth_another_try(systems: Systems, status: int, away: bool) -> None:
    tasks = [TURN, task("Remove", IGNORED, url=f"{HSS}/s/1", status=status, msg="no")]
    (entry,) = read_traces(tasks, systems, PLAY).left
    assert (entry.away, load(dump([entry]))) == (away, [entry])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"status": -1, "no_answer": True}, True),
        ({"status": 504, "no_answer": True}, True),
        ({"status": -1, "msg": "timed out"}, False),
        ({"status": -1, "msg": "timed out", "invocation": {"module_args": {"method": "POST"}}}, True),
        ({"status": -1, "msg": "timed out", "invocation": {"module_args": {"method": "GET"}}}, False),
        ({"status": -1, "msg": "Connection refused", "invocation": {"module_args": {"method": "PUT"}}}, False),
        ({"status": 500, "invocation": {"module_args": {"method": "PUT"}}}, False),
    ],
)
def test_requests_that_may_have_arrived(part: dict[str, Any], expected: bool) -> None:
    assert may_have_arrived(part) is expected


def test_another_clean_up_replaces_what_it_got_to_and_keeps_the_rest(systems: Systems) -> None:
    before = [
        Leftover("HSS http://10.1.1.1:8080", "Remove", "old"),
        Leftover("http://10.2.2.2", "Remove", "old"),
        Leftover("http://10.3.3.3", "Remove", "old"),
    ]
    now = [
        task("Guard", IGNORED, msg="not an order"),
        task("Remove", OK, url=f"{HSS}/s/1", status=200),
        task("Remove", IGNORED, url="http://10.2.2.2/s", status=503, msg="new"),
    ]
    traces = read_traces(now, systems, PLAY, undoing=True)
    assert still_left(before, traces) == [
        Leftover("http://10.3.3.3", "Remove", "old"),
        Leftover("http://10.2.2.2", "Remove", "new", away=True),
    ]


def test_leftovers_are_stored_each_once() -> None:
    entry = Leftover("CRM", "Remove", "no")
    assert load(dump([entry, entry])) == [entry]
    assert load(None) == []


def test_values_for_a_clean_up_are_bounded_and_hold_no_marks_of_ansible() -> None:
    kept = Kept()
    kept.take({"small": 1, "huge": "x" * 70_000}, {"hostile": {"json": {"__ansible_unsafe": "{{ 1 }}"}}})
    for number in range(20):
        kept.take({}, {f"answer_{number}": "y" * 60_000})
    assert kept.set == {"small": 1}
    assert "hostile" not in kept.registered and 7 <= len(kept.registered) <= 9
    assert len(kept.text()) < 600_000
    again = Kept(kept.text())
    assert (again.set, again.registered) == (kept.set, kept.registered)


def test_values_of_a_job_from_before_results_were_kept_are_still_read() -> None:
    kept = Kept('{"imsi": "001"}')
    assert (kept.set, kept.registered) == ({"imsi": "001"}, {})
