"""Plays with the faults of the documented examples (PC-04, PC-05, PC-17): the product runs them as they were meant."""

from __future__ import annotations

import pytest

from tests.chapter_plays.conftest import Run
from tests.plays.stub_crm import StubCrm

#: Bare templates, bodies without body_format, calls without a token, two names of the engine, a hard-coded address,
#: json_query, an included configuration: all that the examples do, in a play of our own.
FAULTY = """
- name: A line
  hosts: localhost
  gather_facts: no
  tasks:
    - name: Work
      block:
        - include_vars: {file: "../../crm_config.yaml", name: crm_config}
        - name: Read the product
          uri:
            url: "http://localhost:5000/crm/product/product_id/{{ product_id }}"
            return_content: yes
          register: product
        - name: Read the customer
          uri:
            url: "{{ crm_config.crm.base_url }}/crm/customer/customer_id/{{ customer_id }}"
          register: customer
        - set_fact:
            uuid: "{{ 99999999 | random | to_uuid }}"
            mail: "{{ customer.json | json_query('contacts[?main].contact_email | [0]') }}"
        - name: Name the service
          set_fact: {service_uuid: "Line_{{ uuid[0:8] }}"}
        - name: Make the account
          uri:
            url: "http://{{ crm_config.ocs.OCS }}/jsonrpc"
            method: POST
            body:
              {
                "method": "ApierV2.SetAccount",
                "params": [{"Account": "{{ service_uuid }}", "ActionPlanIds": []}]
              }
          register: made
        - assert: {that: made.json.result == "OK"}
        - name: Make the service
          uri:
            url: "http://localhost:5000/crm/service/"
            method: PUT
            body_format: json
            body:
              {
                "customer_id": {{ customer_id | int }},
                "product_id": {{
                  product_id | int }},
                "service_name": "Line of {{ mail }}",
                "service_uuid": "{{ service_uuid }}"
              }
          register: service
        - name: Charge for it
          uri:
            url: "{{ crm_config.crm.base_url }}/crm/transaction/"
            method: PUT
            headers: {Authorization: "Bearer {{ access_token }}"}
            body_format: json
            body:
              {
                "customer_id": {{ customer_id | int }},
                "service_id": {{ service.json.service_id | int }},
                "title": "Setup",
                "retail_cost": "{{ product.json.retail_setup_cost | float }}"
              }
      rescue:
        - name: Remove the account
          uri:
            url: "http://{{ crm_config.ocs.cgrates }}/jsonrpc"
            method: POST
            body: {"method": "ApierV1.RemoveAccount", "params": [{"Account": "{{ service_uuid }}"}]}
          ignore_errors: True
        - name: Remove the service
          uri:
            url: "http://localhost:5000/crm/service/service_id/{{ service.json.service_id }}"
            method: DELETE
          ignore_errors: True
        - name: Result
          assert: {that: [action == "deprovision"]}
"""


def test_a_play_with_the_faults_of_the_examples_makes_what_it_was_meant_to_make(run: Run, crm: StubCrm) -> None:
    outcome = run(FAULTY)
    assert outcome.status == "successful", outcome.message
    (service,) = crm.services.values()
    assert (service["customer_id"], service["service_name"]) == (7, "Line of ann@example.org")
    assert list(crm.accounts) == [service["service_uuid"]]
    assert [row["retail_cost"] for row in crm.transactions.values()] == [5.0]
    (warning,) = outcome.warnings
    assert "quotes were put around" in warning


def test_its_clean_up_really_removes_what_it_had_made(run: Run, crm: StubCrm) -> None:
    crm.fail = {"/crm/transaction/"}
    outcome = run(FAULTY)
    assert (outcome.status, outcome.failed_task) == ("failed", "Charge for it")
    assert (crm.services, crm.accounts, crm.transactions) == ({}, {}, {})


@pytest.mark.parametrize("path", ["../../crm_config.yaml", "../crm_config.yaml", "../..../crm_config.yaml", ""])
def test_the_configuration_is_there_by_every_documented_path_and_without_one(run: Run, path: str) -> None:
    include = f'    - include_vars: {{file: "{path}", name: crm_config}}\n' if path else ""
    check = "    - assert: {that: crm_config.crm.base_url == 'https://crm.example.com'}\n"
    outcome = run(f"- name: A play\n  hosts: localhost\n  tasks:\n{include}{check}")
    assert outcome.status == "successful", outcome.message
