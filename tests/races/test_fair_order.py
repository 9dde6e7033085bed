"""Who is served next: two hundred orders of one user do not starve another user's single one (PROV-165)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain import jobs, lanes
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.ports import PlaybookRunner, RunOutcome
from omnicrm.worker import Workers
from tests.provisioning_orders.conftest import Shop

BULK, CLERK = (Actor(f"user {number}", number, frozenset({"admin"})) for number in (1, 2))


@pytest.fixture
def put(parts: root.Parts, shop: Shop) -> Callable[..., int]:
    """`put(actor)` orders for a customer of its own, as a bulk does; answers the provision's id."""

    def order(actor: Actor, customer: int | None = None) -> int:
        body = {"product_id": shop.products["plain"], "customer_id": customer or shop.alice}
        return parts.door.act_now(actions.order, actor, actions.Order(body)).provision_id

    return order


def turn(parts: root.Parts) -> list[int]:
    """The provisions that wait, in the order in which workers take them."""

    def read(session: Any) -> list[int]:
        order = lanes.in_turn(session, "plays", parts.door.clock())
        subjects = dict(session.execute(select(Job.job_id, Job.subject_id)).all())
        return [subjects[job_id] for job_id in order]

    return parts.door.read_now(read)


def take(parts: root.Parts) -> int:
    """Claim as a worker does that hears of the oldest job; the provision's id."""
    oldest = select(Job.job_id).where(Job.state == "queued").order_by(Job.job_id).limit(1)
    now = parts.door.clock()
    free = parts.door.read_now(lambda session: lanes.candidates(session, session.scalar(oldest), now))
    row = parts.db.write(lambda session: lanes.claim_first(session, free, now))
    return int(row.subject_id)


def test_users_are_served_in_turns_and_each_in_the_order_of_his_orders(parts: root.Parts, put: Any) -> None:
    bulk = [put(BULK) for _ in range(5)]
    single = [put(CLERK, 2), put(CLERK)]
    assert turn(parts) == [bulk[0], single[0], bulk[1], single[1], *bulk[2:]]


def test_a_single_order_waits_for_one_of_a_bulk_however_many_are_before_it(parts: root.Parts, put: Any) -> None:
    bulk = [put(BULK) for _ in range(20)]
    assert [take(parts), take(parts)] == bulk[:2]
    single = put(CLERK)
    assert take(parts) == single
    assert [take(parts), take(parts)] == bulk[2:4]


def test_who_was_served_longest_ago_comes_first_in_a_round(parts: root.Parts, put: Any) -> None:
    first, other = put(BULK), put(CLERK)
    assert [take(parts), take(parts)] == [first, other]
    clerk, bulk = put(CLERK), put(BULK)
    assert turn(parts) == [bulk, clerk]


def test_a_clean_up_does_not_wait_behind_new_orders(parts: root.Parts, put: Any) -> None:
    orders = [put(BULK) for _ in range(3)]
    parts.db.write(lambda session: session.add(jobs.job_row("provision.clean", orders[0], parts.door.clock())))
    assert turn(parts) == [orders[0], *orders]


class Slow:
    """A runner whose plays take as long as the test wants."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.running = self.most = 0
        self.go = threading.Event()
        self.lock = threading.Lock()

    def run(self, spec: Any, on_event: Any, should_stop: Any) -> RunOutcome:
        with self.lock:
            self.order.append(spec.provision_id)
            self.running += 1
            self.most = max(self.most, self.running)
        self.go.wait(20)
        with self.lock:
            self.running -= 1
        return RunOutcome(status="successful")


def settled(parts: root.Parts) -> bool:
    open_ones = select(Provision.provision_id).where(Provision.provisioning_status == Status.RUNNING).limit(1)
    return parts.door.read_now(lambda session: session.scalar(open_ones)) is None


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_full_plays_lane_twenty_orders_a_single_one_and_a_short_job(parts: root.Parts, put: Any) -> None:
    """No more plays than `provisioning.workers`, fair turns, and short jobs meanwhile (decision 31)."""
    slow, quick = Slow(), threading.Event()
    parts.ports[PlaybookRunner] = slow
    jobs.job("test.quick")(lambda runtime, held: quick.set())
    workers = Workers(parts.queue, parts.runtime)
    workers.start()
    try:
        bulk = [put(BULK) for _ in range(20)]
        wait_for(lambda: slow.running == parts.settings.provisioning.workers)
        single = put(CLERK)
        begin = time.monotonic()
        row = parts.db.write(lambda session: _added(session, jobs.job_row("test.quick", 1, parts.door.clock())))
        parts.queue.announce([row])
        assert quick.wait(1), "a short job waits for no play"
        assert time.monotonic() - begin < 1
        slow.go.set()
        wait_for(lambda: settled(parts))
    finally:
        slow.go.set()
        workers.stop()
        del jobs.KINDS["test.quick"]
    assert sorted(slow.order) == sorted([*bulk, single])
    assert slow.most == parts.settings.provisioning.workers
    assert slow.order.index(single) <= parts.settings.provisioning.workers + 1


def _added(session: Any, row: Job) -> Job:
    session.add(row)
    session.flush()
    return row


def test_thousands_of_orders_that_wait_hide_no_single_one_and_cost_little(parts: root.Parts, put: Any) -> None:
    first, now = put(BULK), parts.door.clock()

    def fill(session: Any) -> None:
        session.add_all(jobs.job_row("provision.run", first, now) for _ in range(3000))

    parts.db.write(fill)
    single = put(CLERK)
    assert turn(parts)[:3] == [first, single, first]
    begin = time.perf_counter()
    assert [take(parts), take(parts)] == [first, single]
    assert time.perf_counter() - begin < 0.5


def test_system_jobs_have_their_turn_too(parts: root.Parts, put: Any) -> None:
    bulk = [put(BULK) for _ in range(3)]
    renewal = put(SYSTEM)
    assert turn(parts)[:2] == [bulk[0], renewal]
