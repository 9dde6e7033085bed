"""Release blocker PC-10: a value from a request is text, whatever it looks like, wherever a play puts it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnicrm.domain.errors import Invalid
from omnicrm.domain.provisioning.rules import merge_variables
from omnicrm.integrations.ansible.variables import as_data

TRAPS = (
    "{{ lookup('pipe', 'touch MARKER') }}",
    "{% set x = lookup('pipe', 'touch MARKER') %}{{ x }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{# comment #}{{ 7 * 191 }}",
)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.mark.parametrize("trap", TRAPS)
def test_a_template_in_a_request_value_is_printed_and_never_run(run, server, marker, trap) -> None:
    trap = trap.replace("MARKER", str(marker))
    variables = merge_variables(
        product={"from_product": trap},
        request={"note": trap, "SIM note": trap, "deep": {"list": [trap, 1], "map": {trap: trap}}},
        inventory={},
        system={},
    ).variables
    ran = run(
        """
- name: Direct
  debug: {msg: "{{ note }}"}
- name: Product
  debug: {msg: "{{ from_product }}"}
- name: By host variables
  debug: {msg: "{{ hostvars[inventory_hostname]['SIM note'] }}"}
- name: All of them
  debug: {var: "hostvars[inventory_hostname]"}
- name: Copy
  set_fact: {copied: "{{ note }}", deeper: "{{ deep }}", joined: "a{{ note }}"}
- name: Copied
  debug: {msg: ["{{ copied }}", "{{ deeper }}", "{{ joined }}"]}
- name: Loop
  debug: {msg: "{{ item }}"}
  loop: "{{ deep.list + deep.map.keys() | list }}"
- name: Pairs
  debug: {msg: "{{ item.key }} is {{ item.value }}"}
  loop: "{{ deep.map | dict2items }}"
- name: Command
  command: {argv: [echo, "{{ note }}"]}
- name: File
  copy: {content: "{{ note }}", dest: "{{ playbook_dir }}/note.txt"}
- name: Send
  uri:
    url: "{{ address }}/take"
    method: POST
    body_format: json
    body: {note: "{{ note }}", deep: "{{ deep }}"}
    headers: {X-Note: "{{ note }}"}
- name: Condition
  debug: {msg: equal}
  when: note == copied
- name: Include by name
  include_vars: {file: "{{ note }}"}
  ignore_errors: True
""",
        variables={**variables, "address": server.url},
    )
    assert ran.outcome.status == "successful"
    assert ran.result("Direct")["msg"] == trap
    assert ran.result("Product")["msg"] == trap
    assert ran.result("By host variables")["msg"] == trap
    assert ran.result("Copied")["msg"] == [trap, {"list": [trap, 1], "map": {trap: trap}}, f"a{trap}"]
    assert [item["msg"] for item in ran.result("Loop")["results"]] == [trap, 1, trap]
    assert ran.result("Pairs")["results"][0]["msg"] == f"{trap} is {trap}"
    assert ran.result("Command")["stdout"] == trap
    assert server.calls[0].json == {"note": trap, "deep": {"list": [trap, 1], "map": {trap: trap}}}
    assert server.calls[0].headers["X-Note"] == trap
    assert ran.result("Condition")["msg"] == "equal"
    assert not marker.exists()


def test_a_template_in_an_answer_of_the_crm_is_not_run_either(run, server, marker) -> None:
    trap = TRAPS[0].replace("MARKER", str(marker))
    server.answer("/customer", {"customer_name": trap, "nested": [{trap: trap}]})
    ran = run(
        """
- name: Read
  uri: {url: "{{ address }}/customer", return_content: yes}
  register: customer
- name: Keep
  set_fact: {who: "{{ customer.json.customer_name }}", all: "{{ customer.json }}"}
- name: Show
  debug: {msg: "{{ who }} {{ all.nested[0].keys() | first }}"}
""",
        variables={"address": server.url},
    )
    assert ran.result("Show")["msg"] == f"{trap} {trap}"
    assert not marker.exists()


def test_a_template_in_the_configuration_is_text_in_both_files_and_in_the_variable(run, marker) -> None:
    trap = TRAPS[0].replace("MARKER", str(marker))
    ran = run(
        """
- name: One up
  include_vars: {file: "../crm_config.yaml", name: one}
- name: Two up
  include_vars: {file: "../../crm_config.yaml", name: two}
- name: Show
  debug: {msg: ["{{ one.crm.motto }}", "{{ two.crm.motto }}", "{{ crm_config.crm.motto }}"]}
""",
        crm_config={"crm": {"motto": trap}},
    )
    assert ran.result("Show")["msg"] == [trap, trap, trap]
    assert not marker.exists()


@pytest.mark.parametrize("key", ["__ansible_unsafe", "__ansible_vault", "__ansible_type"])
def test_a_request_cannot_forge_the_marks_of_ansible(key) -> None:
    with pytest.raises(Invalid) as refused:
        merge_variables(product={}, request={"note": {"inner": {key: "x"}}}, inventory={}, system={})
    assert set(refused.value.errors) == {"note"}
    with pytest.raises(ValueError, match="reserved"):
        as_data({"note": {key: "x"}})


def test_every_text_of_the_variables_is_marked() -> None:
    marked = as_data({"a": "x", "b": ["y", 1, True, None, 1.5], "c": {"d": "z"}})
    assert json.loads(json.dumps(marked)) == {
        "a": {"__ansible_unsafe": "x"},
        "b": [{"__ansible_unsafe": "y"}, 1, True, None, 1.5],
        "c": {"d": {"__ansible_unsafe": "z"}},
    }
