"""The pages of jobs: what runs, what is to come, how it ended, what was undone (PROV-083..085, 135..136, 183..189)."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from omnicrm import app as root
from tests.conftest import Cast
from tests.pages import shop
from tests.pages.conftest import LogIn, text_of
from tests.pages.line import line_event, line_job, line_plays


def _steps(html: str) -> list[tuple[str, str]]:
    """(name, what is said about it) of each step of the live progress."""
    found = re.findall(r'<li class="step step-(\w+)[^>]*>.*?<span class="step-name">(.*?) <span', html)
    return [(name, word) for word, name in found]


@pytest.fixture
def extra_settings(tmp_path: Path) -> dict[str, str]:
    return line_plays(tmp_path)


async def test_a_running_job_names_what_is_done_what_runs_and_what_is_to_come(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    line_event(parts, job, 1, "Check that this is an order", 0, skipped=True)
    line_event(parts, job, 2, "Create the account", 1)
    person = await browser_as("agent")
    page = (await person.get(f"/provisioning/{job}")).text
    assert _steps(page) == [
        ("Check that this is an order", "skipped"),
        ("Create the account", "running"),
        ("Tell the switch", "pending"),
    ]
    assert "1 of 3 tasks completed" in page
    assert "in progress…" in page
    assert 'hx-trigger="every 200ms"' in page


async def test_a_failed_task_turns_the_list_to_what_undoes_it(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    line_event(parts, job, 1, "Check that this is an order", 0, skipped=True)
    line_event(parts, job, 2, "Create the account", 0)
    line_event(parts, job, 3, "Tell the switch", 2, message="The switch said no.")
    line_event(parts, job, 4, "Remove the account", 0)
    person = await browser_as("agent")
    page = (await person.get(f"/provisioning/{job}/progress", htmx=True)).text
    assert _steps(page)[2:] == [
        ("Tell the switch", "failed"),
        ("Remove the account", "undone"),
        ("Remove the line", "pending"),
    ]
    assert "The switch said no." in page
    assert "Undoing" in page
    assert "4 of 5 tasks completed" in page


async def test_the_polling_ends_with_the_job_and_the_whole_page_changes(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    job = await line_job(admin, cast, service_id=line)
    person = await browser_as("agent")
    running = await person.get(f"/provisioning/{job}/progress", htmx=True)
    assert (running.status_code, "hx-retarget" in running.headers) == (200, False)
    assert "<html" not in running.text

    shop.ended(parts, job, True)
    ended = await person.get(f"/provisioning/{job}/progress", htmx=True)
    assert ended.status_code == 286
    assert ended.headers["hx-retarget"] == "#job"
    assert "hx-trigger" not in ended.text
    assert f'href="/services/{line}"' in ended.text
    assert "View Service" in ended.text


async def test_a_failure_shows_the_error_what_remains_and_the_ways_on(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    line_event(parts, job, 1, "Create the account", 2, message="No.")
    shop.ended(parts, job, False, "The switch said no.")
    person = await browser_as("agent")
    shown = text_of((await person.get(f"/provisioning/{job}")).text)
    expected = (
        "The switch said no.",
        "No service record remains.",
        f"Provision ID: {job}",
        "View Logs",
        "Retry",
        "Close",
    )
    assert all(text in shown for text in expected)

    again = await person.post(f"/provisioning/{job}/retry")
    assert again.status_code == 303
    key = int(again.headers["location"].rpartition("/")[2])
    assert key != job
    assert (await admin.get(f"/crm/provision/provision_id/{key}")).json()["retry_of"] == job


async def test_a_job_that_succeeded_cannot_be_tried_again(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    shop.ended(parts, job, True)
    person = await browser_as("agent")
    refused = await person.post(f"/provisioning/{job}/retry")
    assert refused.headers["location"] == f"/provisioning/{job}"
    assert "nothing to try again" in (await person.get(f"/provisioning/{job}")).text


async def test_ended_tasks_open_to_their_result_and_an_ignored_failure_reads_as_such(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    result = json.dumps({"json": {"name": "<script>alert(1)</script>"}, "token": "********"})
    line_event(parts, job, 1, "Create the account", 0, provisioning_result_json=result)
    line_event(parts, job, 2, "Tell the switch", 3, message="It was told before.")
    shop.ended(parts, job, True)
    agent = await browser_as("agent")
    page = (await agent.get(f"/provisioning/{job}")).text
    assert "&lt;script&gt;" in page and "<script>alert" not in page
    assert "failed, ignored" in page
    assert "tone-warning" in page
    assert "2 of 2 tasks completed" in page


async def test_a_deprovision_goes_from_its_guard_to_what_undoes_it(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    job = await line_job(admin, cast, action="deprovision", service_id=line)
    line_event(parts, job, 1, "Check that this is an order", 3, message="Assertion failed")
    person = await browser_as("agent")
    page = (await person.get(f"/provisioning/{job}")).text
    assert _steps(page) == [
        ("Check that this is an order", "skipped"),
        ("Remove the account", "pending"),
        ("Remove the line", "pending"),
    ]
    assert "Cancel Mobile of Alice" in page


async def test_waiting_jobs_say_how_many_are_before_them(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    first = await line_job(admin, cast)
    sent = {"product_id": 1, "customer_id": cast.bob_customer}
    second = (await admin.put("/crm/provision/", sent)).json()["provision_id"]
    person = await browser_as("agent")
    alone = "It starts as soon as a worker is free."
    assert alone not in (await person.get(f"/provisioning/{first}")).text
    now = parts.door.clock()
    parts.door.clock = lambda: now + timedelta(seconds=5)
    assert alone in (await person.get(f"/provisioning/{first}")).text
    assert "1 job is before this one." in (await person.get(f"/provisioning/{second}")).text
    assert "Waiting, 1 before it" in (await person.get("/provisioning")).text


async def test_the_list_is_searched_by_customer_and_filtered_by_state(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    other = (await admin.put("/crm/provision/", {"product_id": 1, "customer_id": cast.bob_customer})).json()
    shop.ended(parts, other["provision_id"], False, "No.")
    person = await browser_as("agent")
    everything = text_of((await person.get("/provisioning")).text)
    assert "Alice Adams" in everything and "Bob Brown" in everything
    assert "Bob Brown" not in text_of((await person.get("/provisioning?search=alice")).text)
    failed = text_of((await person.get("/provisioning?provisioning_status=2")).text)
    assert "Bob Brown" in failed and "Alice Adams" not in failed
    assert f'href="/provisioning/{job}"' in (await person.get(f"/provisioning?search={job}")).text
    assert "Nothing matches" in (await person.get("/provisioning?search=zzz")).text


async def test_a_running_job_can_be_asked_to_stop_by_those_who_may(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    auditor, agent = await browser_as("auditor"), await browser_as("agent")
    assert "Cancel Job" not in (await auditor.get(f"/provisioning/{job}")).text
    assert (await auditor.post(f"/provisioning/{job}/cancel")).status_code == 403
    assert (await agent.post(f"/provisioning/{job}/cancel")).status_code == 303
    assert "asked to stop" in (await agent.get(f"/provisioning/{job}")).text


async def test_a_page_without_javascript_reloads_itself_while_the_job_runs(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    job = await line_job(admin, cast)
    person = await browser_as("agent")
    assert 'http-equiv="refresh"' in (await person.get(f"/provisioning/{job}")).text
    shop.ended(parts, job, True)
    assert 'http-equiv="refresh"' not in (await person.get(f"/provisioning/{job}")).text


async def test_statements(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast, counted: Any, within_baseline: Any
) -> None:
    job = await line_job(admin, cast)
    line_event(parts, job, 1, "Create the account", 1)
    person = await browser_as("agent")
    for name, path in (("jobs list", "/provisioning"), ("job page", f"/provisioning/{job}")):
        with counted() as statements:
            await person.get(path)
        within_baseline(name, statements)


async def test_a_clean_up_that_failed_can_be_tried_again(
    parts: root.Parts, admin: Any, cast: Cast, browser_as: LogIn
) -> None:
    job = await line_job(admin, cast)
    assert (await admin.post(f"/crm/provision/provision_id/{job}/clean")).status_code == 409
    shop.ended(parts, job, False, "The switch said no. The clean-up failed and can be tried again: no answer")
    person = await browser_as("admin")
    assert "Clean Up Again" in (await person.get(f"/provisioning/{job}")).text
    assert (await person.post(f"/provisioning/{job}/clean")).status_code == 303
    assert (await admin.post(f"/crm/provision/provision_id/{job}/clean")).status_code == 409
