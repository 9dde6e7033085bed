"""The one redaction of what a job shows or keeps: secret-looking keys, known secret values, and a size cap (PC-09)."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "********"
#: Largest JSON text of one event's result, in bytes.
MAX_RESULT_BYTES = 64 * 1024
#: A known value shorter than this is not searched for in texts: masking every "12" would destroy the record.
MIN_SECRET_LENGTH = 6
_MAX_DEPTH = 40
#: A text above this is cut before it is searched: its tail could not survive MAX_RESULT_BYTES anyway.
_MAX_TEXT = 2 * MAX_RESULT_BYTES

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: A name is secret when one of its words, or two neighbours joined, is here: `wifi_psk`, `X-API-Key`, `clientSecret`.
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "tokens", "jwt", "cookie"}
    | {"cookies", "authorization", "credential", "credentials", "ki", "opc", "psk", "pin", "puk", "cvc", "cvv"}
    | {f"{kind}key" for kind in ("api", "private", "secret", "access", "auth", "encryption", "signing", "ssh")}
    | {f"{kind}key" for kind in ("license", "shared", "session", "wifi", "wpa", "wep", "network", "master")}
)
#: Last words that make a name describe the secret: `token_type`, `password_changed_at`, `access_key_id`. And `key`
#: alone, or after any other word (`product_key`, `idempotency_key`), is no secret: only the pairs above are.
_HARMLESS_ENDINGS = frozenset(
    {"type", "count", "length", "at", "on", "expiry", "expires", "changed", "required", "enabled", "id", "ids"}
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+)([A-Za-z0-9._~+/=-]{8,})")
#: A name with its sign inside free text: `"ki": `, `'psk': `, `password=`, quotes perhaps escaped. A run of backslashes
#: is read from its first one only, so that no text is read more than once.
_NAME = re.compile(r"""(?<![\w-])((?:(?<!\\)\\+)?["']?)([A-Za-z][\w-]{0,48})\1\s{0,3}[:=]\s{0,3}""")
#: What stands behind it, in quotes or up to a delimiter.
_VALUE = re.compile(r"""(\\{0,127}["'])([^"'\n]{1,8000}?)\1|[^\s"',;&{}()\[\]]+""")


def is_secret_key(name: str) -> bool:
    """Whether a name is that of a secret. Whole words of the split name decide, so `kind` is not `ki`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _HARMLESS_ENDINGS:
        return False
    joined = (first + second for first, second in itertools.pairwise(words))
    return words == ["key"] or any(word in _SECRET_WORDS for word in itertools.chain(words, joined))


class Redactor:
    """Masks secrets in any JSON-like value. `secrets` are the job's own known values (tokens, API keys, ki, …)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= MIN_SECRET_LENGTH:
                forms |= _written_forms(secret)
        # Longest first, so that a value which contains another is masked whole.
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """`text` without known values, bearer and basic credentials, and values beside a secret's name."""
        if self._known:
            text = self._known.sub(MASK, text)
        text = _SCHEME.sub(lambda match: match[1] + match[2] + MASK, text)
        return _mask_pairs(text)

    def value(self, value: Any, _depth: int = 0) -> Any:
        """A copy of `value` as plain JSON types, every secret masked at any depth, in keys and in JSON texts too."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if _depth >= _MAX_DEPTH:
            return "…"
        if isinstance(value, str):
            return self._string(value, _depth)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._item(str(key), item, value, _depth) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, _depth + 1) for item in value]
        return self.text(str(value))

    def result(self, result: Mapping[str, Any], limit: int = MAX_RESULT_BYTES) -> dict[str, Any]:
        """A task's result, redacted and at most `limit` bytes of JSON; `"truncated": true` marks a cut (PROV-157)."""
        clean: dict[str, Any] = self.value(result)
        if _size(clean) <= limit:
            return clean
        for longest in (8192, 1024, 200):
            cut = {**_shorten(clean, longest), "truncated": True}
            if _size(cut) <= limit:
                return cut
        head = {key: cut[key] for key in ("msg", "status", "url", "rc") if isinstance(cut.get(key), str | int)}
        return {**head, "truncated": True, "excerpt": json.dumps(cut, ensure_ascii=False)[: limit // 8]}

    def _item(self, name: str, value: Any, mapping: Mapping[Any, Any], depth: int) -> Any:
        beside = mapping.get("key", mapping.get("name"))
        if "value" in mapping and isinstance(beside, str):
            # A row such as {"key": "ki", "value": "…"} (dict2items): the name stands beside its value.
            name = beside if name == "value" else "row"
        if is_secret_key(name) and value is not None and not isinstance(value, bool) and value not in ("", [], {}):
            return MASK
        return self.value(value, depth + 1)

    def _string(self, text: str, depth: int) -> str:
        if len(text) > _MAX_TEXT:
            text = text[:_MAX_TEXT]
        elif text[:1] in ("{", "["):
            # An answer kept as text (`content` of uri): look inside it as at any other value.
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                pass
            else:
                return json.dumps(self.value(inner, depth + 1), ensure_ascii=False)
        return self.text(text)


def _mask_pairs(text: str) -> str:
    """Only the value behind a secret's name is passed over: in `error: password=…` a second name stands behind the
    first one."""
    parts, done, place = [], 0, 0
    while name := _NAME.search(text, place):
        place = name.end()
        if is_secret_key(name[2]) and name[2].lower() != "key" and (value := _VALUE.match(text, place)):
            mark = value[1] or ""
            parts += [text[done:place], mark, MASK, mark]
            done = place = value.end()
    return "".join([*parts, text[done:]])


def _written_forms(secret: str) -> set[str]:
    """The ways a secret is met in text: plain, in addresses, pages, JSON, Python, hex and base64 such as basic auth."""
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = json.dumps(secret)[1:-1]
    forms = {secret, quote(raw), quote(raw, safe=""), quote_plus(raw), html.escape(secret), repr(secret)[1:-1]}
    forms |= {escaped, json.dumps(escaped)[1:-1], raw.hex(), raw.hex().upper()}
    # Within the base64 of a longer text a secret has one of three shapes, by where its first byte falls; characters
    # that also carry bits of the neighbours are left out.
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + raw).decode()
        shape = encoded[(0, 2, 3)[lead] : len(encoded) - (4 if (len(raw) + lead) % 3 else 0)]
        if len(shape) > MIN_SECRET_LENGTH:
            forms |= {shape, shape.replace("+", "-").replace("/", "_")}
    return forms


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _shorten(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {key: _shorten(item, longest) for key, item in itertools.islice(value.items(), 200)}
    if isinstance(value, list):
        rest = [f"… ({len(value)} entries)"] if len(value) > 50 else []
        return [_shorten(item, longest) for item in value[:50]] + rest
    return value
