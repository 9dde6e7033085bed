"""What the product knows of a play before it runs (PROV-155, PROV-162, PROV-223, PROV-251, PROV-254, PC-11, PC-17)."""

from __future__ import annotations

import pytest
import yaml

from omnicrm.domain.provisioning.playfile import quote_bare_templates
from omnicrm.domain.provisioning.plays import PlayError, Spot, read_play
from omnicrm.paths import PLAYBOOKS

DOCUMENTED = """
- name: Service Provisioning
  hosts: localhost
  gather_facts: no
  become: False
  vars:
    headers: {Authorization: "Bearer {{ access_token }}"}
    days: 30
  tasks:
    - name: Main block
      block:
        - name: Load configuration
          ansible.builtin.include_vars: {file: ../crm_config.yaml, name: crm_config}
        - name: Pass over when deprovisioning
          assert:
            that:
              - action != "deprovision"
          when: action is defined
        - name: Read product
          uri: {url: "http://localhost:5000/crm/product/product_id/{{ product_id }}"}
          register: api_response_product
        - name: Facts
          set_fact:
            package_name: "{{ api_response_product.json.product_name }}"
            cacheable: no
        - import_tasks: task_static.yaml
        - include_tasks: task_dynamic.yaml
        - include_tasks: "{{ chosen }}.yaml"
      rescue:
        - name: Undo
          debug: {msg: undone}
        - assert: {that: action == "deprovision"}
      always:
        - name: At the end
          debug: {msg: end}
"""


@pytest.fixture
def documented(plays):
    (plays / "play_doc.yaml").write_text(DOCUMENTED)
    (plays / "task_static.yaml").write_text("- name: Static one\n  set_fact: one=1 two=2\n")
    (plays / "task_dynamic.yaml").write_text("- name: Dynamic one\n  command: date\n  register: now\n")
    return read_play("play_doc", [plays])


def test_tasks_are_counted_and_named_in_order_without_the_rescue(documented) -> None:
    assert documented.description == "Service Provisioning"
    assert documented.tasks == [
        "Load configuration",
        "Pass over when deprovisioning",
        "Read product",
        "Facts",
        "Static one",
        "include_tasks",
        "Dynamic one",
        "include_tasks",
        "At the end",
    ]
    assert documented.task_count == 9


def test_what_an_undoing_goes_through_is_named_apart(documented) -> None:
    assert documented.undo == ["Undo", "assert"]


def test_names_that_the_play_sets_are_known_and_literal_defaults_are_not_among_them(documented) -> None:
    assert documented.facts == {"api_response_product", "package_name", "one", "two", "now", "crm_config"}
    assert documented.computed == {"headers"}
    assert documented.problems == []


def test_the_guard_is_found_by_what_it_tests(documented) -> None:
    assert documented.guards == {Spot("play_doc.yaml", 14)}
    assert documented.actions == {"deprovision"}


@pytest.mark.parametrize(
    "guard",
    [
        '- assert: {that: \'action | default("") != "deprovision"\'}',
        "- ansible.builtin.fail: {msg: x}\n          when: action is defined and action == 'deprovision'",
    ],
)
def test_other_spellings_of_the_guard_count_too(plays, guard) -> None:
    block = f"- block:\n        {guard}\n      rescue:\n        - debug: {{msg: x}}"
    (plays / "play_g.yaml").write_text(f"- hosts: localhost\n  tasks:\n    {block}\n")
    assert read_play("play_g", [plays]).has_guard


@pytest.mark.parametrize(
    "block",
    [
        # No rescue to go to.
        "- block:\n        - assert: {that: action != 'deprovision'}",
        # Too late: by then an account exists.
        "- block:\n        - uri: {url: x, method: POST}\n        - assert: {that: action != 'deprovision'}"
        "\n      rescue:\n        - debug: {msg: x}",
        "- block:\n        - debug: {msg: provision}\n      rescue:\n        - assert: {that: action == 'deprovision'}",
    ],
)
def test_a_guard_that_would_not_protect_is_none(plays, block) -> None:
    (plays / "play_g.yaml").write_text(f"- hosts: localhost\n  tasks:\n    {block}\n")
    assert not read_play("play_g", [plays]).has_guard


def test_an_operators_file_hides_the_shipped_one(plays, tmp_path) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "play_a.yaml").write_text("- name: Shipped\n  hosts: localhost\n  tasks: [{include_tasks: task_a.yaml}]")
    (shipped / "task_a.yaml").write_text("- {name: Shipped task, debug: {msg: 1}}")
    assert read_play("play_a", [plays, shipped]).description == "Shipped"
    (plays / "task_a.yaml").write_text("- {name: Own task, debug: {msg: 1}}")
    assert read_play("play_a", [plays, shipped]).tasks == ["include_tasks", "Own task"]


def test_an_alias_play_is_read_through_its_import(plays) -> None:
    (plays / "play_b.yaml").write_text("- name: Real\n  hosts: localhost\n  tasks: [{name: T, debug: {msg: 1}}]")
    (plays / "play_a.yaml").write_text("- import_playbook: play_b.yaml\n")
    alias = read_play("play_a", [plays])
    assert (alias.description, alias.tasks) == ("Real", ["T"])


@pytest.mark.parametrize("name", ["../secret", "a/b", "", ".hidden", "x" * 200, "play\n"])
def test_a_name_that_is_a_path_is_refused(plays, name) -> None:
    with pytest.raises(PlayError, match="play name"):
        read_play(name, [plays])


def test_a_link_that_leads_out_of_the_folder_is_not_followed(plays, tmp_path) -> None:
    (tmp_path / "outside.yaml").write_text("- hosts: localhost\n")
    (plays / "play_link.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(PlayError, match="does not exist"):
        read_play("play_link", [plays])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "does not exist"),
        ("- hosts: localhost\n  tasks:\n   - a: 'x\n", "line"),
        ("just text", "list of plays"),
        ("- hosts: [\n", "line 2"),
        ("- !!python/object/apply:os.system ['id']\n", "YAML"),
        ("- import_playbook: play_x.yaml\n", "includes itself"),
    ],
)
def test_a_play_that_cannot_be_read_says_where_and_why(plays, text, says) -> None:
    if text is not None:
        (plays / "play_x.yaml").write_text(text)
    with pytest.raises(PlayError) as refused:
        read_play("play_x", [plays])
    assert says in refused.value.errors["provisioning_play"]
    assert "play_x.yaml" in refused.value.errors["provisioning_play"]


def test_damage_of_print_is_named_with_its_line(plays) -> None:
    (plays / "play_x.yaml").write_text(
        "- hosts: localhost\n"
        "  tasks:\n"
        "    - name: Ask\n"
        "      uri:\n"
        "        url: http://localhost:5000\n"
        "        register: answer\n"
        "    - include_tasks: task_gone.yaml\n"
        "  rescue:\n"
        "    - debug: {msg: x}\n"
    )
    problems = {(problem.spot.line, problem.text.split(";")[0]) for problem in read_play("play_x", [plays]).problems}
    assert problems == {
        (1, "'rescue' stands at the play"),
        (3, "'register' is indented as an argument of uri"),
        (7, "the included file task_gone.yaml does not exist beside the play"),
    }


def test_bare_templates_are_quoted_and_lines_stay_lines(plays) -> None:
    text = (
        "- hosts: localhost\n  tasks:\n    - uri:\n        body:\n          {\n"
        '            "customer_id": {{ customer_id | int }},\n'
        '            "service_id": {{\n  service.json.service_id | default("x") }}\n          }\n'
        "        url: {{ base }}/path # comment\n"
    )
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
    mended, lines = quote_bare_templates(text)
    body = yaml.safe_load(mended)[0]["tasks"][0]["uri"]
    assert body["body"]["customer_id"] == "{{ customer_id | int }}"
    assert body["body"]["service_id"] == '{{ service.json.service_id | default("x") }}'
    assert body["url"] == "{{ base }}/path"
    assert lines == (6, 7, 10)
    assert mended.count("\n") == text.count("\n")
    (plays / "play_x.yaml").write_text(text)
    assert read_play("play_x", [plays]).mended == {"play_x.yaml": (6, 7, 10)}


def test_good_plays_are_left_as_they_are(plays) -> None:
    (plays / "play_x.yaml").write_text("- hosts: localhost\n  tasks: [{debug: {msg: '{{ a }}'}}]\n")
    assert read_play("play_x", [plays]).mended == {}


@pytest.mark.parametrize("path", sorted((PLAYBOOKS / "plays").glob("play_*.yaml")), ids=lambda path: path.stem)
def test_shipped_plays_have_no_problems_and_a_guard(path) -> None:
    play = read_play(path.stem, [path.parent])
    assert play.problems == []
    assert play.description
    if not path.stem.startswith("play_topup"):
        assert play.has_guard
