"""A web server with the three sandboxes on a free loopback port, as the product serves them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar

from omnicrm.integrations.sandbox import SandboxStore, sandbox_routes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SandboxStore]:
    store = SandboxStore(tmp_path / "sandbox.db")
    yield store
    store.close()


@pytest.fixture
def base(store: SandboxStore) -> Iterator[str]:
    config = uvicorn.Config(Litestar(sandbox_routes(store)), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/sandbox"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def call(base: str) -> Iterator[Callable[..., httpx.Response]]:
    """`call("PUT", "/hss/1/subscriber/…", json=…)`."""
    with httpx.Client(timeout=5) as client:

        def send(method: str, path: str, **options: Any) -> httpx.Response:
            return client.request(method, base + path, **options)

        yield send
