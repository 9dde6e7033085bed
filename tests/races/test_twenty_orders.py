"""Twenty orders at the same moment, through the real workers and real plays: all end well and see only their own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.actor import Actor
from omnicrm.domain.inventory.models import InventoryReservation
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent, Status
from omnicrm.domain.provisioning.ports import PlaybookRunner
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.paths import PLAYBOOKS
from omnicrm.worker import Workers
from tests.provisioning_orders.conftest import Shop

pytestmark = pytest.mark.slow
STAFF = Actor("admin", 1, frozenset({"admin"}))
PLAY = """
- name: Light
  hosts: localhost
  gather_facts: no
  tasks:
    - name: Keep
      set_fact: {kept: "{{ word }}"}
    - name: Tell
      debug: {msg: "{{ kept }} {{ provision_id }}"}
"""


@pytest.fixture
def working(parts: root.Parts, tmp_path: Path) -> Iterator[Path]:
    """Workers with the real runner; answers the folder of the runs."""
    runs = tmp_path / "runs"
    runner = AnsibleRunner(runs, PLAYBOOKS)
    parts.ports[PlaybookRunner] = runner
    runner.start()
    workers = Workers(parts.queue, parts.runtime)
    workers.start()
    yield runs
    workers.stop()
    runner.close()


def test_twenty_orders_at_once_end_well(parts: root.Parts, shop: Shop, plays_dir: Path, working: Path) -> None:
    (plays_dir / "light.yaml").write_text(PLAY)
    made = {}
    for number in range(20):
        body = {
            "product_id": shop.products["plain"], "customer_id": (shop.alice, shop.bob)[number % 2],
            "provisioning_play": "light", "word": f"word-{number}",
        }  # fmt: skip
        made[parts.door.act_now(actions.order, STAFF, actions.Order(body)).provision_id] = f"word-{number}"
    running = select(Provision.provision_id).where(Provision.provisioning_status == Status.RUNNING).limit(1)
    deadline = time.monotonic() + 120
    while parts.door.read_now(lambda session: session.scalar(running)) is not None:
        assert time.monotonic() < deadline, "not all ended in time"
        time.sleep(0.05)

    def read(session) -> None:
        assert set(session.scalars(select(Provision.provisioning_status))) == {int(Status.SUCCESS)}
        event = ProvisionEvent
        rows = session.execute(
            select(event.provision_id, event.provisioning_result_json).where(event.event_name == "Tell")
        )
        assert {number: json.loads(text)["msg"] for number, text in rows} == {
            number: f"{word} {number}" for number, word in made.items()
        }
        assert session.scalar(select(InventoryReservation.inventory_id)) is None

    parts.door.read_now(read)
    assert list(working.glob("run-*")) == []
