"""Rules between keys: what stops loading, what stops a start, what gives a warning (CFG-031 to 040, decision 12)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from omnicrm.settings import SettingsError, check_start

MANUAL_JWT = "2b93110f723db60172c8e9a1eaa80027a9a9c3f05b44e50dc3fcf38dba68d87e"  # the sample that every manual prints


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "regional: {currency_code: EUR}\nstripe: {currency: usd}",
            "stripe.currency: usd is not regional.currency_code",
        ),
        ("stripe: {secret_key: pk_test_1}", "stripe.secret_key: a publishable key stands here"),
        ("stripe: {secret_key: hello}", "stripe.secret_key: this is not a secret key"),
        ("stripe: {publishable_key: sk_test_1}", "write the key that begins with pk_"),
        ("stripe: {secret_key: sk_live_1, publishable_key: pk_test_1}", "one key is for tests, the other is live"),
        ("stripe: {statement_descriptor_suffix: ABCDEFGHIJKLMNOPQRSTUVW}", "text of at most 22 characters"),
        ("stripe: {statement_descriptor_suffix: 'A*B'}", "text of at most 22 characters"),
        ("ocs: {mode: direct}", "ocs.cgrates: the mode direct needs it"),
        ("ocs: {mode: gateway}", "ocs.upstream: the mode gateway needs it"),
        ("ocs: {mode: gateway, upstream: 'localhost:2080'}", "ocs.upstream: localhost:2080 is our own listener"),
        ("ocs: {mode: gateway, upstream: '[::1]:2080', listen: '0.0.0.0:2080'}", "is our own listener"),
        ("ocs: {listen: '127.0.0.1:5000'}", "ocs.listen: port 5000 is that of server.port too"),
        ("jobs: {backend: redis}", "jobs.backend: redis needs cache.url"),
        ("grafana: {urls: 'http://a/1,http://a/2', labels: One}", "there are 1 labels for 2 dashboards"),
        ("mail: {transport: smtp}", "mail.smtp.host: the transport smtp needs it"),
        ("usage: {colour_limits: [20, 50]}", "usage.colour_limits: two percentages are needed"),
        ("database: {url: 'sqlite://'}", "a database in memory cannot be shared"),
        ("database: {url: 'mysql://root@db'}", "it names no database"),
        ("database: {url: 'sqlite:///a.db'}\ncharging: {url: 'sqlite:///a.db'}", "a database of its own"),
        ("ip_whitelist: [127.0.0.1]", "127.0.0.1 is this machine itself"),
        ("ip_whitelist: [0.0.0.0/0]", "0.0.0.0/0 is this machine itself"),
        ("ip_whitelist: {'::1': {roles: [provisioning]}}", "allow_loopback: true"),
        ("ip_whitelist: {10.0.0.1: {}}", "10.0.0.1 has no roles"),
        ("ip_whitelist: [10.0.0.300]", "neither an address nor a range"),
        ("api_keys: {a-long-and-secret-key-of-some-system: {rolls: [x]}}", "key a-lo…: 'rolls' is not known"),
        ("provisioning: {timeout_seconds: 600, max_seconds: 60}", "provisioning.max_seconds: it is shorter"),
    ],
)
def test_settings_that_cannot_work_together_are_refused(problems: Callable, text: str, told: str) -> None:
    found = problems(text)
    assert told in found
    assert "some-system" not in found


def test_api_keys_and_trusted_addresses_are_read_in_every_documented_form(loaded: Callable) -> None:
    key = "k" * 40
    text = f"api_keys: {{{key}: {{rôles: [admin], ips: [127.0.0.1, '::1', 10.0.1.5/24], description: X}}}}"
    (found,) = loaded(text).api_keys
    assert (found.key.reveal(), found.roles, found.description) == (key, ("admin",), "X")
    assert [str(network) for network in found.networks] == ["127.0.0.1/32", "::1/128", "10.0.1.0/24"]
    listed = loaded("ip_whitelist: [192.168.1.100, 10.0.0.0/24]").ip_whitelist
    assert [(str(one.network), one.roles) for one in listed] == [
        ("192.168.1.100/32", ("provisioning",)),
        ("10.0.0.0/24", ("provisioning",)),
    ]
    (mapped,) = loaded("ip_whitelist: {10.179.2.142: {rôles: [admin]}}").ip_whitelist
    assert mapped.roles == ("admin",)
    (loopback,) = loaded("ip_whitelist: {127.0.0.1: {roles: [provisioning], allow_loopback: yes}}").ip_whitelist
    assert loopback.allow_loopback


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"crm: {{mode: production}}\njwt_secret: {MANUAL_JWT}", "jwt_secret: this is the sample of the manual"),
        ("crm: {mode: production}\njwt_secret: short", "jwt_secret: it is shorter than 64 characters"),
        ("api_keys: {YOUR_API_KEY_1: {roles: [admin]}}", "api_keys, key YOUR…: it is shorter than 32 characters"),
        (
            "crm: {mode: production}\nsandbox: {enabled: yes}",
            "sandbox.enabled: a sandbox must not answer in production",
        ),
    ],
)
def test_unsafe_settings_load_but_must_not_start(loaded: Callable, text: str, told: str) -> None:
    settings = loaded(text)
    with pytest.raises(SettingsError) as caught:
        check_start(settings)
    assert told in str(caught.value)


def test_the_sample_secret_starts_in_development_with_a_warning(loaded: Callable) -> None:
    settings = loaded(f"jwt_secret: {MANUAL_JWT}")
    check_start(settings)
    assert any("the sample of the manual" in warning for warning in settings.warnings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("database: {password: omnitouch2024}", "database.password: it is short or simple"),
        ("stripe: {secret_key: sk_live_1, publishable_key: pk_live_1}", "a live key outside production"),
        ("crm: {mode: production}\nstripe: {secret_key: sk_test_1}", "a test key in production"),
        ("ocs: {upstream: 'cgr:2080'}", "ocs.upstream: it is used only with ocs.mode: gateway"),
        ("ocs: {mode: embedded, cgrates: 'cgr:2080'}", "ocs.cgrates: it is not used"),
        ("ocs: {listen: '0.0.0.0:2080'}", "whoever reaches this address can change balances"),
        ("cbc_url: 'http://cbc:8080'", "alerts travel unencrypted"),
        ("ip_whitelist: [8.8.8.8]", "8.8.8.8 is a public address"),
        (f"api_keys: {{{'k' * 40}: {{}}}}", "it has no roles and may do nothing"),
    ],
)
def test_doubtful_settings_give_a_warning(loaded: Callable, text: str, told: str) -> None:
    assert any(told in warning for warning in loaded(text).warnings)


def test_the_default_configuration_gives_no_warning(loaded: Callable) -> None:
    assert loaded().warnings == ()


# -- sandboxes (decision 17) ---------------------------------------------------------------------------------------


def test_no_sandbox_answers_unless_it_is_switched_on(loaded: Callable) -> None:
    settings = loaded()
    assert not settings.sandbox.active
    assert settings.hss.hss_peers == () and settings.smsc.smsc_url is None


def test_switched_on_the_sandbox_stands_in_for_every_system_that_is_not_configured(loaded: Callable) -> None:
    settings = loaded(sandbox__enabled="true", server__port="5005")
    assert settings.sandbox.active
    assert settings.sandbox.systems == {"stripe", "mailjet", "smsc", "hss", "cbc"}
    home = "http://127.0.0.1:5005/sandbox"
    assert settings.hss.hss_peers == (f"{home}/hss/1", f"{home}/hss/2")
    assert settings.smsc.smsc_url == f"{home}/smsc"
    assert settings.mailjet.base_url == f"{home}/mailjet"
    assert settings.warnings == ()


def test_a_configured_system_keeps_its_own_address(loaded: Callable) -> None:
    settings = loaded(
        "mailjet: {api_key: real, api_secret: real}\nhss: {hss_peers: 'http://10.0.0.1:8080'}\n"
        "smsc: {smsc_url: 'http://10.0.0.2/SMSc/'}\ncbc_url: 'https://cbc.example.com'\n"
        "stripe: {secret_key: sk_test_1, publishable_key: pk_test_1}\nsandbox: {enabled: true}\n"
    )
    assert not settings.sandbox.active
    assert settings.mailjet.base_url == "https://api.mailjet.com"
    assert settings.hss.hss_peers == ("http://10.0.0.1:8080",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "stripe: {secret_key: sk_live_1, base_url: 'http://127.0.0.1:5000/sandbox/stripe'}",
            "stripe.base_url: a live key must not reach a sandbox",
        ),
        (
            "mailjet: {api_key: k, base_url: 'http://127.0.0.1:5000/sandbox/mailjet'}",
            "mailjet.base_url: a real key must not reach a sandbox",
        ),
        (
            "smsc: {api_key: k, smsc_url: 'http://127.0.0.1:5000/sandbox/smsc'}",
            "smsc.smsc_url: a real key must not reach a sandbox",
        ),
    ],
)
def test_a_live_key_with_the_address_of_a_sandbox_is_refused(problems: Callable, text: str, told: str) -> None:
    assert told in problems(text)
