"""Money: integers of the currency's minor unit, the one rounding rule, and tax (decision 5)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from babel.numbers import format_currency, get_currency_precision

#: The largest amount taken from outside: a BIGINT holds it a million times over.
LIMIT = 10**15


def digits(currency: str) -> int:
    """Decimal places of the currency's minor unit: 2 for USD, 0 for JPY, 3 for KWD."""
    return get_currency_precision(currency)


def to_minor(value: object, currency: str) -> int:
    """Major units, as a JSON number or numeric text, to minor units; halves round away from zero.

    Raises ValueError with a text for the user.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError("must be a number such as 15.00")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"must be a number such as 15.00, not {str(value)[:40]!r}") from None
    if not amount.is_finite() or abs(amount) > LIMIT:
        raise ValueError("is too large or not a number")
    return int(amount.scaleb(digits(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def to_major(minor: int | None, currency: str) -> float | None:
    """Minor units as the JSON number that the chapters show (15.0). Only for output: never calculate with it."""
    return None if minor is None else float(Decimal(minor).scaleb(-digits(currency)))


def to_text(minor: int | None, currency: str) -> str:
    """Plain decimal text ("15.00"), for logs and form fields."""
    places = digits(currency)
    return "" if minor is None else f"{Decimal(minor).scaleb(-places):.{places}f}"


def shown(minor: int | None, currency: str, locale: str = "en_GB") -> str:
    """For people: "$15.00" in the deployment's locale; empty for None."""
    if minor is None:
        return ""
    return format_currency(Decimal(minor).scaleb(-digits(currency)), currency, locale=locale.replace("-", "_"))


def tax(amount_minor: int, percentage_milli: int) -> int:
    """Tax of one line, rounded per line (BILL-066); `percentage_milli`: thousandths of a percent, 12.5 % is 12500."""
    exact = Decimal(amount_minor) * percentage_milli / 100_000
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
