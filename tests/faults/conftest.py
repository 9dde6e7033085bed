"""One product for the whole matrix: real plays, engine and sandboxes; this thread runs the jobs that are due."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

import pytest
import uvicorn
from litestar import Litestar, Request, route
from litestar.params import FromPath
from sqlalchemy import create_engine, select, text

from omnicrm import app as root
from omnicrm import background
from omnicrm.domain import jobs
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.billing.models import CustomerTransaction
from omnicrm.domain.charging.ports import ChargingEngine, EngineError
from omnicrm.domain.errors import DomainError
from omnicrm.domain.inventory.models import Inventory, InventoryReservation
from omnicrm.domain.jobs import Held, Job
from omnicrm.domain.provisioning import actions, leftovers
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.domain.services.models import CustomerService
from omnicrm.integrations.sandbox import SandboxStore, sandbox_routes
from tests.conftest import MYSQL, _fill, _load
from tests.faults.neighbours import Neighbourhood, Scene, free_port

STAFF = Actor("admin", 1, frozenset({"admin"}))
SIM, NUMBER, MODEM, ROUTER = "SIM Card", "Mobile Number", "Modem Router", "WiFi Router CPE"
PORT, ONT = "GPON Port", "ONT Device"
#: Labels by which plays read an item's fields.
LABELS = {
    SIM: ("ICCID", "IMSI", "SIM Type", "Ki", "OPC"),
    NUMBER: ("Phone Number",),
    MODEM: ("Model", "Serial Number"),
    ROUTER: ("Model", "Serial Number"),
    PORT: ("Port",),
    ONT: ("Model", "Serial Number"),
}
#: name -> (play, product variables, items, whether it works on a service that is there)
PLAYS: dict[str, tuple[str, dict[str, Any], tuple[str, ...], bool]] = {
    "mobile": (
        "play_local_mobile_sim",
        {"data_gb": 20, "voice_minutes": 300, "sms_count": "unlimited", "days": 30, "apn_list": "1,2"},
        (SIM, NUMBER),
        False,
    ),
    "psim": ("play_psim_only", {"apn_list": "1,2"}, (SIM, NUMBER), False),
    "simple": ("play_simple_service", {}, (), False),
    "bundle": ("play_bundle_internet_tv_voice", {"IPTV_Service_ID": "TV"}, (MODEM, PORT, ONT), False),
    "seniors": ("play_seniors_package", {"IPTV_Service_ID": "TV"}, (MODEM,), False),
    "router": ("play_prov_cpe_mikrotik", {"support_email": "noc@example.org"}, (ROUTER,), False),
    "topup": ("play_topup_no_charge", {"data_gb": 0.5, "voice_minutes": 10, "days": 5}, (), True),
    "addon": ("play_local_data_addon", {"data_gb": 1, "days": 7}, (), True),
    "hotspot": ("play_topup_hotspot", {"days": 5}, (), True),
}


@dataclass
class Town:
    """The product and its neighbours."""

    parts: root.Parts
    around: Neighbourhood
    store: SandboxStore
    customer: int
    products: dict[str, int]
    service: int = 0
    requests: dict[str, list[Any]] = field(default_factory=dict)
    #: What a good order of each play does to the world.
    outcomes: dict[str, list[str]] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: count(1))

    def add(self, name: str, **values: Any) -> int:
        return _add(self.parts, name, **values)

    def stock(self, kinds: tuple[str, ...]) -> dict[str, int]:
        """A fresh item of each kind."""
        found = {}
        for kind in kinds:
            number = next(self.numbers)
            texts = {
                SIM: (f"8944{number:015}", f"50593{number:010}", "Nano", f"{number:032x}", f"{number + 7:032x}"),
                NUMBER: (f"+44 7700 {900000 + number}",),
            }.get(kind, (f"Model {number}", f"SN{number:09}"))
            fields = {f"itemtext{place}": value for place, value in enumerate(texts, 1)}
            found[kind] = self.add("inventory", item=kind, **fields)
        return found

    def order(self, name: str, items: dict[str, int], **more: Any) -> int:
        body = {"product_id": self.products[name], "customer_id": self.customer, **items, **more}
        if PLAYS[name][3]:
            body["service_id"] = self.service
        return self.parts.door.act_now(actions.order, STAFF, actions.Order(body)).provision_id

    def deprovision(self, service_id: int) -> int:
        body = {"service_id": service_id, "action": "deprovision"}
        return self.parts.door.act_now(actions.order, STAFF, actions.Order(body)).provision_id

    def work(self, scene: Scene | None = None, within: float = 60) -> None:
        """Run what is due until no job is open; with a scene, the first play is run in it."""
        deadline = time.monotonic() + within
        while (row := self._next()) is not None:
            assert time.monotonic() < deadline, "jobs did not end in time"
            held = Held(row.job_id, row.kind, row.subject_id, dict(row.args), row.lease, row.attempts, lambda: False)
            playing = scene is not None and row.kind == "provision.run"
            if playing:
                self.around.begin(scene)
            error = None
            try:
                jobs.KINDS[row.kind].run(self.parts.runtime, held)
            except DomainError as failure:
                error = failure.message
            now = self.parts.door.clock()
            self.parts.db.write(partial(jobs.finish, job_id=held.job_id, lease=held.lease, now=now, error=error))
            if playing:
                self.around.deliver()

    def _next(self) -> Any:
        """The oldest open job, claimed; None when all have ended."""

        def take(session: Any) -> Any:
            now = self.parts.door.clock()
            waiting = session.scalars(select(Job).where(Job.state == "queued").order_by(Job.job_id)).all()
            if not waiting:
                return None
            waiting[0].run_at = min(waiting[0].run_at, now)  # the pauses between attempts take no time here
            session.flush()
            return jobs.claim(session, waiting[0].job_id, now)

        return self.parts.db.write(take)

    def job(self, provision_id: int) -> Provision:
        return self.parts.door.read_now(lambda session: session.get_one(Provision, provision_id))

    def left(self, provision_id: int) -> list[Any]:
        return leftovers.load(self.job(provision_id).leftovers)

    def clean_again(self, provision_id: int) -> None:
        self.parts.door.act_now(actions.clean_again, STAFF, actions.Started(provision_id))
        self.work()

    def made(self, provision_id: int) -> list[int]:
        """Services of a job, the newest first: what is bundled with another ends before it."""
        mine = select(CustomerService.service_id).where(CustomerService.made_by_provision_id == provision_id)
        query = mine.where(CustomerService.bundled_parent.is_(None)).order_by(CustomerService.service_id.desc())
        return self.parts.door.read_now(lambda session: list(session.scalars(query)))

    def tidy(self) -> None:
        """Remove the prepared actions of top-ups that could not remove them and ended well all the same."""
        call = self.parts.ports[ChargingEngine].call
        with contextlib.suppress(EngineError):
            names = [name for name in call("ApierV2.GetActions", {}) if name.startswith("Action_topup_")]
            call("APIerSv1.RemoveActions", {"ActionIDs": names})

    def world(self) -> dict[str, Any]:
        """All that a failed order must leave as it was."""

        def read(session: Any) -> dict[str, Any]:
            item, service, charge = Inventory, CustomerService, CustomerTransaction
            items = select(item).order_by(item.inventory_id)
            kept = ("inventory_id", "item_state", "customer_id", "service_id", "sold_date", "config_content",
                    "management_url", "itemtext3", "itemtext4", "inventory_notes")  # fmt: skip
            services = select(service).order_by(service.service_id)
            seen = ("service_id", "service_uuid", "service_status", "service_deactivate_date", "bundled_parent")
            return {
                "items": [tuple(getattr(row, name) for name in kept) for row in session.scalars(items)],
                "reserved": list(session.scalars(select(InventoryReservation.inventory_id))),
                "services": [tuple(getattr(row, name) for name in seen) for row in session.scalars(services)],
                "charges": list(session.scalars(select(charge.transaction_id).where(charge.void.is_(False)))),
            }

        outside = {"engine": self.engine(), "hss": self.subscribers(), "olt": sorted(self.around.lines)}
        return self.parts.door.read_now(read) | outside

    def engine(self) -> list[str]:
        """What the engine holds, and every balance without the times that pass by themselves."""
        call = self.parts.ports[ChargingEngine].call
        found = []
        for account in call("ApierV2.GetAccounts"):
            found.append(f"{account['ID']} {account['Disabled']}")
            found += [
                f"{account['ID']} {kind} {bucket['ID']} {bucket['Value']} {bucket['ExpirationDate']}"
                for kind, several in (account["BalanceMap"] or {}).items()
                for bucket in several
            ]
        tenant = {"Tenant": self.parts.settings.ocs.ocsTenant}
        for method, params in (
            ("ApierV1.GetActionPlan", {"ID": ""}),
            ("ApierV2.GetActions", {}),
            ("APIerSv1.GetAttributeProfileIDs", tenant),
            ("APIerSv1.GetFilterIDs", tenant),
        ):
            try:
                found += [f"{method} {entry}" for entry in call(method, params)]
            except EngineError:
                continue
        return sorted(found)

    def subscribers(self) -> list[tuple[Any, ...]]:
        rows = self.store.rows("SELECT peer, imsi, profile, has_keys FROM subscriber ORDER BY peer, imsi")
        return [tuple(row) for row in rows]


def _add(parts: root.Parts, name: str, **values: Any) -> int:
    made = parts.door.act_now(RESOURCES[name].actions["create"], SYSTEM, Write(None, values))
    return int(getattr(made.row, RESOURCES[name].key))


@pytest.fixture(scope="module", params=["mysql"] if MYSQL else ["sqlite"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    data = tmp_path_factory.mktemp("town")
    around = Neighbourhood()
    ports = {name: around.add(name) for name in ("crm", "engine", "hss", "olt", "smsc", "mailjet")}
    sets = _settings(ports)
    admin = None
    if request.param == "mysql":
        admin = create_engine(MYSQL, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS omnicrm_test_faults"))
            connection.execute(text("CREATE DATABASE omnicrm_test_faults CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
        sets |= {
            "database.url": f"{MYSQL}/omnicrm_test_faults",
            "charging.url": f"sqlite:///{data / 'charging.db'}",
        }
    # A section of the operator's own, as a configuration file may hold it.
    own = {"": {"olt": {"url": f"http://127.0.0.1:{ports['olt']}"}}}
    parts = root.build(root.prepare(replace(_load(data, sets), extra=own)))
    _fill(parts)
    store = SandboxStore(data / "outside.db")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()
    asyncio.run_coroutine_threadsafe(_open(stack, parts, store, around), loop).result(60)
    found = _furnish(parts, around, store)
    yield found
    asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(60)
    parts.ports[root.PlaybookRunner].close()
    around.close()
    asyncio.run_coroutine_threadsafe(parts.db.aclose(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
    parts.queue.close()
    parts.db.close()
    store.close()
    if admin is not None:
        with admin.connect() as connection:
            connection.execute(text("DROP DATABASE omnicrm_test_faults"))
        admin.dispose()


def _settings(ports: dict[str, int]) -> dict[str, str]:
    url = "http://127.0.0.1:{}/sandbox/{}"
    return {
        "server.port": str(ports["crm"]),
        "ocs.listen": f"127.0.0.1:{ports['engine']}",
        "hss.hss_peers": str([url.format(ports["hss"], f"hss/{peer}") for peer in (1, 2)]),
        "smsc.smsc_url": url.format(ports["smsc"], "smsc/"),
        "mailjet.base_url": url.format(ports["mailjet"], "mailjet"),
        "provisioning.late_answer_seconds": "1",
    }


async def _open(stack: AsyncExitStack, parts: root.Parts, store: SandboxStore, around: Neighbourhood) -> None:
    """The systems behind the proxies."""

    async def serve(application: Litestar) -> int:
        server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)

        async def stop() -> None:
            server.should_exit = True
            await serving

        stack.push_async_callback(stop)
        return int(server.servers[0].sockets[0].getsockname()[1])

    around.proxies["crm"].target = await serve(
        await asyncio.to_thread(root.create_app, parts, with_charging=False, with_workers=False)
    )
    sandbox = await serve(Litestar(sandbox_routes(store)))
    for system in ("hss", "smsc", "mailjet"):
        around.proxies[system].target = sandbox
    around.proxies["olt"].target = await serve(Litestar([_olt(around.lines)]))
    engine = around.proxies["engine"].target = free_port()
    settings = parts.settings
    behind = replace(parts, settings=replace(settings, ocs=replace(settings.ocs, listen=f"127.0.0.1:{engine}")))
    await stack.enter_async_context(background.charging(behind))


def _olt(lines: set[str]) -> Any:
    """The OLT that the shipped tasks are written for: a line is lit by PUT and taken down by DELETE."""

    @route("/ont/{serial:str}", http_method=["PUT", "DELETE"], status_code=200)
    async def ont(serial: FromPath[str], request: Request[Any, Any, Any]) -> dict[str, str]:
        if request.method == "PUT":
            lines.add(serial)
        else:
            lines.discard(serial)
        return {}

    return ont


def _furnish(parts: root.Parts, around: Neighbourhood, store: SandboxStore) -> Town:
    for item, labels in LABELS.items():
        named = {f"itemtext{place}_label": label for place, label in enumerate(labels, 1)}
        _add(parts, "inventory_template", item=item, wholesale_cost=1, retail_cost=2, **named)
    person = {
        "contact_firstname": "Ann",
        "contact_lastname": "Lee",
        "contact_email": "ann@example.org",
        "contact_phone": "+44 1481 200200",
        "contact_types": "Primary,Billing",
    }
    customer = _add(parts, "customer", customer_name="Ann Lee", contacts=[person])
    products = {
        name: _add(
            parts,
            "product",
            product_name=name,
            product_slug=name,
            provisioning_play=play,
            provisioning_json_vars=values or "",
            inventory_items_list=list(items),
            category="addon" if extends else "standalone",
            service_type="mobile",
            retail_cost=15,
            retail_setup_cost=10,
            auto_renew="true",
            allow_auto_renew=True,
        )
        for name, (play, values, items, extends) in PLAYS.items()
    }
    parts.ports[root.PlaybookRunner].start()
    town = Town(parts, around, store, customer, products)
    first = town.order("mobile", town.stock((SIM, NUMBER)))
    town.work()
    assert town.job(first).provisioning_status == 0, town.job(first).error
    (town.service,) = town.made(first)
    return town


@pytest.fixture
def whole(town: Town) -> Iterator[Town]:
    """The town with all its neighbours at work, before and after the test."""
    town.around.mend()
    yield town
    town.around.mend()
