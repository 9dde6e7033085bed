"""Plays with faults that a switch outside of them causes: `switch` is a system whose answers a test sets."""

from __future__ import annotations

_GUARDED = """
- name: A line
  hosts: localhost
  gather_facts: no
  become: False
  tasks:
    - name: Line
      block:
        - name: Check that this is an order
          assert: {that: action != "deprovision", quiet: true}
          when: action is defined

        - name: Name the line
          set_fact: {service_uuid: "Line_{{ provision_id }}", new_service: true}

        - name: Look whether the switch is polite
          uri: {url: "{{ crm_config.hss.hss_peers[0] }}/greeting"}
          ignore_errors: True

        - name: Create the account
          uri:
            url: "http://{{ crm_config.ocs.cgrates }}/jsonrpc"
            method: POST
            body_format: json
            body: {method: ApierV2.SetAccount, params: [{Account: "{{ service_uuid }}", ActionPlanIds: [],
              ActionPlansOverwrite: true, ExtraOptions: {Disabled: false}, ReloadScheduler: true}]}
            return_content: yes
          register: account
          failed_when: account.json.result | default("") != "OK"

        - name: Create the service
          uri:
            url: "{{ crm_config.crm.base_url }}/crm/service/"
            method: PUT
            body_format: json
            body:
              customer_id: "{{ customer_id | int }}"
              service_name: A line
              service_uuid: "{{ service_uuid }}"
              service_type: mobile
          register: service_creation_response

        - name: Assign the SIM
          uri:
            url: "{{ crm_config.crm.base_url }}/crm/inventory/inventory_id/{{ sim }}"
            method: PATCH
            body_format: json
            body:
              customer_id: "{{ customer_id | int }}"
              service_id: "{{ service_creation_response.json.service_id | int }}"
              item_state: Assigned
          vars: {sim: "{{ hostvars[inventory_hostname]['SIM Card'] }}"}

        - name: Charge for it
          uri:
            url: "{{ crm_config.crm.base_url }}/crm/transaction/"
            method: PUT
            body_format: json
            body:
              customer_id: "{{ customer_id | int }}"
              service_id: "{{ service_creation_response.json.service_id | int }}"
              title: The line
              retail_cost: 10

        - name: Tell the switch
          uri:
            url: "{{ crm_config.hss.hss_peers[0] }}/line/{{ service_uuid }}"
            method: PUT
            body_format: json
            body: {line: "{{ service_uuid }}"}
            timeout: 1

        - name: Tell the second switch
          uri:
            url: "{{ crm_config.hss.hss_peers[0] }}/second"
            method: PUT
            body_format: json
            body: {line: "{{ service_uuid }}"}
            timeout: 60
"""
_RESCUE = """
      rescue:
        - name: Remove the line from the switch
          uri:
            url: "{{ crm_config.hss.hss_peers[0] }}/line/{{ service_uuid }}"
            method: DELETE
            status_code: [200, 404]
          ignore_errors: True

        - name: Forget a line that never was
          uri: {url: "{{ crm_config.hss.hss_peers[0] }}/line/none", method: DELETE}
          ignore_errors: True

        - name: Tell which service it was
          uri:
            url: "{{ crm_config.hss.hss_peers[0] }}/undone/{{ service_creation_response.json.service_id | default(0) }}"
            method: POST
          ignore_errors: True

        - name: Set the result
          assert: {that: action | default("") == "deprovision", quiet: true}
"""
_TOP_UP = """
- name: A top-up
  hosts: localhost
  gather_facts: no
  become: False
  tasks:
    - name: Add the balance
      uri:
        url: "http://{{ crm_config.ocs.cgrates }}/jsonrpc"
        method: POST
        body_format: json
        body: {method: ApierV1.AddBalance, params: [{Account: "{{ account }}", BalanceType: "*data",
          Balance: {ID: DATA_5GB, Value: 5368709120, ExpiryTime: "+720h", Weight: 10}}]}
        return_content: yes
      register: balance
      failed_when: balance.json.result | default("") != "OK"

    - name: Charge for it
      uri:
        url: "{{ crm_config.crm.base_url }}/crm/transaction/"
        method: PUT
        body_format: json
        body:
          customer_id: "{{ customer_id | int }}"
          service_id: "{{ service_id | int }}"
          title: The top-up
          retail_cost: 5

    - name: Tell the switch
      uri:
        url: "{{ crm_config.hss.hss_peers[0] }}/topup"
        method: POST
        timeout: 1
"""
_EXTENDS = """
- name: A longer life
  hosts: localhost
  gather_facts: no
  become: False
  tasks:
    - name: Extend
      block:
        - name: Extend the service
          uri: &patch
            url: "{{ crm_config.crm.base_url }}/crm/service/{{ service_id }}"
            method: PATCH
            body_format: json
            body: {service_status: Suspended, service_deactivate_date: "2031-01-01T00:00:00Z"}

        - {name: Break, fail: {msg: it broke}}

      rescue:
        - name: Put the service back as it was
          uri:
            <<: *patch
            body: {service_status: [no status]}
          ignore_errors: True

        - name: Set the result
          assert: {that: false, quiet: true}
"""

PLAYS = {
    "guarded": _GUARDED + _RESCUE,
    "no_undo": _GUARDED.replace("    - name: Line\n      block:\n", "").replace("\n        ", "\n    "),
    "top_up": _TOP_UP,
    "extends": _EXTENDS,
    "fails": "- name: Fails\n  hosts: localhost\n  gather_facts: no\n  tasks:\n    - {name: No, fail: {msg: no}}\n",
}
