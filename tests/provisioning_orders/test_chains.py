"""Chains: several plays for one order, each a job of its own, one after the other (PROV-206..208, PC-27)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM, Actor, JobScope
from omnicrm.domain.identity.catalogue import JOB_PERMISSIONS
from omnicrm.domain.inventory.models import InventoryReservation
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import chains
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.queries import actor_of_job
from omnicrm.domain.resource import RESOURCES, Write
from tests.provisioning_orders.conftest import Shop, finish

CHAIN = "good, addon_step ,last_step"


@pytest.fixture
def chained(shop: Shop, parts: root.Parts) -> Shop:
    """The product `mobile` runs three plays."""
    update = RESOURCES["product"].actions["update"]
    parts.door.act_now(update, SYSTEM, Write(shop.products["mobile"], {"provisioning_play": CHAIN}))
    return shop


def jobs(parts: root.Parts) -> list[Provision]:
    query = select(Provision).order_by(Provision.provision_id)
    return list(parts.door.read_now(lambda session: session.scalars(query).all()))


def values(parts: root.Parts, provision_id: int) -> dict[str, Any]:
    query = select(Provision.variables).where(Provision.provision_id == provision_id)
    return dict(json.loads(parts.door.read_now(lambda session: session.scalar(query)) or "{}")["values"])


def reserved(parts: root.Parts) -> dict[int, int]:
    query = select(InventoryReservation.inventory_id, InventoryReservation.provision_id)
    return dict(parts.door.read_now(lambda session: session.execute(query).all()))


def makes_a_service(parts: root.Parts, shop: Shop, provision_id: int, uuid: str = "uuid_made") -> int:
    """What the play of a running job does over HTTP, with the job's own rights."""
    actor = Actor("job", 1, JOB_PERMISSIONS, job=JobScope(provision_id, shop.alice))
    body = {"customer_id": shop.alice, "service_name": "Made", "service_uuid": uuid, "service_type": "mobile"}
    return int(parts.door.act_now(RESOURCES["service"].actions["create"], actor, Write(None, body)).row.service_id)


async def test_each_play_is_a_job_that_knows_the_service_of_the_first(
    admin: Any, chained: Shop, parts: root.Parts
) -> None:
    first = (await admin.put("/crm/provision", chained.order(data_gb=5))).json()["provision_id"]
    items = {chained.sims[0], chained.numbers[0]}
    assert [job.provisioning_play for job in jobs(parts)] == ["good"], "the others wait"
    made = makes_a_service(parts, chained, first)
    finish(parts, first)
    one, two = jobs(parts)
    assert (two.provisioning_play, two.provisioning_status, two.chain_first) == ("addon_step", 1, first)
    assert (one.service_id, two.service_id) == (made, made)
    assert (two.playbook_description, two.initiating_name) == ("An add-on", one.initiating_name)
    given = values(parts, two.provision_id)
    assert (given["service_id"], given["data_gb"], given["SIM Card"]) == (made, 5, chained.sims[0])
    assert reserved(parts) == dict.fromkeys(items, two.provision_id), "the items stay reserved"
    finish(parts, two.provision_id)
    three = jobs(parts)[2]
    assert (three.provisioning_play, three.chain_first) == ("last_step", first)
    finish(parts, three.provision_id)
    assert len(jobs(parts)) == 3
    assert reserved(parts) == {}
    assert {job.provisioning_status for job in jobs(parts)} == {0}


async def test_a_step_that_fails_ends_the_chain_and_says_which(admin: Any, chained: Shop, parts: root.Parts) -> None:
    first = (await admin.put("/crm/provision", chained.order())).json()["provision_id"]
    made = makes_a_service(parts, chained, first)
    finish(parts, first)
    second = jobs(parts)[1].provision_id
    finish(parts, second, succeeded=False, message="no tuner")
    assert len(jobs(parts)) == 2, "the last play has no job"
    steps = parts.door.read_now(lambda session: chains.steps_of(session, session.get_one(Provision, first)))
    assert [(step.play, step.provision_id, step.status) for step in steps] == [
        ("good", first, 0),
        ("addon_step", second, 2),
        ("last_step", None, None),
    ]
    assert (await admin.get(f"/crm/service/{made}")).json()["service_status"] == "Active", "what was done stays"
    assert reserved(parts) == {}


async def test_the_failed_step_is_tried_again_and_the_rest_follows(
    admin: Any, chained: Shop, parts: root.Parts
) -> None:
    first = (await admin.put("/crm/provision", chained.order())).json()["provision_id"]
    made = makes_a_service(parts, chained, first)
    item = {"customer_id": chained.alice, "service_id": made}
    actor = Actor(
        "job", 1, JOB_PERMISSIONS, job=JobScope(first, chained.alice, frozenset(chained.sims), frozenset({made}))
    )
    parts.door.act_now(RESOURCES["inventory"].actions["update"], actor, Write(chained.sims[0], item))
    finish(parts, first)
    second = jobs(parts)[1].provision_id
    finish(parts, second, succeeded=False)
    answer = await admin.post(f"/crm/provision/provision_id/{second}/retry")
    assert answer.status_code == 200, answer.text
    again = answer.json()["provision_id"]
    assert reserved(parts) == {chained.numbers[0]: again}, "the SIM has its service already"
    assert values(parts, again)["service_id"] == made
    finish(parts, again)
    last = jobs(parts)[-1]
    assert (last.provisioning_play, last.chain_first, last.service_id) == ("last_step", first, made)
    finish(parts, last.provision_id)
    steps = parts.door.read_now(lambda session: chains.steps_of(session, session.get_one(Provision, last.provision_id)))
    assert [(step.provision_id, step.status) for step in steps] == [(first, 0), (again, 0), (last.provision_id, 0)]


async def test_an_item_that_another_customer_got_meanwhile_refuses_the_retry(
    admin: Any, chained: Shop, parts: root.Parts
) -> None:
    first = (await admin.put("/crm/provision", chained.order())).json()["provision_id"]
    finish(parts, first)
    second = jobs(parts)[1].provision_id
    finish(parts, second, succeeded=False)
    update = RESOURCES["inventory"].actions["update"]
    parts.door.act_now(update, SYSTEM, Write(chained.sims[0], {"customer_id": chained.bob}))
    answer = await admin.post(f"/crm/provision/provision_id/{second}/retry")
    assert (answer.status_code, set(answer.json()["errors"])) == (409, {"SIM Card"})


async def test_a_request_may_name_its_chain(admin: Any, shop: Shop, parts: root.Parts) -> None:
    body = {"product_id": shop.products["plain"], "customer_id": shop.alice}
    made = await admin.put("/crm/provision", body | {"provisioning_chain": ["addon_step", "last_step"]})
    assert made.status_code == 200, made.text
    assert "provisioning_chain" not in values(parts, made.json()["provision_id"])
    finish(parts, made.json()["provision_id"])
    assert [job.provisioning_play for job in jobs(parts)] == ["addon_step", "last_step"]


@pytest.mark.parametrize(
    ("chain", "field", "word"),
    [
        (["good", "absent_play"], "provisioning_play", "absent_play.yaml does not exist"),
        (["good", "broken"], "provisioning_play", "broken.yaml, line"),
        (["good", "misplaced"], "provisioning_play", "line 4"),
        (["good", "../good"], "provisioning_play", "no play name"),
        ([], "provisioning_chain", "list of play names"),
        ([1], "provisioning_chain", "list of play names"),
        ({"a": 1}, "provisioning_chain", "list of play names"),
        ("good", "provisioning_chain", "list of play names"),
        (["good"] * 21, "provisioning_play", "20 plays at most"),
    ],
    ids=str,
)
async def test_all_plays_are_checked_before_the_first_starts(
    admin: Any, shop: Shop, left_behind: Any, chain: Any, field: str, word: str
) -> None:
    before = left_behind()
    body = {"product_id": shop.products["plain"], "customer_id": shop.alice, "provisioning_chain": chain}
    answer = await admin.put("/crm/provision", body)
    assert answer.status_code == 400
    assert word in answer.json()["errors"][field], answer.text
    assert left_behind() == before


async def test_a_portal_user_names_no_chain(as_user: Any, shop: Shop, left_behind: Any) -> None:
    before = left_behind()
    body = {"product_id": shop.products["for_sale"], "provisioning_chain": ["good"]}
    answer = await as_user("alice").put("/crm/provision", body)
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {"provisioning_chain"})
    assert left_behind() == before


async def test_a_play_that_vanished_meanwhile_still_gets_its_job(
    admin: Any, chained: Shop, parts: root.Parts, plays_dir: Any
) -> None:
    """It fails in its own run; the end of the job before it must not fail for it."""
    first = (await admin.put("/crm/provision", chained.order())).json()["provision_id"]
    gone = (plays_dir / "addon_step.yaml").read_text()
    (plays_dir / "addon_step.yaml").unlink()
    try:
        finish(parts, first)
    finally:
        (plays_dir / "addon_step.yaml").write_text(gone)
    assert [(job.provisioning_play, job.provisioning_status) for job in jobs(parts)] == [("good", 0), ("addon_step", 1)]


def test_a_job_reaches_what_its_chain_and_its_bundle_made_and_nothing_else(parts: root.Parts, shop: Shop) -> None:
    """PROV-207, PROV-209; a job without a service reaches none by having none."""

    def run(**columns: Any) -> tuple[int, int]:
        def write(session: Any) -> tuple[int, int]:
            now = parts.door.clock()
            row = Provision(customer_id=shop.alice, provisioning_play="good", created=now, **columns)
            session.info.update(actor=SYSTEM, now=now, currency="USD")
            session.add(row)
            session.flush()
            job = Job(kind="provision.run", lane="plays", subject_id=row.provision_id, state="running", lease=1)
            job.run_at = job.created = now
            session.add(job)
            session.flush()
            return row.provision_id, job.job_id

        return parts.db.write(write)

    first, first_job = run()
    made = makes_a_service(parts, shop, first)
    parent = shop.services["alice"]
    body = {"customer_id": shop.alice, "service_name": "TV", "service_uuid": "uuid_tv", "bundled_parent": parent}
    part = parts.door.act_now(RESOURCES["service"].actions["create"], SYSTEM, Write(None, body)).row.service_id
    _, later_job = run(chain_first=first)
    _, on_parent = run(service_id=parent)
    _, alone = run()

    def reach(job_id: int) -> set[int]:
        actor = parts.door.read_now(actor_of_job, job_id, 1)
        assert actor is not None and actor.job is not None
        return set(actor.job.service_ids)

    assert reach(first_job) == reach(later_job) == {made}
    assert reach(on_parent) == {parent, part}
    assert reach(alone) == set()


def test_a_bundle_links_its_services_within_one_customer_only(parts: root.Parts, shop: Shop) -> None:
    actor = Actor("job", 1, JOB_PERMISSIONS, job=JobScope(1, shop.alice))
    body = {"customer_id": shop.alice, "service_name": "TV", "service_uuid": "uuid_tv"}
    with pytest.raises(Exception, match="does not exist"):
        parts.door.act_now(
            RESOURCES["service"].actions["create"], actor, Write(None, body | {"bundled_parent": shop.services["bob"]})
        )


async def test_a_product_without_a_service_is_a_success(admin: Any, shop: Shop, parts: root.Parts) -> None:
    """PROV-211."""
    body = {"product_id": shop.products["plain"], "customer_id": shop.alice}
    key = (await admin.put("/crm/provision", body)).json()["provision_id"]
    finish(parts, key)
    read = (await admin.get(f"/crm/provision/{key}")).json()
    assert (read["provisioning_status"], read["service_id"]) == (0, None)


async def test_a_chain_is_taken_down_in_the_opposite_order(admin: Any, chained: Shop, parts: root.Parts) -> None:
    service = chained.services["alice"]

    def set_play(session: Any) -> None:
        from omnicrm.domain.services.models import CustomerService

        session.info.update(actor=SYSTEM, now=parts.door.clock(), currency="USD", bulk=True)
        session.get_one(CustomerService, service).provisioning_play = CHAIN

    parts.db.write(set_play)
    key = (await admin.delete(f"/crm/service/{service}")).json()["provision_id"]
    for _ in range(3):
        assert (await admin.get(f"/crm/service/{service}")).json()["service_status"] == "Active"
        finish(parts, jobs(parts)[-1].provision_id)
    assert [(job.provisioning_play, job.action) for job in jobs(parts)] == [
        ("last_step", "deprovision"),
        ("addon_step", "deprovision"),
        ("good", "deprovision"),
    ]
    assert jobs(parts)[0].provision_id == key
    assert (await admin.get(f"/crm/service/{service}")).json()["service_status"] == "Inactive"
