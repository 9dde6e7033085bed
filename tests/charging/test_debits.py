"""Which buckets pay for usage: the order, the steps, and that no unit is lost or made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnicrm.domain.charging.account import Account, Balance
from omnicrm.domain.charging.debits import BLOCKED, Usage, apply, check_money, free_step, unit_debits
from omnicrm.domain.charging.ports import EngineError

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DESTINATIONS = {"DST_UK": ["44"], "DST_UKM": ["447"], "DST_FR": ["33"]}
SECOND = 10**9


def prefixes(name: str) -> list[str]:
    return DESTINATIONS.get(name, [])


def account(*buckets: Balance, kind: str = "*data") -> Account:
    found = Account()
    for bucket in buckets:
        found.add(kind, bucket)
    return found


def usage(amount: int, tor: str = "*data", destination: str = "*any", category: str = "data") -> Usage:
    return Usage(tor, category, destination, NOW, amount)


def paid(found: Account, event: Usage) -> dict[str, int]:
    debits, _ = unit_debits(found, event, prefixes)
    return {debit.balance.id: debit.units for debit in debits}


def bucket(ident: str, value: int = 1000, **fields: object) -> Balance:
    return Balance(uuid=ident, id=ident, value=value, **fields)  # type: ignore[arg-type]


def test_the_heavier_bucket_pays_first_and_the_next_pays_the_rest() -> None:
    found = account(bucket("D10", 1048576, weight=10), bucket("D20", 2048, weight=20))
    assert paid(found, usage(5000)) == {"D20": 2048, "D10": 2952}


def test_equal_weights_pay_in_the_order_of_their_making_whatever_their_expiry() -> None:
    late, early = NOW + timedelta(days=30), NOW + timedelta(days=1)
    found = account(bucket("late", expires_at=late), bucket("early", expires_at=early), bucket("never"))
    assert paid(found, usage(10)) == {"late": 10}


def test_a_longer_destination_match_pays_before_a_greater_weight() -> None:
    found = account(
        bucket("any", weight=99),
        bucket("uk", weight=10, destinations={"DST_UK": True}),
        bucket("mobile", weight=1, destinations={"DST_UKM": True}),
        kind="*sms",
    )
    assert paid(found, usage(1, "*sms", "4471")) == {"mobile": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"disabled": True},
        {"expires_at": NOW},
        {"value": 0},
        {"categories": {"sms": True}},
        {"destinations": {"DST_FR": True}},
        {"destinations": {"DST_UK": False}},
        {"destinations": {"NOWHERE": True}},
        {"rating_subject": "special"},
    ],
    ids=["disabled", "expired", "empty", "other category", "other place", "excluded", "unknown place", "priced"],
)
def test_a_bucket_that_does_not_fit_pays_nothing(fields: dict[str, object]) -> None:
    found = account(Balance(**{"uuid": "x", "id": "x", "value": 1000, **fields}))  # type: ignore[arg-type]
    debits, rest = unit_debits(found, usage(10, destination="4471"), prefixes)
    assert (debits, rest) == ([], 10)


def test_usage_is_rounded_up_to_the_steps_of_the_bucket() -> None:
    found = account(bucket("D", 10737418240, rating_subject="*zero1024"))
    assert paid(found, usage(1048577)) == {"D": 1049600}


def test_a_bucket_gives_whole_steps_only() -> None:
    found = account(bucket("D", 1500, weight=9, rating_subject="*zero1024"), bucket("E"))
    assert paid(found, usage(2000)) == {"D": 1024, "E": 976}


def test_voice_is_counted_in_seconds_by_default() -> None:
    found = account(bucket("V", 60 * SECOND), kind="*voice")
    assert paid(found, usage(90 * SECOND // 2 + 1, "*voice")) == {"V": 46 * SECOND}


def test_a_generic_bucket_too_small_for_one_step_is_passed_over() -> None:
    found = account(bucket("g", 100), kind="*generic")
    assert paid(found, usage(10 * SECOND, "*voice")) == {}


def test_an_exhausted_blocking_bucket_refuses_the_event() -> None:
    found = account(bucket("b", 5, weight=20, blocker=True), bucket("m", 1000, weight=10))
    with pytest.raises(EngineError) as refused:
        unit_debits(found, usage(10), prefixes)
    assert refused.value.message == BLOCKED


def test_a_blocking_bucket_that_covers_the_event_pays_for_it() -> None:
    assert paid(account(bucket("b", 10, blocker=True)), usage(10)) == {"b": 10}


def test_an_empty_blocking_money_bucket_refuses_what_no_unit_bucket_covers() -> None:
    found = account(bucket("Solde Initial", 0, weight=1, blocker=True), kind="*monetary")
    with pytest.raises(EngineError) as refused:
        check_money(found, usage(10), prefixes)
    assert refused.value.message == BLOCKED


@pytest.mark.parametrize(
    ("subject", "tor", "step"),
    [("", "*data", 1), ("", "*voice", SECOND), ("*zero1m", "*voice", 60 * SECOND), ("*zero1024", "*data", 1024),
     ("*zero0", "*data", 1), ("special", "*data", None)],
)  # fmt: skip
def test_the_rating_subject_gives_the_step(subject: str, tor: str, step: int | None) -> None:
    assert free_step(subject, tor) == step


_buckets = st.lists(
    st.tuples(st.integers(-50, 5000), st.integers(0, 3), st.sampled_from(["", "*zero7", "*zero1024"])), max_size=6
)


@given(_buckets, st.integers(0, 20_000))
def test_units_are_conserved_and_no_bucket_is_overdrawn(rows: list[tuple[int, int, str]], amount: int) -> None:
    found = account(
        *(
            bucket(str(i), value, weight=weight, rating_subject=subject)
            for i, (value, weight, subject) in enumerate(rows)
        )
    )
    before = sum(entry.value for _, entry in found.every_bucket())
    debits, rest = unit_debits(found, usage(amount), prefixes)
    apply(debits)
    taken = sum(debit.units for debit in debits)
    assert sum(entry.value for _, entry in found.every_bucket()) == before - taken
    assert all(entry.value >= min(row[0], 0) for (_, entry), row in zip(found.every_bucket(), rows, strict=True))
    assert taken + rest >= amount
    # Only the last step may reach beyond the usage.
    assert taken - amount < max((free_step(d.balance.rating_subject, "*data") or 1 for d in debits), default=1)
    if rest:
        smallest = [
            entry for _, entry in found.every_bucket() if entry.value >= (free_step(entry.rating_subject, "*data") or 1)
        ]
        assert smallest == []
