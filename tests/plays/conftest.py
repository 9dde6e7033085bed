"""Runs a shipped play by ansible-playbook alone, against a stub CRM and the real sandboxes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from litestar import Litestar

from omnicrm.integrations.sandbox import SandboxStore, sandbox_routes
from omnicrm.paths import PLAYBOOKS
from tests.plays.stub_crm import TOKEN, StubCrm

IMSI = "505931234567890"


@dataclass
class World:
    """The outside of a play: `run(play, **variables)` returns (exit code, what ansible printed)."""

    crm: StubCrm
    store: SandboxStore
    config: dict[str, Any]
    run: Callable[..., tuple[int, str]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
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
        given = {"crm_config": config, "access_token": TOKEN, "initiating_user": 1, "customer_id": 7, "product_id": 3}
        values = tmp_path / "vars.json"
        values.write_text(json.dumps({**given, **variables}))
        return _play(play, values, tmp_path)

    yield World(crm, store, config, run)
    crm.close()
    server.should_exit = True
    thread.join(timeout=10)
    store.close()


def _play(play: str, values: Path, folder: Path) -> tuple[int, str]:
    program = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "ansible-playbook is missing"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_DISPLAY_OK_HOSTS": "true",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true",
        "MAILJET_API_KEY": "mail-key",
        "MAILJET_SECRET": "mail-secret",
    }
    done = subprocess.run(
        [program, "-i", "localhost,", "-c", "local", "-e", f"@{values}", str(PLAYBOOKS / "plays" / f"{play}.yaml")],
        env={**environment, **{k: v for k, v in os.environ.items() if k == "ANSIBLE_ACTION_PLUGINS"}},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


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
    # An item of another service of the same customer: no play may touch it.
    crm.inventory[503] = {
        "inventory_id": 503, "item": "SIM Card", "item_state": "Assigned", "customer_id": 7, "service_id": 99,
        "itemtext1": "8944000000000000002", "itemtext2": "505931234567899",
    }  # fmt: skip
    return crm
