"""The pages of services: list, tabs, edit, cancelling, usage from a real engine (OCS-072..090, PROV-113, 185, 230)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from omnicrm import app as root
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import ChargingEngine, EngineError
from tests.conftest import Cast
from tests.pages import shop
from tests.pages.conftest import LogIn, text_of

GIGABYTE = 1024**3


class InProcess:
    """The engine's port without a socket between; counts what it is asked. `line` is a service's account in it."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.asked = engine, 0
        self.line = f"Line_{uuid4().hex[:12]}"  # one of its own: pages share what was read in the last second

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        return self.engine.call(method, params)

    def account(self, account: str) -> dict[str, Any] | None:
        self.asked += 1
        try:
            return dict(self.call("ApierV2.GetAccount", {"Account": account}))
        except EngineError:
            return None

    def action_plans(self, account: str) -> list[dict[str, Any]]:
        return list(self.call("ApierV1.GetAccountActionPlan", {"Account": account}) or [])

    def granted(self, account: str) -> dict[str, Any]:
        return dict(self.call("OmniSv1.GetGranted", {"Account": account}))


@pytest.fixture
def extra_settings() -> dict[str, str]:
    """Where no engine listens; `charging` puts one into the application itself."""
    return {"ocs.listen": "127.0.0.1:9"}


@pytest.fixture
def charging(parts: root.Parts, tmp_path: Path) -> Iterator[InProcess]:
    engine = Engine.open(f"sqlite:///{tmp_path / 'engine.db'}")
    parts.ports[ChargingEngine] = InProcess(engine)
    yield parts.ports[ChargingEngine]
    engine.close()


def _balance(charging: InProcess, kind: str, ident: str, value: int, **more: Any) -> None:
    balance = {"ID": ident, "Value": value, "ExpiryTime": "*unlimited", "Weight": 10, **more}
    charging.call("ApierV1.AddBalance", {"Account": charging.line, "BalanceType": kind, "Balance": balance})


def _use(charging: InProcess, gigabytes: float) -> None:
    usage = {
        "ToR": "*data",
        "Category": "data",
        "Usage": str(int(gigabytes * GIGABYTE)),
        "OriginID": f"use-{gigabytes}",
    }
    times = {"SetupTime": "*now", "AnswerTime": "*now", "RequestType": "*postpaid", "Destination": "internet"}
    charging.call("CDRsV1.ProcessExternalCDR", {"Account": charging.line, "Subject": charging.line, **usage, **times})


async def test_usage_shows_cards_bars_and_buckets_in_their_order(
    browser_as: LogIn, admin: Any, cast: Cast, charging: InProcess
) -> None:
    line = await shop.service(admin, cast.alice_customer, service_uuid=charging.line)
    _balance(charging, "*data", "DATA_20GB", 20 * GIGABYTE, Weight=10)
    _balance(charging, "*data", "DATA_5GB", 5 * GIGABYTE, Weight=30, ExpiryTime="+240h")
    _balance(charging, "*voice", "VOICE_Unlimited", 999_999_999 * 10**9)
    _balance(charging, "*monetary", "Credit", 2000)
    _use(charging, 12.5)
    person = await browser_as("agent")
    page = (await person.get(f"/services/{line}/usage", htmx=True)).text
    shown = text_of(page)
    assert "<html" not in page
    assert "12.5 GB / 25 GB (50%)" in shown
    assert 'progress class="meter tone tone-warning" max="100" value="50"' in page
    assert "Unlimited" in shown
    assert "$20.00" in shown
    assert "No expiry" in shown
    assert shown.index("5GB Data Pack") < shown.index("20GB Data Pack")
    assert "Total remaining 12.5 GB" in shown
    assert 'hx-trigger="every 3s"' in page


@pytest.mark.parametrize(
    ("used", "tone", "text"),
    [(9.8, "success", "51%"), (10, "warning", "50%"), (16, "warning", "20%"), (16.2, "danger", "19%")],
)
async def test_the_colour_follows_the_remaining_share(
    browser_as: LogIn, admin: Any, cast: Cast, charging: InProcess, used: float, tone: str, text: str
) -> None:
    line = await shop.service(admin, cast.alice_customer, service_uuid=charging.line)
    _balance(charging, "*data", "DATA_20GB", 20 * GIGABYTE)
    _use(charging, used)
    person = await browser_as("agent")
    page = (await person.get(f"/services/{line}/usage")).text
    assert f"({text})" in page
    assert f'meter tone tone-{tone}" max="100"' in page


async def test_a_change_in_the_engine_is_in_the_next_json_answer(
    admin: Any, cast: Cast, charging: InProcess, parts: root.Parts
) -> None:
    line = await shop.service(admin, cast.alice_customer, service_uuid=charging.line)
    _balance(charging, "*data", "DATA_20GB", 20 * GIGABYTE)
    _use(charging, 5)
    first = (await admin.get(f"/crm/service/{line}")).json()["cgrates"]
    _use(charging, 10)
    second = (await admin.get(f"/crm/service/service_id/{line}")).json()["cgrates"]
    assert first["BalanceMap"]["DATA"][0]["custom_Description_String"] == "15 GB remaining"
    assert second["BalanceMap"]["DATA"][0]["custom_Description_String"] == "5 GB remaining"
    assert second["BalanceMap"]["DATA"] == second["BalanceMap"]["*data"]


async def test_open_pages_share_one_read_a_second(
    browser_as: LogIn, admin: Any, cast: Cast, charging: InProcess
) -> None:
    line = await shop.service(admin, cast.alice_customer, service_uuid=charging.line)
    _balance(charging, "*data", "DATA_20GB", 20 * GIGABYTE)
    person = await browser_as("agent")
    for _ in range(3):
        await person.get(f"/services/{line}/usage", htmx=True)
        await person.get(f"/services/{line}/usage?part=cards", htmx=True)
    assert charging.asked < 6


async def test_an_unknown_account_is_not_provisioned_and_an_unreachable_engine_is_said_so(
    browser_as: LogIn, admin: Any, cast: Cast, parts: root.Parts, request: pytest.FixtureRequest
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    person = await browser_as("agent")
    unreachable = text_of((await person.get(f"/services/{line}/usage")).text)
    assert "Usage is not available right now" in unreachable
    assert "0 MB" not in unreachable
    request.getfixturevalue("charging")
    other = await shop.service(admin, cast.alice_customer, service_uuid="Line_2")
    assert "not provisioned in the OCS" in (await person.get(f"/services/{other}/usage")).text


async def test_fixed_lines_show_no_voice(browser_as: LogIn, admin: Any, cast: Cast, charging: InProcess) -> None:
    line = await shop.service(admin, cast.alice_customer, service_uuid=charging.line, service_type="internet")
    _balance(charging, "*data", "DATA_20GB", 20 * GIGABYTE)
    _balance(charging, "*voice", "VOICE_100MIN", 6000 * 10**9)
    person = await browser_as("agent")
    page = (await person.get(f"/services/{line}/usage")).text
    assert 'id="bar-data"' in page
    assert 'id="bar-voice"' not in page


async def test_the_export_is_a_table_that_no_spreadsheet_takes_for_a_formula(
    browser_as: LogIn, admin: Any, cast: Cast, charging: InProcess
) -> None:
    line = await shop.service(admin, cast.alice_customer, service_uuid=charging.line)
    _balance(charging, "*data", "=HYPERLINK(1)", 20 * GIGABYTE)
    person = await browser_as("agent")
    answer = await person.get(f"/services/{line}/usage.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = answer.text.splitlines()
    assert rows[0] == "Type,Balance,Remaining,Used,Total,Expires,Weight"
    assert rows[1].startswith("Data,'=HYPERLINK(1),20 GB,")


async def test_the_page_shows_facts_features_and_the_newest_jobs_state(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    plan = await shop.product(admin)
    line = await shop.service(admin, cast.alice_customer, product_id=plan, retail_cost=15)
    order = {"product_id": plan, "customer_id": cast.alice_customer, "service_id": line}
    assert (await admin.put("/crm/provision/", order)).status_code == 200
    person = await browser_as("agent")
    shown = text_of((await person.get(f"/services/{line}")).text)
    expected = ("Mobile of Alice", "Alice Adams", "Mobile 10", "Free calls", "Line_1", "$15.00", "In progress")
    assert all(text in shown for text in expected)


async def test_the_tabs_answer_their_content(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    line = await shop.service(admin, cast.alice_customer)
    (sim,) = await shop.stock(admin, "8944001")
    await admin.patch(f"/crm/inventory/inventory_id/{sim}", {"customer_id": cast.alice_customer, "service_id": line})
    person = await browser_as("agent")
    assert "8944001" in (await person.get(f"/services/{line}/inventory", htmx=True)).text
    assert "Service Mobile of Alice created" in (await person.get(f"/services/{line}/activity", htmx=True)).text
    assert "No jobs" in (await person.get(f"/services/{line}/provisioning", htmx=True)).text


async def test_edit_changes_what_staff_may_change_and_keeps_what_is_wrong(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer)
    person = await browser_as("agent")
    form = (await person.get(f"/services/{line}/edit")).text
    assert 'name="service_uuid"' not in form
    wrong = await person.post(f"/services/{line}/edit", service_name="Line of Alice", retail_cost="dear")
    assert wrong.status_code == 422
    assert 'value="dear"' in wrong.text and 'value="Line of Alice"' in wrong.text
    saved = await person.post(f"/services/{line}/edit", service_name="Line of Alice", retail_cost="12.50")
    assert saved.headers["location"] == f"/services/{line}"
    stored = (await admin.get(f"/crm/service/{line}")).json()
    assert (stored["service_name"], stored["retail_cost"]) == ("Line of Alice", 12.5)


async def test_cancelling_asks_names_what_is_released_and_starts_a_deprovision(
    browser_as: LogIn, admin: Any, cast: Cast, charging: InProcess
) -> None:
    """PROV-230, PROV-238."""
    plan = await shop.product(admin)
    line = await shop.service(admin, cast.alice_customer, product_id=plan, service_uuid=charging.line)
    (sim,) = await shop.stock(admin, "8944001")
    await admin.patch(f"/crm/inventory/inventory_id/{sim}", {"customer_id": cast.alice_customer, "service_id": line})
    _balance(charging, "*data", "DATA_20GB", 20 * GIGABYTE)
    agent, boss = await browser_as("agent"), await browser_as("admin")
    assert "Cancel Service" not in (await agent.get(f"/services/{line}")).text
    for path in (f"/services/{line}/cancel", f"/services/{line}/reinstate"):
        assert (await agent.post(path)).status_code == 403
    assert (await agent.get(f"/services/{line}/cancel")).status_code == 403
    assert f'href="/services/{line}/cancel"' in (await boss.get(f"/services/{line}")).text
    question = text_of((await boss.get(f"/services/{line}/cancel")).text)
    expected = ("Are you sure? Any remaining balance will be lost.", "SIM Card: 8944001", "Data: 20 GB", "Renewals")
    assert all(text in question for text in expected), question
    assert (await admin.get("/crm/provision")).json()["data"] == [], "asking does nothing"
    done = await boss.post(f"/services/{line}/cancel")
    key = done.headers["location"].rpartition("/")[2]
    job = (await admin.get(f"/crm/provision/provision_id/{key}")).json()
    assert (job["action"], job["service_id"]) == ("deprovision", line)


async def test_an_unreachable_engine_does_not_keep_a_service_from_being_cancelled(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer, product_id=await shop.product(admin))
    boss = await browser_as("admin")
    assert "Not known: The charging engine cannot be reached" in (await boss.get(f"/services/{line}/cancel")).text
    assert (await boss.post(f"/services/{line}/cancel")).headers["location"].startswith("/provisioning/")


async def test_a_service_that_is_worked_on_is_not_cancelled_and_says_why(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    line = await shop.service(admin, cast.alice_customer, product_id=await shop.product(admin))
    boss = await browser_as("admin")
    await boss.post(f"/services/{line}/cancel")
    refused = await boss.post(f"/services/{line}/cancel")
    assert refused.headers["location"] == f"/services/{line}"
    assert "is still working on this service" in (await boss.get(f"/services/{line}")).text


async def test_suspending_shows_that_it_is_under_way(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    line = await shop.service(admin, cast.alice_customer)
    agent, auditor = await browser_as("agent"), await browser_as("auditor")
    assert "Suspend" not in text_of((await auditor.get(f"/services/{line}")).text)
    assert (await auditor.post(f"/services/{line}/suspend")).status_code == 403
    assert f'action="/services/{line}/suspend"' in (await agent.get(f"/services/{line}")).text
    await agent.post(f"/services/{line}/suspend")
    page = (await agent.get(f"/services/{line}")).text
    assert "This service is being suspended" in page
    assert f'action="/services/{line}/suspend"' not in page


async def test_a_bundle_and_its_parts_name_each_other(browser_as: LogIn, admin: Any, cast: Cast) -> None:
    """PROV-212."""
    parent = await shop.service(admin, cast.alice_customer)
    names = {"service_uuid": "Line_2", "service_name": "Television"}
    part = await shop.service(admin, cast.alice_customer, **names, bundled_parent=parent)
    person = await browser_as("agent")
    shown = (await person.get(f"/services/{parent}")).text
    assert f'<a href="/services/{part}">Television</a>' in shown
    assert f'href="/services/{parent}">' in (await person.get(f"/services/{part}")).text
    assert "Bundled services" not in (await person.get(f"/services/{part}")).text


async def test_the_list_is_searched_by_customer_and_filtered_by_the_group_of_a_status(
    browser_as: LogIn, admin: Any, cast: Cast
) -> None:
    await shop.service(admin, cast.alice_customer)
    await shop.service(
        admin, cast.bob_customer, service_uuid="Line_2", service_name="Fibre of Bob", service_status="Deactivated"
    )
    person = await browser_as("agent")
    everything = text_of((await person.get("/services")).text)
    assert "Mobile of Alice" in everything and "Fibre of Bob" in everything
    over = text_of((await person.get("/services?group=Inactive")).text)
    assert "Fibre of Bob" in over and "Mobile of Alice" not in over
    assert "Fibre of Bob" not in text_of((await person.get("/services?group=Active")).text)
    assert "Mobile of Alice" in text_of((await person.get("/services?search=alice+adams")).text)
    assert "Nothing matches" in (await person.get("/services?search=zzz")).text
    assert "/services/new" not in (await person.get("/services")).text


async def test_statements(
    browser_as: LogIn, admin: Any, cast: Cast, counted: Any, within_baseline: Any, charging: InProcess
) -> None:
    plan = await shop.product(admin)
    line = await shop.service(admin, cast.alice_customer, service_uuid=charging.line, product_id=plan)
    person = await browser_as("agent")
    pages = {"services list": "/services", "service page": f"/services/{line}", "usage": f"/services/{line}/usage"}
    for name, path in pages.items():
        with counted() as statements:
            assert (await person.get(path)).status_code == 200
        within_baseline(name, statements)
