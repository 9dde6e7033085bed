"""What balance requests do to an account, through the engine's methods (cgrates.md §5.1, §5.2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError
from tests.charging.conftest import Clock, values


def add(engine: Engine, value: Any, kind: str = "*monetary", account: str = "a", **balance: Any) -> None:
    engine.call("ApierV1.AddBalance", {"Account": account, "BalanceType": kind, "Balance": {"Value": value, **balance}})


def buckets(engine: Engine, kind: str, account: str = "a") -> list[dict[str, Any]]:
    return engine.call("ApierV2.GetAccount", {"Account": account})["BalanceMap"][kind]


def test_an_amount_without_an_id_goes_to_every_bucket_of_the_type(bare: Engine) -> None:
    add(bare, 1, ID="A")
    add(bare, 2, ID="B")
    add(bare, 4)
    assert values(bare, "a", "*monetary") == {"A": 5, "B": 6}


def test_an_amount_without_an_id_but_with_a_weight_that_no_bucket_has_makes_a_new_bucket(bare: Engine) -> None:
    add(bare, 1, ID="A")
    add(bare, 8, Weight=5)
    assert values(bare, "a", "*monetary") == {"A": 1, "": 8}


def test_adding_to_an_existing_id_changes_the_value_and_nothing_else(bare: Engine) -> None:
    add(bare, 1, ID="A", Weight=10, ExpiryTime="2030-01-02T03:04:05Z")
    add(bare, 16, ID="A", Weight=99, ExpiryTime="2031-01-01T00:00:00Z")
    (bucket,) = buckets(bare, "*monetary")
    assert (bucket["Value"], bucket["Weight"], bucket["ExpirationDate"]) == (17, 10, "2030-01-02T03:04:05Z")


def test_a_negative_amount_is_added_as_positive(bare: Engine) -> None:
    add(bare, -2, ID="A")
    assert values(bare, "a", "*monetary") == {"A": 2}


@pytest.mark.parametrize("value", ["1500.25", Decimal("1500.25"), "1.50025e3"])
def test_money_may_be_a_number_or_a_numeric_string(bare: Engine, value: Any) -> None:
    add(bare, value, ID="A")
    assert values(bare, "a", "*monetary") == {"A": Decimal("1500.25")}


def test_money_keeps_nine_decimals_over_many_additions(bare: Engine) -> None:
    for _ in range(30):
        add(bare, "0.1", ID="A")
    assert values(bare, "a", "*monetary") == {"A": 3}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("abc", 'strconv.ParseFloat: parsing "abc": invalid syntax'),
        ("nan", 'strconv.ParseFloat: parsing "nan": invalid syntax'),
        ("1e400", 'strconv.ParseFloat: parsing "1e400": value out of range'),
        ("1e19", "SERVER_ERROR: value out of range"),
        (Decimal("1e400"), "SERVER_ERROR: value out of range"),
        ({"a": 1}, "cannot convert field: {'a': 1} to float64"),
    ],
)
def test_a_value_that_is_no_amount_is_refused_and_nothing_is_made(bare: Engine, value: Any, message: str) -> None:
    with pytest.raises(EngineError) as refused:
        add(bare, value)
    assert refused.value.message == message
    with pytest.raises(EngineError, match="NOT_FOUND"):
        bare.call("ApierV2.GetAccount", {"Account": "a"})


def test_debit_goes_below_zero(bare: Engine) -> None:
    add(bare, 3, ID="A")
    bare.call("ApierV1.DebitBalance", {"Account": "a", "BalanceType": "*monetary", "Value": 100})
    assert values(bare, "a", "*monetary") == {"A": -97}


def test_set_balance_overwrites_only_what_was_given(bare: Engine) -> None:
    body = {"Account": "a", "BalanceType": "*data"}
    bare.call("ApierV1.SetBalance", {**body, "Balance": {"ID": "D", "Value": 100, "Weight": 10, "Blocker": True}})
    bare.call("ApierV1.SetBalance", {**body, "Balance": {"ID": "D", "ExpiryTime": "2030-01-02T03:04:05Z"}})
    (bucket,) = buckets(bare, "*data")
    assert (bucket["Value"], bucket["Weight"], bucket["Blocker"]) == (100, 10, True)
    assert bucket["ExpirationDate"] == "2030-01-02T03:04:05Z"
    assert bucket["DestinationIDs"] is None


def test_the_last_bucket_of_a_type_leaves_its_key_with_null(bare: Engine) -> None:
    add(bare, 1, ID="A")
    bare.call("ApierV1.RemoveBalances", {"Account": "a", "BalanceType": "*monetary", "Balance": {"ID": "A"}})
    assert bare.call("ApierV2.GetAccount", {"Account": "a"})["BalanceMap"] == {"*monetary": None}


def test_an_expired_bucket_is_shown_until_the_next_change_and_takes_no_amount(bare: Engine, clock: Clock) -> None:
    add(bare, 1, ID="A", ExpiryTime="+1h")
    clock.now = clock.now.replace(hour=12)
    assert values(bare, "a", "*monetary") == {"A": 1}
    add(bare, 5, ID="A")
    (bucket,) = buckets(bare, "*monetary")
    assert (bucket["Value"], bucket["ExpirationDate"]) == (5, "0001-01-01T00:00:00Z")


def test_destinations_are_read_as_text_list_and_map(bare: Engine) -> None:
    add(bare, 1, ID="A", DestinationIDs="AU;!NZ")
    add(bare, 1, ID="B", DestinationIDs=["AU"])
    add(bare, 1, ID="C", DestinationIDs={"*any": True})
    assert [bucket["DestinationIDs"] for bucket in buckets(bare, "*monetary")] == [
        {"AU": True, "NZ": False},
        {"AU": True},
        {"*any": True},
    ]


def test_the_old_form_of_an_account_has_its_balances_under_the_old_keys(bare: Engine) -> None:
    add(bare, 1, "*data", ID="A", DestinationIDs="DST_B;DST_A", Weight=2.5)
    account = bare.call("ApierV1.GetAccount", {"Account": "a"})
    (bucket,) = account["BalanceMap"]["*data*out"]
    assert account["Id"] == "*out:cgrates.org:a"
    assert (bucket["Id"], bucket["DestinationIds"], bucket["Weight"]) == ("A", "DST_A;DST_B", 2.5)


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ([("AddBalance", 10), ("AddBalance", 5)], 15),
        ([("AddBalance", 10), ("DebitBalance", 4), ("AddBalance", 2)], 10),
        ([("AddBalance", 10), ("DebitBalance", 10), ("AddBalance", 3)], 3),
        ([("AddBalance", 10), ("SetBalance", 4)], 4),
    ],
)
def test_the_size_of_a_bucket_is_its_highest_value_since_it_was_last_empty(
    bare: Engine, steps: list[tuple[str, int]], size: int
) -> None:
    for method, value in steps:
        bare.call(f"ApierV1.{method}", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": "D", "Value": value}})
    (bucket,) = buckets(bare, "*data")
    assert bare.call("OmniSv1.GetGranted", {"Account": "a"}) == {bucket["Uuid"]: size}


@pytest.mark.parametrize("name", ["x" * 192, "uuid ", "a\x00b"])
def test_an_account_name_that_the_database_would_change_is_refused(bare: Engine, name: str) -> None:
    with pytest.raises(EngineError, match="SERVER_ERROR: name"):
        bare.call("ApierV2.SetAccount", {"Account": name})


def test_a_weight_that_no_number_can_hold_is_refused_and_the_account_stays_readable(bare: Engine) -> None:
    add(bare, 1, ID="A")
    with pytest.raises(EngineError, match="out of range"):
        add(bare, 1, ID="B", Weight=Decimal("1e400"))
    assert values(bare, "a", "*monetary") == {"A": 1}
