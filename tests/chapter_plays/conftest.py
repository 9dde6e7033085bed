"""Runs plays by the product's own runner against a stub CRM with a charging engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from omnicrm.domain.provisioning.ports import RunOutcome, RunSpec
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.paths import PLAYBOOKS
from tests.plays.stub_crm import TOKEN, StubCrm

_numbers = count(1)
Run = Callable[[str], RunOutcome]


@pytest.fixture
def crm() -> Iterator[StubCrm]:
    stub = StubCrm()
    stub.products[3] = {"product_id": 3, "product_name": "Line", "retail_cost": 12.0, "retail_setup_cost": 5.0}
    stub.customers[7] = {"customer_id": 7, "contacts": [{"contact_email": "ann@example.org", "main": True}]}
    yield stub
    stub.close()


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnsibleRunner]:
    runner = AnsibleRunner(tmp_path_factory.mktemp("runs"), PLAYBOOKS)
    runner.start()
    yield runner
    runner.close()


@pytest.fixture
def run(runner: AnsibleRunner, crm: StubCrm, tmp_path: Path) -> Run:
    """Run the text of a play for customer 7 and product 3."""

    def go(text: str) -> RunOutcome:
        (tmp_path / "play.yaml").write_text(text)
        spec = RunSpec(
            provision_id=next(_numbers),
            lease=1,
            play="play",
            plays_dirs=(tmp_path, PLAYBOOKS / "plays"),
            variables={"product_id": 3, "customer_id": 7},
            crm_config={
                "crm": {"base_url": "https://crm.example.com"},
                "ocs": {"cgrates": crm.address, "OCS": crm.address, "ocsTenant": "example.org"},
            },
            job_token=TOKEN,
            crm_url=f"http://{crm.address}",
        )
        return runner.run(spec, lambda event: None, lambda: False)

    return go
