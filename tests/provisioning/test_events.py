"""Events of a run: numbers, statuses, names, messages, facts (PROV-151–157, 189, 220–222, 252)."""

from __future__ import annotations

import json

from omnicrm.domain.provisioning.ports import FAILED, IGNORED, OK, RUNNING

GUARDED = """
- name: Main block
  block:
    - name: Pass over when deprovisioning
      assert: {that: action != "deprovision", quiet: yes}
      when: action is defined
    - name: Provision
      set_fact: {made: yes}
    - name: Ask the network
      fail: {msg: the network refuses}
      when: refuse | default(false)
  rescue:
    - name: Undo what is not there
      command: "false"
      ignore_errors: True
    - name: Decide
      assert: {that: action == "deprovision"}
"""


def test_each_task_is_told_when_it_starts_and_when_it_ends_with_one_number(run) -> None:
    ran = run("- name: First thing\n  debug: {msg: 1}\n- set_fact: {x: 1}\n")
    assert [(event.number, event.name, event.status) for event in ran.events] == [
        (1, "First thing", RUNNING),
        (1, "First thing", OK),
        (2, "set_fact", RUNNING),
        (2, "set_fact", OK),
    ]
    assert ran.outcome.status == "successful"
    assert ran.outcome.task_count == 2
    start, end = ran.events[:2]
    assert start.ended_at is None
    assert end.started_at == start.started_at <= end.ended_at
    assert end.ended_at.utcoffset().total_seconds() == 0


def test_a_loop_is_one_event_with_all_its_items(run) -> None:
    ran = run('- name: Three\n  debug: {msg: "{{ item }}"}\n  loop: [a, b, c]\n')
    assert ran.ends == [("Three", OK)]
    assert [item["msg"] for item in ran.result("Three")["results"]] == ["a", "b", "c"]


def test_skipped_tasks_are_no_failures(run) -> None:
    ran = run("- name: Not today\n  debug: {msg: 1}\n  when: false\n- name: Empty\n  debug: {msg: 1}\n  loop: []\n")
    assert [(event.name, event.status, event.skipped) for event in ran.events if event.status != RUNNING] == [
        ("Not today", OK, True),
        ("Empty", OK, True),
    ]


def test_an_ignored_failure_is_3_and_the_job_succeeds(run) -> None:
    ran = run(
        "- name: Optional SMS\n  fail: {msg: no gateway}\n  ignore_errors: True\n- name: Next\n  debug: {msg: 1}\n"
    )
    assert ran.ends == [("Optional SMS", IGNORED), ("Next", OK)]
    assert ran.outcome.status == "successful"
    assert ran.message("Optional SMS") == "no gateway"
    assert ran.outcome.failed_task is None


def test_a_failure_is_2_and_ends_the_job_with_its_text(run) -> None:
    ran = run("- name: Charge\n  fail: {msg: card refused}\n- name: Never\n  debug: {msg: 1}\n")
    assert ran.ends == [("Charge", FAILED)]
    outcome = ran.outcome
    assert (outcome.status, outcome.failed_task, outcome.message) == ("failed", "Charge", "card refused")


def test_a_failed_order_is_undone_and_blamed_on_its_first_failure(run) -> None:
    ran = run(GUARDED, variables={"refuse": True})
    assert ran.ends == [
        ("Pass over when deprovisioning", OK),
        ("Provision", OK),
        ("Ask the network", FAILED),
        ("Undo what is not there", IGNORED),
        ("Decide", FAILED),
    ]
    assert ran.outcome.status == "failed"
    assert ran.outcome.failed_task == "Ask the network"
    assert ran.outcome.message == "the network refuses"


def test_a_deprovision_goes_straight_to_the_clean_up_and_succeeds(run) -> None:
    ran = run(GUARDED, variables={"action": "deprovision"})
    assert ran.ends == [
        ("Pass over when deprovisioning", IGNORED),
        ("Undo what is not there", IGNORED),
        ("Decide", OK),
    ]
    assert FAILED not in [event.status for event in ran.events]
    assert ran.outcome.status == "successful"


def test_a_failure_that_the_play_gets_over_becomes_3_at_the_end(run) -> None:
    ran = run(
        "- block:\n    - name: Try\n      fail: {msg: no}\n  rescue:\n    - name: Other way\n      debug: {msg: 1}\n"
    )
    assert [(event.number, event.status, event.corrects) for event in ran.events if event.name == "Try"] == [
        (1, RUNNING, False),
        (1, FAILED, False),
        (1, IGNORED, True),
    ]
    assert ran.outcome.status == "successful"
    assert ran.outcome.failed_task is None


def test_included_task_files_run_and_show_up_in_order(run, plays) -> None:
    (plays / "task_mail.yaml").write_text("- name: Mail\n  debug: {msg: sent}\n")
    (plays / "templates").mkdir()
    (plays / "templates" / "router.j2").write_text("ssid {{ ssid }}\n")
    ran = run(
        """
- name: Mail part
  include_tasks: task_mail.yaml
- import_tasks: task_mail.yaml
- name: Render
  template: {src: templates/router.j2, dest: "{{ playbook_dir }}/out.cfg"}
- name: Read
  slurp: {src: "{{ playbook_dir }}/out.cfg"}
  register: out
- name: Show
  debug: {msg: "{{ out.content | b64decode }}"}
""",
        variables={"ssid": "Home"},
    )
    assert ran.ends == [("Mail part", OK), ("Mail", OK), ("Mail", OK), ("Render", OK), ("Read", OK), ("Show", OK)]
    assert ran.result("Show")["msg"] == "ssid Home\n"


def test_facts_are_handed_over_raw_and_results_are_not(run) -> None:
    ran = run(
        """
- set_fact: {ki: "00112233445566778899", service_uuid: S1}
- name: Show it
  debug: {msg: "the key is {{ ki }}"}
- set_fact: {n: "{{ item }}"}
  loop: [1, 2]
- set_stats: {data: {handed: over}}
"""
    )
    assert ran.outcome.facts == {"ki": "00112233445566778899", "service_uuid": "S1", "n": 2, "handed": "over"}
    assert ran.events[1].facts == {"ki": "00112233445566778899", "service_uuid": "S1"}
    stored = json.dumps([dict(event.result or {}) for event in ran.events])
    assert "00112233445566778899" not in stored
    assert "the key is" in stored


def test_no_secret_of_the_job_reaches_an_event(run, server) -> None:
    server.answer("/sim", {"iccid": "89", "ki": "KIKIKIKIKIKI", "opc": "OPCOPCOPCOPC"})
    token, mail_secret, known = "job-token-SECRET1", "mailjet-SECRET2", "known-SECRET3"
    ran = run(
        """
- name: All variables
  debug: {var: "hostvars[inventory_hostname]"}
- name: Configuration
  include_vars: {file: ../crm_config.yaml, name: crm_config}
- name: Read SIM
  uri:
    url: "{{ address }}/sim"
    headers: {Authorization: "Bearer {{ access_token }}", X-Other: "{{ access_token }}"}
    return_content: yes
  register: sim
- name: Leak
  debug: {msg: "{{ sim.json.ki }} {{ access_token }} {{ lookup('env', 'MAILJET_SECRET') }} {{ note }}"}
- name: Leak in an error
  fail: {msg: "{{ sim.json.opc }} {{ crm_config.smsc.api_key }}"}
""",
        variables={"address": server.url, "note": f"see {known}"},
        crm_config={"smsc": {"api_key": "SMSCKEY12345"}},
        env={"MAILJET_SECRET": mail_secret},
        job_token=token,
        secrets=(known,),
    )
    assert ran.outcome.status == "failed"
    seen = json.dumps([[event.name, dict(event.result or {}), event.message] for event in ran.events])
    seen += ran.outcome.message + ran.outcome.output
    for secret in (token, mail_secret, known, "KIKIKIKIKIKI", "OPCOPCOPCOPC", "SMSCKEY12345"):
        assert secret not in seen
    assert server.calls[0].headers["Authorization"] == f"Bearer {token}"


def test_a_huge_result_is_cut_and_the_play_goes_on(run) -> None:
    ran = run("- name: Dump\n  debug: {msg: \"{{ 'x' * 5000000 }}\"}\n- name: Next\n  debug: {msg: 1}\n")
    assert ran.ends == [("Dump", OK), ("Next", OK)]
    assert ran.result("Dump")["truncated"] is True
    assert len(json.dumps(ran.result("Dump"))) < 65_536


def test_an_http_error_is_told_with_the_text_of_the_answer(run, server) -> None:
    server.answer("/subscriber", {"message": "unknown APN gold"}, status=422)
    ran = run('- name: Tell the HSS\n  uri: {url: "{{ a }}/subscriber", method: PUT}\n', variables={"a": server.url})
    assert "422" in ran.outcome.message
    assert "unknown APN gold" in ran.outcome.message


def test_a_syntax_error_ends_in_a_fatal_event_that_explains(run) -> None:
    ran = run("- name: Broken\n  no_such_module_here: {x: 1}\n", variables={"wifi_psk": "apple12345", "data_gb": 20})
    assert ran.outcome.status == "error"
    assert "no_such_module_here" in ran.outcome.message
    fatal = ran.events[-1]
    assert (fatal.name, fatal.status, fatal.number) == ("Fatal error", FAILED, 1)
    assert fatal.result["exit_code"] not in (0, None)
    assert "no_such_module_here" in fatal.result["output"]
    assert fatal.result["common_causes"]
    assert fatal.result["variables"] == {"wifi_psk": "********", "data_gb": 20}


def test_a_missing_play_ends_in_a_fatal_event_that_names_it(run) -> None:
    ran = run(None, play="play_gone")
    assert ran.outcome.status == "error"
    assert ran.ends == [("Fatal error", FAILED)]
    assert "play_gone.yaml" in ran.message("Fatal error")


def test_an_undefined_variable_fails_the_task_that_uses_it(run) -> None:
    ran = run('- name: Use\n  debug: {msg: "{{ nobody_set_me }}"}\n')
    assert ran.ends == [("Use", FAILED)]
    assert "nobody_set_me" in ran.outcome.message


def test_a_play_with_bare_templates_runs_as_a_mended_copy(run, plays) -> None:
    text = (
        "- name: T\n  hosts: localhost\n  gather_facts: no\n  tasks:\n    - name: Show\n      debug:\n"
        '        msg: {"id": {{ customer_id | int }}, "next": {{ customer_id | int + 1 }}}\n'
    )
    (plays / "play_test.yaml").write_text(text)
    ran = run(None, variables={"customer_id": "7"})
    assert ran.result("Show")["msg"] == {"id": 7, "next": 8}
    assert "line 7" in ran.outcome.warnings[0]
    assert (plays / "play_test.yaml").read_text() == text


def test_an_empty_default_of_the_product_does_not_hide_what_the_play_finds(run) -> None:
    ran = run(
        """
- name: Before
  debug: {msg: "<{{ iccid }}> <{{ hostvars[inventory_hostname]['iccid'] }}> <{{ label }}>"}
- set_fact: {iccid: "8944"}
- name: After
  debug: {msg: "{{ iccid }}"}
""",
        variables={"iccid": "", "label": ""},
    )
    assert ran.result("Before")["msg"] == "<> <> <>"
    assert ran.result("After")["msg"] == "8944"


def test_json_types_arrive_as_they_were_sent(run) -> None:
    ran = run(
        "- name: Types\n"
        '  debug: {msg: ["{{ n | type_debug }}", "{{ b | type_debug }}", "{{ f }}", "{{ o.l[1] + 1 }}"]}\n',
        variables={"n": 1, "b": True, "f": 1.5, "o": {"l": [1, 2]}},
    )
    assert ran.result("Types")["msg"] == ["int", "bool", 1.5, 3]


def test_both_names_of_inventory_and_the_names_that_ansible_reserves_work(run) -> None:
    ran = run(
        "- name: Show\n"
        "  debug: {msg: \"{{ hostvars[inventory_hostname]['SIM Card'] | int }} {{ SIM_Card }} {{ action }}\"}\n"
        "  when: \"'SIM Card' in hostvars[inventory_hostname]\"\n",
        variables={"SIM Card": 789, "SIM_Card": 789, "action": "update"},
    )
    assert ran.result("Show")["msg"] == "789 789 update"
