"""The page of a job in each state in which a job can end or wait, its log, and what a customer reads of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from omnicrm import app as root
from omnicrm.domain.jobs import job_row
from omnicrm.domain.provisioning.models import Provision
from tests.conftest import Cast
from tests.pages import shop
from tests.pages.conftest import LogIn, text_of
from tests.pages.line import line_event, line_job, line_plays

LEFT = [{"where": "HSS http://10.0.0.9", "what": "Delete the subscriber", "text": "connection <refused>"}]


@pytest.fixture
def extra_settings(tmp_path: Path) -> dict[str, str]:
    return line_plays(tmp_path)


def _set(parts: root.Parts, job: int, **values: Any) -> None:
    table = Provision.__table__
    parts.db.write(lambda session: session.execute(update(table).where(table.c.provision_id == job).values(**values)))


def _clean_up(parts: root.Parts, job: int, *, wait: float, kind: str = "play", **values: Any) -> None:
    """A clean-up of the job that begins in `wait` seconds."""
    now = parts.door.clock()

    def write(session: Any) -> None:
        row = job_row("provision.clean", job, now, args={"kind": kind}, run_at=now + timedelta(seconds=wait))
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)

    parts.db.write(write)


async def _shown(person: Any, job: int) -> str:
    return text_of((await person.get(f"/provisioning/{job}")).text)


async def test_what_is_left_is_named_and_can_be_tried_again(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, False, "The switch said no.")
    agent, auditor = await browser_as("agent"), await browser_as("auditor")
    assert "What is left" not in await _shown(agent, job)
    _set(parts, job, leftovers=json.dumps(LEFT))
    page = (await agent.get(f"/provisioning/{job}")).text
    shown = text_of(page)
    for text in (
        "What is left",
        "1 step",
        "Delete the subscriber",
        "HSS http://10.0.0.9",
        "connection &lt;refused&gt;",
    ):
        assert text in shown
    assert shown.count("Try the Clean-Up Again") == 1 and "Clean Up " not in shown
    assert "Try the Clean-Up Again" not in await _shown(auditor, job)
    assert (await agent.post(f"/provisioning/{job}/clean")).status_code == 303
    assert "The clean-up runs again." in await _shown(agent, job)


async def test_a_cancelling_that_left_something_says_so_although_it_succeeded(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    job = await line_job(admin, cast, action="deprovision", service_id=line)
    shop.ended(parts, job, True)
    _set(parts, job, leftovers=json.dumps(LEFT))
    shown = await _shown(await browser_as("agent"), job)
    assert "Service cancelled for Alice Adams" in shown
    assert "Delete the subscriber" in shown and "Try the Clean-Up Again" in shown


@pytest.mark.parametrize(
    ("error", "event", "title"),
    [
        ("stopped: no task made progress for 300 seconds", "Stopped", "Provisioning took too long and was stopped"),
        ("stopped: the play started more than 9 tasks", "Stopped", "Provisioning went over a limit and was stopped"),
        ("The worker of this job stopped.", "The job was interrupted", "Provisioning was interrupted"),
    ],
)
async def test_a_job_that_was_cut_says_why_and_offers_its_clean_up(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast, error: str, event: str, title: str
) -> None:
    job = await line_job(admin, cast)
    line_event(parts, job, 1, "Create the account", 0)
    line_event(parts, job, 2, event, 2, message=error)
    shop.ended(parts, job, False, error)
    person = await browser_as("agent")
    page = (await person.get(f"/provisioning/{job}")).text
    assert title in page and error in page
    assert f'action="/provisioning/{job}/clean"' in page


async def test_a_cancelling_that_failed_asks_before_it_goes_on_and_only_who_may_cancel(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    job = await line_job(admin, cast, action="deprovision", service_id=line)
    shop.ended(parts, job, False, "The worker of this job stopped.")
    _set(parts, job, leftovers=json.dumps(LEFT))
    boss, agent = await browser_as("admin"), await browser_as("agent")
    page = (await boss.get(f"/provisioning/{job}")).text
    assert "Go On Cancelling the Service" in page and "Try the Clean-Up Again" not in page
    assert "Go on cancelling " in page and "It ends, and its items are free again." in page
    assert "Go On Cancelling" not in await _shown(agent, job)
    refused = await agent.post(f"/provisioning/{job}/clean")
    assert refused.status_code == 403


async def test_a_job_that_was_stopped_on_request_says_so(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    person = await browser_as("agent")
    await person.post(f"/provisioning/{job}/cancel")
    shop.ended(parts, job, False, "stopped on request")
    assert "The order was stopped on request" in await _shown(person, job)


async def test_a_job_that_failed_by_itself_offers_no_clean_up(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, False, "The switch said no.")
    page = (await (await browser_as("agent")).get(f"/provisioning/{job}")).text
    assert "Provisioning failed" in page
    assert f"/provisioning/{job}/clean" not in page


async def test_a_clean_up_that_waits_for_late_answers_says_until_when(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, False, "The switch said no.")
    _clean_up(parts, job, wait=30, kind="late")
    person = await browser_as("agent")
    page = (await person.get(f"/provisioning/{job}")).text
    until = (parts.door.clock() + timedelta(seconds=30)).strftime("%H:%M")
    assert "Waiting for late answers" in page and f"at {until}" in page
    assert f"/provisioning/{job}/progress" in page, "the page goes on asking"
    assert "Retry" not in page


async def test_a_clean_up_that_is_tried_again_says_when(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, False, "The switch said no.")
    _clean_up(parts, job, wait=60, attempts=1)
    shown = await _shown(await browser_as("agent"), job)
    assert "The clean-up has not succeeded yet. It is tried again at" in shown
    assert "Waiting for late answers" not in shown


async def test_a_further_try_says_when_it_begins_and_staff_need_not_wait(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, False, "The switch said no.")
    _set(parts, job, leftovers=json.dumps(LEFT))
    _clean_up(parts, job, wait=60, kind="again")
    person = await browser_as("agent")
    page = (await person.get(f"/provisioning/{job}")).text
    assert "tried again by itself at" in page
    assert f'action="/provisioning/{job}/clean"' in page
    assert f'action="/provisioning/{job}/mended"' in page


async def test_a_clean_up_that_runs_reads_as_undoing(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, False, "The switch said no.")
    _clean_up(parts, job, wait=0, state="running")
    shown = await _shown(await browser_as("agent"), job)
    assert "What the job has made is being undone." in shown
    assert "Undoing" in shown


async def test_a_mail_that_waits_keeps_no_job_from_being_over(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, False, "The switch said no.")
    now = parts.door.clock()
    for kind in ("provision.failure_mail", "mail.provision_failure"):
        parts.db.write(lambda session, kind=kind: session.add(job_row(kind, job, now, args={"to": "x", "key": "y"})))
    assert "Provisioning failed" in await _shown(await browser_as("agent"), job)


async def test_a_chain_shows_which_step_failed_and_which_was_not_started(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    first = await line_job(admin, cast)
    shop.ended(parts, first, True)
    second = (await admin.put("/crm/provision/", {"product_id": 1, "customer_id": cast.alice_customer})).json()
    second = second["provision_id"]
    shop.ended(parts, second, False, "No.")
    _set(parts, first, chain_rest='["play_second", "play_third"]')
    _set(parts, second, chain_first=first, chain_rest='["play_third"]', playbook_description="Second")
    person = await browser_as("agent")
    page = (await person.get(f"/provisioning/{second}")).text
    steps = text_of(page[page.index('id="chain"') :].partition("</section>")[0])
    assert "1 Line Success" in steps and "2 Second Failed" in steps and "3 play_third Not started" in steps
    assert f'href="/provisioning/{first}"' in page
    assert "Steps of this order" in await _shown(person, first)


async def test_the_log_is_one_text_for_those_who_may_see_events(
    browser_as: LogIn, admin: Any, as_user: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    result = json.dumps({"json": {"name": "Zoë"}, "token": "********"})
    line_event(parts, job, 1, "Create the account", 2, message="The switch said no.", provisioning_result_json=result)
    shop.ended(parts, job, False, "The switch said no.")
    _set(parts, job, leftovers=json.dumps(LEFT))
    person = await browser_as("agent")
    assert f'href="/provisioning/{job}/log"' in (await person.get(f"/provisioning/{job}")).text
    log = await person.get(f"/provisioning/{job}/log")
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    assert log.headers["content-disposition"] == f'attachment; filename="provisioning-{job}.txt"'
    for text in ("1. Create the account [FAILED]", "The switch said no.", '"name": "Zoë"', "Delete the subscriber"):
        assert text in log.text
    assert (await admin.get(f"/provisioning/{job}/log")).status_code == 200
    assert (await as_user("alice").get(f"/provisioning/{job}/log")).status_code == 403
    assert (await admin.get("/provisioning/999/log")).status_code == 404


async def test_a_customer_reads_that_it_failed_and_nothing_of_why(
    admin: Any, as_user: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    line_event(parts, job, 1, "Create the account", 2, message="10.0.0.9 refused")
    shop.ended(parts, job, False, "10.0.0.9 refused")
    alice = as_user("alice")
    single = await alice.get(f"/crm/provision/provision_id/{job}")
    assert "10.0.0.9" not in single.text
    assert single.json()["message"] == f"Provisioning failed, support has been informed. Provision ID: {job}"
    listed = await alice.get("/crm/provision/")
    assert listed.json()["data"][0]["provision_id"] == job
    assert "10.0.0.9" not in listed.text
    assert (await admin.get(f"/crm/provision/provision_id/{job}")).json()["error"] == "10.0.0.9 refused"


async def test_a_waiting_job_says_how_long_it_has_waited(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    now = parts.door.clock()
    parts.door.clock = lambda: now + timedelta(minutes=3)
    shown = await _shown(await browser_as("agent"), job)
    assert "It has waited for 3 minutes." in shown
    assert "Show the queue" in shown


async def test_the_guard_of_a_clean_up_run_is_no_failure(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    line_event(parts, job, 1, "Create the account", 2, message="stopped on request")
    line_event(parts, job, 2, "Check that this is an order", 3, message="Assertion failed")
    line_event(parts, job, 3, "Remove the account", 3, message="The switch said no.")
    shop.ended(parts, job, False, "stopped on request")
    shown = await _shown(await browser_as("agent"), job)
    assert "Check that this is an order skipped" in shown and "Assertion failed" not in shown
    assert "Remove the account failed, ignored" in shown and "The switch said no." in shown
