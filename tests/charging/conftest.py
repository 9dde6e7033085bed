"""An engine on a database of its own, and its socket with a small HTTP client."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.views.jsonrpc import JsonRpcServer, serve

TENANT = "cgrates.org"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.mysql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, empty charging database on each of the two kinds of server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/charging.db"
        return
    server = os.environ.get("OMNICRM_TEST_MYSQL")
    if not server:
        pytest.skip("OMNICRM_TEST_MYSQL names no server")
    admin = create_engine(server)
    schema = f"omnicrm_charging_{uuid4().hex[:12]}"
    with admin.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    try:
        yield f"{server.rstrip('/')}/{schema}"
    finally:
        with admin.begin() as connection:
            connection.execute(text(f"DROP DATABASE {schema}"))
        admin.dispose()


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_engine(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Engine]]:
    """Opens engines, on a SQLite file in the test's folder unless a `url` is given, and closes them."""
    engines: list[Engine] = []

    def opener(url: str = f"sqlite:///{tmp_path}/charging.db", **options: Any) -> Engine:
        engine = Engine.open(url, **{"clock": clock, **options})
        engines.append(engine)
        return engine

    yield opener
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(open_engine: Callable[..., Engine]) -> Engine:
    """An engine with play fixes, as the product runs it."""
    return open_engine()


@pytest.fixture
def bare(open_engine: Callable[..., Engine]) -> Engine:
    """An engine that answers as CGRateS does."""
    return open_engine(play_fixes=False)


class Socket:
    """A running listener and calls to it."""

    def __init__(self, server: JsonRpcServer) -> None:
        self.server = server
        self.port = server.port

    def send(self, body: bytes, method: str = "POST", path: str = "/jsonrpc", **headers: str) -> tuple[int, bytes]:
        """Status and body of one HTTP request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def rpc(self, method: str, params: dict[str, Any], token: str | None = None) -> dict[str, Any]:
        """The envelope that answers a call."""
        headers = {} if token is None else {"X_OmniCRM_Job": token}
        status, body = self.send(json.dumps({"method": method, "params": [params], "id": 1}).encode(), **headers)
        assert status == 200
        return json.loads(body)


@pytest.fixture
def listen() -> Iterator[Callable[[Door], Socket]]:
    """Starts sockets on an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-socket")
    thread.start()
    servers: list[JsonRpcServer] = []

    def start(door: Door) -> Socket:
        server = asyncio.run_coroutine_threadsafe(serve(door, "127.0.0.1", 0), loop).result(10)
        servers.append(server)
        return Socket(server)

    yield start
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def values(engine: Engine, account: str, kind: str) -> dict[str, Any]:
    """Wire values of an account's buckets by id."""
    found = engine.call("ApierV2.GetAccount", {"Account": account})
    return {bucket["ID"]: bucket["Value"] for bucket in (found["BalanceMap"] or {}).get(kind) or ()}
