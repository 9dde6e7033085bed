"""The queue page and the figures for monitoring (PROV-165, PROV-292)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from omnicrm import app as root
from omnicrm.domain import alerts, jobs
from omnicrm.domain.jobs import Job
from tests.conftest import Cast
from tests.pages import shop
from tests.pages.conftest import LogIn, text_of


async def _orders(admin: Any, *customers: int) -> list[int]:
    product = await shop.product(admin)
    answers = [await admin.put("/crm/provision/", {"product_id": product, "customer_id": one}) for one in customers]
    return [answer.json()["provision_id"] for answer in answers]


def _change(parts: root.Parts, provision_id: int, **values: Any) -> None:
    change = update(Job).where(Job.subject_id == provision_id).values(**values)
    parts.db.write(lambda session: session.execute(change))


async def test_jobs_stand_in_the_order_in_which_workers_take_them(admin: Any, parts: root.Parts, cast: Cast) -> None:
    first, second, third = await _orders(admin, cast.alice_customer, cast.bob_customer, cast.alice_customer)
    parts.db.write(lambda session: jobs.claim(session, 1, parts.door.clock()))
    _change(parts, second, run_at=parts.door.clock() + timedelta(minutes=5), attempts=1, error="no answer")
    rows = (await admin.get("/crm/provision/queue")).json()["data"]
    assert [(row["provision_id"], row["state"], row["place"]) for row in rows] == [
        (first, "running", None),
        (third, "queued", 1),
        (second, "queued", None),
    ]
    running, _, waits = rows
    assert (running["attempt"], running["lane"], running["customer_name"]) == (1, "plays", "Alice Adams")
    assert running["worker"].endswith(f"process {jobs.BOOT_ID.split(':')[1]}")
    assert (waits["attempt"], waits["error"]) == (2, "no answer")
    assert waits["begins_at"] is not None


async def test_places_are_the_turns_of_those_who_order(admin: Any, as_user: Any, parts: root.Parts, cast: Cast) -> None:
    jobs_of_admin = await _orders(admin, cast.alice_customer, cast.bob_customer)
    product = (await admin.get("/crm/product/paginated")).json()["data"][0]["product_id"]
    body = {"product_id": product, "customer_id": cast.bob_customer}
    other = (await as_user("agent").put("/crm/provision/", body)).json()["provision_id"]
    rows = (await admin.get("/crm/provision/queue")).json()["data"]
    assert [row["provision_id"] for row in rows] == [jobs_of_admin[0], other, jobs_of_admin[1]]
    assert [row["place"] for row in rows] == [1, 2, 3]


async def test_a_waiting_job_that_is_cancelled_ends_at_once(admin: Any, parts: root.Parts, cast: Cast) -> None:
    (job,) = await _orders(admin, cast.alice_customer)
    assert (await admin.post(f"/crm/provision/provision_id/{job}/cancel")).status_code == 200
    ended = (await admin.get(f"/crm/provision/provision_id/{job}")).json()
    assert (ended["provisioning_status"], ended["error"]) == (2, "stopped on request before it began")
    assert ended["finished_at"] is not None
    open_jobs = select(Job.kind, Job.state).where(Job.subject_id == job, Job.kind == "provision.run")
    assert parts.db.read(lambda session: session.execute(open_jobs).all()) == [("provision.run", "cancelled")]
    assert (await admin.post(f"/crm/provision/provision_id/{job}/cancel")).status_code == 409


async def test_the_page_shows_both_lanes_and_lets_a_waiting_job_be_cancelled(
    browser_as: LogIn, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    (job,) = await _orders(admin, cast.alice_customer)
    agent, auditor = await browser_as("agent"), await browser_as("auditor")
    page = (await agent.get("/provisioning/queue")).text
    shown = text_of(page)
    assert "Plays" in shown and "Short jobs" in shown and "0 of 2 workers busy" in shown
    assert "No. 1" in shown and f"Job {job}" in shown and "Alice Adams" in shown
    assert f'action="/provisioning/{job}/cancel"' in page
    assert f'action="/provisioning/{job}/cancel"' not in (await auditor.get("/provisioning/queue")).text
    await agent.post(f"/provisioning/{job}/cancel")
    assert f'action="/provisioning/{job}/cancel"' not in (await agent.get("/provisioning/queue")).text


async def test_the_page_refreshes_itself_and_marks_one_place_of_the_menu(
    browser_as: LogIn, admin: Any, cast: Cast, counted: Any, within_baseline: Any
) -> None:
    await _orders(admin, cast.alice_customer, cast.bob_customer)
    person = await browser_as("agent")
    with counted() as statements:
        page = (await person.get("/provisioning/queue")).text
    within_baseline("queue", statements)
    assert 'hx-get="/provisioning/queue" hx-trigger="every 2s"' in page
    menu = page.partition("</nav>")[0]
    assert menu.count('aria-current="page"') == 1
    part = (await person.get("/provisioning/queue", htmx=True)).text
    assert "<html" not in part and "Bob Brown" in part
    links = re.findall(r"<a [^>]*>", part)
    assert links and all("id=" in link for link in links), "htmx gives the focus back by id"


def _value(text: str, line: str) -> float:
    return float(next(row for row in text.splitlines() if row.startswith(line + " ")).rpartition(" ")[2])


async def test_the_figures_move_with_what_happens(web: Any, admin: Any, parts: root.Parts, cast: Cast) -> None:
    good, bad, _ = await _orders(admin, cast.alice_customer, cast.bob_customer, cast.alice_customer)
    shop.ended(parts, good, True)
    shop.ended(parts, bad, False, "No.")
    now = parts.door.clock()
    parts.db.write(lambda session: alerts.raise_alert(session, "x", "X", now, severity="critical"))
    parts.door.clock = lambda: now + timedelta(seconds=90)
    answer = await web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    assert _value(text, 'omnicrm_provisions{state="success"}') == 1
    assert _value(text, 'omnicrm_provisions{state="failed"}') == 1
    assert _value(text, 'omnicrm_provisions{state="running"}') == 1
    assert _value(text, 'omnicrm_jobs{lane="plays",state="queued"}') >= 1
    assert 89 < _value(text, 'omnicrm_job_oldest_waiting_seconds{lane="plays"}') < 120
    assert _value(text, 'omnicrm_alerts_open{severity="critical"}') == 1
    assert _value(text, 'omnicrm_alerts_open{severity="warning"}') == 0


class TestWhoMayReadTheFigures:
    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {"monitoring.metrics_allow": "[10.0.0.0/8]", "monitoring.metrics_token": "m" * 40}

    async def test_another_address_needs_the_token(self, web: Any) -> None:
        assert (await web.get("/metrics")).status_code == 403
        assert (await web.get("/metrics", headers={"Authorization": "Bearer " + "n" * 40})).status_code == 403
        assert (await web.get("/metrics", headers={"Authorization": "Bearer " + "m" * 40})).status_code == 200

    async def test_a_forwarded_address_is_not_believed(self, web: Any) -> None:
        assert (await web.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"})).status_code == 403


class TestWithoutFigures:
    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {"monitoring.metrics_enabled": "false"}

    async def test_there_is_nothing_at_the_address(self, web: Any) -> None:
        assert (await web.get("/metrics")).status_code == 404
