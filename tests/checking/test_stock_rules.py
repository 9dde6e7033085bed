"""Each rule of stock and of the HSS: a sound example is silent, a broken one is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from omnicrm.domain.checking import rules_stock as rules
from omnicrm.domain.checking.values import Item, Reservation, Service, Sim, Subscriber, Work

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SERVICE = Service(7, 3, 5, "Mobile", "uuid", "Active")
OVER = replace(SERVICE, group="Inactive")
FREE = Item(1, "SIM Card", "8944", "In Stock")
GIVEN = Item(1, "SIM Card", "8944", "Assigned", 3, 7, SERVICE)
PEER, IMSI = "http://hss", "234551000000001"
AWAKE = Subscriber(IMSI, "447781100200")
ASLEEP = Subscriber(IMSI, "99991000000001")


@pytest.mark.parametrize(
    "item",
    [
        FREE,
        GIVEN,
        replace(FREE, state="Used"),
        replace(FREE, state="Assigned", customer_id=3),
        replace(GIVEN, state="Damaged"),
    ],
)
def test_a_sound_item_is_silent(item: Item) -> None:
    assert list(rules.item_findings(item)) == []


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (replace(GIVEN, service=None), "item-of-no-service"),
        (replace(GIVEN, service=OVER), "item-of-ended-service"),
        (replace(GIVEN, customer_id=4), "item-of-another-customer"),
        (replace(GIVEN, customer_id=None), "item-of-another-customer"),
        (replace(FREE, state="Assigned"), "assigned-to-nobody"),
        (replace(FREE, customer_id=3), "free-but-linked"),
        (replace(GIVEN, state="New"), "free-but-linked"),
    ],
)
def test_a_broken_item_is_named(item: Item, kind: str) -> None:
    (found,) = rules.item_findings(item)
    assert (found.kind, found.ident, found.name) == (kind, "1", "SIM Card 8944")


def test_a_reservation_lives_with_its_job() -> None:
    reservation = Reservation(1, "SIM Card", 12, NOW + timedelta(minutes=5))
    assert rules.reservation_finding(reservation, Work(provisions=frozenset({12})), NOW) is None
    found = rules.reservation_finding(reservation, Work(provisions=frozenset({13})), NOW)
    assert found is not None and found.kind == "reservation-without-job" and "until 12:05 UTC" in found.text
    expired = rules.reservation_finding(replace(reservation, expires_at=NOW - timedelta(1)), Work(), NOW)
    assert expired is not None and "its time is over" in expired.text


@pytest.mark.parametrize(
    ("item", "subscriber"),
    [
        (FREE, None),
        (FREE, ASLEEP),
        (FREE, replace(AWAKE, enabled=False)),
        (GIVEN, AWAKE),
        (replace(GIVEN, service=OVER), ASLEEP),
        (replace(GIVEN, service=OVER), None),
        (replace(GIVEN, service=replace(SERVICE, group="Suspended")), None),
    ],
)
def test_a_sim_that_fits_the_hss_is_silent(item: Item, subscriber: Subscriber | None) -> None:
    sim = Sim(item, IMSI, frozenset({"447781100200"}) if item.service else frozenset())
    assert list(rules.sim_findings(sim, PEER, subscriber)) == []


def test_a_service_without_a_number_takes_any_subscriber() -> None:
    assert list(rules.sim_findings(Sim(GIVEN, IMSI), PEER, replace(AWAKE, msisdn=""))) == []


@pytest.mark.parametrize(
    ("item", "subscriber", "kind"),
    [
        (GIVEN, None, "sim-without-subscriber"),
        (FREE, AWAKE, "subscriber-of-free-sim"),
        (replace(GIVEN, service=OVER), AWAKE, "subscriber-of-ended-service"),
        (GIVEN, replace(AWAKE, msisdn="447781100201"), "subscriber-with-other-number"),
        (GIVEN, ASLEEP, "subscriber-with-other-number"),
    ],
)
def test_a_sim_that_does_not_fit_the_hss_is_named(item: Item, subscriber: Subscriber | None, kind: str) -> None:
    (found,) = rules.sim_findings(Sim(item, IMSI, frozenset({"447781100200"})), PEER, subscriber)
    assert found.kind == kind and PEER in found.text and found.mend


def test_a_subscriber_of_no_sim_is_named() -> None:
    found = rules.unknown_subscriber(PEER, AWAKE)
    assert (found.kind, found.record, found.ident) == ("subscriber-without-sim", "subscriber", IMSI)
