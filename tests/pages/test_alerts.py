"""The bell, the page of alerts, their dismissal, and the same as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain import alerts, jobs
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.identity import tokens
from tests.conftest import Cast
from tests.pages import shop
from tests.pages.conftest import LogIn, text_of


def _raise(parts: root.Parts, key: str = "provision:17", **more: Any) -> int:
    values = {"title": "Job 17 left something", "detail": "HSS: <b>Delete</b>", "link": "/provisioning/17", **more}
    now = parts.door.clock()
    return parts.db.write(
        lambda session: (
            alerts.raise_alert(session, key, values.pop("title"), now, **values),
            session.flush(),
            session.query(alerts.Alert.alert_id).filter_by(alert_key=key).scalar(),
        )[2]
    )


async def test_the_bell_counts_what_is_open(browser_as: LogIn, parts: root.Parts) -> None:
    person = await browser_as("agent")
    assert 'class="bell-count"' not in (await person.get("/alerts/bell", htmx=True)).text
    _raise(parts)
    _raise(parts, "mail:provision:4")
    bell = (await person.get("/alerts/bell", htmx=True)).text
    assert "2 open" in text_of(bell)
    assert "hx-get" not in bell and "<html" not in bell


async def test_no_page_pays_for_the_count(
    browser_as: LogIn, parts: root.Parts, counted: Any, within_baseline: Any
) -> None:
    _raise(parts)
    person = await browser_as("agent")
    with counted() as statements:
        page = (await person.get("/activity")).text
    assert 'hx-get="/alerts/bell" hx-trigger="load"' in page
    assert not [text for text in statements.texts if "FROM alert" in text]
    for name, path in (("bell", "/alerts/bell"), ("alerts", "/alerts")):
        with counted() as statements:
            await person.get(path)
        within_baseline(name, statements)


async def test_the_page_names_severity_thing_age_and_the_way_to_it(browser_as: LogIn, parts: root.Parts) -> None:
    person = await browser_as("agent")
    assert "Nothing to look at" in (await person.get("/alerts")).text
    _raise(parts, severity="critical")
    now = parts.door.clock()
    parts.door.clock = lambda: now + timedelta(minutes=5)
    page = (await person.get("/alerts")).text
    assert 'href="/provisioning/17"' in page
    assert "Critical" in page and "5 minutes ago" in page
    assert "&lt;b&gt;Delete" in page and "<b>Delete" not in page


async def test_a_dismissed_alert_is_off_the_list_until_it_is_seen_again(
    browser_as: LogIn, parts: root.Parts, cast: Cast
) -> None:
    key = _raise(parts)
    person = await browser_as("agent")
    assert (await person.post(f"/alerts/{key}/dismiss")).status_code == 303
    assert "Nothing to look at" in (await person.get("/alerts")).text
    noted = parts.door.read_now(
        lambda session: session.query(CustomerActivity.user_id).filter_by(entity_type="alert", entity_id=key).all()
    )
    assert noted == [(cast.agent,)]
    _raise(parts)
    assert "Job 17 left something" in (await person.get("/alerts")).text


async def test_alerts_are_listed_and_dismissed_as_json(admin: Any, parts: root.Parts) -> None:
    key = _raise(parts)
    (shown,) = (await admin.get("/crm/alerts")).json()["data"]
    assert (shown["alert_id"], shown["severity"], shown["link"]) == (key, "warning", "/provisioning/17")
    assert (await admin.post(f"/crm/alerts/{key}/dismiss")).json() == {"result": "success", "alert_id": key}
    assert (await admin.get("/crm/alerts")).json() == {"data": []}
    assert (await admin.post("/crm/alerts/999/dismiss")).status_code == 404


async def test_dismissing_is_for_those_who_may_change_jobs(browser_as: LogIn, as_user: Any, parts: root.Parts) -> None:
    key = _raise(parts)
    auditor = await browser_as("auditor")
    assert "Dismiss" not in (await auditor.get("/alerts")).text
    assert (await auditor.post(f"/alerts/{key}/dismiss")).status_code == 403
    assert (await as_user("auditor").post(f"/crm/alerts/{key}/dismiss")).status_code == 403


@pytest.mark.parametrize("path", ["/crm/alerts", "/crm/provision/queue"])
async def test_what_concerns_every_customer_is_not_for_one(as_user: Any, path: str) -> None:
    assert (await as_user("auditor").get(path)).status_code == 200
    assert (await as_user("alice").get(path)).status_code == 403
    assert (await as_user("nobody").get(path)).status_code == 403
    assert (await as_user("").get(path)).status_code == 401


async def test_the_token_of_a_job_does_not_reach_what_concerns_every_customer(
    as_user: Any, admin: Any, parts: root.Parts, cast: Cast
) -> None:
    order = {"product_id": await shop.product(admin), "customer_id": cast.alice_customer}
    provision = (await admin.put("/crm/provision/", order)).json()["provision_id"]
    now = parts.door.clock()
    held = parts.db.write(lambda session: jobs.claim(session, 1, now))
    assert held is not None and parts.settings.jwt_secret is not None
    token = tokens.job_token(parts.settings.jwt_secret.reveal(), provision, held.job_id, held.lease, now, 600)
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await as_user("").get(f"/crm/provision/provision_id/{provision}", headers=bearer)).status_code == 200
    for path in ("/crm/alerts", "/crm/provision/queue"):
        assert (await as_user("").get(path, headers=bearer)).status_code == 403


async def test_a_portal_page_has_no_bell(browser_as: LogIn) -> None:
    customer = await browser_as("alice")
    assert 'id="bell"' not in (await customer.get("/")).text
    assert (await customer.get("/alerts/bell")).status_code == 403
