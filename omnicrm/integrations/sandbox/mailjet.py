"""The Mailjet sandbox: sending (v3.1) and contacts (v3 REST), shaped like the real service.

    POST /v3.1/send                           Messages -> one result a message, kept to be read on the page
    GET       /v3/REST/message?CustomID=…     the messages that were taken with that CustomID
    GET, POST /v3/REST/contact                list, add
    GET, PUT  /v3/REST/contact/{id or email}
    GET, PUT  /v3/REST/contactdata/{id or email}

Basic credentials are demanded but any pair is accepted.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import Any

from omnicrm.integrations.sandbox.call import Answer, Call
from omnicrm.integrations.sandbox.store import KEEP_MESSAGES, SandboxStore, now

_MAX_MESSAGES = 50
_MAX_BYTES = 15 * 1024 * 1024
_BODY_KEYS = ("TextPart", "HTMLPart", "TemplateID")


def answer(store: SandboxStore, call: Call) -> Answer:
    """Serve one call."""
    if not (call.login and all(call.login)):
        return Answer(401, _error(401, "mj-0001", "API key and secret are missing", []))
    match call.path:
        case ("v3.1", "send") if call.method == "POST":
            return _send(store, call.body)
        case ("v3", "REST", "message") if call.method == "GET":
            return _messages(store, call.query.get("CustomID", ""))
        case ("v3", "REST", "contact"):
            return _contacts(store, call)
        case ("v3", "REST", "contact", key):
            return _contact(store, call, key)
        case ("v3", "REST", "contactdata", key):
            return _contact_data(store, call, key)
        case _:
            return _rest_error(404, "Object not found")


def _send(store: SandboxStore, body: Any) -> Answer:
    messages = body.get("Messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        return Answer(400, _error(400, "mj-0002", "Messages must be a list of at least one message", ["Messages"]))
    if len(messages) > _MAX_MESSAGES:
        return Answer(400, _error(400, "mj-0003", f"At most {_MAX_MESSAGES} messages a call", ["Messages"]))
    shared = body["Globals"] if isinstance(body.get("Globals"), dict) else {}
    results = [_one(store, {**shared, **message} if isinstance(message, dict) else {}, body) for message in messages]
    failed = any(result["Status"] == "error" for result in results)
    return Answer(400 if failed else 200, {"Messages": results})


def _one(store: SandboxStore, message: dict[str, Any], envelope: dict[str, Any]) -> dict[str, Any]:
    errors = _faults_of(message)
    if errors:
        return {"Status": "error", "Errors": errors}
    reply: dict[str, Any] = {"Status": "success", "CustomID": str(message.get("CustomID", ""))}
    mail_id = 0
    if not envelope.get("SandboxMode"):
        mail_id, _ = store.write("INSERT INTO mail (at, message) VALUES (?, ?)", (now(), json.dumps(_kept(message))))
        store.trim("mail", "mail_id", KEEP_MESSAGES)
    for kind in ("To", "Cc", "Bcc"):
        reply[kind] = [
            {
                "Email": person["Email"],
                "MessageUUID": str(uuid.uuid4()),
                "MessageID": mail_id,
                "MessageHref": f"/v3/REST/message/{mail_id}",
            }
            for person in message.get(kind) or []
        ]
    return reply


def _messages(store: SandboxStore, custom_id: str) -> Answer:
    """The mails of a CustomID; an empty one finds none, where Mailjet would list all."""
    rows = store.rows(
        "SELECT mail_id, at FROM mail WHERE json_extract(message, '$.CustomID') = ? AND ? <> '' ORDER BY mail_id",
        (custom_id, custom_id),
    )
    return Answer(200, _page([{"ID": row["mail_id"], "ArrivedAt": row["at"], "Status": "sent"} for row in rows]))


def _faults_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    errors = []
    sender = message.get("From")
    if not (isinstance(sender, dict) and _is_address(sender.get("Email"))):
        errors.append(_error(400, "mj-0013", "From needs a valid e-mail address", ["From"]))
    for kind in ("To", "Cc", "Bcc"):
        people = message.get(kind) or []
        valid = isinstance(people, list) and all(isinstance(p, dict) and _is_address(p.get("Email")) for p in people)
        if not valid or (kind == "To" and not people):
            errors.append(_error(400, "mj-0013", f"{kind} needs valid e-mail addresses", [kind]))
    if not any(message.get(key) for key in _BODY_KEYS):
        errors.append(_error(400, "mj-0003", "One of TextPart, HTMLPart and TemplateID is needed", list(_BODY_KEYS)))
    if message.get("TemplateID") and not str(message["TemplateID"]).isdecimal():
        errors.append(_error(400, "mj-0004", "TemplateID must be a number", ["TemplateID"]))
    attachments = message.get("Attachments") or []
    size = sum(len(str(item.get("Base64Content", ""))) * 3 // 4 for item in attachments if isinstance(item, dict))
    if size > _MAX_BYTES:
        errors.append(_error(413, "mj-0009", f"{size} bytes of attachments; at most {_MAX_BYTES}", ["Attachments"]))
    return errors


def _is_address(value: Any) -> bool:
    name, _, host = value.partition("@") if isinstance(value, str) else ("", "", "")
    return bool(name) and "." in host and " " not in value


def _kept(message: dict[str, Any]) -> dict[str, Any]:
    """What is stored of a message: everything but the content of its attachments."""
    attachments = [
        {
            "Filename": str(item.get("Filename", "")),
            "ContentType": str(item.get("ContentType", "")),
            "bytes": len(str(item.get("Base64Content", ""))) * 3 // 4,
        }
        for item in message.get("Attachments") or []
        if isinstance(item, dict)
    ]
    return {**message, "Attachments": attachments}


def _error(status: int, code: str, text: str, related: list[str]) -> dict[str, Any]:
    return {
        "ErrorIdentifier": str(uuid.uuid4()),
        "ErrorCode": code,
        "StatusCode": status,
        "ErrorMessage": text,
        "ErrorRelatedTo": related,
    }


def _contacts(store: SandboxStore, call: Call) -> Answer:
    if call.method == "GET":
        rows = store.rows("SELECT * FROM contact ORDER BY contact_id")
        return Answer(200, _page([_contact_shown(row) for row in rows]))
    if call.method != "POST":
        return _rest_error(405, "Method not allowed")
    body = call.body if isinstance(call.body, dict) else {}
    if not _is_address(body.get("Email")):
        return _rest_error(400, "Email: a valid address is needed")
    if _find(store, body["Email"]):
        return _rest_error(400, f"MJ18 A contact with the e-mail {body['Email'].lower()} exists already")
    store.write(
        "INSERT INTO contact (email, name, excluded, properties, created_at) VALUES (?,?,?,'{}',?)",
        (
            body["Email"].lower(),
            str(body.get("Name") or ""),
            bool(body.get("IsExcludedFromCampaigns")),
            now(),
        ),
    )
    row = _find(store, body["Email"])
    return Answer(201, _page([_contact_shown(row)] if row else []))


def _contact(store: SandboxStore, call: Call, key: str) -> Answer:
    row = _find(store, key)
    if not row:
        return _rest_error(404, "Object not found")
    if call.method == "PUT" and isinstance(call.body, dict):
        store.write(
            "UPDATE contact SET name = ?, excluded = ? WHERE contact_id = ?",
            (
                str(call.body.get("Name", row["name"])),
                bool(call.body.get("IsExcludedFromCampaigns", row["excluded"])),
                row["contact_id"],
            ),
        )
        row = _find(store, key) or row
    elif call.method != "GET":
        return _rest_error(405, "Method not allowed")
    return Answer(200, _page([_contact_shown(row)]))


def _contact_data(store: SandboxStore, call: Call, key: str) -> Answer:
    row = _find(store, key)
    if not row:
        return _rest_error(404, "Object not found")
    properties: dict[str, Any] = json.loads(row["properties"])
    if call.method == "PUT":
        data = call.body.get("Data") if isinstance(call.body, dict) else None
        if not isinstance(data, list) or not all(isinstance(item, dict) and item.get("Name") for item in data):
            return _rest_error(400, "Data must be a list of Name and Value pairs")
        properties |= {str(item["Name"]): item.get("Value") for item in data}
        store.write(
            "UPDATE contact SET properties = ? WHERE contact_id = ?", (json.dumps(properties), row["contact_id"])
        )
    elif call.method != "GET":
        return _rest_error(405, "Method not allowed")
    pairs = [{"Name": name, "Value": value} for name, value in properties.items()]
    return Answer(200, _page([{"ID": row["contact_id"], "ContactID": row["contact_id"], "Data": pairs}]))


def _find(store: SandboxStore, key: str) -> sqlite3.Row | None:
    found = store.rows("SELECT * FROM contact WHERE email = lower(?) OR CAST(contact_id AS TEXT) = ?", (key, key))
    return found[0] if found else None


def _contact_shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "ID": row["contact_id"],
        "Email": row["email"],
        "Name": row["name"],
        "IsExcludedFromCampaigns": bool(row["excluded"]),
        "CreatedAt": row["created_at"],
    }


def _page(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Count": len(data), "Data": data, "Total": len(data)}


def _rest_error(status: int, text: str) -> Answer:
    return Answer(status, {"ErrorInfo": "", "ErrorMessage": text, "StatusCode": status})
