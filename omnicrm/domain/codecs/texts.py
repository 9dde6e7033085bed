"""Codecs of texts, words of a list, lists and JSON kept as text, links and colours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from omnicrm.domain import listtext
from omnicrm.settings import Settings


@dataclass(frozen=True)
class Text:
    length: int
    widget: str = "text"
    pattern: str | None = None
    hint: str = ""
    blank: bool = True

    def load(self, value: Any, settings: Settings) -> str:
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, (int, float)):
            value = str(value)
        if not isinstance(value, str):
            raise ValueError("must be text")
        if "\x00" in value:
            raise ValueError("must not hold a NUL character")
        if len(value) > self.length:
            raise ValueError(f"must be at most {self.length} characters, not {len(value)}")
        if not self.blank and not value.strip():
            raise ValueError("must not be empty")
        if self.pattern and value and not re.fullmatch(self.pattern, value):
            raise ValueError(self.hint)
        return value

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


@dataclass(frozen=True)
class Choice:
    """One of the documented words, compared without case; `words` may come from the configuration."""

    words: Callable[[Settings], tuple[str, ...]]
    aliases: dict[str, str] | None = None
    #: Words that are not listed are kept as sent: plays and configuration know more states than pages (decision 1).
    open: bool = False
    widget: str = "select"

    def load(self, value: Any, settings: Settings) -> str:
        words = self.words(settings)
        key = str(value).strip().lower()
        for word in words:
            if word.lower() == key:
                return word
        if self.aliases and key in self.aliases:
            return self.aliases[key]
        if self.open and isinstance(value, str) and 0 < len(value) <= 50:
            return value
        raise ValueError(f"must be one of {', '.join(words)}")

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


def one_of(*words: str, aliases: dict[str, str] | None = None, open: bool = False) -> Choice:
    return Choice(lambda settings: words, aliases, open)


@dataclass(frozen=True)
class ListText:
    """A list stored and answered as Python-list text, taken as that, as JSON text or as a list (PROV-011)."""

    unique: bool = False
    widget: str = "textarea"

    def load(self, value: Any, settings: Settings) -> str:
        if not isinstance(value, str | list):
            raise ValueError("must be a list such as ['SIM Card', 'Mobile Number'], or text that holds one")
        items = listtext.parse_list(value)
        doubles = sorted({item for item in items if items.count(item) > 1})
        if self.unique and doubles:
            raise ValueError(f"names {', '.join(doubles)} twice; one variable name can carry one id")
        return listtext.format_list(items)

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


@dataclass(frozen=True)
class JsonObjectText:
    """Text that is empty or a JSON object (PROV-013); an object is taken too. Raw line breaks are allowed inside."""

    widget: str = "textarea"

    def load(self, value: Any, settings: Settings) -> str:
        if isinstance(value, dict):
            return json.dumps(value)
        if not isinstance(value, str):
            raise ValueError("must be a JSON object, or text that holds one")
        if not value.strip():
            return ""
        try:
            parsed = json.loads(value, strict=False)
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
        except RecursionError:
            raise ValueError("is nested too deeply") from None
        if not isinstance(parsed, dict):
            raise ValueError('must be a JSON object such as {"data_gb": 10}')
        return value

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


@dataclass(frozen=True)
class Link:
    """A link that is safe to click (CRM-121)."""

    length: int = 500
    widget: str = "url"

    def load(self, value: Any, settings: Settings) -> str:
        text = Text(self.length).load(value, settings).strip()
        if text and urlsplit(text).scheme.lower() not in ("http", "https", "mailto", "tel"):
            raise ValueError("must start with https://, http://, mailto: or tel:")
        return text

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


@dataclass(frozen=True)
class HexColor:
    """Six hexadecimal digits without #; #, lower case and the short form are taken (CRM-118)."""

    widget: str = "color"

    def load(self, value: Any, settings: Settings) -> str:
        digits = str(value).strip().lstrip("#").upper()
        if re.fullmatch(r"[0-9A-F]{3}", digits):
            digits = "".join(digit * 2 for digit in digits)
        if not re.fullmatch(r"[0-9A-F]{6}", digits):
            raise ValueError("must be six hexadecimal digits such as FFD700")
        return digits

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


@dataclass(frozen=True)
class Words:
    """Several words in one comma-separated text; a list is taken too (CRM-077)."""

    known: tuple[str, ...]
    length: int = 150
    widget: str = "text"

    def load(self, value: Any, settings: Settings) -> str:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise ValueError("must be text such as Billing,Technical, or a list of such words")
        spelled = {word.lower(): word for word in self.known}
        words = dict.fromkeys(spelled.get(part.strip().lower(), part.strip()) for part in parts if part.strip())
        return str(Text(self.length).load(",".join(words), settings))

    def dump(self, value: Any, settings: Settings) -> Any:
        return value
