"""The SMSC sandbox: takes short messages in the two forms that the chapters print.

    POST {smsc_url}/SMS/plaintext/{api_key}   source_msisdn, destination_msisdn, message_body   (chapter 17)
    POST {smsc_url}/api/send                  source, destination, message                       (chapter 14)

Both answer 201.
"""

from __future__ import annotations

from typing import Any

from omnicrm.integrations.sandbox.call import Answer, Call, refusal
from omnicrm.integrations.sandbox.store import KEEP_MESSAGES, SandboxStore, now

_MAX_TEXT = 1530  # ten joined parts


def answer(store: SandboxStore, call: Call) -> Answer:
    """Serve one call."""
    match call.path:
        case ("SMS", "plaintext", _):
            names = ("source_msisdn", "destination_msisdn", "message_body")
        case ("api", "send"):
            names = ("source", "destination", "message")
        case _:
            return refusal(404, "The SMSC knows no such path")
    if call.method != "POST":
        return refusal(405, "Messages are sent with POST")
    return _send(store, call.body, names)


def _send(store: SandboxStore, body: Any, names: tuple[str, str, str]) -> Answer:
    if not isinstance(body, dict):
        return refusal(400, "The body must be a JSON object")
    source, destination, text = (str(body.get(name) or "").strip() for name in names)
    missing = [name for name, value in zip(names, (source, destination, text), strict=True) if not value]
    if missing:
        return refusal(400, f"{missing[0]}: is missing")
    digits = destination.removeprefix("+").replace(" ", "")
    if not (digits.isdecimal() and 3 <= len(digits) <= 15):
        return refusal(422, f"{names[1]}: {destination} is not a telephone number")
    if len(text) > _MAX_TEXT:
        return refusal(422, f"{names[2]}: longer than {_MAX_TEXT} characters")
    sms_id, _ = store.write(
        "INSERT INTO sms (at, source, destination, body) VALUES (?,?,?,?)", (now(), source, digits, text)
    )
    store.trim("sms", "sms_id", KEEP_MESSAGES)
    return Answer(201, {"result": "OK", "message_id": sms_id})
