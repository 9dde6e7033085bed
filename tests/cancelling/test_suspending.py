"""Suspending and resuming: the engine follows before the status changes, and nothing is lost on the way (OC-21)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.alerts import open_alerts
from omnicrm.domain.errors import Conflict
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import cancelling, suspending
from omnicrm.domain.provisioning.cancelling import Cancel
from tests.cancelling.conftest import PLAN, SHARED, Port
from tests.cancelling.test_cancelling import BOSS, change, jobs, patch, service
from tests.provisioning_orders.conftest import Shop

Work = Callable[[], list[str]]


def suspend(parts: root.Parts, shop: Shop, who: Actor = BOSS) -> Job:
    return parts.door.act_now(suspending.suspend, who, shop.services["alice"])


def unsuspend(parts: root.Parts, shop: Shop) -> Job:
    return parts.door.act_now(suspending.unsuspend, BOSS, shop.services["alice"])


async def test_a_suspended_service_is_blocked_and_pauses_its_plans_until_it_is_resumed(
    admin: Any, parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    """OCS-118, decision 11."""
    path = f"/crm/service/{shop.services['alice']}"
    assert (await admin.post(f"{path}/unsuspend")).status_code == 409
    assert (await admin.post(f"{path}/suspend")).status_code == 200
    assert service(parts, shop).service_status == "Active", "the engine has not been told yet"
    work()
    assert (service(parts, shop).service_status, engine.is_disabled(), engine.plans()) == ("Suspended", True, set())
    assert engine.plans("uuid_bob") == {SHARED}
    assert (await admin.post(f"{path}/suspend")).status_code == 409
    assert (await admin.post(f"{path}/unsuspend")).status_code == 200
    work()
    assert (service(parts, shop).service_status, engine.is_disabled()) == ("Active", False)
    assert engine.plans() == {PLAN, SHARED}
    assert jobs(parts) == [], "a play that does not know the word is not run (PROV-224)"


def test_a_plan_that_was_removed_meanwhile_does_not_come_back(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    suspend(parts, shop)
    work()
    engine.call("ApierV1.RemoveActionPlan", {"Id": PLAN})
    unsuspend(parts, shop)
    work()
    assert (engine.plans(), engine.is_disabled()) == ({SHARED}, False)


def test_plans_of_an_earlier_suspension_do_not_come_back(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    for plans in ([PLAN, SHARED], []):
        engine.call(
            "ApierV2.SetAccount", {"Account": "uuid_alice", "ActionPlanIds": plans, "ActionPlansOverwrite": True}
        )
        for step in (suspend, unsuspend):
            step(parts, shop)
            work()
        assert engine.plans() == set(plans)


def test_while_the_engine_is_away_the_status_stays_and_an_alert_says_so(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, later: Any
) -> None:
    """OCS-121."""
    engine.away = True
    suspend(parts, shop)
    work()
    assert service(parts, shop).service_status == "Active"
    (alert,) = parts.door.read_now(open_alerts)
    assert "should be suspended" in alert.title and alert.link == f"/services/{shop.services['alice']}"
    waiting = parts.door.read_now(suspending.open_change, shop.services["alice"])
    assert waiting is not None and "connection refused" in (waiting.error or "")
    with pytest.raises(Conflict, match="being suspended already"):
        suspend(parts, shop)
    engine.away = False
    later(minutes=1)
    work()
    assert (service(parts, shop).service_status, engine.is_disabled()) == ("Suspended", True)
    assert parts.door.read_now(open_alerts) == []


def test_when_it_is_given_up_the_alert_stays_and_it_can_be_asked_for_again(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    engine.away = True
    suspend(parts, shop)
    parts.db.write(lambda session: session.execute(update(Job).values(attempts=11)))
    assert work() == ["service.set_status", "service.status_unset"]
    (alert,) = parts.door.read_now(open_alerts)
    assert "not tried any more" in alert.detail
    engine.away = False
    suspend(parts, shop)
    work()
    assert service(parts, shop).service_status == "Suspended"
    assert parts.door.read_now(open_alerts) == []


def test_a_crash_between_engine_and_status_forgets_no_plan(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    """The second run finds the account without plans, and the first one's note of them."""
    made = suspend(parts, shop)
    work()
    change(parts, shop, service_status="Active")
    again = update(Job).where(Job.job_id == made.job_id).values(state="queued")
    parts.db.write(lambda session: session.execute(again))
    work()
    unsuspend(parts, shop)
    work()
    assert engine.plans() == {PLAN, SHARED}


def test_a_service_without_charging_is_suspended_without_an_account_being_made(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    engine.call("ApierV2.RemoveAccount", {"Account": "uuid_alice"})
    for change_it in (suspend, unsuspend):
        change_it(parts, shop)
        work()
        assert engine.account("uuid_alice") is None
    assert service(parts, shop).service_status == "Active"


@pytest.mark.parametrize(("play", "word"), [("changeable", "suspend"), ("good", None)])
def test_the_play_is_run_if_it_tests_for_the_word(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, play: str, word: str | None
) -> None:
    """PC-41."""
    change(parts, shop, provisioning_play=play)
    suspend(parts, shop, Actor("Ann", 2, frozenset({"admin"})))
    work()
    made = [(job.provisioning_play, job.action, job.service_id, job.initiating_name) for job in jobs(parts)]
    assert made == ([(play, word, shop.services["alice"], "Ann")] if word else [])


def test_a_play_that_cannot_be_run_yet_does_not_hold_the_status_up(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, later: Any
) -> None:
    """It waits for its mend, and an alert says so."""
    change(parts, shop, provisioning_play="changeable,broken")
    suspend(parts, shop)
    work()
    assert (service(parts, shop).service_status, engine.is_disabled(), jobs(parts)) == ("Suspended", True, [])
    (alert,) = parts.door.read_now(open_alerts)
    assert "is suspended, but its play" in alert.title and "broken" in alert.detail
    change(parts, shop, provisioning_play="changeable")
    later(minutes=1)
    assert work() == ["service.status_play"]
    assert [(job.action, job.initiating_name) for job in jobs(parts)] == [("suspend", BOSS.name)]
    assert parts.door.read_now(open_alerts) == []


def test_a_play_that_waits_is_not_run_when_the_status_has_changed_again(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, later: Any
) -> None:
    change(parts, shop, provisioning_play="changeable,broken")
    suspend(parts, shop)
    work()
    change(parts, shop, provisioning_play="changeable")
    unsuspend(parts, shop)
    work()
    later(hours=1)
    assert work() == ["service.status_play"]
    assert jobs(parts) == []
    assert parts.door.read_now(open_alerts) == []


def test_a_play_is_run_once_when_its_worker_died_after_placing_it(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    change(parts, shop, provisioning_play="changeable")
    suspend(parts, shop)
    work()
    again = update(Job).where(Job.kind == "service.status_play").values(state="queued")
    parts.db.write(lambda session: session.execute(again))
    assert work() == ["service.status_play"]
    assert len(jobs(parts)) == 1
    assert parts.door.read_now(open_alerts) == []


@pytest.mark.parametrize("action", ["update", "suspend", "unsuspend"])
async def test_an_order_for_a_change_that_no_play_handles_is_refused(
    admin: Any, shop: Shop, left_behind: Any, action: str
) -> None:
    """PROV-224: such a run would provision a second time."""
    before = left_behind()
    answer = await admin.put("/crm/provision", {"service_id": shop.services["alice"], "action": action})
    assert (answer.status_code, set(answer.json()["errors"])) == (409, {"action"})
    assert left_behind() == before


def test_a_cancelled_service_that_was_suspended_waits_on_when_it_is_resumed(
    parts: root.Parts, shop: Shop, engine: Port, work: Work, later: Any
) -> None:
    change(parts, shop, service_status="Pending Cancellation", status_before="Active", cancel_at=later(days=3))
    suspend(parts, shop)
    work()
    unsuspend(parts, shop)
    work()
    assert service(parts, shop).service_status == "Pending Cancellation"


# ---- a status that is edited


def test_an_edited_status_takes_the_engine_along(parts: root.Parts, shop: Shop, engine: Port, work: Work) -> None:
    """OCS-115, OCS-118."""
    patch(parts, "service", shop.services["alice"], service_status="Suspended")
    work()
    assert (engine.is_disabled(), engine.plans()) == (True, set())
    patch(parts, "service", shop.services["alice"], service_status="Active")
    work()
    assert (engine.is_disabled(), engine.plans()) == (False, {PLAN, SHARED})


def test_the_last_of_several_edits_wins_in_whatever_order_their_jobs_run(
    parts: root.Parts, shop: Shop, engine: Port, later: Any, work: Work
) -> None:
    engine.away = True
    patch(parts, "service", shop.services["alice"], service_status="Suspended")
    work()
    engine.away = False
    patch(parts, "service", shop.services["alice"], service_status="Active")
    work()
    later(hours=1)
    assert work() == ["service.set_status"], "the first one comes back"
    assert (engine.is_disabled(), engine.plans()) == (False, {PLAN, SHARED})
    assert service(parts, shop).service_status == "Active"


def test_plans_survive_a_suspension_that_is_repeated(parts: root.Parts, shop: Shop, engine: Port, work: Work) -> None:
    patch(parts, "service", shop.services["alice"], service_status="Suspended")
    work()
    patch(parts, "service", shop.services["alice"], service_status="Active")
    patch(parts, "service", shop.services["alice"], service_status="Suspended")
    work()
    assert (engine.is_disabled(), engine.plans()) == (True, set())
    unsuspend(parts, shop)
    work()
    assert (engine.is_disabled(), engine.plans()) == (False, {PLAN, SHARED})


def test_a_service_that_staff_set_to_inactive_is_taken_down(
    parts: root.Parts, shop: Shop, engine: Port, work: Work
) -> None:
    """OCS-117, PROV-229."""
    change(parts, shop, provisioning_play="good")
    patch(parts, "service", shop.services["alice"], service_status="Inactive")
    work()
    (made,) = jobs(parts)
    assert (made.action, made.service_id) == ("deprovision", shop.services["alice"])


def test_a_name_that_is_edited_tells_nobody(parts: root.Parts, shop: Shop, work: Work) -> None:
    patch(parts, "service", shop.services["alice"], service_name="Line of Alice")
    assert work() == []


# ---- races and rights


def test_of_two_who_suspend_at_once_one_does(parts: root.Parts, shop: Shop) -> None:
    told: list[Any] = []
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        try:
            told.append(suspend(parts, shop).job_id)
        except Conflict as error:
            told.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len([entry for entry in told if isinstance(entry, int)]) == 1, told
    query = select(Job.job_id).where(Job.kind == suspending.KIND)
    assert len(parts.door.read_now(lambda session: session.scalars(query).all())) == 1


def test_a_service_that_ended_meanwhile_is_left_alone(parts: root.Parts, shop: Shop, engine: Port, work: Work) -> None:
    suspend(parts, shop)
    change(parts, shop, service_status="Inactive")
    work()
    assert service(parts, shop).service_status == "Inactive"
    assert engine.plans() == {PLAN, SHARED}


async def test_who_may_change_services_may_suspend_them(as_user: Any, shop: Shop) -> None:
    path = f"/crm/service/{shop.services['alice']}"
    for verb in ("suspend", "unsuspend"):
        for who, status in (("", 401), ("alice", 403), ("auditor", 403)):
            assert (await as_user(who).post(f"{path}/{verb}")).status_code == status
    assert (await as_user("agent").post(f"{path}/suspend")).status_code == 200
    assert (await as_user("agent").post("/crm/service/987654/suspend")).status_code == 404


def test_a_suspended_service_can_be_cancelled(parts: root.Parts, shop: Shop, engine: Port, work: Work) -> None:
    suspend(parts, shop)
    work()
    assert parts.door.act_now(cancelling.cancel_service, SYSTEM, Cancel(shop.services["alice"])).job is not None
