"""A plan's `*http_post` to the product's own address starts the renewal inside the product (OCS-056, OC-15)."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from omnicrm import app as root
from omnicrm import background
from omnicrm.domain.charging.database import Database
from omnicrm.domain.charging.ports import ChargingEngine
from omnicrm.domain.provisioning.models import Provision
from tests.provisioning_orders.conftest import Shop, plays_dir, shop

__all__ = ["plays_dir", "shop"]


@pytest.fixture
def extra_settings(plays_dir: Path, tmp_path: Path) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "provisioning.plays_dir": str(plays_dir),
        "ocs.listen": f"127.0.0.1:{port}",
        "charging.url": f"sqlite:///{tmp_path}/charging.db",
    }


def started(parts: root.Parts) -> list[tuple[int | None, int | None]]:
    """Service and product of every job."""
    chosen = select(Provision.service_id, Provision.product_id)
    return [(row[0], row[1]) for row in parts.door.read_now(lambda session: session.execute(chosen).all())]


def waiting(parts: root.Parts) -> int:
    """Posts that have not been delivered."""
    database = Database(str(parts.settings.charging.url))
    with database.reading() as connection:
        count: int = connection.execute(text("SELECT COUNT(*) FROM post")).scalar_one()
    database.dispose()
    return count


def plan_of(engine: ChargingEngine, url: str, plan_id: str) -> None:
    """A plan of alice's service that posts every second."""
    engine.call(
        "ApierV1.SetActions", {"ActionsId": "R", "Actions": [{"Identifier": "*http_post", "ExtraParameters": url}]}
    )
    engine.call("ApierV1.SetActionPlan", {"Id": plan_id, "ActionPlan": [{"ActionsId": "R", "Time": "*:*:*"}]})
    engine.call("ApierV2.SetAccount", {"Account": "uuid_alice", "ActionPlanIds": [plan_id]})


async def test_a_plan_that_fires_again_and_again_starts_one_renewal_for_its_period(
    parts: root.Parts, shop: Shop
) -> None:
    service, product = shop.services["alice"], shop.products["plain"]
    base = parts.settings.crm.base_url
    url = f"{base}/crm/provision/simple_provision_addon/service_id/{service}/product_id/{product}"
    engine: Any = parts.ports[ChargingEngine]
    async with asyncio.timeout(20), background.charging(parts):
        await asyncio.to_thread(plan_of, engine, url, f"ServiceID_uuid_alice__ProductID_{product}__MonthlyRenewal")
        while not started(parts):
            await asyncio.sleep(0.05)
        seen: set[str] = set()
        while len(seen) < 3 or waiting(parts):
            plans = await asyncio.to_thread(engine.action_plans, "uuid_alice")
            seen |= {str(plan["NextExecTime"]) for plan in plans}
            await asyncio.sleep(0.05)
    assert started(parts) == [(service, product)]
