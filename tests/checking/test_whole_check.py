"""The whole check over a small product: silent while it is sound, and naming what was broken behind its back."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from omnicrm.domain import alerts
from omnicrm.domain.billing.models import CustomerTransaction
from omnicrm.domain.charging import models
from omnicrm.domain.checking.values import Remains, Subscriber
from omnicrm.domain.inventory.models import Inventory, InventoryReservation
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent
from omnicrm.domain.services.models import CustomerService
from tests.checking.conftest import IMSI, UUID, World

STRANGER = Subscriber("234551000009999", "447781999999")
PLAN = f"ServiceID_{UUID}__ProductID_"


def test_a_sound_product_has_no_differences(world: World, backend: str) -> None:
    report = world.check()
    assert report.is_clean, report.findings
    assert report.counts["services"] == 2 and report.counts["accounts"] == 1 and report.counts["SIMs"] == 2


def attach(world: World, product: int) -> None:
    plan = f"{PLAN}{product}__CustomerID_1"
    world.charge("ApierV1.SetActions", ActionsId="Action_X", Actions=[{"Identifier": "*log"}])
    entry = {"ActionsId": "Action_X", "Time": "*monthly"}
    world.charge("ApierV1.SetActionPlan", Id=plan, ActionPlan=[entry])
    world.charge("ApierV2.SetAccount", Account=UUID, ActionPlanIDs=[plan])


def queue_row(world: World, subject: int, **values: Any) -> int:
    now = world.parts.door.clock()
    plain = {"kind": "provision.run", "lane": "plays", "subject_id": subject, "args": {}, "run_at": now, "created": now}
    defaults = {"state": "queued", "attempts": 0, "max_attempts": 1, "lease": 0, "cancel_requested": False}
    return world.insert(Job, **{**plain, **defaults, **values})


def reserve(world: World, job: int) -> None:
    now = world.parts.door.clock()
    values = {"inventory_id": world.ids["free"], "provision_id": job, "state_before": "New"}
    world.insert(InventoryReservation, **values, expires_at=now + timedelta(minutes=5), created=now)


def charge_failed(world: World) -> None:
    row = {"customer_id": world.ids["customer"], "title": "First month", "retail_cost": 5}
    world.set(CustomerTransaction, world.add("transaction", **row), provision_id=world.ids["failed"])


def leave_event(world: World) -> None:
    row = {"provision_id": world.ids["failed"], "event_number": 1, "event_name": "Tell the HSS", "skipped": False}
    row |= {"provisioning_status": 1, "provisioning_result_json": "{}", "message": ""}
    world.insert(ProvisionEvent, **row, timestamp=world.parts.door.clock())


def give_up_post(world: World) -> None:
    now = world.parts.door.clock().replace(tzinfo=None)
    row = {"key": "k", "url": "http://u:p@hook/x?token=t", "body": "{}", "created_at": now, "next_try_at": now}
    world.engine.change(
        lambda call: call.tx.append(models.post, attempts=10, failed_at=now, last_error="status 500", **row)
    ).result(10)


BROKEN = {
    "post-given-up": give_up_post,
    "service-without-account": lambda w: w.charge("ApierV2.RemoveAccount", Account=UUID),
    "account-without-service": lambda w: w.charge("ApierV2.SetAccount", Account="Nobody"),
    "ended-service-with-account": lambda w: w.charge("ApierV2.SetAccount", Account="Local_Mobile_SIM_bb"),
    "renewal-without-plan": lambda w: w.set(CustomerService, w.ids["service"], auto_renew=True),
    "plan-without-renewal": lambda w: attach(w, w.ids["product"]),
    "service-of-failed-job": lambda w: w.set(CustomerService, w.ids["service"], made_by_provision_id=w.ids["failed"]),
    "actions-without-service": lambda w: w.charge(
        "ApierV1.SetActions", ActionsId="Action_AutoTopup_Nobody_5", Actions=[{"Identifier": "*log"}]
    ),
    "plan-without-actions": lambda w: (
        attach(w, 9),
        w.charge("APIerSv1.RemoveActions", ActionIDs=["Action_X"]),
    ),
    "filter-of-ended-service": lambda w: w.charge(
        "APIerSv1.SetFilter", ID="FLTR_ACCOUNT_Local_Mobile_SIM_bb", Rules=[{"Type": "*string", "Element": "~*req.A"}]
    ),
    "item-of-ended-service": lambda w: w.set(Inventory, w.ids["number"], service_id=w.ids["over"]),
    "free-but-linked": lambda w: w.set(Inventory, w.ids["number"], item_state="In Stock"),
    "assigned-to-nobody": lambda w: w.set(Inventory, w.ids["free"], item_state="Assigned"),
    "item-of-another-customer": lambda w: w.set(Inventory, w.ids["number"], customer_id=2),
    "reservation-without-job": lambda w: reserve(w, w.ids["failed"]),
    "sim-without-subscriber": lambda w: w.register.known.clear(),
    "subscriber-without-sim": lambda w: w.register.known.update({STRANGER.imsi: STRANGER}),
    "subscriber-with-other-number": lambda w: w.register.known.update({IMSI: Subscriber(IMSI, "447")}),
    "running-without-queue": lambda w: w.job(1),
    "worker-is-silent": lambda w: queue_row(w, 0, kind="customers.lookup", state="running"),
    "queue-after-end": lambda w: queue_row(w, w.ids["failed"]),
    "event-still-running": leave_event,
    "more-done-than-tasks": lambda w: w.set(Provision, w.ids["failed"], tasks_done=9),
    "left-behind": lambda w: w.set(
        Provision, w.ids["failed"], leftovers=json.dumps([{"where": "HSS", "what": "Delete", "text": "refused"}])
    ),
    "charge-of-failed-job": charge_failed,
    "engine-keeps-failed-job": lambda w: w.charge(
        "APIerSv1.SetFilter", w.ids["failed"], ID="F", Rules=[{"Type": "*string", "Element": "~*req.A"}]
    ),
    "run-left-behind": lambda w: w.machine.left.append(Remains(w.ids["failed"], 1, "the process 4711")),
}


#: What can be broken at the same time without one hiding the other.
TOGETHER = {
    "engine": (
        *("service-without-account", "account-without-service", "ended-service-with-account"),
        *("service-of-failed-job", "actions-without-service", "filter-of-ended-service", "post-given-up"),
    ),
    "stock": (
        *("renewal-without-plan", "item-of-another-customer", "assigned-to-nobody", "sim-without-subscriber"),
        *("subscriber-without-sim", "reservation-without-job", "plan-without-actions"),
    ),
    "jobs": (
        *("plan-without-renewal", "item-of-ended-service", "event-still-running"),
        *("more-done-than-tasks", "left-behind", "charge-of-failed-job", "engine-keeps-failed-job", "run-left-behind"),
        *("worker-is-silent",),
    ),
    "queue": ("free-but-linked", "subscriber-with-other-number", "running-without-queue", "queue-after-end"),
}


@pytest.mark.parametrize("group", TOGETHER)
def test_what_was_broken_is_named_and_nothing_else(world: World, backend: str, group: str) -> None:
    for kind in TOGETHER[group]:
        BROKEN[kind](world)
        assert kind in world.kinds()
    assert world.kinds() == sorted(TOGETHER[group])


def test_every_example_is_used() -> None:
    assert sorted(kind for group in TOGETHER.values() for kind in group) == sorted(BROKEN)


def test_what_a_job_works_on_is_left_alone(world: World) -> None:
    job = world.job(1, service_id=world.ids["service"])
    queue_row(world, job)
    reserve(world, job)
    world.charge("ApierV2.RemoveAccount", Account=UUID)
    world.charge("ApierV2.SetAccount", job, Account="New_One")
    world.register.known.clear()
    assert world.check().is_clean


def test_a_service_that_is_being_suspended_is_left_alone(world: World) -> None:
    world.set(CustomerService, world.ids["service"], service_status="Suspended")
    assert world.kinds() == ["suspended-service-not-stopped"]
    queue_row(world, world.ids["service"], kind="service.set_status", lane="short")
    assert world.check().is_clean


def test_a_difference_that_is_gone_at_the_second_look_does_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.charge("ApierV2.SetAccount", Account="Late")
    gone = lambda _seconds: world.charge("ApierV2.RemoveAccount", Account="Late")  # noqa: E731
    monkeypatch.setattr("omnicrm.domain.checking.whole.time.sleep", gone)
    assert world.check().findings == []


def test_a_silent_hss_is_named_and_the_rest_is_still_checked(world: World) -> None:
    world.register.offline = True
    world.charge("ApierV2.SetAccount", Account="Nobody")
    report = world.check()
    assert [gap.neighbour for gap in report.unchecked] == ["HSS http://hss"]
    assert [finding.kind for finding in report.findings] == ["account-without-service"]


def test_an_hss_without_a_list_is_asked_for_each_sim(world: World) -> None:
    world.register.lists = False
    world.register.known[STRANGER.imsi] = STRANGER
    report = world.check()
    assert report.is_clean and "offers no list" in report.notes[0]
    world.register.known.pop(IMSI)
    assert world.kinds() == ["sim-without-subscriber"]


def test_a_missing_charging_database_is_named_and_the_rest_is_still_checked(world: World, tmp_path: Path) -> None:
    world.engine.close()
    for path in tmp_path.glob("charging.db*"):
        path.unlink()
    world.set(Inventory, world.ids["free"], item_state="Assigned")
    report = world.check()
    assert [gap.neighbour for gap in report.unchecked] == ["charging database"]
    assert [finding.kind for finding in report.findings] == ["assigned-to-nobody"]
    assert not (tmp_path / "charging.db").exists()


def test_open_alerts_are_listed_and_are_no_difference(world: World) -> None:
    now = world.parts.door.clock()
    world.parts.db.write(lambda session: alerts.raise_alert(session, "x:1", "Look here", now, link="/provisioning/1"))
    report = world.check()
    assert report.is_clean and report.alerts == ["Look here (/provisioning/1)"]


def test_no_key_of_a_sim_is_in_the_report(world: World) -> None:
    world.register.known.clear()
    world.set(Inventory, world.ids["free"], item_state="Assigned", itemtext3="5ec2e7")
    assert "5ec2e7" not in json.dumps(world.check().shown())
