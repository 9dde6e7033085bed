"""Codecs of numbers, ids, flags, money, coordinates and times."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from omnicrm.domain import money
from omnicrm.settings import Settings


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
