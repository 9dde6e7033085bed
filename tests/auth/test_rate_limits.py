"""How many requests a minute a caller may make (CFG-112)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from omnicrm.domain.errors import TooMany
from omnicrm.views import limits
from omnicrm.views.limits import Limiter, Limits
from tests.conftest import PASSWORD


@pytest.fixture
def extra_settings() -> dict[str, str]:
    key = "k" * 40
    return {
        "security.rate_limits.login": "3",
        "security.rate_limits.public": "4",
        "security.rate_limits.api": "5",
        "api_keys": f'{{"{key}": {{roles: [admin]}}}}',
    }


@pytest.fixture(autouse=True)
def fresh_counts(application: Any) -> None:
    """The application serves several tests; each starts with nobody counted."""
    application.state.limits = type(application.state.limits)(application.state.door.settings)


async def test_logins_of_one_address_are_refused_with_the_time_to_wait(web: httpx.AsyncClient) -> None:
    body = {"email": "nobody@example.com", "password": "wrong"}
    answers = [await web.post("/crm/auth/login", json=body) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert "Try again in" in answers[-1].json()["message"]
    right = await web.post("/crm/auth/login", json={"email": "admin@example.com", "password": PASSWORD})
    assert right.status_code == 429


async def test_a_person_reads_it_on_a_page(web: httpx.AsyncClient) -> None:
    answers = [await web.get("/login") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert "Too many requests" in answers[-1].text
    assert "retry-after" in answers[-1].headers


async def test_the_api_counts_each_user_and_no_key(web: httpx.AsyncClient, as_user: Any) -> None:
    admin, agent = as_user("admin"), as_user("agent")
    codes = [(await admin.get("/crm/product")).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]
    assert (await agent.get("/crm/product")).status_code == 200
    keyed = [(await web.get("/crm/product", headers={"X-API-Key": "k" * 40})).status_code for _ in range(8)]
    assert keyed == [200] * 8


async def test_health_and_files_are_not_counted(web: httpx.AsyncClient) -> None:
    for _ in range(8):
        assert (await web.get("/branding.css")).status_code == 200


def test_a_bucket_fills_evenly_and_forgets_who_stays_away() -> None:
    now = [0.0]
    limiter = Limiter(60, clock=lambda: now[0])
    assert [limiter.wait("a") for _ in range(60)] == [0.0] * 60
    assert limiter.wait("a") == pytest.approx(1.0)
    now[0] += 1.0
    assert limiter.wait("a") == 0.0
    assert limiter.wait("a") > 0
    now[0] += 3600
    assert [limiter.wait("a") for _ in range(61)][-1] > 0


def test_callers_that_come_once_fill_no_memory_and_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_KEPT", 100)
    limiter = Limiter(1, clock=lambda: 0.0)
    for caller in range(1000):
        assert limiter.wait(caller) == 0.0
    assert len(limiter._buckets) == 100
    assert limiter.wait(999) > 0
    assert limiter.wait(0) == 0.0


def test_who_goes_on_calling_is_not_forgotten_for_those_who_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_KEPT", 10)
    limiter = Limiter(1, clock=lambda: 0.0)
    limiter.wait("busy")
    for caller in range(100):
        limiter.wait(caller)
        assert limiter.wait("busy") > 0


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix", "unix", True),
    ],
)
def test_an_ipv6_network_is_one_caller(application: Any, first: str, second: str, is_one: bool) -> None:
    counts = Limits(application.state.door.settings)
    for _ in range(3):
        counts.admit("login", first)
    if is_one:
        with pytest.raises(TooMany):
            counts.admit("login", second)
    else:
        counts.admit("login", second)
