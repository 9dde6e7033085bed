"""The product with its socket, its engine and a switch; jobs are run by the test itself, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import uvicorn
from litestar import Litestar
from sqlalchemy import select

from omnicrm import app as root
from omnicrm import background
from omnicrm.domain import jobs
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.alerts import open_alerts
from omnicrm.domain.billing.models import CustomerTransaction
from omnicrm.domain.charging.ports import ChargingEngine
from omnicrm.domain.errors import DomainError
from omnicrm.domain.inventory.models import Inventory, InventoryReservation
from omnicrm.domain.jobs import Held, Job
from omnicrm.domain.provisioning import actions, leftovers
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent
from omnicrm.domain.provisioning.ports import PlaybookRunner
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.domain.services.models import CustomerService
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.paths import PLAYBOOKS
from tests.conftest import Cast
from tests.provisioning_endings.plays import PLAYS

_ADD_ONS = ("top_up", "extends")
STAFF = Actor("admin", 1, frozenset({"admin"}))


@dataclass
class Switch:
    """A neighbour. `answers` maps "VERB /path" to a status, or to an event that it waits for before it answers."""

    url: str = ""
    calls: list[str] = field(default_factory=list)
    answers: dict[str, int | threading.Event] = field(default_factory=dict)
    #: What happens to the world when such a call comes.
    on_call: dict[str, Callable[[], None]] = field(default_factory=dict)
    reached: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        for answer in self.answers.values():
            if isinstance(answer, threading.Event):
                answer.set()
        self.answers.clear()
        self.on_call.clear()
        self.calls.clear()
        self.reached.clear()


@pytest.fixture(scope="session")
def the_switch() -> Iterator[Switch]:
    switch = Switch()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            call = f"{self.command} {self.path}"
            found = next((a for pattern, a in switch.answers.items() if call.startswith(pattern)), 200)
            if isinstance(found, threading.Event):
                switch.reached.set()
                found.wait(20)
                found = 200
            for pattern in [pattern for pattern in switch.on_call if call.startswith(pattern)]:
                switch.on_call.pop(pattern)()
            switch.calls.append(call)
            status = 404 if self.path == "/line/none" else found
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b"{}")

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    switch.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield switch
    server.shutdown()
    server.server_close()


@pytest.fixture
def switch(the_switch: Switch) -> Iterator[Switch]:
    yield the_switch
    the_switch.reset()


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnsibleRunner]:
    found = AnsibleRunner(tmp_path_factory.mktemp("runs"), PLAYBOOKS)
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="session")
def fixed(tmp_path_factory: pytest.TempPathFactory, the_switch: Switch) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("ending_plays")
    for name, text in PLAYS.items():
        (folder / f"{name}.yaml").write_text(text)
    web, engine = _free_port(), _free_port()
    return {
        "provisioning.plays_dir": str(folder),
        "provisioning.failure_list": "[ops@example.com]",
        "server.port": str(web),
        "ocs.listen": f"127.0.0.1:{engine}",
        "hss.hss_peers": f"[{the_switch.url}]",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def extra_settings(fixed: dict[str, str]) -> dict[str, str]:
    return fixed


@dataclass
class Product:
    """What a test does with the product: order, run the jobs that are due, look."""

    parts: root.Parts
    switch: Switch
    customer: int
    sim: int
    service: int
    products: dict[str, int]
    loop: asyncio.AbstractEventLoop
    engine: Any = None

    def order(self, play: str, **values: Any) -> int:
        body = {"product_id": self.products[play], "customer_id": self.customer, **values}
        if play not in _ADD_ONS:
            body = {"SIM Card": self.sim, **body}
        return self.parts.door.act_now(actions.order, STAFF, actions.Order(body)).provision_id

    def deprovision(self) -> int:
        body = {"service_id": self.service, "action": "deprovision"}
        return self.parts.door.act_now(actions.order, STAFF, actions.Order(body)).provision_id

    def link_sim(self) -> None:
        """Give the SIM to the service that is there before the job."""
        values = {"customer_id": self.customer, "service_id": self.service, "item_state": "Assigned"}
        self.parts.door.act_now(RESOURCES["inventory"].actions["update"], STAFF, Write(self.sim, values))

    def claim(self, kind: str) -> Held:
        """Take the oldest job of that kind that is due, as a worker does."""
        now = self.parts.door.clock()

        def take(session: Any) -> Job:
            query = select(Job.job_id).where(Job.kind == kind, Job.state == "queued", Job.run_at <= now)
            row = jobs.claim(session, session.scalars(query.order_by(Job.job_id).limit(1)).one(), now)
            assert row is not None
            return row

        row = self.parts.db.write(take)
        return Held(row.job_id, kind, row.subject_id, dict(row.args), row.lease, row.attempts, lambda: False)

    def work(self, kind: str, held: Held | None = None) -> str | None:
        """Run one job of that kind to its end; answers why it failed."""
        held = held or self.claim(kind)
        error = None
        try:
            jobs.KINDS[kind].run(self.parts.runtime, held)
        except DomainError as failure:
            error = failure.message
        now = self.parts.door.clock()
        self.parts.db.write(lambda session: jobs.finish(session, held.job_id, held.lease, now, error))
        return error

    def lose(self, held: Held) -> None:
        """The worker of a job dies, and the sweep finds it."""
        self.pass_time(minutes=1)
        now = self.parts.door.clock()
        self.parts.db.write(lambda session: jobs.settle_lost(session, now))

    def pass_time(self, **span: float) -> None:
        clock = self.parts.door.clock
        self.parts.door.clock = lambda: clock() + timedelta(**span)

    def job(self, provision_id: int) -> Provision:
        return self.parts.door.read_now(lambda session: session.get_one(Provision, provision_id))

    def left(self, provision_id: int) -> list[tuple[str, str]]:
        return [(entry.where, entry.what) for entry in leftovers.load(self.job(provision_id).leftovers)]

    def events(self, provision_id: int) -> list[tuple[str, int]]:
        row = ProvisionEvent
        query = select(row.event_name, row.provisioning_status).where(row.provision_id == provision_id)
        return self.parts.door.read_now(lambda session: list(session.execute(query.order_by(row.event_number)).all()))

    def waiting(self, kind: str = "provision.clean") -> list[tuple[dict[str, Any], datetime]]:
        query = select(Job.args, Job.run_at).where(Job.kind == kind, Job.state == "queued")
        return self.parts.door.read_now(lambda session: list(session.execute(query).all()))

    def service_now(self) -> tuple[Any, ...]:
        """State and end of the service that is there before the job."""
        row = self.parts.door.read_now(lambda session: session.get_one(CustomerService, self.service))
        return row.service_status, row.service_deactivate_date

    def alerts(self) -> list[str]:
        return self.parts.door.read_now(lambda session: [alert.alert_key for alert in open_alerts(session)])

    def made_services(self, provision_id: int) -> list[int]:
        query = select(CustomerService.service_id).where(CustomerService.made_by_provision_id == provision_id)
        return self.parts.door.read_now(lambda session: list(session.scalars(query)))

    def reserved(self) -> list[int]:
        query = select(InventoryReservation.inventory_id)
        return self.parts.door.read_now(lambda session: list(session.scalars(query)))

    def world(self) -> dict[str, Any]:
        """What must be as before after a failed order."""

        def read(session: Any) -> dict[str, Any]:
            item = session.get_one(Inventory, self.sim)
            charges = select(CustomerTransaction.title).where(CustomerTransaction.void.is_(False))
            return {
                "services": list(session.scalars(select(CustomerService.service_uuid))),
                "sim": (item.item_state, item.customer_id, item.service_id, item.sold_date),
                "charges": list(session.scalars(charges)),
            }

        return self.parts.door.read_now(read) | {"accounts": self.accounts(), "balance": self.balance()}

    def accounts(self) -> list[str]:
        engine = self.parts.ports[ChargingEngine]
        return sorted(account["ID"] for account in engine.call("ApierV2.GetAccounts"))

    def balance(self) -> int:
        """Data on the account of the service that is there before the job."""
        account = self.parts.ports[ChargingEngine].account("Old_1") or {}
        return sum(int(bucket["Value"]) for bucket in (account.get("BalanceMap") or {}).get("*data") or [])

    def stop_engine(self) -> None:
        asyncio.run_coroutine_threadsafe(self.engine.__aexit__(None, None, None), self.loop).result(20)
        self.engine = None

    def start_engine(self) -> None:
        self.engine = background.charging(self.parts)
        asyncio.run_coroutine_threadsafe(self.engine.__aenter__(), self.loop).result(20)


@pytest.fixture
def product(
    parts: root.Parts, application: Litestar, runner: AnsibleRunner, switch: Switch, cast: Cast
) -> Iterator[Product]:
    parts.ports[PlaybookRunner] = runner
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    config = uvicorn.Config(application, port=parts.settings.server.port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.run_coroutine_threadsafe(server.serve(), loop)
    found = _stocked(parts, switch, cast, loop)
    found.start_engine()
    found.parts.ports[ChargingEngine].call("ApierV2.SetAccount", {"Account": "Old_1"})
    while not server.started:
        serving.exception(0) if serving.done() else threading.Event().wait(0.01)
    yield found
    switch.reset()
    if found.engine is not None:
        found.stop_engine()
    server.should_exit = True
    serving.result(20)
    asyncio.run_coroutine_threadsafe(parts.db.aclose(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def _stocked(parts: root.Parts, switch: Switch, cast: Cast, loop: asyncio.AbstractEventLoop) -> Product:
    def add(name: str, **values: Any) -> int:
        made = parts.door.act_now(RESOURCES[name].actions["create"], SYSTEM, Write(None, values))
        return int(getattr(made.row, RESOURCES[name].key))

    products = {
        play: add(
            "product",
            product_name=play,
            product_slug=play,
            provisioning_play=play,
            retail_cost=1,
            inventory_items_list="" if play in _ADD_ONS else "['SIM Card']",
            category="addon" if play in _ADD_ONS else "standalone",
            service_type="mobile",
            provisioning_json_vars='{"account": "Old_1"}',
        )
        for play in PLAYS
    }
    template = add("inventory_template", item="SIM Card", wholesale_cost=0, retail_cost=0)
    sim = add("inventory", inventory_template_id=template, itemtext1="8944000000000000001")
    old = add(
        "service",
        customer_id=cast.alice_customer,
        service_name="Old",
        service_uuid="Old_1",
        service_type="mobile",
        product_id=products["guarded"],
    )
    return Product(parts, switch, cast.alice_customer, sim, old, products, loop)


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], threading.Thread]]:
    """Run something beside the test and wait for it at the end."""
    threads: list[threading.Thread] = []

    def start(function: Callable[[], Any]) -> threading.Thread:
        threads.append(threading.Thread(target=function, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(20)
