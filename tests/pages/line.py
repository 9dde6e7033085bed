"""A play with three tasks and two that undo, jobs of it, and events as its runner would store them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from omnicrm import app as root
from omnicrm.domain.provisioning.models import ProvisionEvent
from tests.conftest import Cast
from tests.pages import shop

PLAY = """
- name: Line
  hosts: localhost
  gather_facts: no
  tasks:
    - block:
        - name: Check that this is an order
          assert: {that: action != "deprovision"}
          when: action is defined
        - name: Create the account
          debug: {msg: 1}
        - name: Tell the switch
          debug: {msg: 2}
      rescue:
        - name: Remove the account
          debug: {msg: 3}
        - name: Remove the line
          debug: {msg: 4}
"""


async def line_job(admin: Any, cast: Cast, **order: Any) -> int:
    """A waiting job of a play with three tasks and two that undo."""
    product = await shop.product(admin, provisioning_play="play_line")
    answer = await admin.put("/crm/provision/", {"product_id": product, "customer_id": cast.alice_customer, **order})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["provision_id"])


def line_event(parts: root.Parts, job: int, number: int, name: str, status: int, **more: Any) -> None:
    """As the runner stores it."""
    now = parts.door.clock()
    values = {
        "provision_id": job,
        "event_number": number,
        "event_name": name,
        "provisioning_status": status,
        "timestamp": now,
        "ended_at": None if status == 1 else now + timedelta(seconds=1.2),
        **more,
    }
    parts.db.write(lambda session: session.add(ProvisionEvent(**values)))


def line_plays(folder: Path) -> dict[str, str]:
    """The play in a folder of its own; answers the setting that names it."""
    (folder / "plays").mkdir()
    (folder / "plays" / "play_line.yaml").write_text(PLAY)
    return {"provisioning.plays_dir": str(folder / "plays")}
