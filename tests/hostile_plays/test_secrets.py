"""PC-09 with real plays: whatever a play does with a secret, nothing that is stored, shown or mailed holds it."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from omnicrm.integrations.ansible import marks
from tests.hostile_plays.conftest import seen

KI = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PSK = 'wifi/with "quotes" & {% raw %}'
TOKEN = "job-token-of-this-very-run-0123456789"
LEARNED = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
SECRETS = {"KI": KI, "PSK": PSK, "TOKEN": TOKEN}

#: Each is one task, or several; `ki`, `wifi_psk` and `access_token` are variables of the order.
WAYS = {
    "plain": "- debug: {msg: '{{ ki }} {{ wifi_psk }} {{ access_token }}'}",
    "by variable": "- debug: {var: ki}",
    "nested": "- debug: {msg: {a: [{b: {c: ['{{ ki }}', {d: '{{ wifi_psk }}'}]}}]}}",
    "as a key": "- debug: {msg: \"{{ {ki: 1, 'x': {wifi_psk: 2}} }}\"}",
    "base64": "- debug: {msg: \"{{ ki | b64encode }} {{ ('u:' ~ wifi_psk) | b64encode }}\"}",
    "in an address": "- uri: {url: 'http://127.0.0.1:1/{{ ki }}?p={{ wifi_psk | urlencode }}&t={{ access_token }}'}\n"
    "  ignore_errors: yes",
    "in a login of an address": "- uri: {url: 'http://user:{{ ki }}@127.0.0.1:1/'}\n  ignore_errors: yes",
    "as JSON text": "- debug: {msg: \"{{ {'x': [wifi_psk, ki]} | to_json | to_json }}\"}",
    "in HTML": "- debug: {msg: '{{ wifi_psk | e }} {{ ki | e }}'}",
    "in hex": "- command: python3 -c 'import sys; print(sys.argv[1].encode().hex())' {{ ki }}",
    "in YAML": "- debug: {msg: \"{{ {'x': [wifi_psk, ki]} | to_nice_yaml }}\"}",
    "in a failing assert": "- assert: {that: \"ki == 'x'\", fail_msg: 'expected x, found {{ ki }} {{ wifi_psk }}'}",
    "in a failing condition": '- assert: {that: "ki == wifi_psk"}',
    "in a template error": '- debug: {msg: "{{ ki | mandatory_of_nobody }}"}\n  ignore_errors: yes\n'
    '- debug: {msg: "{{ (ki ~ wifi_psk) | from_json }}"}',
    "in an undefined name": '- debug: {msg: "{{ {}[ki] }}"}\n  ignore_errors: yes\n'
    "- debug: {msg: \"{{ vars['x' ~ ki].y }}\"}",
    "in a failing command": '- command: sh -c \'echo "$1" >&2; echo "$1"; exit 3\' x {{ ki }}',
    "in a command that is missing": "- command: '/nowhere/{{ ki }} {{ access_token }}'",
    "in a loop": "- debug: {msg: '{{ item }}'}\n  loop: ['{{ ki }}', '{{ wifi_psk }}']",
    "in the label of a failing loop": "- fail: {msg: '{{ item }}'}\n  loop: ['{{ ki }}']\n"
    "  loop_control: {label: 'L {{ ki }} {{ wifi_psk }}'}",
    "in the name of a task": "- name: 'Set {{ ki }} and {{ wifi_psk }}'\n  debug: {msg: done}",
    "in the name of a failing task": "- name: 'Set {{ ki }}'\n  fail: {msg: 'oh {{ ki }}'}",
    "in a fact": "- set_fact: {harmless: '{{ ki }}', other: {deep: ['{{ wifi_psk }}']}}",
    "in a statistic": "- set_stats: {data: {harmless: '{{ ki }}'}}",
    "in all variables": "- debug: {var: \"hostvars['localhost']\"}\n- debug: {var: vars}",
    "in the environment": "- command: env\n  environment: {HARMLESS: '{{ ki }}', PSK: '{{ wifi_psk }}'}",
    "printed past all tasks": "- debug: {msg: \"{{ lookup('pipe',"
    " 'echo ' ~ ki ~ ' > /proc/self/fd/2; echo ' ~ ki) }}\"}",
    "warned about": "- debug: {msg: \"{{ lookup('file', '/nowhere/' ~ ki, errors='warn') }}\"}",
    "in a header": "- uri: {url: 'http://127.0.0.1:1/', headers: {X-Odd: '{{ ki }}',"
    " Authorization: 'Bearer {{ ki }}'}}\n  ignore_errors: yes",
    "in a stock module": "- ansible.builtin.uri: {url: 'http://127.0.0.1:1/', method: POST, body_format: json,"
    " body: {k: '{{ ki }}'}}\n  ignore_errors: yes",
    "in an included file": "- include_tasks: '{{ ki }}.yaml'",
    "in a template": "- template: {src: 'not-there-{{ ki }}.j2', dest: /dev/null}",
}


def forms(secret: str) -> list[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    escaped = json.dumps(secret)[1:-1]
    plain = [secret, escaped, json.dumps(escaped)[1:-1], repr(secret)[1:-1], html.escape(secret)]
    return [*plain, quote(secret), quote(secret, safe=""), encoded[:-4], secret.encode().hex()]


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_showing_a_secret_gets_past_the_runner(run, caplog, way) -> None:
    variables = {"ki": KI, "wifi_psk": PSK, "action": "order"}
    ran = run(WAYS[way] + "\n", variables=variables, job_token=TOKEN, crm_config={"api_key": "k" * 20})
    assert ran.outcome.status in ("successful", "failed", "error")
    for text in (seen(ran), caplog.text):
        for name, secret in SECRETS.items():
            for form in forms(secret):
                assert form not in text, f"{name} as {form!r}"


def test_a_secret_that_a_play_reads_is_known_from_then_on(run, server) -> None:
    """Keys of a SIM come from inventory: their name is known, later their value as well."""
    server.answer("/sim", {"imsi": "001", "ki": LEARNED, "nested": [{"management_password": "Pa55-of-the-router"}]})
    ran = run(
        f"""
- name: Read
  uri: {{url: '{server.url}/sim', return_content: yes}}
  register: sim
- name: Show
  debug: {{msg: 'K={{{{ sim.json.ki }}}}, {{{{ sim.json.nested[0].management_password }}}}'}}
- name: 'Provision {{{{ sim.json.ki }}}}'
  fail: {{msg: '{{{{ sim.json.ki | b64encode }}}}'}}
"""
    )
    for form in (*forms(LEARNED), *forms("Pa55-of-the-router")):
        assert form not in seen(ran)


def test_a_secret_that_a_play_makes_is_known_from_then_on(run) -> None:
    ran = run(
        """
- set_fact: {wifi_password: "{{ lookup('pipe', 'echo abc') }}-{{ 999 | random(start=100) }}-of-the-play"}
- name: Tell
  debug: {msg: 'set {{ wifi_password }} on the router'}
"""
    )
    made = ran.outcome.facts["wifi_password"]
    assert made.endswith("-of-the-play")
    assert made not in seen(ran)


def test_the_process_list_shows_no_secret(runner, spec, run_root) -> None:
    """Command lines hold none; the environment holds the mail keys, which documented plays read there, and no other."""
    mail = {"MAILJET_API_KEY": "mail-key-0123456789", "MAILJET_SECRET": "mail-secret-0123456789"}
    one = spec("- command: sleep 1\n", variables={"ki": KI}, job_token=TOKEN, env=mail, secrets=("config-secret-0123",))
    lines, environments = [], []

    def look(event) -> None:
        for pid in marks.processes_of(marks.mark(run_root, one.provision_id, one.lease)):
            try:
                lines.append(Path(f"/proc/{pid}/cmdline").read_text())
                environments.append(Path(f"/proc/{pid}/environ").read_text())
            except OSError:
                continue

    runner.run(one, look, lambda: False)
    assert lines
    for secret in (KI, TOKEN, "config-secret-0123", *mail.values()):
        assert secret not in "".join(lines)
    for secret in (KI, TOKEN, "config-secret-0123"):
        assert secret not in "".join(environments)
