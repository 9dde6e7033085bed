"""`uri` of ours and the stock module give a play the same results, key by key (decision 33, PROV-169)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from omnicrm.domain.provisioning.ports import FAILED

#: What chapters and shipped plays read of a result; `date` and `elapsed` differ by nature.
KEYS = {"status", "url", "json", "content", "msg", "redirected", "cookies", "cookies_string", "changed", "failed"}
KEYS |= {"content_type", "content_length", "location", "x_many", "x_single"}

#: Arguments of one call each, as YAML flow mappings; {u} is the server.
CALLS = [
    "url: '{u}/plain'",
    "url: '{u}/plain', return_content: yes, method: get",
    "url: '{u}/text', return_content: yes",
    "url: '{u}/missing'",
    "url: '{u}/missing', return_content: yes",
    "url: '{u}/missing', status_code: 404",
    "url: '{u}/missing', status_code: [200, 404], return_content: yes",
    "url: '{u}/missing', status_code: '200,404'",
    "url: '{u}/broken-json', return_content: yes",
    "url: '{u}/problem', status_code: 500",
    "url: '{u}/moved'",
    "url: '{u}/moved', follow_redirects: none, status_code: 302",
    "url: '{u}/moved', method: POST, body: {a: 1}, body_format: json, follow_redirects: all",
    "url: '{u}/moved', method: PUT, body: {a: 1}, body_format: json",
    "url: '{u}/cookies'",
    "url: '{u}/many', return_content: yes",
    "url: '{u}/post', method: POST, body_format: json, body: {t: 'é \"x\"', n: 1, f: 1.5, b: true, none: null, l: []}",
    "url: '{u}/post', method: POST, body_format: json, body: '{{\"raw\": 1}}'",
    "url: '{u}/post', method: POST, body_format: json, body: {}, headers: {Content-Type: application/vnd.x+json}",
    "url: '{u}/post', method: POST, body_format: form-urlencoded, body: {a: 1, l: [x, y], s: 'a b&c'}",
    "url: '{u}/post', method: POST, body_format: form-urlencoded, body: [[a, 1], [a, 2]]",
    "url: '{u}/post', method: PATCH, body: 'as it is', headers: {X-Number: 5, Authorization: Bearer x}",
    "url: '{u}/post', method: DELETE, status_code: 200",
    "url: '{u}/head', method: HEAD",
    "url: '{u}/auth', user: me, password: 'p:w', force_basic_auth: yes, return_content: yes",
    "url: '{u}/auth', url_username: me, url_password: secret-echo, force_basic_auth: true",
    "url: '{u}/post?q=a%20b', http_agent: omni, force: yes, timeout: 5",
    "url: '{u}/drop', timeout: 3",
    "url: 'http://127.0.0.1:1/refused', timeout: 3",
    "url: 'http://no-such-host.invalid/', timeout: 3",
    "url: 'no scheme at all'",
    "url: '{u}/plain', status_code: nonsense",
    "url: '{u}/plain', nonsense: 1",
    "url: '{u}/plain', method: 'G T'",
    "method: GET",
]


@pytest.fixture
def full_server(server):
    server.answer("/plain", {"result": "OK", "n": 1.5, "nothing": None})
    server.answer("/text", b"hello \xc3\xa9", Content_Type="text/plain; charset=utf-8")
    server.answer("/missing", {"message": "no such thing"}, status=404)
    server.answer("/broken-json", b"{no json")
    server.answer("/problem", {"title": "x"}, status=500, Content_Type="application/problem+json")
    server.answer("/moved", b"", status=302, Location="/plain")
    server.answer("/cookies", {}, Set_Cookie="session=abc; Path=/")
    server.answer("/many", {}, X_Many=["one", "two"], X_Single="s")
    server.answer("/auth", {"echo": "secret-echo"})
    return server


def _tasks(module: str, url: str, calls: list[str]) -> str:
    return "\n".join(
        f"- name: call {number}\n  {module}: {{{call.replace('{u}', url).replace('{{', '{').replace('}}', '}')}}}\n"
        "  ignore_errors: True"
        for number, call in enumerate(calls)
    )


def _sent(calls: list[Any]) -> list[Any]:
    skipped = {"Host", "Connection"}
    return [
        (call.method, call.path, {k: v for k, v in call.headers.items() if k not in skipped}, call.body)
        for call in calls
    ]


@pytest.mark.slow
def test_results_and_requests_equal_those_of_the_stock_module(run, full_server) -> None:
    raw: dict[str, list[dict[str, Any]]] = {}
    sent = {}
    for module in ("uri", "ansible.builtin.uri"):
        full_server.calls.clear()
        # Registered results, not events: redaction would hide differences.
        tasks = _tasks(module, full_server.url, CALLS)
        registers = "\n".join(
            f"{line}\n  register: r{line.removeprefix('- name: call ')}" if line.startswith("- name: call") else line
            for line in tasks.splitlines()
        )
        names = ", ".join(f"r{number}" for number in range(len(CALLS)))
        ran = run(f'{registers}\n- set_stats: {{data: {{all: "{{{{ [{names}] }}}}"}}}}\n')
        assert ran.outcome.status == "successful", ran.outcome.message
        raw[module] = ran.outcome.facts["all"]
        sent[module] = _sent(full_server.calls)
    for call, ours, stock in zip(CALLS, raw["uri"], raw["ansible.builtin.uri"], strict=True):
        seen = [
            {name: result[name] for name in KEYS if name in result and (name != "failed" or result[name])}
            for result in (ours, stock)
        ]
        assert seen[0] == seen[1], call
        assert ours.get("elapsed", 0) - stock.get("elapsed", 0) in (-1, 0, 1), call
    assert sent["uri"] == sent["ansible.builtin.uri"]


def test_an_answer_that_is_no_text_does_not_fail_the_task(run, server) -> None:
    server.answer("/bytes", b"\xff\xfe{}", Content_Type="application/json; charset=nonsense")
    ran = run(f"- name: Read\n  uri: {{url: '{server.url}/bytes', return_content: yes}}\n")
    assert ran.outcome.status == "successful"
    assert ran.result("Read")["content"].endswith("{}")


def test_the_alias_of_the_legacy_name_is_ours_too(run, full_server) -> None:
    ran = run(_tasks("ansible.legacy.uri", full_server.url, CALLS[:1]))
    assert ran.result("call 0")["json"] == {"result": "OK", "n": 1.5, "nothing": None}
    assert "invocation" not in ran.result("call 0")


def test_certificates_are_checked_unless_the_play_says_no(run, tls_server) -> None:
    ran = run(
        f"- name: Unchecked\n  uri: {{url: '{tls_server}/', validate_certs: no}}\n"
        f"- name: Checked\n  uri: {{url: '{tls_server}/'}}\n"
    )
    assert ran.result("Unchecked")["status"] == 200
    assert ran.ends[-1] == ("Checked", FAILED)
    assert "certificate verify failed" in ran.outcome.message


def test_files_go_through_the_stock_module(run, full_server, tmp_path) -> None:
    target = tmp_path / "saved.json"
    ran = run(
        "- name: Save\n  uri: {url: '" + full_server.url + "/plain', dest: '" + str(target) + "'}\n"
        "- name: Form\n  uri:\n    url: '" + full_server.url + "/post'\n    method: POST\n"
        "    body_format: form-multipart\n    body: {field: value}\n"
    )
    assert ran.outcome.status == "successful", ran.outcome.message
    assert json.loads(target.read_text())["result"] == "OK"
    assert b'name="field"' in full_server.calls[-1].body
