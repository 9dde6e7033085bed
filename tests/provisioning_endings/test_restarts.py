"""A worker that stops or dies between two steps: a job goes on from there, and nothing is done twice."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from omnicrm.domain import jobs
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.errors import Conflict
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.actions import Started
from omnicrm.domain.services.models import CustomerService
from tests.provisioning_endings.conftest import STAFF, Product

SUCCESS, FAILED = 0, 2
ENDS_ONLY = """
- name: End a line
  hosts: localhost
  gather_facts: no
  tasks:
    - name: Remove the line from the switch
      uri: {url: "{{ crm_config.hss.hss_peers[0] }}/line/{{ service_uuid }}", method: DELETE}
"""


def change_service(product: Product, **columns: Any) -> None:
    """Set what pages cannot."""
    statement = update(CustomerService).where(CustomerService.service_id == product.service).values(columns)

    def write(session: Any) -> None:
        session.info.update(actor=SYSTEM, now=product.parts.door.clock(), currency="USD", bulk=True)
        session.execute(statement)

    product.parts.db.write(write)


def test_a_deprovision_that_a_restart_stops_is_run_again_to_its_end(product: Product) -> None:
    product.switch.answers = {"DELETE /line/Old": threading.Event()}
    job = product.deprovision()
    held = replace(product.claim("provision.run"), stopping=product.switch.reached.is_set)
    product.work("provision.run", held)
    assert product.job(job).error == "The worker of this job stopped."
    assert [args["kind"] for args, _ in product.waiting()] == ["play"]
    product.switch.reset()
    product.work("provision.clean")
    assert (product.job(job).provisioning_status, product.left(job)) == (SUCCESS, [])
    assert "DELETE /line/Old_1" in product.switch.calls


def test_an_order_that_a_restart_stops_was_interrupted_and_not_cancelled(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": threading.Event()}
    job = product.order("guarded")
    product.work("provision.run", replace(product.claim("provision.run"), stopping=product.switch.reached.is_set))
    product.switch.reset()
    product.work("provision.clean")
    assert product.job(job).error.startswith("The worker of this job stopped.")
    assert ("The job was interrupted", FAILED) in product.events(job)
    assert product.world() == before


def test_a_clean_up_whose_worker_dies_after_its_end_is_not_run_with_items_of_another_order(product: Product) -> None:
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 500}
    job = product.order("guarded")
    product.work("provision.run")
    product.switch.answers = {}
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    clean = product.claim("provision.clean")
    jobs.KINDS["provision.clean"].run(product.parts.runtime, clean)  # and here the process is killed
    assert product.reserved() == []
    other = product.order("guarded")
    product.work("provision.run")
    assert product.job(other).provisioning_status == SUCCESS
    product.switch.calls.clear()
    product.lose(clean)
    assert (product.waiting(), product.switch.calls) == ([], [])
    assert product.job(job).provisioning_status == FAILED


def test_a_further_try_of_a_deprovision_is_over_with_the_items_that_it_frees(product: Product) -> None:
    product.link_sim()
    product.switch.answers = {"DELETE /line/Old": 500}
    job = product.deprovision()
    product.work("provision.run")
    product.switch.answers = {}
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    clean = product.claim("provision.clean")
    jobs.KINDS["provision.clean"].run(product.parts.runtime, clean)  # and here the process is killed
    assert product.world()["sim"] == ("Used", None, None, None)
    product.lose(clean)
    assert product.waiting() == []


def test_a_play_that_only_ends_services_is_run_again_without_a_guard(product: Product) -> None:
    folder = product.parts.settings.provisioning.plays_dir
    assert folder is not None
    (folder / "ends_only.yaml").write_text(ENDS_ONLY)
    change_service(product, deprovisioning_play="ends_only")
    job = product.deprovision()
    product.lose(product.claim("provision.run"))
    product.work("provision.lost")
    assert product.work("provision.clean") is None
    assert product.job(job).provisioning_status == SUCCESS
    assert product.switch.calls == ["DELETE /line/Old_1"]


def test_a_retry_takes_over_what_waits_for_a_system_that_is_away(product: Product) -> None:
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 503}
    job = product.order("guarded")
    product.work("provision.run")
    assert len(product.waiting()) == 1
    product.switch.answers = {}
    again = product.parts.door.act_now(actions.retry, STAFF, Started(job)).provision_id
    # It would remove what the new job makes of the same SIM.
    assert (product.waiting(), product.reserved()) == ([], [product.sim])
    product.work("provision.run")
    assert product.job(again).provisioning_status == SUCCESS


def test_a_service_in_use_again_is_not_ended_by_a_clean_up_of_its_former_end(product: Product) -> None:
    product.link_sim()
    product.switch.answers = {"DELETE /line/Old": 500}
    job = product.deprovision()
    product.work("provision.run")
    change_service(product, service_status="Active")
    with pytest.raises(Conflict, match="in use again"):
        product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    assert product.waiting() == []
