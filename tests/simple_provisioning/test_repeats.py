"""Asking twice charges once: overlapping calls, calls soon after a success, and renewals of one period (PC-26)."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.actor import Actor
from omnicrm.domain.alerts import open_alerts
from omnicrm.domain.errors import Conflict, NotFound, Unavailable
from omnicrm.domain.provisioning import actions, simple
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.simple import Call, start_from_plan
from tests.provisioning_orders.conftest import Shop, finish
from tests.simple_provisioning.test_calls import change, job, jobs, path, variables

BOSS = Actor("boss", 1, frozenset({"admin"}))
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def clock(parts: root.Parts) -> Any:
    """`clock(moment)` sets the time of the product."""

    def set_to(moment: datetime) -> None:
        parts.door.clock = lambda: moment

    return set_to


def call(parts: root.Parts, shop: Shop, product: str = "plain", **more: Any) -> simple.Answer:
    return parts.door.act_now(simple.start, BOSS, Call(shop.services["alice"], shop.products[product], **more))


def plan_run(shop: Shop, due: datetime, plan: str = "Monthly") -> str:
    return f"{plan}|uuid_alice|{due:%Y-%m-%dT%H:%M:%SZ}"


def from_plan(parts: root.Parts, shop: Shop, due: datetime, plan: str = "Monthly", product: str = "plain") -> int:
    return charged(parts, shop, plan_run(shop, due, plan), product)


def charged(parts: root.Parts, shop: Shop, key: str, product: str = "plain", *, recharge: bool = False) -> int:
    """What an action on alice's account asks for."""
    ids = shop.services["alice"], shop.products[product]
    return start_from_plan(parts.door, *ids, key, account="uuid_alice", recharge=recharge)


@pytest.mark.parametrize("kind", ["addon", "addon_recharge"])
async def test_a_second_call_is_answered_with_the_first_job(
    admin: Any, shop: Shop, parts: root.Parts, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnicrm.views.simple_provision._ROUNDS", 0)
    first = (await admin.post(path(shop, kind=kind))).json()
    second = await admin.post(path(shop, kind=kind))
    assert (second.status_code, second.json()["provision_id"]) == (200, first["provision_id"])
    assert second.json()["repeated"] is True and "repeated" not in first
    finish(parts, first["provision_id"])
    third = (await admin.post(path(shop, kind=kind))).json()
    assert (third["provision_id"], third["provisioning_status"]) == (first["provision_id"], 0)
    assert jobs(parts) == 1


def test_a_minute_after_a_success_a_recharge_is_a_new_one(parts: root.Parts, shop: Shop, clock: Any) -> None:
    for minute, count in ((0, 1), (0.9, 1), (1.1, 2)):
        clock(FIRST + timedelta(minutes=minute))
        answer = call(parts, shop, recharge=True).accepted()
        if minute == 0:
            finish(parts, answer.provision_id)
        assert jobs(parts) == count


def test_after_a_failure_the_next_call_tries_again(parts: root.Parts, shop: Shop) -> None:
    first = call(parts, shop).accepted()
    finish(parts, first.provision_id, succeeded=False)
    second = call(parts, shop).accepted()
    assert second.provision_id != first.provision_id


def test_another_product_and_another_service_are_no_repeats(parts: root.Parts, shop: Shop) -> None:
    finish(parts, call(parts, shop).accepted().provision_id)
    assert not call(parts, shop, "for_sale").repeated
    other = Call(shop.services["bob"], shop.products["plain"])
    assert not parts.door.act_now(simple.start, BOSS, other).repeated


def test_of_many_calls_at_once_one_makes_the_job(parts: root.Parts, shop: Shop) -> None:
    """PROV-204, in threads: everyone is told the same job."""
    told: list[Any] = []
    barrier = threading.Barrier(6)

    def run(place: int) -> None:
        barrier.wait()
        try:
            told.append(call(parts, shop, recharge=place % 2 == 0).accepted().provision_id)
        except Exception as error:
            told.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert jobs(parts) == 1
    assert len(set(map(str, told))) == 1, told


def _ask(settings: Any, service_id: int, product_id: int, gate: Any, told: Any) -> None:
    """What another process of the product does."""
    parts = root.build(settings)
    gate.wait(30)
    for day in range(1, 11):
        key = f"P|uuid_alice|2026-03-{day:02d}T00:00:00Z"
        told.put(start_from_plan(parts.door, service_id, product_id, key, account="uuid_alice", recharge=False))


def test_of_several_processes_one_makes_the_job(parts: root.Parts, shop: Shop) -> None:
    context = multiprocessing.get_context("fork")
    gate, told = context.Barrier(3), context.Queue()
    arguments = (parts.settings, shop.services["alice"], shop.products["plain"], gate, told)
    running = [context.Process(target=_ask, args=arguments) for _ in range(3)]
    for process in running:
        process.start()
    answers = [told.get(timeout=60) for _ in range(30)]
    for process in running:
        process.join(30)
    assert len(set(answers)) == 1, "the first job never ended"
    assert jobs(parts) == 1


# ---- renewals


def test_a_run_of_a_plan_starts_one_job_however_often_it_is_delivered(
    parts: root.Parts, shop: Shop, clock: Any
) -> None:
    clock(FIRST)
    first = from_plan(parts, shop, FIRST)
    row = job(parts, first)
    assert (row.initiating_user, row.initiating_name) == (1, "Charging engine")
    assert variables(parts, first)["auto_renew"] is True, "the play keeps the renewal that calls it"
    finish(parts, first, succeeded=False)
    clock(FIRST + timedelta(hours=5))
    assert from_plan(parts, shop, FIRST) == first, "also after it failed: a person decides then"
    assert jobs(parts) == 1


def test_one_period_is_charged_once_by_whatever_plan(parts: root.Parts, shop: Shop, clock: Any) -> None:
    """Decision 14: a plan that fires each night, and a second plan for the same product."""
    clock(FIRST)
    first = from_plan(parts, shop, FIRST)
    finish(parts, first)
    for day in range(1, 15):
        clock(FIRST + timedelta(days=day))
        assert from_plan(parts, shop, FIRST + timedelta(days=day), f"Plan {day % 2}") == first
    clock(FIRST + timedelta(days=31))
    assert from_plan(parts, shop, FIRST + timedelta(days=31)) != first
    assert jobs(parts) == 2


def test_a_run_that_comes_late_takes_nothing_from_the_next(parts: root.Parts, shop: Shop, clock: Any) -> None:
    clock(FIRST + timedelta(days=25))  # the product was down when it was due
    late = from_plan(parts, shop, FIRST)
    finish(parts, late)
    clock(FIRST + timedelta(days=31))
    assert from_plan(parts, shop, FIRST + timedelta(days=31)) != late


def test_a_late_run_does_not_swallow_one_that_comes_due_meanwhile(parts: root.Parts, shop: Shop, clock: Any) -> None:
    """Neither while the late one works nor in the minute after it."""
    due = FIRST + timedelta(days=31)
    clock(due)
    late = from_plan(parts, shop, FIRST)
    with pytest.raises(Unavailable, match="still working"):
        from_plan(parts, shop, due)
    finish(parts, late)
    on_time = from_plan(parts, shop, due)
    assert on_time != late
    assert from_plan(parts, shop, due, "Another") == on_time
    assert jobs(parts) == 2


def test_a_recharge_that_works_is_not_taken_for_the_renewal(parts: root.Parts, shop: Shop, clock: Any) -> None:
    clock(FIRST)
    recharge = call(parts, shop, recharge=True).accepted().provision_id
    with pytest.raises(Unavailable, match="still working"):
        from_plan(parts, shop, FIRST)
    finish(parts, recharge)
    assert from_plan(parts, shop, FIRST) != recharge


@pytest.mark.parametrize(("contract_days", "repeated"), [(0, True), (30, True), (365, True), (7, False), (1, False)])
def test_the_period_follows_the_product(
    parts: root.Parts, shop: Shop, clock: Any, contract_days: int, repeated: bool
) -> None:
    """PC-32."""
    change(parts, "product", shop.products["plain"], contract_days=contract_days)
    clock(FIRST)
    first = from_plan(parts, shop, FIRST)
    finish(parts, first)
    clock(FIRST + timedelta(days=7))
    second = from_plan(parts, shop, FIRST + timedelta(days=7))
    assert (second == first) is repeated
    finish(parts, second)
    clock(FIRST + timedelta(days=31))
    assert from_plan(parts, shop, FIRST + timedelta(days=31)) != first, "a yearly contract renews monthly too"


@pytest.mark.parametrize("renews", [True, False])
def test_over_http_a_renewing_product_is_charged_once_a_period(
    parts: root.Parts, shop: Shop, clock: Any, renews: bool
) -> None:
    """An engine of its own sends no plan's name: the last order tells whether the product renews."""
    clock(FIRST)
    values = {"product_id": shop.products["plain"], "service_id": shop.services["alice"], "auto_renew": renews}
    order = parts.door.act_now(actions.order, BOSS, actions.Order(values))
    finish(parts, order.provision_id)
    clock(FIRST + timedelta(days=3))
    early = call(parts, shop)
    assert early.repeated is renews
    if renews:
        assert early.accepted().provision_id == order.provision_id, "the order itself paid for this period"
        clock(FIRST + timedelta(days=30))
        due = call(parts, shop)
        assert not due.repeated
        assert variables(parts, due.accepted().provision_id)["auto_renew"] is True
    else:
        assert "auto_renew" not in variables(parts, early.accepted().provision_id)


def test_an_extra_bought_between_takes_nothing_from_the_renewal(parts: root.Parts, shop: Shop, clock: Any) -> None:
    clock(FIRST - timedelta(days=2))
    values = {"product_id": shop.products["plain"], "service_id": shop.services["alice"]}
    finish(parts, parts.door.act_now(actions.order, BOSS, actions.Order(values)).provision_id)
    clock(FIRST - timedelta(days=1))
    finish(parts, call(parts, shop, recharge=True).accepted().provision_id)
    clock(FIRST)
    from_plan(parts, shop, FIRST)
    assert jobs(parts) == 3


def test_a_renewal_that_a_person_tried_again_counts(parts: root.Parts, shop: Shop, clock: Any) -> None:
    """Also for a product that asks a new customer for items, and also at the second try."""
    clock(FIRST)
    failed = from_plan(parts, shop, FIRST, product="mobile")
    for _ in range(2):
        finish(parts, failed, succeeded=False)
        clock(FIRST + timedelta(days=1))
        failed = parts.door.act_now(actions.retry, BOSS, actions.Started(failed)).provision_id
    assert variables(parts, failed)["auto_renew"] is True
    finish(parts, failed)
    clock(FIRST + timedelta(days=2))
    assert from_plan(parts, shop, FIRST + timedelta(days=2), "Another", "mobile") == failed


def test_a_renewal_of_a_service_that_ended_is_not_tried_again(parts: root.Parts, shop: Shop) -> None:
    failed = from_plan(parts, shop, FIRST)
    finish(parts, failed, succeeded=False)
    change(parts, "service", shop.services["alice"], service_status="Inactive")
    with pytest.raises(Conflict, match="has ended"):
        parts.door.act_now(actions.retry, BOSS, actions.Started(failed))


def test_a_broken_play_raises_an_alert_and_is_asked_for_again(parts: root.Parts, shop: Shop) -> None:
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"broken\.yaml"):
            from_plan(parts, shop, FIRST, product="broken")
    (alert,) = parts.door.read_now(open_alerts)
    assert alert.link == f"/services/{shop.services['alice']}"
    change(parts, "product", shop.products["broken"], provisioning_play="good")
    from_plan(parts, shop, FIRST, product="broken")
    assert parts.door.read_now(open_alerts) == []


def test_staff_may_order_the_product_again_in_its_period(parts: root.Parts, shop: Shop, clock: Any) -> None:
    """ "Renew now" and a second helping are orders, no repeats."""
    clock(FIRST)
    finish(parts, from_plan(parts, shop, FIRST))
    values = {"product_id": shop.products["plain"], "service_id": shop.services["alice"]}
    parts.door.act_now(actions.order, BOSS, actions.Order(values))
    assert jobs(parts) == 2


def test_a_key_that_is_no_plan_s_run_is_a_charge_of_its_own(parts: root.Parts, shop: Shop, clock: Any) -> None:
    """A trigger of the engine, such as a top-up at a low balance."""
    clock(FIRST)
    first = charged(parts, shop, "5d0c6d5e")
    finish(parts, first)
    clock(FIRST + timedelta(hours=1))
    assert charged(parts, shop, "5d0c6d5e") == first
    assert charged(parts, shop, "a different one") != first


@pytest.mark.parametrize("key", ["5d0c6d5e", "LowBalance|uuid_alice|2026-03-03T00:00:00+00:00"])
def test_a_recharge_between_two_renewals_is_neither_and_takes_none_away(
    parts: root.Parts, shop: Shop, clock: Any, key: str
) -> None:
    """Of a product that renews: the account ran low two days after its renewal."""
    clock(FIRST)
    renewal = from_plan(parts, shop, FIRST)
    finish(parts, renewal)
    clock(FIRST + timedelta(days=2))
    recharge = charged(parts, shop, key, recharge=True)
    assert recharge != renewal
    assert "auto_renew" not in variables(parts, recharge)
    finish(parts, recharge)
    clock(FIRST + timedelta(days=31))
    assert from_plan(parts, shop, FIRST + timedelta(days=31)) not in (renewal, recharge)


@pytest.mark.parametrize("account", ["uuid_bob", ""])
def test_an_account_pays_for_its_own_service_only(parts: root.Parts, shop: Shop, account: str) -> None:
    ids = shop.services["alice"], shop.products["plain"]
    with pytest.raises(Conflict, match="is not that of this service; nothing was charged"):
        start_from_plan(parts.door, *ids, "P|uuid_bob|2026-03-01T00:00:00Z", account=account, recharge=False)
    assert jobs(parts) == 0


def test_what_a_plan_may_not_charge_is_refused_for_good_and_what_is_busy_is_not(parts: root.Parts, shop: Shop) -> None:
    """The engine drops what ends in Conflict or NotFound, and tries the rest again."""
    with pytest.raises(NotFound):
        start_from_plan(parts.door, 987654, shop.products["plain"], "k1", account="uuid_alice", recharge=False)
    values = {"product_id": shop.products["for_sale"], "service_id": shop.services["alice"]}
    busy = parts.door.act_now(actions.order, BOSS, actions.Order(values))
    with pytest.raises(Unavailable):
        from_plan(parts, shop, FIRST)
    finish(parts, busy.provision_id)
    change(parts, "service", shop.services["alice"], service_status="Suspended")
    with pytest.raises(Conflict, match="is Suspended"):
        from_plan(parts, shop, FIRST)
    query = select(Provision.request_key).where(Provision.request_key.is_not(None))
    assert parts.door.read_now(lambda session: session.scalars(query).all()) == []
