"""PC-09: nothing secret reaches what is stored, shown or mailed."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest

from omnicrm.domain.provisioning.redact import MASK, MAX_RESULT_BYTES, Redactor, is_secret_key

SECRETS = (
    "password passwd wifi_psk ki KI Ki opc OPc k_i apiKey api_key X-API-Key APIKEY Authorization access_token "
    "refreshToken client-secret MAILJET_SECRET pin pin1 sim_pin PUK2 management_password private_key privateKey "
    "set_cookie cookies_string Proxy-Authorization jwt sharedKey key"
)
HARMLESS = (
    "kind product_key key_name keys idempotency_key opening pinned iccid imsi msisdn token_type access_key_id "
    "password_changed_at monkey keyboard skip tokenise opcode public_key author secretary status customer_id"
)


@pytest.mark.parametrize("name", SECRETS.split())
def test_names_of_secrets_are_known_in_every_spelling(name) -> None:
    assert is_secret_key(name)


@pytest.mark.parametrize("name", HARMLESS.split())
def test_names_that_only_look_like_secrets_stay_readable(name) -> None:
    assert not is_secret_key(name)


def test_values_under_secret_names_are_masked_at_any_depth() -> None:
    value = {"a": [{"headers": {"Authorization": "Bearer abc"}, "body": {"ki": "0011", "imsi": "001"}}], "pin": 1234}
    assert Redactor().value(value) == {
        "a": [{"headers": {"Authorization": MASK}, "body": {"ki": MASK, "imsi": "001"}}],
        "pin": MASK,
    }


def test_missing_secrets_can_be_told_from_present_ones() -> None:
    assert Redactor().value({"token": None, "password": "", "secret": False}) == {
        "token": None,
        "password": "",
        "secret": False,
    }


def test_rows_of_dict2items_are_judged_by_the_name_beside_the_value() -> None:
    rows = [{"key": "ki", "value": "0011"}, {"key": "imsi", "value": "001"}, {"name": "wifi_psk", "value": "apple"}]
    assert Redactor().value(rows) == [
        {"key": "ki", "value": MASK},
        {"key": "imsi", "value": "001"},
        {"name": "wifi_psk", "value": MASK},
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"ki": "SECRETVALUE", "n": 1}',
        "body was {'opc': 'SECRETVALUE', 'imsi': '001'}",
        r"sent \"psk\": \"SECRETVALUE\" to the router",
        r"sent \\\\\\\"psk\\\\\\\": \\\\\\\"SECRETVALUE\\\\\\\" to the router",
        r"C:\password=SECRETVALUE",
        "error: password=SECRETVALUE",
        'failed: {"url": "https://example.com/?token=SECRETVALUE"}!',
        "password=SECRETVALUE&user=x",
        "Authorization: Bearer SECRETVALUE",
        "api_key: SECRETVALUE",
        "curl -H 'X-API-Key: SECRETVALUE'",
    ],
)
def test_secrets_inside_texts_are_masked(text) -> None:
    masked = Redactor().value({"msg": text})["msg"]
    assert "SECRETVALUE" not in masked
    assert MASK in masked


def test_known_values_are_masked_in_every_written_form() -> None:
    secret = 'k&y/with "quote" 1234'
    forms = [
        secret,
        quote(secret, safe=""),
        json.dumps({"x": secret}),
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"user:{secret}".encode()).decode(),
        base64.b64encode(f"u:{secret}!".encode()).decode(),
    ]
    masked = Redactor([secret]).value({"list": forms, secret: 1})
    text = json.dumps(masked)
    for form in forms:
        assert form not in text
    assert secret not in text
    assert all(MASK in entry for entry in masked["list"])


def test_short_known_values_do_not_blank_out_the_record() -> None:
    assert Redactor(["12", ""]).value({"msg": "12 items"}) == {"msg": "12 items"}


def test_a_large_result_is_cut_and_says_so() -> None:
    big = {"msg": "x" * 5_000_000, "status": 500}
    cut = Redactor().result(big)
    assert cut["truncated"] is True
    assert cut["status"] == 500
    assert len(json.dumps(cut)) <= MAX_RESULT_BYTES


@pytest.mark.parametrize(
    "value",
    [
        {f"k{n}": "y" * 500 for n in range(5000)},
        {"results": [{"item": n, "msg": "z" * 2000} for n in range(3000)]},
        {"deep": [[["w" * 3000] * 40] * 40]},
        {"text": "é" * 200_000},
    ],
)
def test_no_shape_of_result_exceeds_the_cap(value) -> None:
    cut = Redactor().result(value)
    assert len(json.dumps(cut, ensure_ascii=False).encode()) <= MAX_RESULT_BYTES
    assert cut["truncated"] is True


def test_values_nested_beyond_reason_end_somewhere() -> None:
    value: object = "end"
    for _ in range(500):
        value = [value]
    assert "end" not in json.dumps(Redactor().value(value))


HOSTILE = {
    "openings": 'a:"' * 40_000,
    "empty pairs": "password=" * 20_000,
    "names": "ki: " * 40_000,
    "schemes": "bearer " * 30_000,
    "a scheme and spaces": "bearer" + " " * 128_000,
    "backslashes": "\\" * 128_000,
    "backslashes before a name": "\\" * 128_000 + "psk",
    "names between backslashes": ("\\" * 15 + "a" * 48) * 2000,
    "a value of backslashes": 'psk:"' + "\\" * 128_000,
    "a value behind backslashes": ("psk:" + "\\" * 127 + '"' + "\\" * 8000) * 16,
    "pairs without an end": "a:b=" * 32_000,
    "secrets without an end": "psk:'" + "psk=" * 32_000,
    "a value behind very many": ("psk:" + "\\" * 60_000 + '"' + "\\" * 60_000),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_take_no_long_time(text: str) -> None:
    started = time.thread_time()
    Redactor(["known-secret"]).value({"msg": text})
    Redactor().value({text: "a name may be hostile too"})
    assert time.thread_time() - started < 1
