"""The token of a provisioning job: it reaches its customer and the chosen items, as long as its lease (decision 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain import jobs
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.identity import tokens
from omnicrm.domain.jobs import LEASE, Job
from omnicrm.domain.resource import RESOURCES, Write
from tests.conftest import Client


@dataclass
class Scene:
    """A running order of Alice for one SIM; other items, a service and an item of Bob."""

    client: Client
    job_id: int
    provision_id: int
    chosen: int
    other: int
    bobs: int
    alice_service: int
    bob_service: int


def token_of(parts: root.Parts, provision_id: int, job_id: int, lease: int) -> dict[str, str]:
    token = tokens.job_token("t" * 64, provision_id, job_id, lease, parts.door.clock(), 600)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def scene(parts: root.Parts, web: Any, as_user: Any, cast: Any) -> Scene:
    def add(name: str, **values: Any) -> int:
        resource = RESOURCES[name]
        return int(
            getattr(parts.door.act_now(resource.actions["create"], SYSTEM, Write(None, values)).row, resource.key)
        )

    template = add("inventory_template", item="SIM Card", wholesale_cost=1, retail_cost=2)
    items = [add("inventory", inventory_template_id=template, itemtext1=f"8944{n}") for n in range(3)]
    parts.door.act_now(
        RESOURCES["inventory"].actions["update"], SYSTEM, Write(items[2], {"customer_id": cast.bob_customer})
    )
    product = add(
        "product",
        product_name="Mobile",
        product_slug="mobile",
        provisioning_play="play_simple_service",
        inventory_items_list="['SIM Card']",
    )
    service = [
        add("service", customer_id=owner, service_name="Home", service_uuid=f"uuid_{owner}")
        for owner in (cast.alice_customer, cast.bob_customer)
    ]
    order = {"product_id": product, "customer_id": cast.alice_customer, "SIM Card": items[0]}
    made = await as_user("admin").put("/crm/provision", order)
    assert made.status_code == 200, made.text
    provision_id = made.json()["provision_id"]
    query = select(Job.job_id).where(Job.kind == "provision.run", Job.subject_id == provision_id)
    job_id = parts.db.read(lambda session: session.scalars(query).one())
    claimed = parts.db.write(lambda session: jobs.claim(session, job_id, parts.door.clock()))
    assert claimed is not None and claimed.lease == 1
    client = Client(web, token_of(parts, provision_id, job_id, 1))
    return Scene(client, job_id, provision_id, *items, *service)


async def test_a_job_reads_and_changes_its_customer_s_records(scene: Scene, cast: Any) -> None:
    job = scene.client
    assert (await job.get(f"/crm/customer/customer_id/{cast.alice_customer}")).status_code == 200
    assert (await job.get(f"/crm/service/{scene.alice_service}")).status_code == 200
    body = {"customer_id": cast.alice_customer, "attribute_name": "imsi", "attribute_value": "001"}
    assert (await job.put("/crm/attribute", body)).status_code == 200
    patched = await job.patch(f"/crm/service/{scene.alice_service}", {"service_status": "Suspended"})
    assert patched.status_code == 200
    assert (await job.get(f"/crm/provision/{scene.provision_id}")).status_code == 200


async def test_another_customer_s_records_do_not_exist_for_a_job(scene: Scene, cast: Any) -> None:
    job, bob = scene.client, cast.bob_customer
    for path in (
        f"/crm/customer/{bob}",
        f"/crm/service/{scene.bob_service}",
        f"/crm/service/service_uuid/uuid_{bob}",
        f"/crm/inventory/{scene.bobs}",
    ):
        assert (await job.get(path)).status_code == 404, path
    for path in (f"/crm/attribute/customer_id/{bob}", f"/crm/contact/customer_id/{bob}"):
        assert (await job.get(path)).json() == []
    assert [row["customer_id"] for row in (await job.get("/crm/customers")).json()["data"]] == [cast.alice_customer]
    service = {"customer_id": bob, "service_name": "Stolen", "service_uuid": "stolen"}
    for path, body in (
        ("/crm/service", service),
        ("/crm/attribute", {"customer_id": bob, "attribute_name": "a", "attribute_value": "b"}),
        ("/crm/transaction", {"customer_id": bob, "title": "Fee", "retail_cost": 1}),
        ("/crm/activity", {"customer_id": bob, "title": "Note"}),
    ):
        unknown = await job.put(path, body | {"customer_id": 987654})
        answer = await job.put(path, body)
        assert answer.status_code == unknown.status_code and answer.status_code in (400, 404), path
        assert answer.json()["message"] == unknown.json()["message"].replace("987654", str(bob))
    assert (await job.patch(f"/crm/service/{scene.bob_service}", {"service_status": "Inactive"})).status_code == 404
    assert (await job.delete(f"/crm/service/{scene.bob_service}")).status_code == 404


async def test_a_job_reaches_the_chosen_item_and_no_other_free_one(scene: Scene, cast: Any) -> None:
    job, alice = scene.client, cast.alice_customer
    assert (await job.get(f"/crm/inventory/inventory_id/{scene.chosen}")).status_code == 200
    take = {"customer_id": alice, "service_id": scene.alice_service, "item_state": "Assigned"}
    assert (await job.patch(f"/crm/inventory/inventory_id/{scene.chosen}", take)).status_code == 200
    for item in (scene.other, scene.bobs):
        assert (await job.get(f"/crm/inventory/{item}")).status_code == 404
        assert (await job.patch(f"/crm/inventory/{item}", take)).status_code == 404
    listed = (await job.get("/crm/inventory?per_page=100")).json()["data"]
    assert [row["inventory_id"] for row in listed] == [scene.chosen]
    release = {"customer_id": None, "service_id": None, "item_state": "Used"}
    assert (await job.patch(f"/crm/inventory/{scene.chosen}", release)).status_code == 200


async def test_a_job_gives_its_item_to_nobody_else(scene: Scene, cast: Any) -> None:
    answer = await scene.client.patch(f"/crm/inventory/{scene.chosen}", {"customer_id": cast.bob_customer})
    assert answer.status_code in (400, 409), answer.text
    strange = await scene.client.patch(f"/crm/inventory/{scene.chosen}", {"service_id": scene.bob_service})
    assert strange.status_code in (400, 404, 409), strange.text


async def test_a_job_removes_the_service_that_it_made_and_no_other(scene: Scene, cast: Any) -> None:
    job = scene.client
    body = {"customer_id": cast.alice_customer, "service_name": "New", "service_uuid": "made_here"}
    made = (await job.put("/crm/service", body)).json()["service_id"]
    assert (await job.delete(f"/crm/service/{scene.alice_service}")).status_code == 403
    assert (await job.delete(f"/crm/service/service_id/{made}")).json() == {"result": "success"}
    assert (await job.get(f"/crm/service/{made}")).status_code == 404
    assert (await job.get(f"/crm/service/{scene.alice_service}")).status_code == 200


async def test_a_job_is_no_administrator_although_one_started_it(scene: Scene, cast: Any, web: Any) -> None:
    job, alice = scene.client, cast.alice_customer
    for method, path, body in (
        ("PUT", "/crm/customer", {"customer_name": "X"}),
        ("PATCH", f"/crm/customer/{alice}", {"customer_name": "X"}),
        ("DELETE", f"/crm/customer/{alice}", None),
        ("PUT", "/crm/product", {"product_name": "X", "product_slug": "x"}),
        ("PATCH", "/crm/product/1", {"retail_cost": 0}),
        ("PUT", "/crm/inventory", {"item": "SIM Card", "itemtext1": "1"}),
        ("DELETE", f"/crm/inventory/{scene.chosen}", None),
        ("PUT", "/crm/inventory_template", {"item": "X"}),
        ("PUT", "/crm/contact", {"customer_id": alice, "contact_firstname": "X"}),
        ("GET", "/crm/activity", None),
        ("POST", f"/crm/provision/provision_id/{scene.provision_id}/cancel", None),
    ):
        answer = await job.request(method, path, body)
        assert answer.status_code == 403, (method, path, answer.text)
    assert (await web.get("/customers", headers=job.headers)).status_code == 303


async def test_what_a_job_writes_names_the_job(scene: Scene, cast: Any, admin: Any) -> None:
    body = {"customer_id": cast.alice_customer, "title": "Setup", "retail_cost": "5.00", "invoice_id": None}
    made = (await scene.client.put("/crm/transaction", body)).json()
    assert made["provision_id"] == scene.provision_id
    entry = (await admin.get(f"/crm/activity?entity_type=transaction&entity_id={made['transaction_id']}")).json()[
        "data"
    ][0]
    assert entry["user_name"] == f"admin (job {scene.provision_id})"
    assert entry["user_id"] == cast.admin


# ---- the lease


async def test_an_older_lease_is_refused_at_once(scene: Scene, parts: root.Parts, web: Any) -> None:
    assert (await scene.client.get("/crm/provision")).status_code == 200

    def next_lease(session: Any) -> None:
        session.get_one(Job, scene.job_id).lease = 2

    parts.db.write(next_lease)
    answer = await scene.client.get("/crm/provision")
    assert (answer.status_code, answer.json()) == (401, {"message": "The token is not valid any more."})
    newer = Client(web, token_of(parts, scene.provision_id, scene.job_id, 2))
    assert (await newer.get("/crm/provision")).status_code == 200


@pytest.mark.parametrize("error", [None, "failed"])
async def test_the_token_ends_with_its_job(scene: Scene, parts: root.Parts, error: str | None) -> None:
    assert parts.db.write(lambda session: jobs.finish(session, scene.job_id, 1, parts.door.clock(), error))
    assert (await scene.client.get("/crm/provision")).status_code == 401


async def test_the_token_of_a_dead_worker_s_run_ends_when_it_is_found(
    scene: Scene, parts: root.Parts, later: Any
) -> None:
    later(seconds=int(LEASE.total_seconds()) + 1)
    parts.db.write(lambda session: jobs.settle_lost(session, parts.door.clock()))
    assert (await scene.client.get("/crm/provision")).status_code == 401


async def test_a_token_for_a_job_that_waits_or_is_no_order_is_refused(
    scene: Scene, parts: root.Parts, web: Any
) -> None:
    for job_id, lease in ((scene.job_id, 0), (scene.job_id, 2), (987654, 1), (scene.job_id, -1)):
        client = Client(web, token_of(parts, scene.provision_id, job_id, lease))
        assert (await client.get("/crm/provision")).status_code == 401, (job_id, lease)
    forged = tokens.job_token("x" * 64, scene.provision_id, scene.job_id, 1, parts.door.clock(), 600)
    assert (await web.get("/crm/provision", headers={"Authorization": f"Bearer {forged}"})).status_code == 401


async def test_a_cleaning_run_has_the_dead_run_s_scope(scene: Scene, parts: root.Parts, web: Any, cast: Any) -> None:
    """Decision 30: the items of the order stay reachable for the run that undoes it."""

    def start_cleaning(session: Any) -> int:
        session.get_one(Job, scene.job_id).state = "failed"
        row = jobs.job_row("provision.clean", scene.provision_id, parts.door.clock())
        session.add(row)
        session.flush()
        return int(row.job_id)

    job_id = parts.db.write(start_cleaning)
    assert parts.db.write(lambda session: jobs.claim(session, job_id, parts.door.clock())) is not None
    cleaner = Client(web, token_of(parts, scene.provision_id, job_id, 1))
    assert (await cleaner.get(f"/crm/inventory/{scene.chosen}")).status_code == 200
    assert (await cleaner.get(f"/crm/inventory/{scene.other}")).status_code == 404
    assert (await scene.client.get("/crm/provision")).status_code == 401
