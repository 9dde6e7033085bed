"""The client of Mailjet against its sandbox and against answers that Mailjet would never give."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from omnicrm.domain.errors import Unavailable
from omnicrm.domain.messaging.ports import Mail, MailRefused
from omnicrm.integrations.mailjet import MailjetClient
from omnicrm.integrations.sandbox import SandboxStore
from omnicrm.integrations.sandbox.faults import Fault
from omnicrm.settings.secret import Secret

MAIL = Mail(
    key="omnicrm-1",
    to="ops@example.com",
    subject="Provisioning failed",
    text="plain",
    html="<p>rich</p>",
    sender="noreply@example.com",
    sender_name="Demo",
)


def test_a_mail_is_taken_with_its_parts_and_can_be_asked_for(mailjet: MailjetClient, store: SandboxStore) -> None:
    assert not mailjet.has(MAIL.key)
    mailjet.send(MAIL)
    assert mailjet.has(MAIL.key)
    assert not mailjet.has("")
    message = json.loads(store.rows("SELECT message FROM mail")[0]["message"])
    assert message["From"] == {"Email": "noreply@example.com", "Name": "Demo"}
    assert (message["TextPart"], message["HTMLPart"], message["CustomID"]) == ("plain", "<p>rich</p>", MAIL.key)


def test_line_breaks_in_a_subject_or_name_start_no_header(mailjet: MailjetClient, store: SandboxStore) -> None:
    mailjet.send(replace(MAIL, subject="Hi\r\nBcc: all@example.com\x00\u2028x", sender_name="A\nB"))
    message = json.loads(store.rows("SELECT message FROM mail")[0]["message"])
    assert message["Subject"] == "Hi Bcc: all@example.com x"
    assert message["From"]["Name"] == "A B"


@pytest.mark.parametrize(
    "address", ["", "ops", "a@b@c.com", "a@b.com\r\nBcc: c@d.com", "a@b.com,c@d.com", "A <a@b.com>", "a b@c.com"]
)
def test_what_is_no_single_address_is_refused_before_it_is_sent(
    mailjet: MailjetClient, store: SandboxStore, address: str
) -> None:
    with pytest.raises(MailRefused, match="not an e-mail address"):
        mailjet.send(replace(MAIL, to=address))
    assert store.rows("SELECT * FROM request") == []


def test_a_mail_that_mailjet_refuses_says_why(mailjet: MailjetClient) -> None:
    with pytest.raises(MailRefused, match="TextPart, HTMLPart and TemplateID"):
        mailjet.send(replace(MAIL, text="", html=""))


@pytest.mark.parametrize("mode", ["refuse", "500", "garbage", "timeout"])
def test_no_proper_answer_is_unavailable(mailjet: MailjetClient, store: SandboxStore, mode: Any) -> None:
    store.set_fault("mailjet", Fault(mode, seconds=3))
    with pytest.raises(Unavailable):
        mailjet.send(MAIL)
    with pytest.raises(Unavailable):
        mailjet.has(MAIL.key)


def test_without_keys_nothing_is_sent() -> None:
    with pytest.raises(MailRefused, match=r"mailjet\.api_key and mailjet\.api_secret"):
        MailjetClient("http://127.0.0.1:9", None, None).send(MAIL)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, "", MailRefused),
        (403, "[]", MailRefused),
        (400, '{"Messages": "no list"}', MailRefused),
        (400, "[" * 100_000, MailRefused),
        (429, "{}", Unavailable),
        (200, "{}", Unavailable),
        (200, '{"Messages": [7]}', Unavailable),
        (200, '{"Messages": [{"Status": "error"}]}', Unavailable),
        (302, "", Unavailable),
        (200, "x" * 2_000_000, Unavailable),
    ],
)
def test_hostile_answers_end_in_one_of_the_two_errors(
    httpserver: HTTPServer, status: int, body: str, error: type[Exception]
) -> None:
    httpserver.expect_request("/v3.1/send").respond_with_data(body, status)
    with pytest.raises(error):
        MailjetClient(httpserver.url_for("/"), Secret("key"), Secret("secret"), 5).send(MAIL)


def test_an_answer_that_trickles_is_cut_off(httpserver: HTTPServer) -> None:
    from werkzeug import Response

    def trickle() -> Any:
        for _ in range(100):
            time.sleep(0.1)
            yield b" "

    httpserver.expect_request("/v3/REST/message").respond_with_handler(lambda request: Response(trickle()))
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        MailjetClient(httpserver.url_for("/"), Secret("key"), Secret("secret"), 0.5).has("x")
    assert time.monotonic() - begun < 5


def test_the_keys_are_in_no_error() -> None:
    client = MailjetClient("http://127.0.0.1:9", Secret("the-key-itself"), Secret("the-secret-itself"), 1)
    with pytest.raises(Unavailable) as raised:
        client.send(MAIL)
    assert "itself" not in str(raised.value)


def test_the_call_after_two_hundred_in_a_minute_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    client = MailjetClient("http://127.0.0.1:9", Secret("key"), Secret("secret"), 1)
    monkeypatch.setattr("omnicrm.integrations.mailjet.exchange", lambda *call, **more: (200, b'{"Data": []}'))
    for _ in range(200):
        assert not client.has("x")
    with pytest.raises(Unavailable, match="200 calls a minute"):
        client.has("x")
    clock[0] += 61
    assert not client.has("x")
