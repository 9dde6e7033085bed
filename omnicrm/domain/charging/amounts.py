"""Numbers of the wire and integers of the engine (decision 19).

`*monetary` amounts are integers of 1e-9 of the deployment's OCS unit; bytes, nanoseconds and messages are plain
integers. JSON numbers arrive as int or Decimal, never as float, and leave as int or Decimal.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from omnicrm.domain.charging.gotime import parse_duration
from omnicrm.domain.charging.ports import EngineError

MONETARY = "*monetary"
NANO = 10**9
LIMIT = Decimal(10) ** 18

_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
_DURATION = re.compile(r"[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+")


def scale_of(balance_type: str) -> int:
    """How many integers of the engine make one unit of the wire."""
    return NANO if balance_type == MONETARY else 1


def parse_number(text: str) -> Decimal:
    """Decimal of a numeric string, with the error text that Go's ParseFloat gives."""
    if not _FLOAT.fullmatch(text):
        raise EngineError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    number = Decimal(text)
    if number and number.adjusted() > 308:
        raise EngineError(f'strconv.ParseFloat: parsing "{text}": value out of range')
    return number


def number_of(value: Any) -> Decimal:
    """Decimal of a request's value: a JSON number, a numeric string or a duration such as `1h30m` (nanoseconds)."""
    if isinstance(value, bool) or value is None or isinstance(value, (list, dict)):
        raise EngineError(f"cannot convert field: {value!r} to float64")
    if isinstance(value, str):
        if _DURATION.fullmatch(value):
            return Decimal(parse_duration(value))
        return parse_number(value)
    number = Decimal(value)
    if number and number.adjusted() > 308:
        raise EngineError("SERVER_ERROR: value out of range")
    return number


def to_units(number: Decimal | int, balance_type: str) -> int:
    """Engine integer of a wire number, rounded half away from zero. Raises EngineError beyond 1e18 units."""
    number = Decimal(number)
    if abs(number) > LIMIT:
        raise EngineError("SERVER_ERROR: value out of range")
    return int((number * scale_of(balance_type)).to_integral_value(ROUND_HALF_UP))


def to_wire(units: int, balance_type: str) -> int | Decimal:
    """Wire number of an engine integer, exact: 5500000000 of `*monetary` is 5.5."""
    if balance_type != MONETARY:
        return units
    whole, rest = divmod(units, NANO)
    return whole if not rest else Decimal(units).scaleb(-9).normalize()


def plain_number(value: float) -> int | float:
    """A weight as Go prints it: 10, not 10.0."""
    return int(value) if value == int(value) else value


def number_text(value: Decimal | int) -> str:
    """A number as Go's shortest decimal form: 2048, 3.25."""
    return format(Decimal(value).normalize(), "f")
