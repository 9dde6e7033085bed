"""List texts of products (PROV-011, PROV-012, PC-24)."""

from __future__ import annotations

import pytest

from omnicrm.domain.listtext import features, format_list, parse_list


@pytest.mark.parametrize(
    "given",
    [
        "['SIM Card', 'Mobile Number']",
        '["SIM Card", "Mobile Number"]',
        ["SIM Card", "Mobile Number"],
        "  [ 'SIM Card' ,\n 'Mobile Number', ''] ",
    ],
)
def test_every_documented_form_of_a_list_gives_the_same_entries(given) -> None:
    assert parse_list(given) == ["SIM Card", "Mobile Number"]
    assert format_list(parse_list(given)) == "['SIM Card', 'Mobile Number']"


@pytest.mark.parametrize("given", [None, "", "  ", "[]", []])
def test_nothing_means_no_entries(given) -> None:
    assert parse_list(given) == []


def test_a_bare_text_is_one_entry_and_numbers_become_text() -> None:
    assert parse_list("SIM Card") == ["SIM Card"]
    assert parse_list("[1, '2']") == ["1", "2"]


@pytest.mark.parametrize("given", ["['SIM Card'", "[1.5]", "[True]", "[{}]", "[__import__('os')]", "[" * 5000])
def test_what_is_no_list_is_refused(given) -> None:
    with pytest.raises(ValueError, match=r"list"):
        parse_list(given)


def test_a_name_with_an_apostrophe_survives_both_ways() -> None:
    assert parse_list(format_list(["Kid's SIM", 'A "quote"'])) == ["Kid's SIM", 'A "quote"']


def test_sentences_and_lists_give_the_same_bullets() -> None:
    expected = ["20GB High-Speed Data", "Unlimited Calls", "EU Roaming"]
    assert features("20GB High-Speed Data. Unlimited Calls. EU Roaming.") == expected
    assert features("['20GB High-Speed Data', 'Unlimited Calls', 'EU Roaming']") == expected


def test_a_feature_in_a_list_may_hold_a_period_and_a_broken_list_still_shows() -> None:
    assert features("['Up to 100 Mbps. Subject to availability.', 'Free router']") == [
        "Up to 100 Mbps. Subject to availability.",
        "Free router",
    ]
    assert features("['Up to 100 Mbps. Free router") == ["['Up to 100 Mbps", "Free router"]
    assert features(None) == []
