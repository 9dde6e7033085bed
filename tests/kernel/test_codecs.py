"""Codecs: what they take and answer, and that nothing is cut, guessed or let through (decision 4)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnicrm.domain import listtext
from omnicrm.domain.codecs import (
    Amount,
    Choice,
    Codec,
    Degrees,
    Flag,
    HexColor,
    JsonObjectText,
    Link,
    ListText,
    Moment,
    Percent,
    Reference,
    Text,
    Whole,
    Words,
    one_of,
)
from omnicrm.settings import Settings, load


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load(sets={}, environ={}, data_dir=Path(tmp_path_factory.mktemp("settings")))


@pytest.mark.parametrize(
    ("codec", "sent", "stored"),
    [
        (Text(10), "Ann", "Ann"),
        (Text(10), 15, "15"),
        (Text(10), 1.5, "1.5"),
        (Text(10), True, "true"),
        (Text(10), "  kept ", "  kept "),
        (Text(10, pattern=r"\d+", hint="digits"), "", ""),
        (Whole(), "42", 42),
        (Whole(), " -7 ", -7),
        (Whole(), 3.0, 3),
        (Reference(table="customer"), "12", 12),
        (Flag(), "YES", True),
        (Flag(), 0, False),
        (Flag(), "off", False),
        (Amount(), "15.005", 1501),
        (Amount(low=None), -3, -300),
        (Percent(), "12.5", 12_500),
        (Percent(), 0.0005, 1),
        (Percent(), 100, 100_000),
        (Degrees(90), "-33.86", -33.86),
        (HexColor(), "#ffd700", "FFD700"),
        (HexColor(), "0f8", "00FF88"),
        (Link(), " https://example.com ", "https://example.com"),
        (Link(), "mailto:a@example.com", "mailto:a@example.com"),
        (Link(), "", ""),
        (JsonObjectText(), {"a": [1]}, '{"a": [1]}'),
        (JsonObjectText(), '{"a": "line\nbreak"}', '{"a": "line\nbreak"}'),
        (JsonObjectText(), "  ", ""),
        (ListText(), "['SIM Card', 'Mobile Number']", "['SIM Card', 'Mobile Number']"),
        (ListText(), '["SIM Card"]', "['SIM Card']"),
        (ListText(), ["SIM Card", 7], "['SIM Card', '7']"),
        (ListText(), "", "[]"),
        (ListText(), "SIM Card", "['SIM Card']"),
        (Words(("Primary", "Billing")), "billing, PRIMARY,own", "Billing,Primary,own"),
        (Words(("Primary",)), ["primary", "primary"], "Primary"),
        (one_of("Open", "Closed"), " open ", "Open"),
        (one_of("Open", aliases={"in use": "Open"}), "In Use", "Open"),
        (one_of("Active", open=True), "Pending Cancellation", "Pending Cancellation"),
    ],
)
def test_a_value_is_stored_as(codec: Codec, sent: Any, stored: Any, settings: Settings) -> None:
    loaded = codec.load(sent, settings)
    assert loaded == stored and type(loaded) is type(stored)


@pytest.mark.parametrize(
    ("codec", "sent", "says"),
    [
        (Text(3), "four", "at most 3 characters, not 4"),
        (Text(3), None, "text"),
        (Text(9), "a\x00", "NUL"),
        (Text(9, blank=False), " \t ", "empty"),
        (Text(9, pattern=r"\d+", hint="digits only"), "a", "digits only"),
        (Text(9, pattern=r"\d+", hint="digits only"), "1\n", "digits only"),
        (Whole(0, 9), 10, "between 0 and 9"),
        (Whole(), "1" * 19, "whole number"),
        (Whole(), "٣x", "whole number"),
        (Reference(table="customer_site"), "x", "id of a customer site"),
        (Flag(), "perhaps", "true or false"),
        (Amount(), -1, "negative"),
        (Percent(), "101", "between 0 and 100"),
        (Degrees(90), 90.5, "between -90 and 90"),
        (Degrees(90), float("nan"), "between -90 and 90"),
        (Moment(), "31.12.2025", "not a date"),
        (Moment(), "1850-01-01", "1900"),
        (Moment(), "9999-12-31T23:59:59-14:00", "range"),
        (HexColor(), "gold", "six hexadecimal"),
        (Link(), "JavaScript:alert(1)", "must start with"),
        (JsonObjectText(), '{"a": }', "line 1, column 7"),
        (JsonObjectText(), "[]", "JSON object"),
        (ListText(), "['a'", "no list"),
        (ListText(), "[" * 500 + "]" * 500, "list"),
        (ListText(unique=True), "['a', 'b', 'a']", "names a twice"),
        (one_of("Open", "Closed"), "Shut", "Open, Closed"),
        (one_of("Active", open=True), "", "Active"),
    ],
)
def test_a_bad_value_is_refused_with_a_text_that_helps(codec: Codec, sent: Any, says: str, settings: Settings) -> None:
    with pytest.raises(ValueError, match=says):
        codec.load(sent, settings)


def test_dates_are_taken_in_every_documented_form_and_answered_in_one(settings: Settings) -> None:
    ten = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
    for text in ("2025-01-15T10:30:00Z", "2025-01-15 10:30:00", "2025-01-15T12:30:00+02:00", " 2025-01-15T10:30Z "):
        assert Moment().load(text, settings) == ten
    assert Moment().load("2025-01-15", settings) == datetime(2025, 1, 15, tzinfo=UTC)
    assert Moment().dump(ten, settings) == "2025-01-15T10:30:00Z"
    assert Moment(spaced=True).dump(ten, settings) == "2025-01-15 10:30:00"


def test_words_may_come_from_the_configuration(settings: Settings) -> None:
    codec = Choice(lambda settings: ("Open", settings.regional.currency_code))
    assert codec.load("usd", settings) == settings.regional.currency_code


@given(st.text(max_size=60))
def test_any_text_is_kept_as_it_is_or_refused(text: str) -> None:
    try:
        assert Text(50).load(text, None) == text  # type: ignore[arg-type]
    except ValueError:
        assert len(text) > 50 or "\x00" in text


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12), max_size=8))
def test_a_list_survives_its_text_form(entries: list[str]) -> None:
    wanted = [entry.strip() for entry in entries if entry.strip()]
    assert listtext.parse_list(listtext.format_list(wanted)) == wanted
    assert listtext.parse_list(json.dumps(wanted)) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
EVERY_CODEC: list[Codec] = [
    Text(20, pattern=r"\w*", hint="letters"),
    Whole(0, 99),
    Reference(table="customer"),
    Flag(),
    Amount(),
    Percent(),
    Degrees(90, as_text=True),
    Moment(),
    one_of("Open", "Closed", open=True),
    ListText(unique=True),
    JsonObjectText(),
    Link(),
    HexColor(),
    Words(("Primary",)),
]


@pytest.mark.parametrize("codec", EVERY_CODEC, ids=lambda codec: type(codec).__name__)
def test_whatever_json_holds_is_loaded_or_refused_in_words(codec: Codec, settings: Settings) -> None:
    @given(JSON)
    def check(value: Any) -> None:
        try:
            loaded = codec.load(value, settings)
        except ValueError as error:
            assert str(error)
        else:
            json.dumps(codec.dump(loaded, settings), allow_nan=False)

    check()
