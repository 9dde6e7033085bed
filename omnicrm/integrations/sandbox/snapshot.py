"""What the Sandbox page shows of one system."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

from omnicrm.integrations.sandbox import hss
from omnicrm.integrations.sandbox.faults import MODES, Fault, Mode
from omnicrm.integrations.sandbox.store import SandboxStore, System

TITLES: dict[System, str] = {"hss": "HSS", "smsc": "SMSC", "mailjet": "Mailjet"}
_SHOWN = 50
_BLOCK_TAGS = frozenset({"p", "br", "div", "h1", "h2", "h3", "h4", "li", "tr", "table", "hr"})


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One call. Status 0: no answer was given."""

    at: datetime
    method: str
    path: str
    status: int
    milliseconds: int
    body: str
    note: str


@dataclass(frozen=True, slots=True)
class Sms:
    """One short message."""

    at: datetime
    source: str
    destination: str
    body: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as a person reads it. `html` is the sender's own markup: show it in a sandboxed frame only."""

    mail_id: int
    at: datetime
    sender: str
    recipients: str
    subject: str
    text: str
    html: str
    template_id: str
    variables: dict[str, Any]
    attachments: list[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one sandbox, newest first; `total` counts all records of its main kind."""

    system: System
    title: str
    fault: Fault
    modes: tuple[Mode, ...]
    requests: list[LoggedRequest]
    subscribers: list[tuple[str, dict[str, Any]]]
    messages: list[Sms]
    mails: list[Mail]
    contacts: int
    total: int


def snapshot(store: SandboxStore, system: System) -> Snapshot:
    """Read a sandbox for the page: its last 50 records and requests."""
    table = {"hss": "subscriber", "smsc": "sms", "mailjet": "mail"}[system]
    return Snapshot(
        system=system,
        title=TITLES[system],
        fault=store.fault(system),
        modes=MODES,
        requests=_requests(store, system),
        subscribers=_subscribers(store) if system == "hss" else [],
        messages=_messages(store) if system == "smsc" else [],
        mails=_mails(store) if system == "mailjet" else [],
        contacts=store.rows("SELECT count(*) FROM contact")[0][0] if system == "mailjet" else 0,
        total=store.rows(f"SELECT count(*) FROM {table}")[0][0],
    )


def _requests(store: SandboxStore, system: System) -> list[LoggedRequest]:
    rows = store.rows(
        "SELECT at, method, path, status, milliseconds, body, note FROM request WHERE system = ?"
        " ORDER BY request_id DESC LIMIT ?",
        (system, _SHOWN),
    )
    return [LoggedRequest(datetime.fromisoformat(row[0]), *row[1:]) for row in rows]


def _subscribers(store: SandboxStore) -> list[tuple[str, dict[str, Any]]]:
    rows = store.rows("SELECT * FROM subscriber ORDER BY changed_at DESC, subscriber_id DESC LIMIT ?", (_SHOWN,))
    return [(row["peer"], hss.shown(row)) for row in rows]


def _messages(store: SandboxStore) -> list[Sms]:
    rows = store.rows("SELECT at, source, destination, body FROM sms ORDER BY sms_id DESC LIMIT ?", (_SHOWN,))
    return [Sms(datetime.fromisoformat(row[0]), *row[1:]) for row in rows]


def _mails(store: SandboxStore) -> list[Mail]:
    rows = store.rows("SELECT mail_id, at, message FROM mail ORDER BY mail_id DESC LIMIT ?", (_SHOWN,))
    return [_mail(row["mail_id"], datetime.fromisoformat(row["at"]), json.loads(row["message"])) for row in rows]


def _mail(mail_id: int, at: datetime, message: dict[str, Any]) -> Mail:
    html = str(message.get("HTMLPart") or "")
    people = [person for kind in ("To", "Cc", "Bcc") for person in message.get(kind) or []]
    variables = message.get("Variables")
    return Mail(
        mail_id=mail_id,
        at=at,
        sender=_person(message["From"]),
        recipients=", ".join(_person(person) for person in people),
        subject=str(message.get("Subject") or ""),
        text=str(message.get("TextPart") or "") or _as_text(html),
        html=html,
        template_id=str(message.get("TemplateID") or ""),
        variables=variables if isinstance(variables, dict) else {},
        attachments=[f"{item['Filename']} ({item['bytes']} bytes)" for item in message.get("Attachments") or []],
    )


def _person(person: dict[str, Any]) -> str:
    return f"{person['Name']} <{person['Email']}>" if person.get("Name") else str(person["Email"])


class _Reader(HTMLParser):
    """Collects the text between tags, a new line for each block, nothing of style and script."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script")
        if tag in _BLOCK_TAGS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _as_text(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    lines = (" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    return "\n".join(line for line in lines if line)
