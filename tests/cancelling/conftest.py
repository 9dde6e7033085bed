"""The shop of tests/provisioning_orders with a real charging engine, a worker in this thread, and a clock to move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.domain.jobs import Job
from omnicrm.worker import Workers
from tests.provisioning_orders.conftest import Shop, left_behind, plays_dir, shop

__all__ = ["left_behind", "plays_dir", "shop"]
PLAN = "ServiceID_uuid_alice__ProductID_2__MonthlyRenewal"
SHARED = "Loyalty"


@pytest.fixture
def extra_settings(plays_dir: Path) -> dict[str, str]:
    return {"provisioning.plays_dir": str(plays_dir)}


class Port:
    """The engine's port without a socket between. `away` makes it unreachable."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.away = engine, False
        self.calls: list[str] = []

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        if self.away:
            raise EngineUnavailable("connection refused")
        self.calls.append(method)
        return self.engine.call(method, params)

    def account(self, account: str) -> dict[str, Any] | None:
        try:
            return dict(self.call("ApierV2.GetAccount", {"Account": account}))
        except EngineError:
            return None

    def action_plans(self, account: str) -> list[dict[str, Any]]:
        return list(self.call("ApierV1.GetAccountActionPlan", {"Account": account}) or [])

    def plans(self, account: str = "uuid_alice") -> set[str]:
        return {entry["ActionPlanId"] for entry in self.action_plans(account)}

    def is_disabled(self, account: str = "uuid_alice") -> bool:
        found = self.account(account)
        assert found is not None
        return bool(found["Disabled"])


@pytest.fixture
def engine(parts: root.Parts, shop: Shop, tmp_path: Path) -> Iterator[Port]:
    """Alice's account is on a renewal of its own and on a plan that others share; Bob's is on the shared one."""
    opened = Engine.open(f"sqlite:///{tmp_path / 'engine.db'}", tenant="cgrates.org")
    port = Port(opened)
    port.call("ApierV1.SetActions", {"ActionsId": "A", "Actions": [{"Identifier": "*log"}]})
    for ident in (PLAN, SHARED):
        entry = {"ActionsId": "A", "MonthDays": "1", "Time": "00:00:00"}
        port.call("ApierV1.SetActionPlan", {"Id": ident, "ActionPlan": [entry]})
    for account, plans in (("uuid_alice", [PLAN, SHARED]), ("uuid_bob", [SHARED])):
        port.call("ApierV2.SetAccount", {"Account": account, "ActionPlanIds": plans})
    parts.ports[ChargingEngine] = port
    yield port
    opened.close()


@pytest.fixture
def work(parts: root.Parts) -> Callable[[], list[str]]:
    """Run the short jobs that are due, and those that they ask for; answers their kinds in order."""
    workers = Workers(parts.queue, parts.runtime)

    def run() -> list[str]:
        done: list[str] = []
        while True:
            query = select(Job).where(Job.lane == "short", Job.state == "queued", Job.run_at <= parts.door.clock())
            waiting = parts.door.read_now(lambda session, found=query: session.scalars(found).all())
            if not waiting:
                return done
            for row in waiting:
                workers.run(row.job_id)
                done.append(row.kind)

    return run


@pytest.fixture
def later(parts: root.Parts) -> Callable[..., datetime]:
    """`later(days=7)` moves the product's clock on."""

    def move(**span: float) -> datetime:
        moment = parts.door.clock() + timedelta(**span)
        parts.door.clock = lambda: moment
        return moment

    return move
