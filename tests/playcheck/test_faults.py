"""Each fault of PC-17, PC-37 and PROV-254, 289 in a play of our own, and what the check says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnicrm.domain.provisioning.playcheck import Finding, check_play, check_tasks
from omnicrm.integrations.ansible.expressions import read_expression
from omnicrm.paths import PLAYBOOKS

SHIPPED = PLAYBOOKS / "plays"
HEAD = "- name: A play\n  hosts: localhost\n  tasks:\n"
GUARD = """\
    - name: Work
      block:
        - name: Guard
          assert: {that: action != "deprovision"}
          when: action is defined
"""
END = """\
      rescue:
        - name: Result
          assert: {that: action | default("order") == "deprovision"}
"""


@pytest.fixture
def check(tmp_path: Path):
    """Findings about a play whose block holds `tasks` (or about a whole text), as (line, level, text, mend)."""

    def go(tasks: str = "", text: str = "", given: tuple[str, ...] = ()) -> list[Finding]:
        indented = "".join(f"        {line}\n" for line in tasks.strip("\n").splitlines())
        (tmp_path / "play.yaml").write_text(text or HEAD + GUARD + indented + END)
        return check_play("play", [tmp_path, SHIPPED], read_expression, given)

    return go


def _one(findings: list[Finding]) -> tuple[int, str, str]:
    (finding,) = findings
    return finding.spot.line, finding.level, finding.text


def test_a_sound_play_has_no_findings(check) -> None:
    tasks = """
- name: Read the customer
  uri:
    url: "{{ crm_config.crm.base_url }}/crm/customer/customer_id/{{ customer_id }}"
    headers: {Authorization: "Bearer {{ access_token }}"}
  register: found
- debug: {msg: "{{ found.json | json_query('contacts[0].contact_phone') }}"}
- include_tasks: post_provisioning_tasks.yaml
"""
    assert check(tasks) == []


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_plays_have_no_findings(path: Path) -> None:
    tasks = path.stem.startswith(("task_", "post_", "configure_"))
    check = check_tasks(path.name, [SHIPPED], read_expression) if tasks else None
    assert (check if check is not None else check_play(path.stem, [SHIPPED], read_expression)) == []


def test_broken_yaml_is_told_with_its_line(check) -> None:
    line, level, text = _one(check(text=HEAD + "    - name: x\n      debug: {msg: [\n"))
    assert level == "error"
    assert line >= 5
    assert "not valid YAML" in text


def test_a_missing_play_and_a_missing_include_are_errors(check, tmp_path: Path) -> None:
    assert "does not exist" in _one(check_play("absent", [tmp_path], read_expression))[2]
    line, level, text = _one(check("- include_tasks: task_absent.yaml"))
    assert (line, level) == (9, "error")
    assert "task_absent.yaml" in text


@pytest.mark.parametrize(
    ("tasks", "line", "level", "text"),
    [
        ("- set_fact: {a: {{ customer_id }} }", 9, "mended", "quotes are put around it"),
        ("- uri: {url: 'http://a/x', method: POST, body: {a: 1}}", 9, "mended", "sent as JSON"),
        ("- uri: {url: '{{ crm_config.crm.base_url }}/crm/site/'}", 9, "mended", "carries the job's token"),
        (
            "- uri:\n    url: http://localhost:5000/crm/site/\n    headers: '{{ {\"Authorization\": access_token} }}'",
            *(9, "mended", "goes to the configured one"),
        ),
        (
            "- uri:\n    url: http://a/x\n    register: found",
            9,
            "error",
            "'register' is indented as an argument of uri",
        ),
        ("- debug:\n    msg: x\n    when: action is defined", 9, "error", "'when' is indented as an argument of debug"),
        ("""- debug: {msg: '{{ "Category": "activation" }}'}""", 9, "error", "an object inside {{ }}"),
        ("- debug: {msg: '{{ 1 + }}'}", 9, "error", "no valid template"),
        ("- uri: {url: 'http://sms-gateway/send', method: POST}", 9, "warning", "sms-gateway is a placeholder"),
        ("- set_fact: {api_key: abc123def456}", 9, "error", "api_key is a literal secret"),
        ("- debug: {msg: '{{ customer_phone }}'}", 9, "warning", "customer_phone is read but never given a value"),
        ("- assert: {that: sim_card_id > 0}", 9, "warning", "sim_card_id is read but never given a value"),
        (
            "- uri: {url: 'http://{{ crm_config.ocs.cgrates }}/jsonrpc', body_format: json, body: {a: 1}}",
            *(9, "warning", "answers errors with HTTP 200 too"),
        ),
        (
            "- uri: {url: https://api.mailjet.com/v3.1/send, body_format: json, body: {Messages: [{Subject: x}]}}",
            *(9, "warning", "without a text"),
        ),
    ],
)
def test_a_fault_is_found_at_its_line(check, tasks: str, line: int, level: str, text: str) -> None:
    found = _one(check(tasks))
    assert found[:2] == (line, level)
    assert text in found[2]


def test_the_health_route_needs_no_token(check) -> None:
    assert check("- uri: {url: '{{ crm_config.crm.base_url }}/crm/health'}") == []


def test_names_of_documents_are_told_what_to_read_instead(check) -> None:
    (finding,) = check("- uri: {url: 'http://{{ hss_server }}/subscriber/1'}")
    assert "crm_config.hss.hss_peers" in finding.mend


def test_what_the_product_gives_is_not_undefined(check) -> None:
    tasks = "- debug: {msg: '{{ data_gb }} {{ service_id }} {{ site_id }}'}"
    assert check(tasks, given=("data_gb",)) == []
    declared = "# A play.\n# Product variables: data_gb.\n" + HEAD + GUARD + "        " + tasks + "\n" + END
    assert check(text=declared) == []
    assert check(tasks.replace("data_gb", "data_gb | default(1)")) == []
    assert check("- debug: {msg: '{{ days }}'}\n  when: days is defined") == []


def test_what_the_play_sets_itself_is_not_undefined(check) -> None:
    tasks = """
- set_fact: {one: 1}
- debug: {msg: "{{ one }} {{ two }} {{ three.stdout }} {{ item }} {{ other }}"}
  vars: {two: 2}
  loop: [1]
- command: "true"
  register: three
- debug: {msg: "{{ other }}"}
  loop: [1]
  loop_control: {loop_var: other}
"""
    assert check(tasks) == []


def test_a_rescue_at_the_play_is_told(check) -> None:
    text = HEAD + "    - debug: {msg: x}\n  rescue:\n    - debug: {msg: y}\n"
    texts = [finding.text for finding in check(text=text) if finding.level == "error"]
    assert texts == ["'rescue' stands at the play; indent it into the block of a task"]


def test_a_play_without_clean_up_and_guard_is_warned_of(check) -> None:
    found = [(finding.level, finding.text) for finding in check(text=HEAD + "    - debug: {msg: x}\n")]
    assert [level for level, _ in found] == ["warning", "warning"]
    assert "no block with a rescue" in found[0][1]
    assert "no deprovision guard" in found[1][1]


def test_a_rescue_that_ends_well_is_an_error(check) -> None:
    found = _one(check(text=HEAD + GUARD + "      rescue:\n        - debug: {msg: undone}\n"))
    assert found[:2] == (10, "error")
    assert "reported as a success" in found[2]


def test_a_clean_up_task_that_may_stop_the_others_is_warned_of(check) -> None:
    undo = "      rescue:\n        - uri: {url: 'http://a/x', method: DELETE}\n"
    found = _one(check(text=HEAD + GUARD + undo + END.split("\n", 1)[1]))
    assert found[:2] == (10, "warning")
    assert "those behind it are not tried" in found[2]


def test_a_play_for_other_hosts_is_an_error(check) -> None:
    found = _one(check(text=(HEAD + GUARD + END).replace("localhost", "routers")))
    assert found == (1, "error", "hosts is 'routers'; jobs run on localhost only")
