"""The running product in a browser: every page in both colour modes and widths, and the main job by clicks and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnicrm.demo import PASSWORD
from omnicrm.demo.check import Shop, Timeline, running_demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
PAGES = (
    "/customers",
    "/customers/new",
    *(f"/customers/1#{tab}" for tab in range(1, 10)),
    "/customers/2/add-service",
    "/services",
    *(f"/services/2#{tab}" for tab in range(1, 6)),
    "/provisioning",
    "/provisioning/1",
    "/provisioning/queue",
    "/alerts",
    "/catalogue",
    "/products",
    "/products/1",
    "/inventory-items-list",
    "/inventory-templates",
    "/activity",
    "/sandbox",
    "/nothing-here",
)
#: What a page that answers 404 on purpose makes chromium write.
EXPECTED = ("status of 404",)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("demo")
    with running_demo(folder, folder / "demo.log", ["security.rate_limits.login=1000"], Timeline()) as running:
        running.log_in()
        running.settle(
            {
                "product_id": running.product("basic-line"),
                "customer_id": 3,
            }
        )
        yield running


class Visitor:
    """A logged-in browser that remembers what console and network complained about."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.context, self.home = context, home
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("request", self._inside)

    def _note(self, text: str) -> None:
        if not any(part in text for part in EXPECTED):
            self.complaints.append(text)

    def _inside(self, request: Any) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.complaints.append(f"a request left the product: {request.url}")

    def log_in(self) -> None:
        self.page.goto(f"{self.home}/login")
        self.page.keyboard.type("admin@example.com")
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/customers")


@pytest.fixture
def visitor(chromium: Browser, shop: Shop, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    width, scheme = getattr(request, "param", (1280, "light"))
    context = chromium.new_context(
        viewport={"width": width, "height": 860}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(15_000)
    person = Visitor(context, str(shop.http.base_url).rstrip("/"))
    person.log_in()
    yield person
    context.close()
    assert person.complaints == []


@pytest.mark.parametrize(
    "visitor", [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")], indirect=True, ids=str
)
def test_every_page_is_quiet_fits_its_width_and_can_be_read_by_everybody(visitor: Visitor) -> None:
    page, found = visitor.page, []
    for path in PAGES:
        page.goto("about:blank")
        page.goto(visitor.home + path)
        page.wait_for_load_state("networkidle")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{path} scrolls sideways")
        page.evaluate(AXE.read_text())
        answer = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [
            f"{path} {rule['id']}: {rule['nodes'][0]['html'][:160]}"
            for rule in answer["violations"]
            if rule["impact"] in ("serious", "critical")
        ]
    assert found == []


def _order(page: Page, home: str, product: str) -> None:
    page.goto(f"{home}/customers/1")
    page.get_by_role("link", name="Add Service").first.click()
    card = page.locator(".card, article", has=page.get_by_role("heading", name=product, exact=True))
    card.get_by_role("link", name="Choose").or_(card.get_by_role("button", name="Choose")).first.click()
    for name in ("item_SIM_Card", "item_Mobile_Number"):
        page.locator(f"select[name={name}]").focus()
        page.keyboard.press("End")  # the last of the list: the demo's own services take from its start
    page.get_by_role("button", name="Continue").click()
    no_renewal = page.get_by_role("button", name="No", exact=True)
    if no_renewal.count():
        no_renewal.click()
    terms = page.get_by_role("checkbox")
    if terms.count():
        terms.first.check()
    page.get_by_role("button", name="Confirm & Provision").click()


def test_the_main_job_by_clicks(visitor: Visitor) -> None:
    page = visitor.page
    _order(page, visitor.home, "Mobile 20 GB")
    page.get_by_text("Service provisioned successfully", exact=False).wait_for(timeout=60_000)
    page.get_by_role("link", name="View Service").click()
    page.get_by_role("tab", name="Usage").click()
    page.get_by_text("20 GB / 20 GB (100%)").wait_for()


def test_the_plan_that_the_network_refuses_is_undone_before_your_eyes(visitor: Visitor) -> None:
    page = visitor.page
    _order(page, visitor.home, "5G Early Access")
    page.get_by_text("access point 9 is not configured on this HSS").first.wait_for(timeout=60_000)
    page.get_by_text("No service record remains").wait_for()
    assert page.get_by_role("button", name="Retry").is_visible()
