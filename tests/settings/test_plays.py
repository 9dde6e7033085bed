"""What playbooks see as `crm_config` (CFG-011, 012, 158; PROV-172)."""

from __future__ import annotations

import json
from collections.abc import Callable

FULL = """\
database: {password: hidden-1, server: db}
jwt_secret: hidden-2-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
stripe: {secret_key: sk_test_hidden-3, publishable_key: pk_test_1, webhook_secret: hidden-4}
api_keys: {hidden-5-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {roles: [admin]}}
mail: {smtp: {password: hidden-6}}
grafana: {api_key: hidden-7}
cgrates: {api_pass: hidden-8}
security: {encryption_key: aGlkZGVuLWhpZGRlbi1oaWRkZW4taGlkZGVuLWhpZGQ=}
mailjet: {api_key: mk, api_secret: ms, api_crmCommunicationUserWelcome: {subject: Hi}}
smsc: {api_key: sk, smsc_url: 'http://sms/'}
provisioning: {failure_list: [ops@example.com], return_fee: 12.5}
ocs: {ocsTenant: t1}
"""


def test_it_holds_every_documented_name_and_no_secret_of_the_product(loaded: Callable) -> None:
    config = loaded(FULL).crm_config()
    assert config["crm"]["base_url"] == "http://localhost:5000"
    assert config["ocs"]["cgrates"] == config["ocs"]["OCS"] == "127.0.0.1:2080"
    assert config["ocs"]["ocsTenant"] == "t1" and config["ocs"]["ocsApi"] == ""
    assert config["email"] == {"api_key": "mk", "api_secret": "ms"}
    assert config["mailjet"]["api_crmCommunicationUserWelcome"] == {"subject": "Hi"}
    assert config["smsc"]["api_key"] == "sk" and config["smc"]["smc_url"] == "http://sms/"
    assert config["provisioning"]["failure_list"] == ["ops@example.com"]
    assert config["hss"] == {"hss_peers": [], "apn_list": ""}
    assert "mobile" in config["service_types"]
    text = json.dumps(config)
    assert "hidden" not in text and "aGlkZGVu" not in text
    assert not {"database", "jwt_secret", "api_keys", "ip_whitelist", "security"} & set(config)


def test_plays_are_given_the_endpoint_in_force(loaded: Callable) -> None:
    config = loaded("ocs: {cgrates: 'cgr:2080', mode: embedded}", ocs__listen="127.0.0.1:2091").crm_config()
    assert config["ocs"]["cgrates"] == config["ocs"]["OCS"] == "127.0.0.1:2091"
    assert loaded("ocs: {cgrates: 'cgr:2080'}").crm_config()["ocs"]["OCS"] == "cgr:2080"


def test_own_keys_of_operators_reach_plays_with_the_type_yaml_gives_them(loaded: Callable) -> None:
    settings = loaded(
        "hss: {custom: 1, flag: yes, ratio: 1.5, name: '1', url: '${WHERE}'}\n"
        "radius: {host: r1}\nocs: {regions: [a]}\n",
        {"WHERE": "http://x"},
    )
    config = settings.crm_config()
    assert config["hss"] == {
        **{"custom": 1, "flag": True, "ratio": 1.5, "name": "1", "url": "http://x"},
        **{"hss_peers": [], "apn_list": ""},
    }
    assert config["radius"] == {"host": "r1"} and config["ocs"]["regions"] == ["a"]
    assert settings.warnings == (f"{settings.path}: radius is not a known key; playbooks get it in crm_config",)


def test_a_near_miss_is_told_although_plays_get_it(loaded: Callable) -> None:
    settings = loaded("hss: {hss_peer: x}\n")
    assert settings.crm_config()["hss"]["hss_peer"] == "x"
    assert "did you mean hss.hss_peers?" in settings.warnings[0]


def test_unknown_keys_beside_secrets_never_reach_plays(loaded: Callable) -> None:
    settings = loaded("stripe: {secret: sk_live_1}\ndatabase: {pasword: x}\nstrip: {secret_key: sk_live_2}\n")
    assert "sk_live" not in json.dumps(settings.crm_config())
    assert all("has no effect" in warning for warning in settings.warnings) and len(settings.warnings) == 3


def test_changing_what_a_play_was_given_does_not_change_the_settings(loaded: Callable) -> None:
    settings = loaded("radius: {hosts: [a]}\n")
    settings.crm_config()["radius"]["hosts"].append("b")
    settings.crm_config()["service_types"].clear()
    assert settings.crm_config()["radius"] == {"hosts": ["a"]} and settings.crm_config()["service_types"]
