"""The pages as a person meets them: logged in by the form, with the CSRF token, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from omnicrm import app as root
from tests.conftest import PASSWORD

BASELINE = Path(__file__).parent / "query_counts.json"


class Browser:
    """One logged-in person. `get` and `post` answer httpx responses; `htmx=True` asks for a part of a page."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, *, htmx: bool = False, on: str = "") -> Any:
        return await self.http.get(path, headers=self._headers(htmx, on), follow_redirects=False)

    async def post(self, path: str, *, htmx: bool = False, on: str = "", **fields: Any) -> Any:
        data = {"_csrf_token": self.http.cookies["csrftoken"], **fields}
        return await self.http.post(path, data=data, headers=self._headers(htmx, on), follow_redirects=False)

    def _headers(self, htmx: bool, on: str) -> dict[str, str]:
        """`on` is the page that htmx was used on."""
        return {"HX-Request": "true", "HX-Current-URL": str(self.http.base_url.join(on))} if htmx else {}

    async def log_in(self, name: str) -> None:
        await self.http.get("/login")
        answer = await self.post("/login", email=f"{name}@example.com", password=PASSWORD)
        assert answer.status_code == 303, answer.text


LogIn = Callable[[str], Awaitable[Browser]]


@pytest.fixture
async def browser_as(web: httpx.AsyncClient) -> AsyncIterator[LogIn]:
    """`await browser_as("agent")`: a Browser of its own, so that several people can act in one test."""
    clients: list[httpx.AsyncClient] = []

    async def enter(name: str) -> Browser:
        # The cookies are the person's own; the way into the application is the test's one.
        client = httpx.AsyncClient(transport=web._transport, base_url=web.base_url)
        clients.append(client)
        browser = Browser(client)
        await browser.log_in(name)
        return browser

    yield enter
    for client in clients:
        await client.aclose()


class Statements:
    """The SQL statements that were sent; transactions' begin and end are none."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __len__(self) -> int:
        return len(self.texts)


@pytest.fixture
def counted(parts: root.Parts) -> Callable[[], Any]:
    """`with counted() as statements:` collects what the pages' engine sends."""

    @contextmanager
    def collect() -> Iterator[Statements]:
        found, engine = Statements(), parts.db.async_engine.sync_engine

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith("BEGIN"):
                found.texts.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        try:
            yield found
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return collect


@pytest.fixture
def within_baseline() -> Callable[[str, Statements], None]:
    """A page may send as many statements as query_counts.json says, and not one more."""

    def check(page: str, statements: Statements) -> None:
        known = json.loads(BASELINE.read_text())
        assert len(statements) <= known[page], f"{page}: {len(statements)} statements\n" + "\n".join(statements.texts)

    return check


def text_of(html: str) -> str:
    """What a reader sees of the page: without tags, spaces collapsed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
