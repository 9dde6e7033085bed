"""What a sandbox is asked and what it answers, apart from HTTP, and how a call is written to the log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SECRET_KEYS = frozenset({"ki", "opc", "op", "password", "secret", "token", "apikey", "authorization", "pin", "puk"})
_LOG_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` holds the parts behind `/sandbox/{system}/`, `login` the basic credentials if any."""

    method: str
    path: tuple[str, ...]
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    login: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: HTTP status and a JSON value."""

    status: int
    body: Any


def refusal(status: int, text: str) -> Answer:
    """An answer of the HSS or the SMSC that says why not."""
    return Answer(status, {"message": text})


def loggable(body: Any) -> str:
    """The body as text for the log: keys and credentials hidden, attachments replaced by their size, length capped."""
    if body is None:
        return ""
    text = json.dumps(_redact(body), ensure_ascii=False)
    return text if len(text) <= _LOG_LIMIT else text[:_LOG_LIMIT] + " … (cut)"


def _redact(value: Any, key: str = "") -> Any:
    name = re.sub(r"[^a-z0-9]", "", key.lower())
    if name in _SECRET_KEYS:
        return "(hidden)"
    if name == "base64content" and isinstance(value, str):
        return f"({len(value) * 3 // 4} bytes)"
    if isinstance(value, dict):
        return {k: _redact(v, str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_redact(item, key) for item in value]
    return value
