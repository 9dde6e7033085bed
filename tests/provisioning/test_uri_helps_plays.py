"""What our `uri` adds for documented plays (decisions 29 and 33, PC-05, PC-17)."""

from __future__ import annotations

import pytest

TOKEN = "job-token-0123456789"


@pytest.mark.parametrize(
    "url", ["http://localhost:5000/crm/health", "http://127.0.0.1:5000/crm/health", "HTTP://LocalHost:5000/crm/health"]
)
def test_the_documented_crm_address_reaches_the_configured_one_with_the_token(run, server, url) -> None:
    ran = run(f"- uri: {{url: '{url}'}}\n", crm_url=server.url)
    assert ran.outcome.status == "successful"
    assert server.calls[0].path == "/crm/health"
    assert server.calls[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "X-OmniCRM-Job" not in server.calls[0].headers


def test_the_public_address_of_the_crm_is_answered_locally(run, server) -> None:
    run(
        '- uri: {url: "{{ crm_config.crm.base_url }}/crm/health"}\n',
        crm_url=server.url,
        crm_config={"crm": {"base_url": "https://crm.example.com/"}},
    )
    run(
        '- uri: {url: "https://crm.example.com/crm/health"}\n',
        crm_url=server.url,
        crm_config={"crm": {"base_url": "https://crm.example.com"}},
    )
    assert [call.path for call in server.calls] == ["/crm/health", "/crm/health"]


def test_a_header_of_the_play_is_left_alone(run, server) -> None:
    run("- uri: {url: 'http://localhost:5000/x', headers: {authorization: Bearer mine}}\n", crm_url=server.url)
    run("- uri: {url: 'http://localhost:5000/x', user: a, password: b, force_basic_auth: yes}\n", crm_url=server.url)
    assert server.calls[0].headers["Authorization"] == "Bearer mine"
    assert server.calls[1].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "url",
    ["http://localhost:50001/x", "http://localhost:5000.example.invalid/x", "http://localhost:5000@example.invalid/x"],
)
def test_addresses_that_only_look_like_the_crm_are_left_alone(run, server, url) -> None:
    ran = run(f"- uri: {{url: '{url}', timeout: 2}}\n  ignore_errors: yes\n", crm_url=server.url)
    assert ran.events[-1].result["status"] == -1
    assert server.calls == []


def test_other_systems_never_see_the_token(run, server) -> None:
    run(
        "- uri: {url: '{{ other }}/x', method: POST, body: {a: 1}}\n",
        crm_url="http://127.0.0.1:9",
        charging_url="http://127.0.0.1:9/jsonrpc",
        variables={"other": server.url},
    )
    assert TOKEN not in str(server.calls[0].headers)


def test_a_redirect_away_from_the_crm_does_not_take_the_token_along(run, server) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.answer("/start", b"", status=302, Location=f"{elsewhere}/elsewhere")
    run("- uri: {url: 'http://localhost:5000/start'}\n", crm_url=server.url)
    assert [call.path for call in server.calls] == ["/start", "/elsewhere"]
    assert "Authorization" in server.calls[0].headers
    assert "Authorization" not in server.calls[1].headers


def test_the_charging_endpoint_is_told_the_job_and_only_it(run, server) -> None:
    run(
        "- uri: {url: 'http://{{ at }}/jsonrpc', method: POST, body: {method: Ping}}\n"
        "- uri: {url: 'http://{{ at }}/other', method: POST, body: {}}\n",
        charging_url=f"{server.url}/jsonrpc",
        variables={"at": server.url.removeprefix("http://").replace("127.0.0.1", "localhost")},
    )
    assert server.calls[0].headers["X-OmniCRM-Job"] == TOKEN
    assert "Authorization" not in server.calls[0].headers
    assert "X-OmniCRM-Job" not in server.calls[1].headers


def test_another_engine_is_not_told_the_job(run, server) -> None:
    run(f"- uri: {{url: '{server.url}/jsonrpc', method: POST, body: {{}}}}\n", charging_url=None)
    assert "X-OmniCRM-Job" not in server.calls[0].headers


def test_mailjets_address_goes_to_the_configured_one(run, server) -> None:
    run(
        """
- name: Mail
  uri:
    url: "https://api.mailjet.com/v3.1/send"
    method: POST
    body_format: json
    body: {Messages: []}
    user: "{{ lookup('env', 'MAILJET_API_KEY') }}"
    password: "{{ lookup('env', 'MAILJET_SECRET') }}"
    force_basic_auth: true
""",
        mailjet_url=f"{server.url}/sandbox/mailjet",
        env={"MAILJET_API_KEY": "me", "MAILJET_SECRET": "mailsecret"},
    )
    assert server.calls[0].path == "/sandbox/mailjet/v3.1/send"
    assert server.calls[0].headers["Authorization"] == "Basic bWU6bWFpbHNlY3JldA=="


@pytest.mark.parametrize("body", ["{Account: A, n: 1}", "[1, 2]", '"{{ structure }}"'])
def test_a_mapping_or_list_as_body_is_json_without_being_told(run, server, body) -> None:
    run(
        f"- uri: {{url: '{server.url}/take', method: POST, body: {body}}}\n",
        variables={"structure": {"a": [1, "x"]}},
    )
    assert server.calls[0].headers["Content-Type"] == "application/json"
    assert server.calls[0].json in ({"Account": "A", "n": 1}, [1, 2], {"a": [1, "x"]})


def test_what_goes_to_the_stock_module_keeps_the_help(run, server, tmp_path) -> None:
    ran = run(f"- uri: {{url: 'http://localhost:5000/file', dest: '{tmp_path}/out'}}\n", crm_url=server.url)
    assert ran.outcome.status == "successful", ran.outcome.message
    assert server.calls[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_full_name_stays_the_stock_module(run, server) -> None:
    ran = run(f"- ansible.builtin.uri: {{url: '{server.url}/x'}}\n", crm_url=server.url)
    assert "Authorization" not in server.calls[0].headers
    assert "invocation" in ran.events[-1].result
