"""An order that goes through: job, reservations and queue entry in one step, and values that are data only."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain import jobs
from omnicrm.domain.actor import Actor
from omnicrm.domain.errors import Conflict
from omnicrm.domain.inventory.models import Inventory, InventoryReservation
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.actions import Ended, Lease, Order
from omnicrm.domain.provisioning.models import Provision
from tests.provisioning_orders.conftest import Shop

BOSS = Actor("boss", 1, frozenset({"admin"}))


def provision(parts: root.Parts, provision_id: int) -> Provision:
    return parts.door.read_now(lambda session: session.get_one(Provision, provision_id))


def stored(parts: root.Parts, provision_id: int) -> dict[str, Any]:
    """What the job keeps of its variables: those of the play, what was left out, what was sent."""
    query = select(Provision.variables).where(Provision.provision_id == provision_id)
    return dict(json.loads(parts.door.read_now(lambda session: session.scalar(query)) or "{}"))


def values(parts: root.Parts, provision_id: int) -> dict[str, Any]:
    return dict(stored(parts, provision_id)["values"])


def run_to_end(parts: root.Parts, provision_id: int, succeeded: bool) -> None:
    """What a worker does around the play, without the play."""
    query = select(Job.job_id).where(Job.subject_id == provision_id, Job.kind == "provision.run")
    job_id = parts.door.read_now(lambda session: session.scalars(query).one())
    row = parts.db.write(lambda session: jobs.claim(session, job_id, parts.door.clock()))
    assert row is not None
    ended = Ended(provision_id, succeeded, "" if succeeded else "refused", lease=Lease(job_id, row.lease))
    parts.door.act_now(actions.end, BOSS, ended)
    parts.db.write(lambda session: jobs.finish(session, job_id, row.lease, parts.door.clock(), None))


def reserved(parts: root.Parts) -> dict[int, int]:
    query = select(InventoryReservation.inventory_id, InventoryReservation.provision_id)
    return dict(parts.door.read_now(lambda session: session.execute(query).all()))


async def test_an_order_answers_at_once_with_its_job(admin: Any, shop: Shop, parts: root.Parts) -> None:
    answer = await admin.put("/crm/provision/", shop.order())
    assert answer.status_code == 200
    made = answer.json()
    assert made == {
        "provision_id": made["provision_id"],
        "provisioning_status": 1,
        "message": "Provisioning job created",
    }
    assert reserved(parts) == {shop.sims[0]: made["provision_id"], shop.numbers[0]: made["provision_id"]}
    query = select(Job.kind, Job.state, Job.lane, Job.max_attempts).where(Job.subject_id == made["provision_id"])
    assert parts.door.read_now(lambda session: session.execute(query).all()) == [
        ("provision.run", "queued", "plays", 1)
    ]
    read = (await admin.get(f"/crm/provision/provision_id/{made['provision_id']}")).json()
    expected = {"customer_id": shop.alice, "provisioning_status": 1, "provisioning_play": "good", "service_id": None}
    assert {key: read[key] for key in expected} == expected
    assert read["playbook_description"] == "A play with a guard"
    assert (read["customer_name"], read["provisioning_result_json"]) == ("Alice Adams", [])
    assert (read["task_count"], read["initiating_user"]) == (2, 1)


async def test_ids_may_be_text_and_an_item_may_come_under_its_identifier(
    admin: Any, shop: Shop, parts: root.Parts
) -> None:
    body = {
        "product_id": str(shop.products["mobile"]),
        "customer_id": f" {shop.alice} ",
        "SIM_Card": str(shop.sims[1]),
        "Mobile Number": shop.numbers[1],
        "Mobile_Number": shop.numbers[1],
    }
    made = await admin.post("/crm/provision", body)
    assert made.status_code == 200, made.text
    found = values(parts, made.json()["provision_id"])
    for name in ("SIM Card", "SIM_Card"):
        assert found[name] == shop.sims[1] and isinstance(found[name], int)
    assert (found["product_id"], found["customer_id"]) == (shop.products["mobile"], shop.alice)


async def test_variables_merge_with_the_later_source_winning(admin: Any, shop: Shop, parts: root.Parts) -> None:
    """PROV-137, PROV-141, PROV-144, PROV-147."""
    made = await admin.put("/crm/provision", shop.order(data_gb=5, custom_param={"a": [1, None, True]}))
    found = values(parts, made.json()["provision_id"])
    assert found["data_gb"] == 5
    assert found["custom_param"] == {"a": [1, None, True]}
    assert "service_id" not in found
    product = (await admin.get(f"/crm/product/{shop.products['mobile']}")).json()
    assert product["provisioning_json_vars"] == '{"data_gb": 10}'


async def test_staff_may_replace_the_product_s_defaults(admin: Any, shop: Shop, parts: root.Parts) -> None:
    """PROV-146: the default data_gb is gone, not merged."""
    made = await admin.put("/crm/provision", shop.order(provisioning_json_vars='{"speed": 1}'))
    found = values(parts, made.json()["provision_id"])
    assert found["speed"] == 1 and "data_gb" not in found


async def test_reserved_names_are_left_out_and_noted(admin: Any, shop: Shop, parts: root.Parts) -> None:
    """PROV-139, PC-08: nobody hands a play another token or connection."""
    sent = {
        "access_token": "forged",
        "initiating_user": 99,
        "crm_config": {"crm": {"base_url": "http://evil.example"}},
        "provision_id": 1,
        "ansible_connection": "ssh",
        "ANSIBLE_HOST": "evil.example",
        "ansible_python_interpreter": "/tmp/x",
        "hostvars": {},
        "__secret": 1,
    }
    made = await admin.put("/crm/provision", shop.order(**sent))
    assert made.status_code == 200, made.text
    key = made.json()["provision_id"]
    assert not sent.keys() & values(parts, key).keys()
    assert set(stored(parts, key)["dropped"]) == sent.keys()
    assert provision(parts, key).initiating_user == 1


@pytest.mark.parametrize(
    "text", ["{{ lookup('pipe', 'id') }}", "{% for x in y %}", "$(id)", "`id`", "!unsafe x", "a: b"]
)
async def test_a_template_in_a_value_is_kept_as_text(admin: Any, shop: Shop, parts: root.Parts, text: str) -> None:
    made = await admin.put("/crm/provision", shop.order(note=text, nested={"deep": [text]}))
    assert made.status_code == 200
    found = values(parts, made.json()["provision_id"])
    assert (found["note"], found["nested"]) == (text, {"deep": [text]})


async def test_secrets_of_an_order_are_neither_shown_nor_stored_in_clear(
    admin: Any, shop: Shop, parts: root.Parts
) -> None:
    made = await admin.put("/crm/provision", shop.order(sip_password="hunter2-hunter2"))
    key = made.json()["provision_id"]
    assert values(parts, key)["sip_password"] == "hunter2-hunter2", "the play gets it"
    assert "hunter2" not in (await admin.get(f"/crm/provision/{key}")).text
    with parts.db.engine.connect() as connection:
        assert "hunter2" not in str(connection.exec_driver_sql("SELECT * FROM `Provision`").all())
    assert "hunter2" not in (await admin.get("/crm/activity?per_page=100")).text


async def test_a_deprovision_takes_customer_product_and_account_from_the_service(
    admin: Any, shop: Shop, parts: root.Parts
) -> None:
    """PROV-128, by id or by account."""
    for sent in ({"service_id": shop.services["alice"]}, {"service_uuid": "uuid_alice"}):
        made = await admin.put("/crm/provision", {"action": "deprovision", **sent})
        assert made.status_code == 200, made.text
        row = provision(parts, made.json()["provision_id"])
        assert (row.customer_id, row.product_id) == (shop.alice, shop.products["plain"])
        assert (row.service_id, row.action) == (shop.services["alice"], "deprovision")
        assert values(parts, row.provision_id)["service_uuid"] == "uuid_alice"
        again = await admin.put("/crm/provision", {"action": "deprovision", **sent})
        assert again.status_code == 409, "one job at a time works on a service"
        run_to_end(parts, row.provision_id, succeeded=False)
    assert reserved(parts) == {}


async def test_deleting_a_service_orders_its_deprovision_and_keeps_the_record(admin: Any, shop: Shop) -> None:
    answer = await admin.delete(f"/crm/service/{shop.services['alice']}")
    assert answer.status_code == 200
    assert answer.json()["result"] == "success"
    job = (await admin.get(f"/crm/provision/{answer.json()['provision_id']}")).json()
    assert (job["action"], job["service_id"]) == ("deprovision", shop.services["alice"])
    assert (await admin.get(f"/crm/service/{shop.services['alice']}")).json()["service_status"] == "Active"


# ---- reservations


async def test_a_second_order_for_a_reserved_item_is_refused(admin: Any, shop: Shop, left_behind: Any) -> None:
    assert (await admin.put("/crm/provision", shop.order())).status_code == 200
    before = left_behind()
    answer = await admin.put("/crm/provision", shop.order(customer_id=shop.bob, **{"Mobile Number": shop.numbers[1]}))
    assert answer.status_code == 409
    assert answer.json()["errors"] == {"SIM Card": "Inventory item is no longer available"}
    assert left_behind() == before
    listed = (await admin.get("/crm/inventory?available=true&item=SIM Card&per_page=50")).json()["data"]
    assert [row["inventory_id"] for row in listed] == sorted(shop.sims[1:], reverse=True)


def test_of_two_orders_for_one_item_at_once_exactly_one_goes_through(
    parts: root.Parts, shop: Shop, left_behind: Any
) -> None:
    """PC-03, in threads: every round one job, one pair of reservations, and a Conflict for each of the others."""
    for place in range(3):
        count, outcomes, barrier = 4, [], threading.Barrier(4)

        def run(customer: int, place: int = place, outcomes: list[Any] = outcomes, barrier: Any = barrier) -> None:
            items = {"SIM Card": shop.sims[place], "Mobile Number": shop.numbers[place]}
            barrier.wait()
            try:
                outcomes.append(
                    parts.door.act_now(actions.order, BOSS, Order(shop.order(customer_id=customer, **items)))
                )
            except Exception as error:
                outcomes.append(error)

        threads = [threading.Thread(target=run, args=(1 + n % 2,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        won = [outcome for outcome in outcomes if isinstance(outcome, Provision)]
        assert len(won) == 1, outcomes
        assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not won[0]), outcomes
        held = reserved(parts)
        assert held[shop.sims[place]] == held[shop.numbers[place]] == won[0].provision_id
        assert left_behind()["Provision"] == left_behind()["job"] == place + 1


def test_a_reservation_lasts_as_long_as_its_job_and_then_its_time(parts: root.Parts, shop: Shop) -> None:
    first = parts.door.act_now(actions.order, BOSS, Order(shop.order()))
    clock = parts.door.clock
    parts.door.clock = lambda: clock() + timedelta(minutes=parts.settings.inventory.reservation_minutes + 1)
    with pytest.raises(Conflict, match="no longer available"):  # its job still waits for a worker
        parts.door.act_now(actions.order, BOSS, Order(shop.order()))

    def forget(session: Any) -> None:
        session.scalars(select(Job)).one().state = "failed"  # nobody ended the order: the time does

    parts.db.write(forget)
    second = parts.door.act_now(actions.order, BOSS, Order(shop.order()))
    assert first.provision_id != second.provision_id
    assert set(reserved(parts).values()) == {second.provision_id}


@pytest.mark.parametrize("succeeded", [True, False])
def test_the_end_of_a_job_ends_its_reservations(parts: root.Parts, shop: Shop, succeeded: bool) -> None:
    made = parts.door.act_now(actions.order, BOSS, Order(shop.order()))
    run_to_end(parts, made.provision_id, succeeded)
    assert reserved(parts) == {}
    row = provision(parts, made.provision_id)
    assert row.provisioning_status == (0 if succeeded else 2)
    item = parts.door.read_now(lambda session: session.get_one(Inventory, shop.sims[0]))
    assert (item.item_state, item.customer_id) == ("New", None)


# ---- retry and cancel


async def test_a_failed_job_is_tried_again_as_a_new_one(admin: Any, shop: Shop, parts: root.Parts) -> None:
    first = (await admin.put("/crm/provision", shop.order(data_gb=7))).json()["provision_id"]
    path = f"/crm/provision/provision_id/{first}/retry"
    assert (await admin.post(path)).status_code == 409, "it still waits"
    run_to_end(parts, first, succeeded=False)
    made = await admin.post(path)
    assert made.status_code == 200, made.text
    second = made.json()["provision_id"]
    assert second != first
    assert provision(parts, second).retry_of == first
    assert values(parts, second)["data_gb"] == 7
    assert set(reserved(parts).values()) == {second}
    assert (await admin.post(path)).status_code == 409, "the second try is under way"
    run_to_end(parts, second, succeeded=True)
    assert (await admin.post(f"/crm/provision/provision_id/{second}/retry")).status_code == 409, "nothing to try again"


async def test_a_retry_is_refused_when_its_item_is_gone(admin: Any, shop: Shop, parts: root.Parts) -> None:
    first = (await admin.put("/crm/provision", shop.order())).json()["provision_id"]
    run_to_end(parts, first, succeeded=False)
    assert (await admin.put("/crm/provision", shop.order())).status_code == 200
    assert (await admin.post(f"/crm/provision/provision_id/{first}/retry")).status_code == 409


async def test_a_waiting_job_that_is_cancelled_ends_at_once(
    admin: Any, as_user: Any, shop: Shop, parts: root.Parts
) -> None:
    made = (await admin.put("/crm/provision", shop.order())).json()["provision_id"]
    path = f"/crm/provision/provision_id/{made}/cancel"
    assert (await as_user("alice").post(path)).status_code == 403
    assert (await admin.post(path)).json() == {"result": "success", "provision_id": made}
    query = select(Job.state).where(Job.subject_id == made, Job.kind == "provision.run")
    assert parts.door.read_now(lambda session: session.scalar(query)) == "cancelled"
    assert (await admin.post(path)).status_code == 409
    assert (await admin.post("/crm/provision/provision_id/987654/cancel")).status_code == 404


async def test_a_portal_user_sees_her_job_without_its_inside(as_user: Any, shop: Shop, parts: root.Parts) -> None:
    """PROV-134."""
    made = (await as_user("alice").put("/crm/provision", {"product_id": shop.products["for_sale"]})).json()
    read = await as_user("alice").get(f"/crm/provision/{made['provision_id']}")
    assert read.status_code == 200
    hidden = {"provisioning_json_vars", "provisioning_play", "initiating_user"}
    assert not hidden & read.json().keys()
    assert (await as_user("bob").get(f"/crm/provision/{made['provision_id']}")).status_code == 404
