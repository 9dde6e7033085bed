"""What a failed job changed at a service that was there before is set back, but not what somebody else wanted since."""

from __future__ import annotations

from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.action import ACTIONS, action
from omnicrm.domain.actor import SYSTEM, Actor, JobScope
from omnicrm.domain.provisioning.queries import JOB_PERMISSIONS
from omnicrm.domain.resource import Write
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.resource import services
from omnicrm.domain.services.setting_back import set_back
from tests.provisioning_orders.conftest import Shop

CLERK = Actor("Ann (job 7)", 1, frozenset({"admin"}))


@pytest.fixture
def undo(parts: root.Parts) -> Any:
    before = dict(ACTIONS)
    undoing = action("test.set_back", permission="admin")(lambda ctx, cmd: set_back(ctx, cmd, 7))
    yield lambda service_id: parts.door.act_now(undoing, SYSTEM, service_id)
    ACTIONS.clear()
    ACTIONS.update(before)


def test_the_changes_of_a_job_are_set_back_once(parts: root.Parts, shop: Shop, undo: Any) -> None:
    number = shop.services["alice"]
    # Under the clerk's name: whose change it is does not hang on what he calls himself.
    job = Actor(CLERK.name, 1, JOB_PERMISSIONS, job=JobScope(7, shop.alice, service_ids=frozenset({number})))

    def change(actor: Actor, **values: Any) -> None:
        parts.door.act_now(services.actions["update"], actor, Write(number, values))

    def now() -> tuple[Any, ...]:
        row = parts.door.read_now(lambda session: session.get_one(CustomerService, number))
        return row.service_status, row.service_deactivate_date, row.retail_cost_minor, row.service_notes

    change(CLERK, retail_cost=15.5, service_notes="kept", service_deactivate_date="2030-01-02T03:04:05Z")
    before = now()
    change(job, service_status="Suspended", retail_cost=1, service_notes="by the job")
    change(job, service_status="Active", service_deactivate_date="2031-01-01T00:00:00Z", retail_cost=2)
    change(CLERK, service_notes="by the clerk, later")
    assert set(undo(number)) == {"service_deactivate_date", "retail_cost"}
    assert now() == (*before[:3], "by the clerk, later")
    change(CLERK, retail_cost=20)
    assert undo(number) == ()
    assert now()[2] == 2000
