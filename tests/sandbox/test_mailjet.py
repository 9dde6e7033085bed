"""Mailjet's sending and contacts, shaped like the real service; mails are kept to be read."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from omnicrm.integrations.sandbox import SandboxStore, snapshot

Caller = Callable[..., httpx.Response]
KEYS = ("key", "secret")
MESSAGE = {
    "From": {"Email": "noreply@example.com", "Name": "Example Mobile"},
    "To": [{"Email": "ann@example.org", "Name": "Ann Lee"}, {"Email": "bob@example.org"}],
    "Subject": "Welcome",
    "HTMLPart": "Dear Ann,<br/><h3>Welcome &amp; hello</h3><script>alert(1)</script>"
    "<p>Your service is <b>active</b></p>",
}


def test_a_sent_mail_is_answered_per_recipient_and_can_be_read(call: Caller, store: SandboxStore) -> None:
    sent = call("POST", "/mailjet/v3.1/send", json={"Messages": [MESSAGE]}, auth=KEYS)
    assert sent.status_code == 200
    result = sent.json()["Messages"][0]
    assert result["Status"] == "success"
    assert [person["Email"] for person in result["To"]] == ["ann@example.org", "bob@example.org"]
    assert all(person["MessageID"] and person["MessageUUID"] for person in result["To"])
    mail = snapshot(store, "mailjet").mails[0]
    assert mail.sender == "Example Mobile <noreply@example.com>"
    assert mail.recipients == "Ann Lee <ann@example.org>, bob@example.org"
    assert mail.text == "Dear Ann,\nWelcome & hello\nYour service is active"


def test_a_template_mail_keeps_its_variables_and_attachment_names(call: Caller, store: SandboxStore) -> None:
    pdf = {
        "ContentType": "application/pdf",
        "Filename": "i.pdf",
        "Base64Content": base64.b64encode(b"x" * 300).decode(),
    }
    message = {
        "From": MESSAGE["From"],
        "To": MESSAGE["To"],
        "TemplateID": 5977509,
        "TemplateLanguage": True,
        "Variables": {"customer_name": "Ann Lee"},
        "Attachments": [pdf],
    }
    assert call("POST", "/mailjet/v3.1/send", json={"Messages": [message]}, auth=KEYS).status_code == 200
    seen = snapshot(store, "mailjet")
    mail = seen.mails[0]
    assert (mail.template_id, mail.variables) == ("5977509", {"customer_name": "Ann Lee"})
    assert mail.attachments == ["i.pdf (300 bytes)"]
    assert pdf["Base64Content"] not in seen.requests[0].body


def test_without_credentials_nothing_is_sent(call: Caller, store: SandboxStore) -> None:
    assert call("POST", "/mailjet/v3.1/send", json={"Messages": [MESSAGE]}).status_code == 401
    assert snapshot(store, "mailjet").total == 0


@pytest.mark.parametrize(
    ("change", "related"),
    [
        ({"To": []}, "To"),
        ({"To": [{"Email": "nobody"}]}, "To"),
        ({"From": {}}, "From"),
        ({"HTMLPart": ""}, "TextPart"),
        ({"TemplateID": "abc"}, "TemplateID"),
    ],
)
def test_a_bad_message_says_what_is_wrong(call: Caller, store: SandboxStore, change: dict, related: str) -> None:
    refused = call("POST", "/mailjet/v3.1/send", json={"Messages": [MESSAGE | change]}, auth=KEYS)
    assert refused.status_code == 400
    assert related in refused.json()["Messages"][0]["Errors"][0]["ErrorRelatedTo"]
    assert snapshot(store, "mailjet").total == 0


def test_sandbox_mode_checks_and_keeps_nothing(call: Caller, store: SandboxStore) -> None:
    body = {"SandboxMode": True, "Messages": [MESSAGE]}
    assert call("POST", "/mailjet/v3.1/send", json=body, auth=KEYS).status_code == 200
    assert snapshot(store, "mailjet").total == 0


def test_contacts_can_be_added_found_changed_and_given_properties(call: Caller) -> None:
    new = {"Email": "Ann@Example.org", "Name": "Ann"}
    added = call("POST", "/mailjet/v3/REST/contact", json=new, auth=KEYS)
    assert added.status_code == 201
    contact = added.json()["Data"][0]
    assert contact["Email"] == "ann@example.org"
    assert call("POST", "/mailjet/v3/REST/contact", json=new, auth=KEYS).status_code == 400
    by_mail = "/mailjet/v3/REST/contact/ann@example.org"
    call("PUT", by_mail, json={"IsExcludedFromCampaigns": True}, auth=KEYS)
    assert call("GET", by_mail, auth=KEYS).json()["Data"][0]["IsExcludedFromCampaigns"] is True
    data = f"/mailjet/v3/REST/contactdata/{contact['ID']}"
    assert call("PUT", data, json={"Data": [{"Name": "city", "Value": "Leeds"}]}, auth=KEYS).status_code == 200
    assert call("GET", data, auth=KEYS).json()["Data"][0]["Data"] == [{"Name": "city", "Value": "Leeds"}]
