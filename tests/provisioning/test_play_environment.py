"""What documented plays use is there (PROV-169, PROV-171, PROV-255, PROV-259)."""

from __future__ import annotations

import pytest

EVERYTHING = r"""
- name: Date
  command: date --utc +%Y-%m-%dT%H:%M:%S%z
  register: now
- name: Later
  command: "date --utc +%Y-%m-%dT%H:%M:%S%z -d '+30 days'"
- name: Identifiers
  set_fact:
    uuid: "{{ 99999999 | random | to_uuid }}"
    number: "{{ 99999 | random(start=10000) }}"
    word: "{{ ['alpha', 'bravo'] | random }}"
    password: "{{ lookup('pipe', 'cat /dev/urandom | tr -dc a-zA-Z0-9 | head -c 16') }}"
    home: "{{ lookup('env', 'HOME') }}"
    today: "{{ lookup('pipe', 'date +%Y-%m-%d') }}"
- name: Filters
  set_fact:
    i: "{{ '7' | int }}"
    f: "{{ '7.5' | float }}"
    b: "{{ 'yes' | bool }}"
    d: "{{ missing | default('none') }}"
    first: "{{ [3, 4] | first }}"
    decoded: "{{ 'aGk=' | b64decode }}"
    pairs: "{{ {'a': 1} | dict2items }}"
    short: "{{ uuid[0:8] }}"
    renewing: "{{ ('Yes' | string | lower) in ['true', '1', 'yes'] }}"
- name: Query
  set_fact:
    phone: "{{ profile.Attributes | json_query(\"[?Path=='*req.PhoneNumber'].Value[0].Rules\") | first }}"
- name: Checks
  assert:
    that:
      - uuid | length == 36
      - number | int >= 10000
      - word in ['alpha', 'bravo']
      - password | length == 16
      - i == 7 and f == 7.5 and b and d == 'none' and first == 3 and decoded == 'hi'
      - pairs[0].key == 'a' and pairs[0].value == 1
      - renewing
      - phone == '4412345'
      - now.stdout | length > 20
    fail_msg: "{{ [i, f, b, d, first, decoded, pairs, phone] | string }}"
"""


def test_modules_lookups_and_filters_of_the_chapters_work(run) -> None:
    profile = {
        "Attributes": [{"Path": "*req.PhoneNumber", "Value": [{"Rules": "4412345"}]}, {"Path": "x", "Value": []}]
    }
    ran = run(EVERYTHING, variables={"profile": profile})
    assert ran.outcome.status == "successful", ran.outcome.message


def test_a_broken_query_fails_its_task_with_a_reason(run) -> None:
    ran = run("- name: Ask\n  debug: {msg: \"{{ {} | json_query('[[') }}\"}\n")
    assert ran.outcome.status == "failed"
    assert "json_query" in ran.outcome.message


def test_the_documented_test_play_passes_unchanged(run, server, plays) -> None:
    (plays / "play_test.yaml").write_text(
        """
- name: Test Service Provisioning
  hosts: localhost
  gather_facts: no

  tasks:
    - name: Check required variables
      assert:
        that:
          - product_id is defined
          - customer_id is defined
          - access_token is defined
        fail_msg: "Required variables missing"

    - name: Test API connectivity
      uri:
        url: "http://localhost:5000/crm/health"
        method: GET
      register: health_check

    - name: Check health
      assert:
        that:
          - health_check.status == 200
"""
    )
    ran = run(None, variables={"product_id": 1, "customer_id": 2}, crm_url=server.url)
    assert ran.outcome.status == "successful"


def test_the_documented_loop_makes_three_calls_with_their_values(run, server) -> None:
    server.answer("/jsonrpc", {"id": 1, "result": "OK", "error": None})
    ran = run(
        """
- name: Create balances
  uri:
    url: "http://{{ crm_config.ocs.cgrates }}/jsonrpc"
    method: POST
    body_format: json
    body:
      {
        "method": "ApierV1.AddBalance",
        "params": [{
          "Account": "{{ service_uuid }}",
          "BalanceType": "{{ item.type }}",
          "Balance": {
            "Value": "{{ item.value }}"
          }
        }]
      }
  loop:
    - { type: "*voice", value: 3600 }
    - { type: "*data", value: 10737418240 }
    - { type: "*sms", value: 100 }
""",
        variables={"service_uuid": "S1"},
        crm_config={"ocs": {"cgrates": server.url.removeprefix("http://")}},
    )
    assert ran.outcome.status == "successful"
    params = [call.json["params"][0] for call in server.calls]
    assert [(p["BalanceType"], p["Balance"]["Value"]) for p in params] == [
        ("*voice", 3600),
        ("*data", 10737418240),
        ("*sms", 100),
    ]


@pytest.mark.parametrize(("value", "on"), [(True, True), ("True", True), ("1", True), ("yes", True), ("prompt", False)])
def test_auto_renew_is_normalised_as_documented(run, value, on) -> None:
    ran = run(
        "- set_fact: {auto_renew_bool: \"{{ (auto_renew | string | lower) in ['true', '1', 'yes'] }}\"}\n"
        "- name: Renew\n  debug: {msg: renewing}\n  when: auto_renew_bool\n",
        variables={"auto_renew": value},
    )
    assert ran.events[-1].skipped is not on
