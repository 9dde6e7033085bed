"""Runs a shipped play by the product's runner alone, against a stub CRM and the real sandboxes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from litestar import Litestar

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.provisioning.ports import IGNORED, RUNNING, RunSpec, TaskEvent
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.integrations.sandbox import SandboxStore, sandbox_routes
from omnicrm.paths import PLAYBOOKS
from omnicrm.views.jsonrpc import serve
from tests.plays.stub_crm import TOKEN, StubCrm

IMSI = "505931234567890"
TENANT = "example.org"
_numbers = count(1)


@dataclass
class World:
    """The outside of a play: `run(play, **variables)` returns (exit code, how the tasks ended)."""

    crm: StubCrm
    store: SandboxStore
    config: dict[str, Any]
    run: Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnsibleRunner]:
    runner = AnsibleRunner(tmp_path_factory.mktemp("runs"), PLAYBOOKS)
    runner.start()
    yield runner
    runner.close()


@pytest.fixture
def world(tmp_path: Path, runner: AnsibleRunner) -> Iterator[World]:
    store = SandboxStore(tmp_path / "sandbox.db")
    server = uvicorn.Server(uvicorn.Config(Litestar(sandbox_routes(store)), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    sandbox = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/sandbox"
    crm = _stocked()
    config = {
        "crm": {"base_url": f"http://{crm.address}"},
        "ocs": {"cgrates": crm.address, "OCS": crm.address, "ocsTenant": "example.org"},
        "hss": {"hss_peers": [f"{sandbox}/hss/1", f"{sandbox}/hss/2"], "apn_list": "1,2"},
        "smsc": {"source_msisdn": "Example", "smsc_url": f"{sandbox}/smsc/", "api_key": "sms-key"},
        "mailjet": {"base_url": f"{sandbox}/mailjet"},
    }

    def run(play: str, **variables: Any) -> tuple[int, str]:
        number = next(_numbers)
        given = {"initiating_user": 1, "customer_id": 7, "product_id": 3, "provision_id": number, **variables}
        events: list[TaskEvent] = []
        spec = RunSpec(
            provision_id=number,
            lease=1,
            play=play,
            plays_dirs=(PLAYBOOKS / "plays",),
            variables=given,
            crm_config=config,
            job_token=TOKEN,
            crm_url=f"http://{crm.address}",
            env={"MAILJET_API_KEY": "mail-key", "MAILJET_SECRET": "mail-secret"},
        )
        outcome = runner.run(spec, events.append, lambda: False)
        return outcome.exit_code or 0, _told(events)

    yield World(crm, store, config, run)
    crm.close()
    server.should_exit = True
    thread.join(timeout=10)
    store.close()


def _told(events: list[TaskEvent]) -> str:
    """The tasks that ended and how, as text; "...ignoring" follows a request whose failure was passed over."""
    lines = []
    for event in {event.number: event for event in events if event.status != RUNNING}.values():
        passed_over = event.status == IGNORED and event.action == "uri"
        lines.append(f"TASK [{event.name}] {event.message}{' ...ignoring' if passed_over else ''}")
    return "\n".join(lines)


def _stocked() -> StubCrm:
    crm = StubCrm()
    crm.products[3] = {
        "product_id": 3,
        "product_name": "Prepaid Mobile 20 GB",
        "product_slug": "mobile-20",
        "service_type": "mobile",
        "retail_cost": 15.0,
        "wholesale_cost": 5.0,
        "retail_setup_cost": 10.0,
        "wholesale_setup_cost": 1.0,
        "comment": "{{ lookup('pipe', 'echo evaluated') }}",
        "icon": "fa-solid fa-sim-card",
    }
    ann = {
        "contact_email": "ann@example.org",
        "contact_firstname": "Ann <b> {{ lookup('pipe', 'echo pwned') }}",
        "contact_lastname": "Lee",
    }
    crm.customers[7] = {
        "customer_id": 7,
        "contacts": [
            {**ann, "contact_phone": "+44 7700 900999"},
            {"contact_email": None, "contact_firstname": "No", "contact_lastname": "Mail"},
        ],
    }
    free = {"customer_id": None, "service_id": None}
    crm.inventory[501] = {
        "inventory_id": 501, "item": "SIM Card", "item_state": "In Stock", **free, "itemtext1": "8944000000000000001",
        "itemtext2": IMSI, "iccid": "8944000000000000001", "imsi": IMSI, "ki": "5ec2e7" * 5, "opc": "0bc0de" * 5,
    }  # fmt: skip
    crm.inventory[502] = {
        "inventory_id": 502, "item": "Mobile Number", "item_state": "New", **free, "itemtext1": "+44 7700 900123",
        "msisdn": "+44 7700 900123",
    }  # fmt: skip
    crm.inventory[504] = {
        "inventory_id": 504, "item": "Modem Router", "item_state": "In Stock", **free, "itemtext1": "AX3000",
        "itemtext2": "SN1", "itemtext3": "Old_Network", "itemtext4": "old-psk", "management_url": "",
        "management_username": "", "management_password": "old-password", "config_content": "# the former one",
        "inventory_notes": "", "address_line_1": "", "city": "", "created": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    crm.sites.append({"site_id": 12, "address_line_1": "1 High Street", "city": "St Peter Port", "state": None})
    # An item of another service of the same customer: no play may touch it.
    crm.inventory[503] = {
        "inventory_id": 503, "item": "SIM Card", "item_state": "Assigned", "customer_id": 7, "service_id": 99,
        "itemtext1": "8944000000000000002", "itemtext2": "505931234567899",
    }  # fmt: skip
    return crm


@pytest.fixture
def engine(world: World, tmp_path: Path) -> Iterator[Engine]:
    """A charging engine without play fixes in the place of the stub's."""
    engine = Engine.open(f"sqlite:///{tmp_path / 'charging.db'}", tenant="another.org", play_fixes=False)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(Door(engine), "127.0.0.1", 0), loop).result()
    world.config["ocs"] = {"cgrates": f"127.0.0.1:{server.port}", "OCS": "unused", "ocsTenant": TENANT}
    yield engine
    asyncio.run_coroutine_threadsafe(server.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    engine.close()


def everything(engine: Engine) -> list[str]:
    """What the engine still holds of accounts, plans, actions, profiles and filters."""
    left = [account["ID"] for account in engine.call("ApierV2.GetAccounts", {"Tenant": TENANT})]
    for method, params in (
        ("ApierV1.GetActionPlan", {"ID": ""}),
        ("ApierV2.GetActions", {}),
        ("APIerSv1.GetAttributeProfileIDs", {"Tenant": TENANT}),
        ("APIerSv1.GetFilterIDs", {"Tenant": TENANT}),
    ):
        try:
            found = engine.call(method, params)
        except EngineError:
            continue
        left += [str(entry) for entry in found]
    return left
