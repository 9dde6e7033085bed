"""Fixtures of the whole suite: a prepared database for each test, the application, and a fixed cast of users.

The suite runs on SQLite, and on MariaDB or MySQL where OMNICRM_TEST_MYSQL names a server, such as
`mysql+pymysql://root@127.0.0.1:3306` (CI does). OMNICRM_REQUIRE lists what must not be skipped: mysql, redis, browser.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from omnicrm import app as root
from omnicrm import migrations
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.customers.resource import customers
from omnicrm.domain.identity import actions as identity
from omnicrm.domain.identity import passwords, tokens
from omnicrm.domain.identity.models import Role
from omnicrm.domain.resource import Write
from omnicrm.models import Base
from omnicrm.settings import Settings, load

MYSQL = os.environ.get("OMNICRM_TEST_MYSQL", "")
REQUIRED = {name for name in os.environ.get("OMNICRM_REQUIRE", "").split(",") if name}
BACKENDS = ["mysql"] if MYSQL else ["sqlite"]
BASE_URL = "http://testserver.local"
#: One hash for all: hashing is slow on purpose.
PASSWORD = "Demo-1234!"
HASHED = passwords.hash_password(PASSWORD)


def need(what: str, missing: bool, how: str) -> None:
    """Skip what this machine cannot run; fail where the run requires it."""
    if missing and what in REQUIRED:
        pytest.fail(f"{what} is required here but missing: {how}")
    if missing:
        pytest.skip(f"{what} is missing: {how}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The run on MariaDB takes what depends on the database; the rest has run before on SQLite."""
    if MYSQL:
        chosen = [item for item in items if "backend" in item.fixturenames or item.get_closest_marker("mysql")]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with tables, roles and the cast; each test gets a copy."""
    folder = tmp_path_factory.mktemp("prepared")
    migrations.upgrade(f"sqlite:///{folder / 'omnicrm.db'}")
    parts = root.build(root.prepare(_load(folder, {})))
    _fill(parts)
    parts.db.close()
    return folder / "omnicrm.db"


@pytest.fixture(scope="session")
def mysql_schema() -> Iterator[str]:
    """One schema for the run."""
    name = f"omnicrm_test_{os.getpid()}"
    admin = create_engine(MYSQL, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    url = f"{MYSQL}/{name}"
    migrations.upgrade(url)
    yield url
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    admin.dispose()


def _load(folder: Path, sets: dict[str, str]) -> Settings:
    fixed = {
        "jwt_secret": "t" * 64,
        "security.encryption_key": "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=",
        "crm.mode": "development",
        "sandbox.enabled": "true",
        # Nothing answers there: no test may reach an engine that happens to run on this machine.
        "ocs.listen": "127.0.0.1:9",
        # Tests call faster than people; tests/auth/test_rate_limits.py sets limits of its own.
        **{f"security.rate_limits.{kind}": "1000000" for kind in ("login", "public", "api")},
    }
    return load(sets={**fixed, **sets}, environ={}, data_dir=folder)


@dataclass(frozen=True)
class Cast:
    """Who plays in the tests: Alice's customer, Bob's customer, and staff. Values are user ids."""

    admin: int
    agent: int
    auditor: int
    alice: int
    bob: int
    nobody: int
    alice_customer: int
    bob_customer: int
    names: dict[str, int] = field(default_factory=dict)


def _fill(parts: root.Parts) -> Cast:
    door = parts.door
    door.act_now(identity.seed_catalogue, SYSTEM, None)
    owned = [
        door.act_now(customers.actions["create"], SYSTEM, Write(None, {"customer_name": name})).row.customer_id
        for name in ("Alice Adams", "Bob Brown")
    ]
    people = {
        "admin": (("admin",), None),
        "agent": (("customer_service_agent_1",), None),
        "auditor": (("Read-only Auditor",), None),
        "alice": (("customer",), owned[0]),
        "bob": (("customer",), owned[1]),
        "nobody": (("empty",), None),
    }

    def add_empty_role(session: Session) -> None:
        session.info.update(actor=SYSTEM, now=door.clock(), currency="USD")
        session.add(Role(name="empty"))

    parts.db.write(add_empty_role)
    ids = {
        name: door.act_now(
            identity.create_user,
            SYSTEM,
            identity.NewUser(name, f"{name}@example.com", HASHED, roles, customer_id=customer_id),
        ).id
        for name, (roles, customer_id) in people.items()
    }
    return Cast(**ids, alice_customer=owned[0], bob_customer=owned[1])


#: Ids are the same on every fresh database: the cast is created in a fixed order.
CAST = Cast(admin=1, agent=2, auditor=3, alice=4, bob=5, nobody=6, alice_customer=1, bob_customer=2)


@pytest.fixture
def cast() -> Cast:
    return CAST


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def extra_settings() -> dict[str, str]:
    """Override in a test module to run the application with other settings."""
    return {}


@pytest.fixture
def parts(
    backend: str, tmp_path: Path, extra_settings: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[root.Parts]:
    """Database, door, queue and ports over a fresh database with the cast in it."""
    sets = dict(extra_settings)
    if backend == "sqlite":
        source = sqlite3.connect(request.getfixturevalue("prepared_sqlite"))
        target = sqlite3.connect(tmp_path / "omnicrm.db")
        source.backup(target)
        source.close()
        target.close()
    else:
        sets["database.url"] = request.getfixturevalue("mysql_schema")
        sets["charging.url"] = f"sqlite:///{tmp_path / 'charging.db'}"
    built = root.build(_load(tmp_path, sets))
    if backend == "mysql":
        _empty(sets["database.url"])
        _fill(built)
    yield built
    built.queue.close()
    built.db.close()


def _empty(url: str) -> None:
    """Empty every table and start its ids anew."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for table in Base.metadata.tables:
            if connection.scalar(text(f"SELECT 1 FROM `{table}` LIMIT 1")):
                connection.execute(text(f"TRUNCATE TABLE `{table}`"))
    engine.dispose()


class Client:
    """The application as one caller sees it: `get`, `put`, … with the caller's token; answers are httpx responses."""

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.http, self.headers = http, headers

    async def request(self, method: str, url: str, json: Any = None, **more: Any) -> Any:
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.http.request(method, url, json=json, headers=headers, **more)

    async def get(self, url: str, **more: Any) -> Any:
        return await self.request("GET", url, **more)

    async def put(self, url: str, json: Any = None, **more: Any) -> Any:
        return await self.request("PUT", url, json, **more)

    async def post(self, url: str, json: Any = None, **more: Any) -> Any:
        return await self.request("POST", url, json, **more)

    async def patch(self, url: str, json: Any = None, **more: Any) -> Any:
        return await self.request("PATCH", url, json, **more)

    async def delete(self, url: str, **more: Any) -> Any:
        return await self.request("DELETE", url, **more)


#: Registering the routes takes longer than most tests: one application for each set of settings serves them all.
_APPS: dict[tuple[tuple[str, str], ...], tuple[root.Parts, Litestar]] = {}


@pytest.fixture
def application(parts: root.Parts, extra_settings: dict[str, str]) -> Litestar:
    """The application over this test's own parts, without engine socket and workers."""
    key = tuple(sorted(extra_settings.items()))
    if key not in _APPS:
        own = replace(parts)
        _APPS[key] = own, root.create_app(own, with_charging=False, with_workers=False)
    own, app = _APPS[key]
    vars(own).update(vars(parts))
    app.state.update({"door": parts.door, "ports": parts.ports, "queue": parts.queue})
    return app


@pytest.fixture
async def web(parts: root.Parts, application: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """The application over HTTP, called straight in this loop.

    Its lifespan would add engine, workers and the seeded catalogue, which the prepared database holds.
    """
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=BASE_URL) as client:
        yield client
    await parts.db.aclose()


@pytest.fixture
def as_user(parts: root.Parts, web: httpx.AsyncClient) -> Callable[[str], Client]:
    """`as_user("alice")`: a JSON client with her token; `as_user("")` sends none."""

    def make(name: str) -> Client:
        if not name:
            return Client(web, {})
        secret = parts.settings.jwt_secret
        assert secret is not None
        token = tokens.access_token(secret.reveal(), getattr(CAST, name), parts.door.clock(), 30)
        return Client(web, {"Authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def admin(as_user: Callable[[str], Client]) -> Client:
    return as_user("admin")
