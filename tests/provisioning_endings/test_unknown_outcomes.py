"""Requests without an answer, engines that are away, services that were there before: nothing is assumed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.charging.ports import ChargingEngine, EngineError
from omnicrm.domain.errors import Conflict
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.actions import Started
from omnicrm.domain.resource import RESOURCES, Write
from omnicrm.integrations.cgrates import CgratesClient
from tests.provisioning_endings.conftest import STAFF, Product

SUCCESS, FAILED, IGNORED = 0, 2, 3


def test_after_a_request_without_an_answer_the_order_is_undone_once_more_when_none_can_come(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /line": threading.Event()}
    job = product.order("guarded")
    product.work("provision.run")
    assert product.world() == before
    ((args, at),) = product.waiting()
    wait = at - product.parts.door.clock()
    assert args["kind"] == "late" and timedelta(seconds=20) < wait < timedelta(seconds=31)
    # Until then no other order may take the SIM: the switch may still do what it was told.
    with pytest.raises(Conflict, match="no longer available"):
        product.order("guarded")
    product.switch.reset()
    product.pass_time(seconds=31)
    product.work("provision.clean")
    assert f"DELETE /line/Line_{job}" in product.switch.calls
    assert (product.waiting(), product.reserved(), product.left(job)) == ([], [], [])
    assert product.world() == before


def test_the_second_look_can_be_turned_off(product: Product) -> None:
    settings = product.parts.settings
    product.parts.settings = replace(settings, provisioning=replace(settings.provisioning, late_answer_seconds=0))
    product.switch.answers = {"PUT /line": threading.Event()}
    product.order("guarded")
    product.work("provision.run")
    assert (product.waiting(), product.reserved()) == ([], [])


def test_a_top_up_that_fails_is_set_back_and_the_service_lives(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"POST /topup": 500}
    job = product.order("top_up", service_id=product.service)
    product.work("provision.run")
    product.work("provision.clean")
    assert product.world() == before
    assert product.job(job).error.endswith("Clean-up: balance DATA_5GB of Old_1 set back.")
    assert (product.left(job), product.alerts()) == ([], [])
    assert product.job(job).service_id == product.service


def test_a_step_of_a_top_up_whose_outcome_nobody_knows_is_to_be_checked(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"POST /topup": threading.Event()}
    job = product.order("top_up", service_id=product.service)
    product.work("provision.run")
    product.work("provision.clean")
    product.pass_time(seconds=31)
    product.work("provision.clean")
    assert product.waiting() == []
    assert product.world() == before
    assert product.left(job) == [(f"HSS {product.switch.url}", "Tell the switch")]
    assert "please check whether it was done" in (product.job(job).leftovers or "")


def test_an_engine_that_is_away_is_asked_again_until_it_answers(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": 500, "GET /greeting": 200}
    job = product.order("guarded")
    product.switch.on_call = {"POST /undone": product.stop_engine}
    product.work("provision.run")
    assert product.left(job) == [("Charging engine", "Undo what the job did there")]
    assert product.alerts() == [f"provision:{job}"]
    assert product.work("provision.clean") == "The charging engine does not answer; it is asked again."
    assert product.left(job) == [("Charging engine", "Undo what the job did there")]
    with pytest.raises(Conflict, match="still being cleaned up"):
        product.parts.door.act_now(actions.retry, STAFF, Started(job))
    product.start_engine()
    product.pass_time(minutes=1)
    product.work("provision.clean")
    assert (product.left(job), product.alerts(), product.reserved()) == ([], [], [])
    assert product.world() == before


def test_a_clean_up_that_never_comes_to_its_end_frees_the_order_and_says_so(product: Product) -> None:
    product.switch.answers = {"PUT /second": 500}
    job = product.order("guarded")
    product.switch.on_call = {"POST /undone": product.stop_engine}
    product.work("provision.run")
    for _ in range(5):
        product.work("provision.clean")
        product.pass_time(minutes=5)
    product.work("provision.uncleaned")
    assert "the clean-up failed and can be tried again" in product.job(job).error
    assert product.left(job) == [("Charging engine", "Undo what the job did there")]
    for tries in (1, 2, 3, 4):
        assert [(args["kind"], args["tries"]) for args, _ in product.waiting()] == [("again", tries)]
        assert product.reserved() == [product.sim]
        product.pass_time(minutes=31)
        product.work("provision.clean")
    assert product.left(job) == [("Charging engine", "Undo what the job did there")]
    assert (product.reserved(), product.waiting()) == ([], [])


def test_a_step_at_a_system_that_is_away_is_tried_again_by_itself_until_it_succeeds(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 503}
    job = product.order("guarded")
    product.work("provision.run")
    step = (f"HSS {product.switch.url}", "Remove the line from the switch")
    for tries, pause in ((1, 10), (2, 60)):
        ((args, at),) = product.waiting()
        wait = at - product.parts.door.clock()
        assert (args["kind"], args["tries"]) == ("again", tries)
        assert timedelta(seconds=pause - 5) < wait <= timedelta(seconds=pause)
        assert (product.left(job), product.alerts()) == ([step], [f"provision:{job}"])
        assert product.world() == before
        # Its subscriber may still be there, so nobody else gets the SIM; and people know of it already.
        with pytest.raises(Conflict, match="no longer available"):
            product.order("guarded")
        assert len(product.waiting("provision.failure_mail")) == 1
        product.switch.answers |= {} if tries == 1 else {"DELETE /line/Line": 200}
        product.pass_time(seconds=pause)
        product.work("provision.clean")
    assert (product.left(job), product.alerts(), product.reserved(), product.waiting()) == ([], [], [], [])
    assert product.world() == before
    assert len(product.waiting("provision.failure_mail")) == 1


def test_when_the_engine_is_back_the_other_systems_are_tried_at_once(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 503}
    job = product.order("guarded")
    product.switch.on_call = {"POST /undone": product.stop_engine}
    product.work("provision.run")
    assert [args["kind"] for args, _ in product.waiting()] == ["engine"]
    product.start_engine()
    product.switch.answers = {}
    product.work("provision.clean")
    ((args, at),) = product.waiting()
    assert args["kind"] == "again" and at <= product.parts.door.clock()
    product.work("provision.clean")
    assert (product.left(job), product.alerts(), product.reserved(), product.waiting()) == ([], [], [], [])
    assert product.world() == before


def test_after_the_last_try_the_items_stay_reserved_until_somebody_has_mended_it(product: Product) -> None:
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 503}
    job = product.order("guarded")
    product.work("provision.run")
    for _ in range(4):
        assert product.reserved() == [product.sim]
        product.pass_time(minutes=31)
        product.work("provision.clean")
    assert (product.waiting(), product.alerts()) == ([], [f"provision:{job}"])
    product.pass_time(days=400)
    with pytest.raises(Conflict, match="no longer available"):
        product.order("guarded")
    product.parts.door.act_now(actions.mended_by_hand, STAFF, Started(job))
    assert product.reserved() == []


def test_a_system_that_was_away_from_the_start_is_not_asked_again(product: Product) -> None:
    product.switch.answers = {"GET /greeting": 401, "PUT /line": 401, "DELETE /line": 503}
    job = product.order("guarded")
    product.work("provision.run")
    assert (product.left(job), product.waiting(), product.reserved()) == ([], [], [])


def test_staff_start_the_next_try_at_once_or_end_it_when_they_have_mended_it(product: Product) -> None:
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 503}
    job = product.order("guarded")
    product.work("provision.run")
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    product.work("provision.clean")
    assert [args["tries"] for args, _ in product.waiting()] == [2]
    product.parts.door.act_now(actions.mended_by_hand, STAFF, Started(job))
    assert (product.left(job), product.alerts(), product.reserved(), product.waiting()) == ([], [], [], [])


def test_what_a_deprovision_could_not_reach_is_tried_again_by_itself(product: Product) -> None:
    product.link_sim()
    product.switch.answers = {"DELETE /line/Old": 503}
    job = product.deprovision()
    product.work("provision.run")
    assert product.job(job).provisioning_status == SUCCESS
    assert (product.world()["sim"][2], product.alerts()) == (product.service, [f"provision:{job}"])
    product.pass_time(seconds=10)
    product.work("provision.clean")
    assert [args["tries"] for args, _ in product.waiting()] == [2]
    product.switch.answers = {}
    product.pass_time(seconds=60)
    product.work("provision.clean")
    assert (product.left(job), product.alerts(), product.waiting()) == ([], [], [])
    assert product.world()["sim"] == ("Used", None, None, None)


def test_a_service_that_was_taken_back_into_use_is_not_ended_by_a_further_try(product: Product) -> None:
    product.switch.answers = {"DELETE /line/Old": 503}
    job = product.deprovision()
    product.work("provision.run")
    values = {"service_status": "Active"}
    product.parts.door.act_now(RESOURCES["service"].actions["update"], SYSTEM, Write(product.service, values))
    product.switch.calls.clear()
    product.pass_time(seconds=10)
    product.work("provision.clean")
    assert (product.switch.calls, product.waiting(), product.alerts()) == ([], [], [f"provision:{job}"])


def test_a_top_up_that_could_not_put_its_service_back_itself_has_it_put_back_by_the_crm(product: Product) -> None:
    """The play extends the service and then fails; its own way back ends at a CRM that refuses it."""
    before = product.service_now()
    job = product.order("extends", service_id=product.service)
    product.work("provision.run")
    assert ("Put the service back as it was", IGNORED) in product.events(job)
    assert product.service_now() == before
    assert (product.left(job), product.alerts(), product.waiting()) == ([], [], [])


def test_a_deprovision_that_could_not_reach_everything_ends_well_and_names_it(product: Product) -> None:
    product.link_sim()
    product.switch.answers = {"DELETE /line/Old": 500}
    job = product.deprovision()
    product.work("provision.run")
    assert product.job(job).provisioning_status == SUCCESS
    # What the network has not let go of is not for others.
    assert product.world()["sim"][2] == product.service
    assert product.left(job) == [(f"HSS {product.switch.url}", "Remove the line from the switch")]
    assert product.alerts() == [f"provision:{job}"]
    product.switch.answers = {}
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    product.work("provision.clean")
    assert product.job(job).provisioning_status == SUCCESS
    assert (product.left(job), product.alerts()) == ([], [])
    assert product.world()["sim"] == ("Used", None, None, None)


def test_a_deprovision_that_is_cancelled_half_way_is_not_finished_behind_anybody_s_back(
    product: Product, in_thread: Callable[[Callable[[], Any]], threading.Thread]
) -> None:
    product.switch.answers = {"DELETE /line/Old": threading.Event()}
    job = product.deprovision()
    worker = in_thread(lambda: product.work("provision.run"))
    assert product.switch.reached.wait(20)
    product.parts.door.act_now(actions.cancel, STAFF, Started(job))
    worker.join(20)
    assert product.job(job).provisioning_status == FAILED
    assert product.left(job) == [(f"Service {product.service}", "Take the service away")]
    assert product.waiting() == []


def test_an_engine_without_a_journal_is_named_where_the_job_has_been(product: Product) -> None:
    class Plain(CgratesClient):
        """A CGRateS: it knows nothing of jobs."""

        def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
            if method.startswith("OmniSv1."):
                raise EngineError(f"rpc: can't find service {method}")
            return super().call(method, params)

    ocs = product.parts.settings.ocs
    product.parts.ports[ChargingEngine] = Plain(ocs.endpoint, ocs.ocsTenant)
    product.switch.answers = {"POST /topup": 500}
    job = product.order("top_up", service_id=product.service)
    product.work("provision.run")
    product.work("provision.clean")
    assert product.left(job) == [("Charging engine", "Undo what the job did there")]


def test_a_deprovision_whose_worker_died_is_run_again_to_its_end(product: Product) -> None:
    job = product.deprovision()
    product.lose(product.claim("provision.run"))
    product.work("provision.lost")
    product.work("provision.clean")
    assert product.job(job).provisioning_status == SUCCESS
    assert (
        product.job(job).error
        == "The worker of this job stopped. Clean-up: the service was taken away by a second run."
    )
    assert "DELETE /line/Old_1" in product.switch.calls
