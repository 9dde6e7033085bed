"""A small shop: products with plays of every kind, SIMs and numbers, and a look at what an order left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from omnicrm import app as root
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.inventory.models import Inventory, InventoryReservation
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write

GOOD = """
- name: A play with a guard
  hosts: localhost
  tasks:
    - name: Work
      block:
        - name: Guard
          assert: {that: action != "deprovision"}
          when: action is defined
        - name: Note the number
          set_fact: {imsi: "001010000000001"}
      rescue:
        - name: Undo
          debug: {msg: undone}
"""
PLAYS = {
    "good": GOOD,
    "no_guard": "- name: Plain\n  hosts: localhost\n  tasks:\n    - name: Say\n      debug: {msg: hi}\n",
    "addon_step": GOOD.replace("A play with a guard", "An add-on"),
    "last_step": GOOD.replace("A play with a guard", "The last step"),
    "ends_only": "- name: Ends\n  hosts: localhost\n  tasks:\n    - name: Say\n      debug: {msg: ended}\n",
    "changeable": GOOD.replace(
        "- name: Note",
        """- name: Stop the line
          debug: {msg: stopped}
          when: action | default("") == "suspend"
        - name: Note""",
    ),
    "broken": "- name: Broken\n  hosts: localhost\n  tasks: [\n",
    "misplaced": "- name: Misplaced\n  hosts: localhost\n  tasks:\n    - name: Say\n      debug: {msg: hi, when: x}\n",
    "dangling": "- name: Dangling\n  hosts: localhost\n  tasks:\n    - include_tasks: task_absent.yaml\n",
}


@pytest.fixture(scope="session")
def plays_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plays")
    for name, text in PLAYS.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture
def extra_settings(plays_dir: Path) -> dict[str, str]:
    return {"provisioning.plays_dir": str(plays_dir)}


@dataclass
class Shop:
    """Ids by name; `order()` is a body that goes through."""

    alice: int
    bob: int
    products: dict[str, int] = field(default_factory=dict)
    sims: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    services: dict[str, int] = field(default_factory=dict)
    sites: dict[str, int] = field(default_factory=dict)

    def order(self, **values: Any) -> dict[str, Any]:
        body = {"product_id": self.products["mobile"], "customer_id": self.alice}
        return body | {"SIM Card": self.sims[0], "Mobile Number": self.numbers[0]} | values


PRODUCTS: dict[str, dict[str, Any]] = {
    "mobile": {"inventory_items_list": "['SIM Card', 'Mobile Number']", "provisioning_json_vars": '{"data_gb": 10}'},
    "plain": {},
    "for_sale": {"customer_can_purchase": True},
    "disabled": {"enabled": False},
    "past": {"available_until": "2020-01-01"},
    "future": {"available_from": "2099-01-01"},
    "business": {"residential": False, "business": True},
    "addon": {"category": "addon", "service_type": "television"},
    "dependent": {"relies_on_list": "['fibre']"},
    "playless": {"provisioning_play": ""},
    "absent": {"provisioning_play": "play_that_is_not_there"},
    "broken": {"provisioning_play": "broken"},
    "misplaced": {"provisioning_play": "misplaced"},
    "dangling": {"provisioning_play": "dangling"},
    "no_guard": {"provisioning_play": "no_guard"},
}


@pytest.fixture
def shop(parts: root.Parts, cast: Any) -> Shop:
    def add(name: str, **values: Any) -> int:
        made = parts.door.act_now(RESOURCES[name].actions["create"], SYSTEM, Write(None, values))
        return int(getattr(made.row, RESOURCES[name].key))

    found = Shop(cast.alice_customer, cast.bob_customer)
    for number, (slug, values) in enumerate(PRODUCTS.items()):
        fixed = {"product_name": slug.title(), "product_slug": slug, "provisioning_play": "good", "retail_cost": number}
        found.products[slug] = add("product", **fixed | values)
    for kind, into in (("SIM Card", found.sims), ("Mobile Number", found.numbers)):
        template = add("inventory_template", item=kind, wholesale_cost=0, retail_cost=0)
        into += [add("inventory", inventory_template_id=template, itemtext1=f"{kind} {n}") for n in range(4)]
    for name, owner in (("alice", found.alice), ("bob", found.bob)):
        found.sites[name] = add("site", customer_id=owner, latitude=51.5, longitude=-0.1)
        found.services[name] = add(
            "service",
            customer_id=owner,
            service_name=name,
            service_uuid=f"uuid_{name}",
            product_id=found.products["plain"],
            service_type="mobile",
        )
    return found


@pytest.fixture
def left_behind(parts: root.Parts) -> Any:
    """What an order writes, all of it: to compare before and after one that is refused."""

    def look() -> dict[str, Any]:
        def read(session: Any) -> dict[str, Any]:
            models = (Provision, InventoryReservation, Job, CustomerActivity)
            counts = {model.__tablename__: session.scalar(select(func.count()).select_from(model)) for model in models}
            states = select(Inventory.inventory_id, Inventory.item_state, Inventory.customer_id, Inventory.service_id)
            return counts | {"items": session.execute(states.order_by(Inventory.inventory_id)).all()}

        return parts.door.read_now(read)

    return look


def finish(parts: root.Parts, provision_id: int, succeeded: bool = True, message: str = "") -> None:
    """End a job as its worker would: its own end, then the queue's row."""
    parts.door.act_now(actions.end, SYSTEM, actions.Ended(provision_id, succeeded, message))
    ran = (Job.subject_id == provision_id) & (Job.kind == "provision.run")
    parts.db.write(lambda session: session.execute(update(Job).where(ran).values(state="done")))
