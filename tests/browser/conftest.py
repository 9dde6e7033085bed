"""Debian's chromium and the gallery for the browser tests; skipped by name where chromium or playwright is missing."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from gallery import Gallery

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module: playwright's own event loop must be gone before the next asyncio test starts."""
    program = shutil.which("chromium")
    if program is None or find_spec("playwright") is None:
        if "browser" in os.environ.get("OMNICRM_REQUIRE", ""):
            pytest.fail("OMNICRM_REQUIRE names the browser, but chromium or playwright is missing")
        pytest.skip("needs Debian's chromium and the playwright package")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    server = Gallery()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def opened(chromium: Browser, gallery: Gallery) -> Iterator[Open]:
    """`opened("/widgets", width=390, color_scheme="dark")`: a page in a fresh profile.

    Whatever the console or the content security policy complains about fails the test, but for the lines that chromium
    and htmx write for a request that a test lets fail on purpose.
    """
    complaints: list[str] = []
    contexts = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))

    def run(path: str, width: int = 1280, **options: object) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": 860}, **options)
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        listen(page)
        page.goto(gallery.address + path)
        return page

    yield run
    for context in contexts:
        context.close()
    expected = ("status of 4", "status of 5", "/refused", "ERR_FAILED", "htmx:sendError", "htmx:afterRequest")
    assert [text for text in complaints if not any(part in text for part in expected)] == []
