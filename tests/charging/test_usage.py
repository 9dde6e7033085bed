"""What the CRM makes of an account for its JSON answer and its usage view."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from omnicrm.domain.charging.planids import same_product, split_plan_id
from omnicrm.domain.charging.units import Reading, date_text, when_text
from omnicrm.domain.charging.usage import bucket_name, cgrates_object
from omnicrm.domain.charging.usage_cards import UsageCard, colour_of, usage_cards, visible_kinds

NOW = datetime(2025, 1, 10, 12, tzinfo=UTC)
READING = Reading(currency_symbol="£")
GB = 1024**3
MINUTE = 60 * 10**9
NEVER = "0001-01-01T00:00:00Z"


def bucket(ident: str, value: Any, **fields: Any) -> dict[str, Any]:
    return {"Uuid": ident, "ID": ident, "Value": value, "ExpirationDate": NEVER, "Weight": 10, **fields}


def merged(
    balances: dict[str, Any], granted: dict[str, Any] | None = None, plans: Any = (), reading: Reading = READING
) -> Any:
    return cgrates_object({"BalanceMap": balances}, list(plans), granted or {}, reading, NOW)


def cards(
    balances: dict[str, Any], granted: dict[str, Any] | None = None, reading: Reading = READING
) -> dict[str, UsageCard]:
    return {card.kind: card for card in usage_cards(merged(balances, granted, reading=reading), reading, NOW)}


def test_both_forms_of_the_balance_map_hold_the_same_buckets() -> None:
    balances = merged({"*data": [bucket("A", GB)], "*sms": None})["BalanceMap"]
    assert balances["DATA"] == balances["*data"]
    assert balances["SMS"] == balances["*sms"] == balances["VOICE"] == balances["DATA_DONGLE"] == []


def test_an_account_that_the_engine_does_not_know_is_empty() -> None:
    assert cgrates_object(None, [], {}, READING, NOW) == {"BalanceMap": {}, "ActionPlans": []}


def test_a_bucket_has_both_names_of_its_expiry_and_destinations_as_a_list() -> None:
    row = bucket("A", GB, ExpirationDate="2025-02-01T00:00:00Z", DestinationIDs={"AU": True, "NZ": False})
    (found,) = merged({"*data": [row]})["BalanceMap"]["DATA"]
    assert found["ExpiryTime"] == found["ExpirationDate"] == "2025-02-01T00:00:00Z"
    assert found["DestinationIDs"] == ["AU", "!NZ"]


@pytest.mark.parametrize("star", ["*data", "*data_dongle"])
def test_dongle_data_has_a_key_of_its_own(star: str) -> None:
    balances = merged({star: [bucket("DATA_DONGLE_1", GB)]})["BalanceMap"]
    assert [row["ID"] for row in balances["DATA_DONGLE"]] == ["DATA_DONGLE_1"]
    assert balances["DATA"] == []
    assert len(balances[star]) == 1


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("*data", 5368709120, "5 GB remaining"),
        ("*data", 12.5 * GB, "12.5 GB remaining"),
        ("*data", 500 * 1024**2, "500 MB remaining"),
        ("*data", 1024 * GB, "1 TB remaining"),
        ("*data", 0, "0 MB remaining"),
        ("*voice", 60 * MINUTE, "60 minutes remaining"),
        ("*voice", 90 * 10**9, "1.5 minutes remaining"),
        ("*voice", MINUTE, "1 minute remaining"),
        ("*voice", 999999999 * 10**9, "Unlimited minutes"),
        ("*voice", 7500000000000, "125 minutes remaining"),
        ("*sms", 50, "50 SMS remaining"),
        ("*sms", 999999999, "Unlimited SMS"),
        ("*monetary", 1550, "£15.50 credit"),
        ("*monetary", -20, "-£0.20 credit"),
        ("*monetary", 123456789, "£1,234,567.89 credit"),
    ],
)
def test_each_bucket_is_described_in_words(kind: str, value: Any, text: str) -> None:
    (found,) = merged({kind: [bucket("X", value)]})["BalanceMap"][kind]
    assert found["custom_Description_String"] == text


def test_money_has_its_value_in_currency_units_too() -> None:
    (found,) = merged({"*monetary": [bucket("C", 1550)]})["BalanceMap"]["MONETARY"]
    assert (found["Value"], found["custom_value"]) == (1550, 15.5)


def test_foreign_numbers_are_read_in_their_units() -> None:
    reading = Reading(currency_symbol="¥", minor_digits=0, monetary_unit="major", voice_unit="s")
    balances = merged({"*monetary": [bucket("C", 25.5)], "*voice": [bucket("V", 3600)]}, reading=reading)["BalanceMap"]
    assert balances["MONETARY"][0]["custom_Description_String"] == "¥26 credit"
    assert balances["VOICE"][0]["custom_Description_String"] == "60 minutes remaining"


@pytest.mark.parametrize(
    ("kind", "ident", "name"),
    [
        ("DATA", "DATA_10GB", "10GB Data Pack"),
        ("DATA", "DATA_10GB_2025_01", "10GB Data Pack"),
        ("DATA", "monthly_data_20GB", "Monthly 20GB Data Pack"),
        ("VOICE", "VOICE_UNLIMITED", "Unlimited Calls"),
        ("VOICE", "monthly_voice_500min", "Monthly 500 min Calls"),
        ("SMS", "SMS_100", "100 SMS Pack"),
        ("MONETARY", "PREPAID_CREDIT", "Prepaid Credit"),
        ("MONETARY", "Solde Initial", "Solde Initial"),
        ("MONETARY", "*default", "Main balance"),
        ("DATA", "DATA", "Data Pack"),
        ("DATA", "", "Data Pack"),
    ],
)
def test_ids_of_buckets_become_names(kind: str, ident: str, name: str) -> None:
    assert bucket_name(kind, ident) == name


@pytest.mark.parametrize(
    ("plan_id", "parts"),
    [
        (
            "ServiceID_abc-123-def__ProductID_456__CustomerID_789__ProductName_20GB_Mobile__MonthlyRenewal",
            {"ServiceID": "abc-123-def", "ProductID": 456, "CustomerID": 789, "ProductName": "20GB_Mobile"},
        ),
        ("ActionPlan_Monthly_abc-123-def_42", {"ServiceID": "abc-123-def", "ProductID": 42}),
        ("ActionPlan_abc-123-def_Monthly_Charge", {"ServiceID": "abc-123-def"}),
        (
            "ProductID_MonthlyPlan__ProductName_20GB_Mobile__ActionPlan_Monthly_Renew",
            {"ProductID": "MonthlyPlan", "ProductName": "20GB_Mobile", "ActionPlan": "Monthly_Renew"},
        ),
        ("Nightly", {}),
    ],
)
def test_every_documented_form_of_a_plan_id_is_read(plan_id: str, parts: dict[str, Any]) -> None:
    assert split_plan_id(plan_id) == parts


def test_renewals_of_one_product_are_recognised_across_the_forms_of_their_ids() -> None:
    assert same_product("ActionPlan_Monthly_u_42", "ServiceID_u__ProductID_42__MonthlyRenewal")
    assert not same_product("ActionPlan_Monthly_u_42", "ServiceID_u__ProductID_43__MonthlyRenewal")
    assert not same_product("Nightly", "Nightly")


def test_a_plan_has_its_name_frequency_and_next_run_in_words() -> None:
    plan = {
        "ActionPlanId": "ServiceID_u__ProductID_4__ProductName_20GB_Mobile__MonthlyRenewal",
        "NextExecTime": "2025-01-21T00:00:00Z",
    }
    (found,) = merged({}, plans=[plan])["ActionPlans"]
    assert found["PlanName"] == "20GB Mobile"
    assert (found["ActionName_hr"], found["ActionFrequency_hr"]) == ("Monthly Renewal", "Every month")
    assert (found["custom_NextExecTime_hr"], found["NextExecTime"]) == ("in 11 days", "2025-01-21T00:00:00Z")
    assert found["ActionPlanId_split_dict"]["ProductID"] == 4


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2025, 1, 10, 18, tzinfo=UTC), "today"),
        (datetime(2025, 1, 11, 1, tzinfo=UTC), "tomorrow"),
        (datetime(2025, 1, 21, tzinfo=UTC), "in 11 days"),
        (datetime(2025, 3, 1, tzinfo=UTC), "Mar 1, 2025"),
        (datetime(2025, 1, 9, tzinfo=UTC), "Jan 9, 2025"),
    ],
)
def test_near_moments_are_told_in_days_and_others_by_date(moment: datetime, text: str) -> None:
    assert when_text(moment, NOW, UTC) == text


def test_days_are_those_of_the_configured_zone() -> None:
    moment = datetime(2025, 1, 11, 12, 30, tzinfo=UTC)
    assert when_text(moment, NOW, ZoneInfo("Pacific/Auckland")) == "tomorrow"
    assert date_text(moment, ZoneInfo("Pacific/Auckland")) == "Jan 12, 2025"


@pytest.mark.parametrize(
    ("kind", "value", "size", "bar", "percent"),
    [
        ("*data", 12.5 * GB, 20 * GB, "12.5 GB / 20 GB (62%)", 62),
        ("*voice", 125 * MINUTE, 500 * MINUTE, "125 min / 500 min (25%)", 25),
        ("*sms", 45, 250, "45 / 250 (18%)", 18),
        ("*monetary", 1550, 2000, "£15.50 / £20.00 (77%)", 77),
    ],
)
def test_bars_show_remaining_and_total_with_the_percentage_rounded_down(
    kind: str, value: Any, size: Any, bar: str, percent: int
) -> None:
    (card,) = cards({kind: [bucket("X", value)]}, {"X": size}).values()
    assert (card.bar, card.percent) == (bar, percent)


@pytest.mark.parametrize(
    ("share", "colour"), [(51, "green"), ("50.01", "green"), (50, "yellow"), (20, "yellow"), (19, "red"), (0, "red")]
)
def test_the_remaining_share_gives_the_colour(share: Any, colour: str) -> None:
    assert colour_of(Decimal(share), (50, 20)) == colour


def test_the_bucket_list_is_in_the_order_of_consumption_and_leaves_out_what_expired() -> None:
    rows = [
        bucket("monthly_data_20GB", 12.5 * GB, Weight=10, ExpirationDate="2025-01-25T12:00:00Z"),
        bucket("BONUS", 5 * GB, Weight=20, ExpirationDate="2025-01-31T12:00:00Z"),
        bucket("TOPUP", 3 * GB, Weight=30, ExpirationDate="2025-01-09T12:00:00Z"),
    ]
    card = cards({"*data": rows}, {"monthly_data_20GB": 20 * GB, "BONUS": 5 * GB, "TOPUP": 3 * GB})["DATA"]
    assert [line.ident for line in card.buckets] == ["TOPUP", "BONUS", "monthly_data_20GB"]
    assert (card.amount, card.total) == ("17.5 GB", "25 GB")
    monthly = card.buckets[2]
    assert (monthly.remaining, monthly.used, monthly.weight) == ("12.5 GB", "7.5 GB", "10")
    assert monthly.expiry == "Jan 25, 2025 (15 days)"
    assert (card.buckets[0].expiry, card.buckets[0].counted) == ("Jan 9, 2025 (EXPIRED)", False)
    assert card.expiry == "Expires in 15 days"


def test_a_bucket_without_end_says_so() -> None:
    card = cards({"*sms": [bucket("S", 1)]})["SMS"]
    assert (card.expiry, card.buckets[0].expiry, card.amount) == ("No expiry", "No expiry", "1 message")


def test_an_unlimited_type_has_no_bar() -> None:
    card = cards({"*voice": [bucket("V", 999999999 * 10**9), bucket("W", MINUTE)]}, {"V": 1, "W": 1})["VOICE"]
    assert (card.amount, card.unlimited, card.bar, card.percent) == ("Unlimited", True, None, None)


def test_without_a_known_size_only_what_remains_is_shown() -> None:
    card = cards({"*data": [bucket("X", GB)]})["DATA"]
    assert (card.amount, card.bar, card.buckets[0].used) == ("1 GB", None, "–")


def test_a_size_in_the_id_stands_in_for_an_engine_that_keeps_none() -> None:
    assert cards({"*data": [bucket("DATA_20GB", 5 * GB)]})["DATA"].bar == "5 GB / 20 GB (25%)"


def test_more_than_the_size_is_a_full_bar_and_below_zero_an_empty_one() -> None:
    assert cards({"*data": [bucket("X", 3 * GB)]}, {"X": GB})["DATA"].percent == 100
    assert cards({"*monetary": [bucket("X", -100)]}, {"X": 100})["MONETARY"].percent == 0


@pytest.mark.parametrize(
    ("service_type", "dongle", "kinds"),
    [
        ("mobile", False, ("DATA", "VOICE", "SMS", "MONETARY", "DATA_DONGLE")),
        ("Fixed Wireless", False, ("DATA", "MONETARY")),
        ("hotspot", False, ("DATA", "DATA_DONGLE", "MONETARY")),
        ("mobile", True, ("DATA", "DATA_DONGLE", "MONETARY")),
    ],
)
def test_the_type_of_a_service_decides_which_cards_it_has(
    service_type: str, dongle: bool, kinds: tuple[str, ...]
) -> None:
    assert visible_kinds(service_type, dongle) == kinds


def test_an_unlimited_allowance_stays_unlimited_after_some_of_it_was_used() -> None:
    used = bucket("VOICE_Unlimited", 999_999_000 * 10**9, Uuid="u1")
    card = cards({"*voice": [used]}, {"u1": 999_999_999 * 10**9})["VOICE"]
    assert (card.amount, card.unlimited, card.percent) == ("Unlimited", True, None)
