"""Callers of every kind: browsers with their forms, addresses, keys; and a clock that can be moved."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar

from omnicrm import app as root
from tests.conftest import BASE_URL, PASSWORD


@pytest.fixture
def later(parts: root.Parts) -> Callable[..., None]:
    """`later(minutes=31)` moves the clock of the door on."""

    def move(**by: int) -> None:
        clock = parts.door.clock
        parts.door.clock = lambda: clock() + timedelta(**by)

    return move


@pytest.fixture
def caller_at(application: Litestar, web: httpx.AsyncClient) -> Callable[[str], httpx.AsyncClient]:
    """A client whose requests come from that address."""

    def make(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(application, client=(address, 40000))
        return httpx.AsyncClient(transport=transport, base_url=BASE_URL)

    return make


class Browser:
    """Fills forms as a browser does: cookies kept, the form's own token sent along."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    async def send(self, path: str, fields: dict[str, str], page: str = "/login", **headers: str) -> httpx.Response:
        shown = await self.http.get(page)
        match = re.search(r'name="_csrf_token" value="([^"]+)"', shown.text)
        assert match is not None, shown.text[:500]
        return await self.http.post(path, data={"_csrf_token": match[1], **fields}, headers=headers)

    async def log_in(self, email: str = "admin@example.com", password: str = PASSWORD, **fields: str) -> httpx.Response:
        return await self.send("/login", {"email": email, "password": password, **fields})


@pytest.fixture
def browser(web: httpx.AsyncClient) -> Browser:
    return Browser(web)


@pytest.fixture
def log_in(web: httpx.AsyncClient) -> Callable[..., Any]:
    """`await log_in("admin")`: the answer of the JSON login."""

    async def post(name: str, password: str = PASSWORD, path: str = "/crm/auth/login") -> httpx.Response:
        return await web.post(path, json={"email": name, "password": password})

    return post
