"""Races between processes: several do the same thing at the same moment, again and again, and exactly one may win.

    PYTHONPATH=. python bench/races.py [--rounds 1000] [--processes 4] [--data DIR] [--mysql URL]

Contests: orders for one SIM; deprovisions of one service; retries of one failed job; one run of a plan that fires in
every process; and the claim of one job by every worker. Prints what each round's callers were told. Exit 1 on a round
without exactly one winner, on a reservation too many or too few, and on any answer that would be an internal error.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

from sqlalchemy import create_engine, func, select, text, update

from omnicrm import app as root
from omnicrm.domain import jobs
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.errors import Conflict
from omnicrm.domain.identity import actions as identity
from omnicrm.domain.inventory.models import InventoryReservation
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions, simple
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.settings import load

STAFF = Actor("admin", 1, frozenset({"admin"}))
PLAY = """
- name: A play with a guard
  hosts: localhost
  tasks:
    - name: Work
      block:
        - name: Guard
          assert: {that: action != "deprovision"}
          when: action is defined
      rescue:
        - name: Undo
          debug: {msg: undone}
"""


@dataclass
class Stock:
    """What is raced for: ids, one for each round."""

    customer: int
    products: dict[str, int]
    sims: list[int]
    services: list[int]
    failed: list[int]
    waiting: list[int]


def order_sim(parts: root.Parts, stock: Stock, turn: int) -> int:
    body = {"product_id": stock.products["mobile"], "customer_id": stock.customer, "SIM Card": stock.sims[turn]}
    return parts.door.act_now(actions.order, STAFF, actions.Order(body)).provision_id


def deprovision(parts: root.Parts, stock: Stock, turn: int) -> int:
    body = {"service_id": stock.services[2 * turn], "action": "deprovision"}
    return parts.door.act_now(actions.order, STAFF, actions.Order(body)).provision_id


def retry(parts: root.Parts, stock: Stock, turn: int) -> int:
    return parts.door.act_now(actions.retry, STAFF, actions.Started(stock.failed[turn])).provision_id


def fire_plan(parts: root.Parts, stock: Stock, turn: int) -> int:
    service = stock.services[2 * turn + 1]
    key = f"plan|{service}|2026-01-01T00:00:00+00:00"
    account = f"race_{2 * turn + 1}"
    return simple.start_from_plan(parts.door, service, stock.products["addon"], key, account=account, recharge=False)


def claim(parts: root.Parts, stock: Stock, turn: int) -> int:
    now = parts.door.clock()
    row = parts.db.write(lambda session: jobs.claim(session, stock.waiting[turn], now))
    if row is None:
        raise Conflict("taken")
    return int(row.lease)


#: Each with whether the others may be told of the winner's job instead of being refused.
CONTESTS: dict[str, tuple[Callable[[root.Parts, Stock, int], int], bool]] = {
    "orders for one SIM": (order_sim, False),
    "deprovisions of one service": (deprovision, False),
    "retries of one job": (retry, False),
    "one run of a plan": (fire_plan, True),
    "claims of one job": (claim, False),
}


def build(data: Path, mysql: str) -> root.Parts:
    plays = data / "plays"
    plays.mkdir(exist_ok=True)
    (plays / "race.yaml").write_text(PLAY)
    sets = {
        "jwt_secret": "t" * 64,
        "security.encryption_key": "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=",
        "crm.mode": "development",
        "ocs.listen": "127.0.0.1:9",
        "provisioning.plays_dir": str(plays),
    }
    if mysql:
        sets |= {"database.url": mysql, "charging.url": f"sqlite:///{data / 'charging.db'}"}
    return root.build(root.prepare(load(sets=sets, environ={}, data_dir=data)))


def fill(parts: root.Parts, rounds: int) -> Stock:
    """Products, SIMs, services and failed jobs for so many rounds."""
    door = parts.door
    door.act_now(identity.seed_catalogue, SYSTEM, None)
    door.act_now(identity.create_user, SYSTEM, identity.NewUser("admin", "admin@example.com", "x", ("admin",)))

    def add(name: str, **values: Any) -> int:
        made = door.act_now(RESOURCES[name].actions["create"], SYSTEM, Write(None, values))
        return int(getattr(made.row, RESOURCES[name].key))

    customer = add("customer", customer_name="Ann")
    fixed = {"provisioning_play": "race", "retail_cost": 1, "service_type": "mobile"}
    products = {
        "mobile": add("product", product_name="M", product_slug="m", inventory_items_list="['SIM Card']", **fixed),
        "plain": add("product", product_name="P", product_slug="p", **fixed),
        "addon": add("product", product_name="A", product_slug="a", category="addon", **fixed),
    }
    template = add("inventory_template", item="SIM Card", wholesale_cost=0, retail_cost=0)
    sims = [add("inventory", inventory_template_id=template, itemtext1=f"SIM {n}") for n in range(rounds)]
    services = [
        add("service", customer_id=customer, service_name=f"S{n}", service_uuid=f"race_{n}",
            product_id=products["plain"], service_type="mobile")
        for n in range(2 * rounds)
    ]  # fmt: skip
    failed = []
    for _ in range(rounds + 1):
        body = {"product_id": products["plain"], "customer_id": customer}
        failed.append(door.act_now(actions.order, STAFF, actions.Order(body)).provision_id)
        door.act_now(actions.end, SYSTEM, actions.Ended(failed[-1], False, "no luck"))
    parts.db.write(lambda session: session.execute(update(Job).values(state="done")))
    now = door.clock()

    def queue(session: Any) -> list[int]:
        rows = [jobs.job_row("provision.run", failed[-1], now) for _ in range(rounds)]
        session.add_all(rows)
        session.flush()
        return [row.job_id for row in rows]

    return Stock(customer, products, sims, services, failed, parts.db.write(queue))


def race(data: str, mysql: str, stock: Stock, rounds: int, barrier: Barrier, answers: Any) -> None:
    """One process: every contest, every round, together with the others."""
    parts = build(Path(data), mysql)
    for name, (attempt, _) in CONTESTS.items():
        told: list[str] = []
        for turn in range(rounds):
            barrier.wait(120)
            try:
                told.append(f"won {attempt(parts, stock, turn)}")
            except Conflict:
                told.append("refused")
            except Exception as error:
                told.append(f"error {type(error).__name__}: {error}"[:200])
        answers.put((name, told))
    parts.queue.close()
    parts.db.close()


def judge(told: list[list[str]], may_share: bool) -> Counter[str]:
    """How the rounds of a contest ended; anything but `one winner` and `one job for all` is a defect."""
    found: Counter[str] = Counter()
    for answers in zip(*told, strict=True):
        errors = [answer for answer in answers if answer.startswith("error")]
        won = [answer for answer in answers if answer.startswith("won")]
        if errors:
            found[errors[0]] += 1
        elif len(won) == 1:
            found["one winner"] += 1
        elif may_share and won and len(set(won)) == 1:
            found["one job for all"] += 1
        else:
            found[f"{len(won)} winners"] += 1
    return found


def run(data: Path, rounds: int, processes: int, mysql: str = "") -> dict[str, Counter[str]]:
    """Race; what came of it by contest, and `records` for what the database holds afterwards."""
    parts = build(data, mysql)
    stock = fill(parts, rounds)
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    arguments = (str(data), mysql, stock, rounds, barrier, answers)
    runners = [context.Process(target=race, args=arguments, daemon=True) for _ in range(processes)]
    for runner in runners:
        runner.start()
    told: dict[str, list[list[str]]] = {name: [] for name in CONTESTS}
    for _ in range(processes * len(CONTESTS)):
        name, entries = answers.get(timeout=1200)
        told[name].append(entries)
    for runner in runners:
        runner.join(30)
    found = {name: judge(told[name], may_share) for name, (_, may_share) in CONTESTS.items()}
    found["records"] = parts.db.read(lambda session: _records(session, stock, rounds))
    parts.queue.close()
    parts.db.close()
    return found


def _records(session: Any, stock: Stock, rounds: int) -> Counter[str]:
    """One reservation for each SIM, and one job for each thing that was raced for."""
    found: Counter[str] = Counter()
    reserved = set(session.scalars(select(InventoryReservation.inventory_id)))
    found["SIMs without reservation"] = len(set(stock.sims) - reserved)
    for what, column, only in (
        ("second jobs of a SIM's order", Provision.provision_id, Provision.product_id == stock.products["mobile"]),
        ("second jobs of a service", Provision.service_id, Provision.service_id.is_not(None)),
        ("second retries", Provision.retry_of, Provision.retry_of.is_not(None)),
    ):
        count = session.scalar(select(func.count(column)).where(only))
        found[what] = count - (2 * rounds if column is Provision.service_id else rounds)
    return +found


def defects(found: dict[str, Counter[str]]) -> int:
    good = ("one winner", "one job for all")
    return sum(count for counter in found.values() for what, count in counter.items() if what not in good)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--mysql", default="", help="mysql+pymysql://user@host:port; a schema is made and dropped")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or Path(folder)
        data.mkdir(parents=True, exist_ok=True)
        schema = f"{options.mysql}/omnicrm_races" if options.mysql else ""
        if schema:
            admin = create_engine(options.mysql, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.execute(text("DROP DATABASE IF EXISTS omnicrm_races"))
                connection.execute(text("CREATE DATABASE omnicrm_races CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
        began = time.monotonic()
        found = run(data, options.rounds, options.processes, schema)
        print(f"{options.rounds} rounds, {options.processes} processes, {time.monotonic() - began:.0f} s")
        for name, counter in found.items():
            print(
                f"  {name:28} {', '.join(f'{what}: {count}' for what, count in counter.items()) or 'all as it must be'}"
            )
        if schema:
            with admin.connect() as connection:
                connection.execute(text("DROP DATABASE omnicrm_races"))
    return 1 if defects(found) else 0


if __name__ == "__main__":
    sys.exit(main())
