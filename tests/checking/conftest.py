"""A small sound product: one mobile service with its account, stock and subscriber, an ended one, and a failed job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import insert, update

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import JobRef
from omnicrm.domain.checking import Report, check
from omnicrm.domain.checking.ports import HssUnavailable, RunRemains, SubscriberRegister
from omnicrm.domain.checking.values import Remains, Subscriber
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write

PEER = "http://hss"
IMSI, NUMBER, UUID = "234551000000001", "447781100200", "Local_Mobile_SIM_aa"


@dataclass
class Register:
    """An HSS of one peer; `offline` keeps silent, `lists` false offers no list."""

    known: dict[str, Subscriber] = field(default_factory=dict)
    peers: tuple[str, ...] = (PEER,)
    offline: bool = False
    lists: bool = True

    def everybody(self, peer: str) -> list[Subscriber] | None:
        self._answer(peer)
        return list(self.known.values()) if self.lists else None

    def find(self, peer: str, imsi: str) -> Subscriber | None:
        self._answer(peer)
        return self.known.get(imsi)

    def _answer(self, peer: str) -> None:
        if self.offline:
            raise HssUnavailable(f"{peer} does not answer")


@dataclass
class Machine:
    left: list[Remains] = field(default_factory=list)

    def remains(self) -> list[Remains]:
        return self.left


@dataclass
class World:
    """`set(table, key, **values)` changes a row behind the product's back."""

    parts: root.Parts
    engine: Engine
    register: Register
    machine: Machine
    ids: dict[str, int] = field(default_factory=dict)

    def check(self) -> Report:
        return check(self.parts, pause=0)

    def kinds(self) -> list[str]:
        return sorted({finding.kind for finding in self.check().findings})

    def add(self, name: str, **values: Any) -> int:
        made = self.parts.door.act_now(RESOURCES[name].actions["create"], SYSTEM, Write(None, values))
        return int(getattr(made.row, RESOURCES[name].key))

    def set(self, model: Any, key: int, **values: Any) -> None:
        table = model.__table__
        where = next(iter(table.primary_key)) == key
        self.parts.db.write(lambda session: session.execute(update(table).where(where).values(values)))

    def insert(self, model: Any, **values: Any) -> int:
        statement = insert(model.__table__).values(values)
        return int(self.parts.db.write(lambda session: session.execute(statement).inserted_primary_key[0]))

    def job(self, status: int, **values: Any) -> int:
        """A row of `Provision`."""
        plain = {"customer_id": self.ids["customer"], "provisioning_play": "play", "created": self.parts.door.clock()}
        return self.insert(Provision, **{**plain, "provisioning_status": status, **values})

    def charge(self, method: str, job: int | None = None, **params: Any) -> None:
        made_by = JobRef(job, None, frozenset()) if job is not None else None
        self.engine.call(method, params, made_by)


@pytest.fixture
def world(parts: root.Parts, cast: Any) -> Iterator[World]:
    url = str(parts.settings.charging.url)
    engine = Engine.open(url, tenant=parts.settings.ocs.ocsTenant, clock=parts.door.clock)
    made = World(parts, engine, Register(), Machine())
    ports = {SubscriberRegister: made.register, RunRemains: made.machine}
    before = dict(parts.ports)
    parts.ports.update(ports)
    _fill(made, cast.alice_customer)
    yield made
    engine.close()
    parts.ports.clear()
    parts.ports.update(before)


def _fill(world: World, customer: int) -> None:
    ids = world.ids
    ids["customer"] = customer
    ids["product"] = world.add("product", product_name="Mobile", product_slug="mobile", retail_cost=1)
    service = {"customer_id": customer, "product_id": ids["product"], "service_type": "mobile"}
    ids["service"] = world.add("service", service_name="Live", service_uuid=UUID, service_status="Active", **service)
    ids["over"] = world.add(
        "service",
        service_name="Over",
        service_uuid="Local_Mobile_SIM_bb",
        service_status="Deactivated",
        service_deactivate_date="2026-01-01T00:00:00Z",
        **service,
    )
    labels = {"itemtext1_label": "ICCID", "itemtext2_label": "IMSI", "itemtext3_label": "Ki"}
    world.add("inventory_template", item="SIM Card", wholesale_cost=0, retail_cost=0, **labels)
    world.add("inventory_template", item="Number", wholesale_cost=0, retail_cost=0, itemtext1_label="Phone Number")
    given = {"customer_id": customer, "service_id": ids["service"], "item_state": "Assigned"}
    ids["sim"] = world.add("inventory", item="SIM Card", itemtext1="8944", itemtext2=IMSI, itemtext3="5ec2e7", **given)
    ids["number"] = world.add("inventory", item="Number", itemtext1="+44 7781 100200", **given)
    ids["free"] = world.add("inventory", item="SIM Card", itemtext1="8945", itemtext2="234551000000002")
    ids["failed"] = world.job(2, finished_at=world.parts.door.clock())
    world.charge("ApierV2.SetAccount", Account=UUID)
    world.register.known[IMSI] = Subscriber(IMSI, NUMBER)
