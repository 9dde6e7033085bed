"""After a failed order nothing is left, whoever failed: its play, its worker, a neighbour; or the job says what is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from omnicrm import app as root
from omnicrm.domain.errors import Conflict
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions
from omnicrm.domain.provisioning.actions import Started
from omnicrm.domain.provisioning.leftovers import Leftover
from tests.provisioning_endings.conftest import STAFF, Product

SUCCESS, FAILED, IGNORED = 0, 2, 3


def test_what_a_play_s_own_undoing_forgets_is_set_back_from_the_journal(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": 500, "GET /greeting": 503}
    job = product.order("guarded")
    product.work("provision.run")
    assert product.job(job).provisioning_status == FAILED
    assert (product.left(job), product.alerts(), product.reserved(), product.waiting()) == ([], [], [], [])
    assert product.world() == before
    assert product.job(job).error.endswith(f"Clean-up: account Line_{job} removed.")
    assert ("Look whether the switch is polite", IGNORED) in product.events(job)
    assert product.events(job)[-1] == (f"Undo: account Line_{job} removed", SUCCESS)


def test_a_clean_up_step_that_fails_is_named_and_a_second_try_mends_it(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 500}
    job = product.order("guarded")
    product.work("provision.run")
    where = f"HSS {product.switch.url}"
    assert product.left(job) == [(where, "Remove the line from the switch")]
    assert product.alerts() == [f"provision:{job}"]
    assert product.world() == before
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    assert product.reserved() == [product.sim]
    product.work("provision.clean")
    assert product.left(job) == [(where, "Remove the line from the switch")]
    product.switch.answers = {}
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    with pytest.raises(Conflict, match="still being cleaned up"):
        product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    product.work("provision.clean")
    assert (product.left(job), product.alerts(), product.reserved()) == ([], [], [])
    assert product.job(job).error.endswith("Clean-up: what the job had made was removed again.")
    assert product.world() == before


def test_a_play_without_a_clean_up_is_undone_by_journal_and_records_and_the_rest_is_named(product: Product) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": 500}
    job = product.order("no_undo")
    product.work("provision.run")
    assert product.reserved() == [product.sim]
    product.work("provision.clean")
    assert product.world() == before
    assert product.left(job) == [(f"HSS {product.switch.url}", "Undo what the job did there")]
    assert product.reserved() == [product.sim]
    product.parts.door.act_now(actions.mended_by_hand, STAFF, Started(job))
    assert (product.left(job), product.alerts(), product.reserved()) == ([], [], [])


def test_a_second_clean_up_stays_away_from_items_that_serve_another_order(product: Product) -> None:
    product.switch.answers = {"PUT /second": 500, "DELETE /line/Line": 500}
    job = product.order("guarded")
    product.work("provision.run")
    with pytest.raises(Conflict, match="no longer available"):  # its subscriber may still be there
        product.order("guarded")
    product.switch.answers = {}
    other = product.parts.door.act_now(actions.retry, STAFF, Started(job)).provision_id
    product.work("provision.run")
    assert product.job(other).provisioning_status == SUCCESS
    taken = product.world()["sim"]
    product.switch.calls.clear()
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    product.work("provision.clean")
    assert product.switch.calls == []
    assert product.world()["sim"] == taken
    assert product.left(job) == [(f"HSS {product.switch.url}", "Remove the line from the switch")]


def test_a_dead_worker_s_run_is_undone_with_what_it_had_set_and_registered(
    product: Product, in_thread: Callable[[Callable[[], Any]], threading.Thread]
) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": threading.Event()}
    job = product.order("guarded")
    held = product.claim("provision.run")
    refusals: list[Any] = []
    worker = in_thread(lambda: refusals.append(product.work("provision.run", held)))
    assert product.switch.reached.wait(20)
    made = next(iter(product.made_services(job)))
    product.lose(held)
    product.work("provision.lost")
    assert product.job(job).provisioning_status == FAILED
    product.work("provision.clean")
    assert {f"DELETE /line/Line_{job}", f"POST /undone/{made}"} <= set(product.switch.calls)
    assert product.world() == before
    # The request that was cut may still be on its way.
    assert [args["kind"] for args, _ in product.waiting()] == ["late"]
    state = product.job(job).error
    product.switch.reset()
    worker.join(20)
    assert refusals == ["The lease of this job is lost; another worker settles it."]
    assert (product.job(job).error, product.job(job).provisioning_status) == (state, FAILED)


def test_an_order_that_could_not_begin_has_nothing_to_undo(product: Product) -> None:
    job = product.order("guarded")
    folder = product.parts.settings.provisioning.plays_dir
    assert folder is not None
    play = folder / "guarded.yaml"
    text = play.read_text()
    try:
        play.write_text("- name: broken\n  tasks: [\n")
        product.work("provision.run")
    finally:
        play.write_text(text)
    assert product.job(job).provisioning_status == FAILED
    assert (product.left(job), product.waiting(), product.reserved()) == ([], [], [])


def test_the_failure_is_told_once_and_only_when_everything_is_settled(product: Product) -> None:
    product.switch.answers = {"PUT /second": 500}
    job = product.order("no_undo")
    product.work("provision.run")
    assert product.waiting("provision.failure_mail") == []
    product.work("provision.clean")
    assert len(product.waiting("provision.failure_mail")) == 1
    product.parts.door.act_now(actions.clean_again, STAFF, Started(job))
    product.work("provision.clean")
    assert len(product.waiting("provision.failure_mail")) == 1
    product.switch.answers = {}
    product.parts.door.act_now(actions.retry, STAFF, Started(job))
    product.parts.door.act_now(actions.cancel, STAFF, Started(job + 1))
    assert product.job(job + 1).error == "stopped on request before it began"
    assert len(product.waiting("provision.failure_mail")) == 1, "who stopped it himself needs no mail"


def test_two_workers_that_undo_one_job_at_the_same_time_do_no_harm(
    product: Product, in_thread: Callable[[Callable[[], Any]], threading.Thread]
) -> None:
    before = product.world()
    product.switch.answers = {"PUT /second": 500}
    job = product.order("no_undo")
    product.work("provision.run")
    first = product.claim("provision.clean")
    product.lose(first)
    second = product.claim("provision.clean")
    ends: dict[int, str | None] = {}
    threads = [
        in_thread(lambda held=held: ends.update({held.lease: product.work("provision.clean", held)}))  # type: ignore[misc]
        for held in (first, second)
    ]
    for thread in threads:
        thread.join(20)
    assert ends == {first.lease: "The lease of this job is lost; another worker settles it.", second.lease: None}
    assert product.world() == before
    assert product.reserved() == [product.sim]
    assert product.job(job).provisioning_status == FAILED


def test_a_later_step_of_a_chain_that_fails_leaves_what_the_steps_before_it_made(product: Product) -> None:
    product.order("guarded", provisioning_play="guarded,fails")
    product.work("provision.run")
    sim = product.world()["sim"]
    assert sim[0] == "Assigned"
    product.work("provision.run")
    product.work("provision.clean")
    assert product.world()["sim"] == sim
    assert product.reserved() == []


def test_only_a_job_that_left_something_can_be_cleaned_or_called_mended(product: Product) -> None:
    job = product.order("guarded")
    for action in (actions.clean_again, actions.mended_by_hand):
        with pytest.raises(Conflict):
            product.parts.door.act_now(action, STAFF, Started(job))
    product.work("provision.run")
    for action in (actions.clean_again, actions.mended_by_hand):
        with pytest.raises(Conflict):
            product.parts.door.act_now(action, STAFF, Started(job))
    assert product.job(job).provisioning_status == SUCCESS


async def test_staff_call_what_was_left_mended_and_the_log_remembers_it(
    parts: root.Parts, admin: Any, as_user: Callable[[str], Any]
) -> None:
    made = (
        await admin.put("/crm/product/", {"product_name": "A", "product_slug": "a", "provisioning_play": "fails"})
    ).json()
    body = {"product_id": made["product_id"], "customer_id": 1}
    job = (await admin.put("/crm/provision/", body)).json()["provision_id"]
    left = (Leftover("HSS http://10.1.1.1", "Remove the line", "no answer"),)
    parts.door.act_now(actions.end, STAFF, actions.Ended(job, False, "It broke.", leftovers=left))
    query = update(Job).where(Job.subject_id == job).values(state="done")
    parts.db.write(lambda session: session.execute(query))
    path = f"/crm/provision/provision_id/{job}/mended"
    assert (await as_user("auditor").post(path)).status_code == 403
    assert (await as_user("alice").post(path)).status_code == 403
    assert (await admin.post(path)).status_code == 200
    assert (await admin.post(path)).status_code == 409
    entries = (await admin.get("/crm/activity?per_page=50")).json()["data"]
    (entry,) = [entry for entry in entries if entry["action"] == "mended"]
    assert "Remove the line (no answer)" in entry["description"]
