"""How a field's value travels: from JSON or a form into Python (`load`), back into JSON (`dump`), into a form (`text`).

`load` raises ValueError with a text that says what is wrong and how to mend it; nothing is cut or guessed
(decision 4). Numbers, booleans and ids come as JSON values or as text, since plays template them (CRM-007).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Protocol
from urllib.parse import urlsplit

from omnicrm.domain import listtext, money
from omnicrm.settings import Settings


class Codec(Protocol):
    #: The form control: text, textarea, number, checkbox, select, datetime-local, email, tel, url, color, password.
    widget: str

    def load(self, value: Any, settings: Settings) -> Any: ...

    def dump(self, value: Any, settings: Settings) -> Any: ...


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
class Whole:
    low: int = -(2**53)
    high: int = 2**53
    widget: str = "number"

    def load(self, value: Any, settings: Settings) -> int:
        if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d{1,18}\s*", value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("must be a whole number")
        if not self.low <= value <= self.high:
            raise ValueError(f"must lie between {self.low} and {self.high}")
        return value

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


@dataclass(frozen=True)
class Reference(Whole):
    """The id of a row of `table`; the resource checks that it exists inside the caller's scope."""

    low: int = 1
    table: str = ""
    #: True where the documents answer 404, not 400, for an unknown owner (CRM-265).
    absent_is_404: bool = False

    def load(self, value: Any, settings: Settings) -> int:
        try:
            return super().load(value, settings)
        except ValueError:
            raise ValueError(f"must be the id of a {self.table.replace('_', ' ').lower()}") from None


@dataclass(frozen=True)
class Flag:
    widget: str = "checkbox"

    def load(self, value: Any, settings: Settings) -> bool:
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in ("true", "yes", "on", "1"):
            return True
        if word in ("false", "no", "off", "0"):
            return False
        raise ValueError("must be true or false")

    def dump(self, value: Any, settings: Settings) -> Any:
        return value


@dataclass(frozen=True)
class Amount:
    """Money: minor units inside, major units outside."""

    low: int | None = 0
    widget: str = "money"

    def load(self, value: Any, settings: Settings) -> int:
        minor = money.to_minor(value, settings.regional.currency_code)
        if self.low is not None and minor < self.low:
            raise ValueError("must not be negative")
        return minor

    def dump(self, value: Any, settings: Settings) -> Any:
        return money.to_major(value, settings.regional.currency_code)


@dataclass(frozen=True)
class Percent:
    """A percentage between 0 and 100; thousandths of a percent inside, so that 12.5 is exact."""

    widget: str = "number"

    def load(self, value: Any, settings: Settings) -> int:
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise ValueError("must be a percentage such as 12.5") from None
        if isinstance(value, bool) or not number.is_finite() or not 0 <= number <= 100:
            raise ValueError("must lie between 0 and 100")
        return int((number * 1000).quantize(Decimal(1), rounding=ROUND_HALF_UP))

    def dump(self, value: Any, settings: Settings) -> Any:
        return None if value is None else float(Decimal(value) / 1000)


@dataclass(frozen=True)
class Degrees:
    """A coordinate. Sites answer with numbers, inventory with text (CRM gap 23); both take both."""

    limit: int
    as_text: bool = False
    widget: str = "text"

    def load(self, value: Any, settings: Settings) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError("must be a number of degrees") from None
        if isinstance(value, bool) or math.isnan(number) or not -self.limit <= number <= self.limit:
            raise ValueError(f"must lie between -{self.limit} and {self.limit}")
        return number

    def dump(self, value: Any, settings: Settings) -> Any:
        return value if value is None or not self.as_text else str(value)


@dataclass(frozen=True)
class Moment:
    """A date-time; `spaced` answers as `2025-01-01 00:00:00` (attributes, tags), else ISO 8601 with Z (CRM-009)."""

    spaced: bool = False
    widget: str = "datetime-local"

    def load(self, value: Any, settings: Settings) -> datetime:
        if not isinstance(value, str):
            raise ValueError("must be a date such as 2025-01-31 or 2025-01-31T10:00:00Z")
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"is not a date: {value[:40]!r}; write 2025-01-31 or 2025-01-31T10:00:00Z") from None
        if moment.year < 1900:
            raise ValueError("must not lie before 1900")
        try:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("is out of range") from None

    def dump(self, value: Any, settings: Settings) -> Any:
        if value is None:
            return None
        return value.strftime("%Y-%m-%d %H:%M:%S" if self.spaced else "%Y-%m-%dT%H:%M:%SZ")


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
        parts = value if isinstance(value, list) else str(value).split(",")
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("must be text such as Billing,Technical, or a list of such words")
        spelled = {word.lower(): word for word in self.known}
        words = dict.fromkeys(spelled.get(part.strip().lower(), part.strip()) for part in parts if part.strip())
        return str(Text(self.length).load(",".join(words), settings))

    def dump(self, value: Any, settings: Settings) -> Any:
        return value
