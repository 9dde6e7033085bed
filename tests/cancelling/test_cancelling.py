"""Cancelling a service: at once, after a grace period, by time; and what is left afterwards (PROV-229..237)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from omnicrm import app as root
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.alerts import open_alerts
from omnicrm.domain.errors import Conflict
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions, cancelling
from omnicrm.domain.provisioning.cancelling import Cancel, End
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.domain.services.models import CustomerService
from tests.cancelling.conftest import PLAN, SHARED, Port
from tests.provisioning_orders.conftest import Shop, finish

BOSS = Actor("boss", 1, frozenset({"admin"}))
Work = Callable[[], list[str]]


def service(parts: root.Parts, shop: Shop, name: str = "alice") -> CustomerService:
    return parts.door.read_now(lambda session: session.get_one(CustomerService, shop.services[name]))


def jobs(parts: root.Parts) -> list[Provision]:
    query = select(Provision).order_by(Provision.provision_id)
    return list(parts.door.read_now(lambda session: session.scalars(query).all()))


def change(parts: root.Parts, shop: Shop, name: str = "alice", **columns: Any) -> None:
    """Set what pages cannot."""
    statement = update(CustomerService).where(CustomerService.service_id == shop.services[name]).values(columns)

    def write(session: Any) -> None:
        session.info.update(actor=SYSTEM, now=parts.door.clock(), currency="USD", bulk=True)
        session.execute(statement)

    parts.db.write(write)


def patch(parts: root.Parts, resource: str, key: int, **values: Any) -> None:
    parts.door.act_now(RESOURCES[resource].actions["update"], SYSTEM, Write(key, values))


# ---- the end of a deprovision


def test_a_deprovision_leaves_an_ended_service_free_stock_and_no_charging(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, later: Any
) -> None:
    """PROV-235, OC-06, whatever the play did; here it did nothing at all."""
    patch(parts, "inventory", shop.sims[0], customer_id=shop.alice, service_id=shop.services["alice"])
    patch(parts, "inventory", shop.sims[1], customer_id=shop.alice)
    patch(parts, "service", shop.services["alice"], auto_renew=True)
    now = later(hours=1)
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    finish(parts, made.provision_id)
    row = service(parts, shop)
    assert (row.service_status, row.service_deactivate_date, row.auto_renew) == ("Inactive", now, False)
    items = parts.door.read_now(
        lambda session: session.execute(
            select(*(RESOURCES["inventory"].model.__table__.c[name] for name in ("customer_id", "service_id")))
            .where(RESOURCES["inventory"].model.__table__.c.inventory_id.in_(shop.sims[:2]))
            .order_by(RESOURCES["inventory"].model.__table__.c.inventory_id)
        ).all()
    )
    assert items == [(None, None), (shop.alice, None)], "other items of the customer stay (PROV-227)"
    assert work() == ["provision.sweep"]
    assert engine.plans() == set()
    assert engine.is_disabled()
    assert engine.plans("uuid_bob") == {SHARED}, "a plan that others share stays theirs"
    query = select(CustomerActivity.description).where(CustomerActivity.action == "sweep")
    noted = parts.door.read_now(lambda session: session.scalars(query).one())
    assert PLAN in noted and SHARED in noted and "account was still enabled" in noted


def test_what_the_play_set_stays(parts: root.Parts, shop: Shop, engine: Port, work: Work) -> None:
    """PC-13, PC-29: the words of the play are stored as they are."""
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    end = parts.door.clock()
    change(parts, shop, service_status="Deactivated", service_deactivate_date=end)
    engine.call("ApierV2.RemoveAccount", {"Account": "uuid_alice"})
    finish(parts, made.provision_id)
    work()
    row = service(parts, shop)
    assert (row.service_status, row.service_deactivate_date) == ("Deactivated", end)
    query = select(CustomerActivity).where(CustomerActivity.action == "sweep")
    assert parts.door.read_now(lambda session: session.scalars(query).all()) == [], "nothing was left to sweep"


async def test_the_customer_sees_the_service_no_more_and_staff_keep_it(
    admin: Any, as_user: Any, parts: root.Parts, shop: Shop
) -> None:
    """PROV-236."""
    path = f"/crm/service/{shop.services['alice']}"
    assert (await as_user("alice").get(path)).status_code == 200
    finish(parts, (await admin.delete(path)).json()["provision_id"])
    assert (await as_user("alice").get(path)).status_code == 404
    assert (await admin.get(path)).json()["service_status"] == "Inactive"


def test_a_deprovision_that_fails_leaves_the_service_and_can_be_repeated(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    """PROV-237."""
    for succeeds in (False, True):
        made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
        assert made is not None
        finish(parts, made.provision_id, succeeded=succeeds)
        assert service(parts, shop).service_status == ("Inactive" if succeeds else "Active")
        assert bool(engine.plans()) is True, "the sweep has not run"
    with pytest.raises(Conflict, match="ended already"):
        parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"]))


def test_an_engine_that_is_away_is_swept_later_and_an_alert_tells_when_it_never_comes_back(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, later: Any
) -> None:
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    finish(parts, made.provision_id)
    engine.away = True
    work()
    assert parts.door.read_now(open_alerts) == []
    later(minutes=1)
    engine.away = False
    work()
    assert engine.plans() == set()
    engine.away = True
    parts.db.write(lambda session: session.execute(update(Job).values(state="queued", attempts=7)))
    work()
    (alert,) = parts.door.read_now(open_alerts)
    assert (alert.severity, alert.link) == ("critical", f"/provisioning/{made.provision_id}")


@pytest.mark.parametrize(("add_on", "left"), [("plain", {SHARED}), ("mobile", {PLAN, SHARED})])
def test_removing_an_add_on_leaves_its_service(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, add_on: str, left: set[str]
) -> None:
    """PROV-100: only that product's own renewals end."""
    change(parts, shop, product_id=shop.products["for_sale"])
    values = {"action": "deprovision", "service_id": shop.services["alice"], "product_id": shop.products[add_on]}
    made = parts.door.act_now(actions.order, BOSS, actions.Order(values))
    finish(parts, made.provision_id)
    work()
    assert engine.plans() == left
    assert service(parts, shop).service_status == "Active"
    assert not engine.is_disabled()


def test_a_bundle_ends_with_its_parts(parts: root.Parts, shop: Shop, engine: Port, work: Work) -> None:
    body = {"customer_id": shop.alice, "service_name": "TV", "service_uuid": "uuid_tv", "product_id": 2}
    made = parts.door.act_now(
        RESOURCES["service"].actions["create"], SYSTEM, Write(None, body | {"bundled_parent": shop.services["alice"]})
    )
    parent = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert parent is not None
    finish(parts, parent.provision_id)
    assert "service.end" in work()
    last = jobs(parts)[-1]
    assert (last.service_id, last.action) == (made.row.service_id, "deprovision")


def test_a_part_that_is_worked_on_all_the_time_raises_an_alert(
    parts: root.Parts, shop: Shop, work: Work, engine: Port
) -> None:
    busy = {"product_id": shop.products["plain"], "service_id": shop.services["bob"]}
    parts.door.act_now(actions.order, BOSS, actions.Order(busy))
    change(parts, shop, "bob", bundled_parent=shop.services["alice"])
    parent = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert parent is not None
    finish(parts, parent.provision_id)
    parts.db.write(lambda session: session.execute(update(Job).where(Job.kind == "service.end").values(attempts=9)))
    work()
    (alert,) = parts.door.read_now(open_alerts)
    assert alert.link == f"/services/{shop.services['bob']}" and "still working" in alert.detail


def test_of_two_who_cancel_at_once_one_wins_and_the_other_reads_the_job(parts: root.Parts, shop: Shop) -> None:
    told: list[Any] = []
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        try:
            told.append(parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])))
        except Exception as error:
            told.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (made,) = jobs(parts)
    refused = [error for error in told if isinstance(error, Conflict)]
    assert len(refused) == 3, told
    assert {error.extra["provision_id"] for error in refused} == {made.provision_id}


# ---- time


def look(parts: root.Parts, work: Work) -> list[str]:
    cancelling.end_due(parts.runtime)
    return work()


def test_nothing_ends_by_itself_unless_the_configuration_says_so(
    parts: root.Parts, shop: Shop, later: Any, work: Work
) -> None:
    now = parts.door.clock()
    change(parts, shop, service_deactivate_date=now, contract_end_date=now)
    later(days=400)
    assert look(parts, work) == []
    assert jobs(parts) == []


class TestExpiry:
    @pytest.fixture
    def extra_settings(self, plays_dir: Any) -> dict[str, str]:
        return {
            "provisioning.plays_dir": str(plays_dir),
            "provisioning.deprovision_expired_days": "3",
            "provisioning.deprovision_at_contract_end": "true",
        }

    def test_a_service_that_was_not_renewed_is_ended(
        self, parts: root.Parts, shop: Shop, later: Any, work: Work
    ) -> None:
        change(parts, shop, service_deactivate_date=parts.door.clock())
        later(days=2)
        assert look(parts, work) == []
        later(days=1)
        look(parts, work)
        (made,) = jobs(parts)
        assert (made.action, made.service_id, made.initiating_user) == ("deprovision", shop.services["alice"], 1)

    @pytest.mark.parametrize("renews", [True, False])
    def test_the_end_of_a_contract_ends_what_does_not_renew(
        self, parts: root.Parts, shop: Shop, later: Any, work: Work, renews: bool
    ) -> None:
        change(parts, shop, contract_end_date=parts.door.clock(), auto_renew=renews)
        later(minutes=1)
        look(parts, work)
        assert len(jobs(parts)) == (0 if renews else 1)

    def test_looking_twice_at_once_orders_one_end(self, parts: root.Parts, shop: Shop, later: Any, work: Work) -> None:
        change(parts, shop, service_deactivate_date=parts.door.clock())
        later(days=4)
        threads = [threading.Thread(target=cancelling.end_due, args=(parts.runtime,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        look(parts, work)
        assert len(jobs(parts)) == 1
        assert look(parts, work) == [], "the job works on it"

    def test_an_end_that_fails_rests_and_one_that_is_refused_raises_an_alert(
        self, parts: root.Parts, shop: Shop, later: Any, work: Work
    ) -> None:
        change(parts, shop, service_deactivate_date=parts.door.clock())
        later(days=4)
        look(parts, work)
        finish(parts, jobs(parts)[0].provision_id, succeeded=False)
        later(hours=1)
        assert "service.end" not in look(parts, work)
        change(parts, shop, deprovisioning_play="broken")
        later(hours=6)
        look(parts, work)
        assert len(jobs(parts)) == 1
        (alert,) = parts.door.read_now(open_alerts)
        assert "broken.yaml" in alert.detail and alert.link == f"/services/{shop.services['alice']}"
        change(parts, shop, deprovisioning_play="")
        later(hours=1)
        look(parts, work)
        finish(parts, jobs(parts)[1].provision_id)
        assert parts.door.read_now(open_alerts) == []


class TestGrace:
    @pytest.fixture
    def extra_settings(self, plays_dir: Any) -> dict[str, str]:
        return {"provisioning.plays_dir": str(plays_dir), "provisioning.cancel_grace_days": "7"}

    async def test_a_cancelled_service_waits_usable_and_is_reinstated(
        self, admin: Any, parts: root.Parts, shop: Shop, later: Any, work: Work
    ) -> None:
        """PROV-231."""
        path = f"/crm/service/{shop.services['alice']}"
        answer = (await admin.delete(path)).json()
        assert answer["service_status"] == "Pending Cancellation"
        assert answer["cancel_at"] and "provision_id" not in answer
        again = await admin.delete(path)
        assert again.status_code == 409 and "cancelled already" in again.json()["message"]
        order = {"product_id": shop.products["plain"], "service_id": shop.services["alice"]}
        usable = await admin.put("/crm/provision", order)
        assert usable.status_code == 200
        finish(parts, usable.json()["provision_id"])
        simple = f"/crm/provision/simple_provision_addon/service_id/{shop.services['alice']}"
        assert (await admin.post(f"{simple}/product_id/{shop.products['for_sale']}")).status_code == 409, "not renewed"
        back = await admin.post(f"{path}/reinstate")
        assert (back.status_code, back.json()["service_status"]) == (200, "Active")
        assert (await admin.post(f"{path}/reinstate")).status_code == 409
        later(days=8)
        assert look(parts, work) == []
        assert service(parts, shop).service_status == "Active"

    def test_it_is_taken_down_when_the_time_is_over(
        self, parts: root.Parts, shop: Shop, later: Any, work: Work, engine: Port
    ) -> None:
        assert parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job is None
        later(days=6)
        assert look(parts, work) == []
        later(days=1)
        assert look(parts, work) == ["service.end"]
        (made,) = jobs(parts)
        with pytest.raises(Conflict, match="still working"):
            parts.door.act_now(cancelling.reinstate, BOSS, shop.services["alice"])
        finish(parts, made.provision_id)
        row = service(parts, shop)
        assert (row.service_status, row.cancel_at, row.status_before) == ("Inactive", None, None)

    def test_one_that_was_reinstated_in_the_last_moment_stays(
        self, parts: root.Parts, shop: Shop, later: Any, work: Work
    ) -> None:
        parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"]))
        later(days=7)
        cancelling.end_due(parts.runtime)
        parts.door.act_now(cancelling.reinstate, BOSS, shop.services["alice"])
        assert work() == ["service.end"]
        assert jobs(parts) == []

    def test_it_can_be_ended_at_once(self, parts: root.Parts, shop: Shop) -> None:
        parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"]))
        made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"], at_once=True)).job
        assert made is not None and made.action == "deprovision"

    def test_a_suspended_service_gets_no_grace(self, parts: root.Parts, shop: Shop) -> None:
        change(parts, shop, service_status="Suspended")
        assert parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job is not None

    async def test_only_those_who_may_cancel_do(self, as_user: Any, shop: Shop) -> None:
        path = f"/crm/service/{shop.services['alice']}"
        for who in ("alice", "agent", "auditor"):
            assert (await as_user(who).delete(path)).status_code == 403
            assert (await as_user(who).post(f"{path}/reinstate")).status_code == 403


def test_an_end_of_what_is_ended_does_nothing(parts: root.Parts, shop: Shop) -> None:
    change(parts, shop, deleted_at=parts.door.clock())
    assert parts.door.act_now(cancelling.end_now, SYSTEM, End(shop.services["alice"])) is None
    assert jobs(parts) == []
