"""Money: integers of the minor unit, halves away from zero, tax of each line by itself (decision 5)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnicrm.domain import money

CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD"])
MINOR = st.integers(-(10**14), 10**14)


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        (15.0, "USD", 1500),
        ("15.00", "USD", 1500),
        (" 7 ", "USD", 700),
        (0.005, "USD", 1),
        (-0.005, "USD", -1),
        (2.675, "USD", 268),
        ("1.005", "USD", 101),
        ("1.0049999999999999999999", "USD", 100),
        ("1e2", "USD", 10000),
        (1.5, "JPY", 2),
        (-2.5, "JPY", -3),
        ("1.2345", "KWD", 1235),
        ("-0.0005", "KWD", -1),
        (Decimal("0.1") + Decimal("0.2"), "USD", 30),
        (0.1 + 0.2, "USD", 30),
        ("-0", "USD", 0),
    ],
)
def test_an_amount_becomes_minor_units_with_halves_away_from_zero(value: Any, currency: str, minor: int) -> None:
    assert money.to_minor(value, currency) == minor


@pytest.mark.parametrize(
    "value",
    [True, None, "", "word", "NaN", "Infinity", "-inf", float("nan"), 1e300, "1,5", "0x10", [1], {"a": 1}, b"1"],
)
def test_what_is_no_amount_is_refused_with_a_text(value: Any) -> None:
    with pytest.raises(ValueError, match="number"):
        money.to_minor(value, "USD")


@given(MINOR, CURRENCIES)
def test_text_and_number_of_an_amount_lead_back_to_it(minor: int, currency: str) -> None:
    assert money.to_minor(money.to_text(minor, currency), currency) == minor
    assert money.to_minor(money.to_major(minor, currency), currency) == minor


@given(st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=6), CURRENCIES)
def test_rounding_is_symmetric_and_never_off_by_more_than_half(amount: Decimal, currency: str) -> None:
    minor = money.to_minor(str(amount), currency)
    assert money.to_minor(str(-amount), currency) == -minor
    assert abs(amount.scaleb(money.digits(currency)) - minor) <= Decimal("0.5")


def test_currencies_have_their_own_digits() -> None:
    assert [money.digits(currency) for currency in ("USD", "JPY", "KWD")] == [2, 0, 3]
    assert [money.to_text(12345, currency) for currency in ("USD", "JPY", "KWD")] == ["123.45", "12345", "12.345"]
    assert money.to_text(None, "USD") == "" and money.to_major(None, "USD") is None


def test_people_see_amounts_in_the_form_of_their_country() -> None:
    assert money.shown(123450, "USD", "en_US") == "$1,234.50"
    assert money.shown(-500, "USD", "en-GB") == "-US$5.00"
    assert money.shown(1234, "JPY", "en_US") == "¥1,234"
    assert money.shown(None, "USD") == ""


@pytest.mark.parametrize(
    ("amount", "milli", "tax"),
    [
        (1000, 12500, 125),
        (999, 12500, 125),
        (1, 50_000, 1),
        (-1, 50_000, -1),
        (333, 7_000, 23),
        (0, 20_000, 0),
        (100, 0, 0),
    ],
)
def test_tax_is_rounded_half_away_from_zero(amount: int, milli: int, tax: int) -> None:
    assert money.tax(amount, milli) == tax


@given(st.lists(st.integers(0, 10**9), max_size=20), st.integers(0, 100_000))
def test_tax_of_a_bill_is_the_sum_of_its_lines_taxes(lines: list[int], milli: int) -> None:
    """Rounded per line (BILL-066): a bill may differ from the tax of its total by half a unit for each line."""
    total = sum(money.tax(line, milli) for line in lines)
    exact = sum(Decimal(line) * milli / 100_000 for line in lines)
    assert abs(total - exact) <= Decimal(len(lines)) / 2
    assert all(isinstance(money.tax(line, milli), int) for line in lines)


@given(st.integers(-(10**12), 10**12), st.integers(0, 100_000))
def test_tax_agrees_with_exact_arithmetic(amount: int, milli: int) -> None:
    exact = (Decimal(amount) * milli / 100_000).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    assert money.tax(amount, milli) == int(exact)
