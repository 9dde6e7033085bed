"""Kinds of value: each reads what a file, the environment or the command line holds, or says what is wrong with it.

A kind is `read(raw, at) -> value`; it raises `Bad` with the complaint and the fix. Raw values are text, lists and
dicts as words.parse gives them. Empty values never arrive here: an empty key is an unset key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from omnicrm.settings.secret import Dsn, Secret
from omnicrm.settings.words import parse


class Bad(ValueError):
    """A value that cannot be used; the text names the complaint and the fix."""


@dataclass(frozen=True)
class At:
    """Where a value is read: its key path, the folder that relative paths start from, and a place for warnings."""

    path: str
    base: Path
    warn: Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    name: str  # as the manual shows it
    read: Callable[[Any, At], Any]
    secret: bool = False  # neither the value nor a part of it may appear in a message
    empty: str | None = None  # the complaint about a key written without a value, where that is surely a mistake


def word(raw: Any) -> str:
    """One scalar as text."""
    if isinstance(raw, str):
        return raw.strip()
    what = "a list" if isinstance(raw, list) else "a section"
    raise Bad(f"{what} stands where a single value belongs; write one value")


TEXT = Kind("text", lambda raw, at: word(raw))
SECRET = Kind("secret", lambda raw, at: Secret(word(raw)), secret=True)


def integer(low: int = 0, high: int = 2**31 - 1) -> Kind:
    def read(raw: Any, at: At) -> int:
        text = word(raw)
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            raise Bad(f"{text!r} is not a whole number; write one such as {max(low, 1)}")
        if not low <= int(text) <= high:
            raise Bad(f"{text} is out of range; write a number from {low} to {high}")
        return int(text)

    return Kind(f"whole number from {low}" + (f" to {high}" if high < 2**31 - 1 else ""), read)


def number(low: str = "0") -> Kind:
    def read(raw: Any, at: At) -> Decimal:
        text = word(raw)
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise Bad(f"{text!r} is not a number; write one such as 12.5") from None
        if not value.is_finite() or value < Decimal(low):
            raise Bad(f"{text} is out of range; write a number from {low}")
        return value

    return Kind(f"number from {low}", read)


def _flag(raw: Any, at: At) -> bool:
    text = word(raw).lower()
    if text in ("yes", "true", "on", "1"):
        return True
    if text in ("no", "false", "off", "0"):
        return False
    raise Bad(f"{text!r} is neither yes nor no; write true or false")


FLAG = Kind("true or false", _flag)


def choice(*words: str, aliases: Mapping[str, str] = MappingProxyType({})) -> Kind:
    def read(raw: Any, at: At) -> str:
        text = word(raw)
        found = aliases.get(text, text)
        if found not in words:
            raise Bad(f"{text!r} is not known; write one of {', '.join(words)}")
        return found

    return Kind(" or ".join(f"`{item}`" for item in words), read)


def matching(name: str, pattern: str, fix: str, turn: Callable[[str], str] = str, empty: str | None = None) -> Kind:
    """Text of one form; `turn` brings it into its canonical spelling."""

    def read(raw: Any, at: At) -> str:
        text = word(raw)
        if not re.fullmatch(pattern, text):
            raise Bad(f"{text!r} is not {name}; {fix}")
        return turn(text)

    return Kind(name, read, empty=empty)


EMAIL = matching("an e-mail address", r"[^@\s,<>]+@[^@\s,<>]+", "write it as name@example.com")
COLOUR = matching(
    "a colour #RRGGBB",
    r"#[0-9A-Fa-f]{6}",
    'write it in quotes as in "#405189"',
    empty='there is no value; write the colour in quotes ("#405189"), since # begins a comment',
)
LOCALE = matching(
    "a language tag",
    r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*",
    "write it as in en-GB",
    lambda text: text.replace("_", "-"),
)


def checked_url(text: str) -> str:
    parts = urlsplit(text)
    try:
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        ok = False
    if not ok or re.search(r"\s", text):
        raise Bad("this is not a web address; write it as in http://10.0.0.5:8080")
    return text


def base_url(raw: Any, at: At) -> str:
    text = checked_url(word(raw))
    if text.endswith("/"):
        at.warn(f"{at.path}: the slash at the end was removed; write the address without it")
    return text.rstrip("/")


URL = Kind("URL", lambda raw, at: checked_url(word(raw)))
BASE_URL = Kind("URL without a slash at the end", base_url)


def dsn(*schemes: str) -> Kind:
    def read(raw: Any, at: At) -> Dsn:
        text = word(raw)
        scheme = text.partition("://")[0].partition("+")[0]
        if "://" not in text or scheme not in schemes:
            raise Bad(f"the address must begin with {' or '.join(f'{item}://' for item in schemes)}")
        return Dsn(text)

    return Kind(" or ".join(f"{item}:// URL" for item in schemes), read, secret=True)


def split_host_port(text: str) -> tuple[str, int]:
    """`localhost:2080` or `[::1]:2080` to host and port; ValueError otherwise."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed) or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError(text)
    if not 1 <= int(port) <= 65535:
        raise ValueError(text)
    return host.strip("[]"), int(port)


def _host_port(raw: Any, at: At) -> str:
    text = word(raw)
    try:
        split_host_port(text)
    except ValueError:
        raise Bad(f"{text!r} is not host:port; write it as in localhost:2080") from None
    return text


HOST_PORT = Kind("host:port", _host_port)


def _network(raw: Any, at: At) -> str:
    text = word(raw)
    try:
        return str(ip_network(text, strict=False)) if "/" in text else str(ip_network(text)[0])
    except ValueError:
        raise Bad(f"{text!r} is neither an address nor a range; write it as in 10.0.1.50 or 10.0.1.0/24") from None


NETWORK = Kind("address or CIDR range", _network)


def _inside(raw: Any, at: At) -> Path:
    return (at.base / Path(word(raw)).expanduser()).resolve()


def _existing(test: Callable[[Path], bool], noun: str) -> Callable[[Any, At], Path]:
    def read(raw: Any, at: At) -> Path:
        path = _inside(raw, at)
        if not test(path):
            raise Bad(f"there is no {noun} {path}; create it or correct the path")
        return path

    return read


FOLDER = Kind("folder", _inside)
NEW_FILE = Kind("file", _inside)
EXISTING_FOLDER = Kind("existing folder", _existing(Path.is_dir, "folder"))
EXISTING_FILE = Kind("existing file", _existing(Path.is_file, "file"))


def flow(raw: Any) -> Any:
    """A list or mapping given as text (environment, command line) is read as YAML."""
    if isinstance(raw, str) and raw.lstrip()[:1] in ("[", "{"):
        try:
            return parse(raw)
        except ValueError as error:
            raise Bad(f"this is not valid YAML ({error}); check brackets and quotes") from None
    return raw


def list_of(item: Kind) -> Kind:
    def read(raw: Any, at: At) -> tuple[Any, ...]:
        raw = flow(raw)
        if isinstance(raw, str):
            raw = [part for part in (part.strip() for part in raw.split(",")) if part]
        if not isinstance(raw, list):
            raise Bad("a section stands where a list belongs; write [one, two] or one line each beginning with a dash")
        return tuple(item.read(part, at) for part in raw if part not in (None, ""))

    return Kind(f"list: {item.name}", read, secret=item.secret)


def map_of(name: str, item: Kind, key: Kind = TEXT) -> Kind:
    def read(raw: Any, at: At) -> Mapping[Any, Any]:
        raw = flow(raw)
        if not isinstance(raw, dict):
            raise Bad("a single value stands where a section belongs; write `name: value` lines below the key")
        return MappingProxyType({key.read(one, at): item.read(value, at) for one, value in raw.items()})

    return Kind(name, read)
