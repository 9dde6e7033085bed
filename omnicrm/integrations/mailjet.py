"""Client of Mailjet: sending through the Send API v3.1, and the question whether a mail was taken (chapter 30)."""

from __future__ import annotations

import json
import re
import threading
import time
import unicodedata
from collections import deque
from typing import Any

from omnicrm.domain.errors import Unavailable
from omnicrm.domain.messaging.ports import Mail, MailRefused
from omnicrm.integrations.exchange import exchange
from omnicrm.settings.secret import Secret

#: No answer of Mailjet to one mail comes near this; a larger one is none of Mailjet's.
_MAX_ANSWER = 1024 * 1024
_CALLS_A_MINUTE = 200
#: Mailjet's own limits on a subject and on a CustomID.
_MAX_LINE = 255
_MAX_KEY = 64
#: Nothing in it that could begin a name, a second address or another header.
_ADDRESS = re.compile(r"""[^\s\x00-\x1f\x7f<>,;:"()\[\]\\@]+@[^\s\x00-\x1f\x7f<>,;:"()\[\]\\@]+""")


class MailjetClient:
    """Implements `Mailer`. Safe to share between threads; blocking, for workers only.

    Mailjet forgets nothing that it took: a mail carries our key as CustomID, and a send without an answer is settled
    by asking for it, never by sending again.
    """

    def __init__(self, base_url: str, api_key: Secret | None, api_secret: Secret | None, timeout: float = 15.0) -> None:
        """Without keys every mail is refused with a text that says so. `timeout` is seconds for a whole call."""
        self._base, self._timeout = base_url.rstrip("/"), timeout
        self._calls: deque[float] = deque()
        self._lock = threading.Lock()
        self._login = (api_key.reveal() if api_key else "", api_secret.reveal() if api_secret else "")

    def send(self, mail: Mail) -> None:
        assert len(mail.key) <= _MAX_KEY, "Mailjet cuts a longer CustomID, and the mail would never be found"
        message = {
            "From": {"Email": _address(mail.sender), "Name": _line(mail.sender_name)},
            "To": [{"Email": _address(mail.to)}],
            "Subject": _line(mail.subject),
            "TextPart": mail.text,
            "HTMLPart": mail.html,
            "CustomID": mail.key,
        }
        answer = self._call("POST", "/v3.1/send", json={"Messages": [message]})
        results = answer.get("Messages")
        if not isinstance(results, list) or not any(_is_taken(result) for result in results):
            raise Unavailable("Mailjet's answer does not say whether it took the mail.")

    def has(self, key: str) -> bool:
        found = self._call("GET", "/v3/REST/message", params={"CustomID": key, "Limit": "1"}).get("Data")
        if not isinstance(found, list):
            raise Unavailable("Mailjet's answer does not say whether it has the mail.")
        return bool(found)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The JSON object of a 2xx answer."""
        import httpx

        if not all(self._login):
            raise MailRefused("Mails need mailjet.api_key and mailjet.api_secret in the configuration.")
        self._count()
        try:
            limits = {"seconds": self._timeout, "most": _MAX_ANSWER, "trust_env": True}
            status, body = exchange(method, self._base + path, **limits, auth=self._login, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"Mailjet did not answer: {type(error).__name__}.") from error
        document = _object(body)
        if status in (401, 403):
            raise MailRefused(
                f"Mailjet refused the credentials (status {status}): check mailjet.api_key and api_secret."
            )
        if 400 <= status < 500 and status not in (408, 425, 429):
            raise MailRefused(f"Mailjet refused the mail (status {status}): {_reason(document)}")
        if not 200 <= status < 300:
            raise Unavailable(f"Mailjet answered with status {status}.")
        if document is None:
            raise Unavailable("Mailjet's answer is not JSON.")
        return document

    def _count(self) -> None:
        """Mailjet takes 200 calls a minute; whoever comes after them waits in the job queue (BILL-306)."""
        with self._lock:
            now = time.monotonic()
            while self._calls and now - self._calls[0] >= 60:
                self._calls.popleft()
            if len(self._calls) >= _CALLS_A_MINUTE:
                raise Unavailable(f"Mailjet takes {_CALLS_A_MINUTE} calls a minute; this one has to wait.")
            self._calls.append(now)


def _line(text: str) -> str:
    """One line for a header: a name or subject with line breaks must not start another header."""
    visible = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") else char for char in text)
    return " ".join(visible.split())[:_MAX_LINE]


def _address(text: str) -> str:
    """A bare address, or MailRefused: lists, names and control characters have no place in it."""
    if not _ADDRESS.fullmatch(text):
        raise MailRefused(f"{_line(text)[:80]!r} is not an e-mail address.")
    return text


def _is_taken(result: Any) -> bool:
    return isinstance(result, dict) and result.get("Status") == "success"


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _reason(document: dict[str, Any] | None) -> str:
    """What Mailjet says is wrong, in one line."""
    texts: list[str] = []
    messages = (document or {}).get("Messages")
    for message in messages if isinstance(messages, list) else [document]:
        errors = message.get("Errors", [message]) if isinstance(message, dict) else []
        texts += [str(error.get("ErrorMessage", "")) for error in errors if isinstance(error, dict)]
    return _line("; ".join(text for text in texts if text)) or "it does not say why"
