"""Every sample page at both widths in both colour modes: accessible, no sideways scrolling, hostile text harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
PAGES = (
    "/widgets",
    "/widgets#3",
    "/form?toast=Broken",
    "/progress",
    "/usage",
    "/login?error=Invalid+email+or+password",
    "/error?status=500&reference=f3a9",
    "/error?status=404&anonymous=1",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_by_everybody(opened, path, width, scheme):
    page = opened(path, width=width, color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_timeout(150)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []


@pytest.mark.parametrize("brand", ["#ffcc00", "#00a86b", "#ff7a00"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_any_brand_colour_leaves_the_text_readable(opened, brand, scheme):
    page = opened("/login", color_scheme=scheme)
    css = f":root {{ --brand-primary: {brand}; --brand-primary-dark: {brand}; }}"
    page.route("**/branding.css*", lambda route: route.fulfill(body=css, content_type="text/css"))
    page.goto(page.url.replace("/login", "/widgets"))
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--brand-primary')") == brand
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {runOnly: ['color-contrast']})")["violations"]
    assert [node["html"] for rule in found for node in rule["nodes"]] == []


def test_markup_in_a_record_is_shown_as_text(opened):
    page = opened("/widgets")
    assert page.locator("h1").inner_text() == "Northwind <Harbour>"
    assert page.locator(".pill").nth(2).inner_text() == "<b>plain</b>"


def test_a_tag_links_to_web_addresses_only(opened):
    page = opened("/widgets")
    links = page.locator(".pill").evaluate_all("pills => pills.map(pill => pill.getAttribute('href'))")
    assert links == ["http://localhost/vip", None, None]


def test_the_text_of_a_pill_is_black_or_white_whichever_reads_better(opened):
    page = opened("/widgets")
    colours = page.locator(".pill").evaluate_all("pills => pills.map(pill => getComputedStyle(pill).color)")
    assert colours[:2] == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


def test_sorting_and_paging_keep_the_rest_of_the_query(opened):
    page = opened("/widgets?search=a%26b&sort=name&order=asc&page=5")
    name = page.locator("th", has_text="Name")
    assert name.get_attribute("aria-sort") == "ascending"
    assert name.locator("a").get_attribute("href") == "/widgets?search=a%26b&sort=name&order=desc"
    assert page.get_by_role("link", name="ID").get_attribute("href") == "/widgets?search=a%26b&sort=id&order=asc"
    after = page.get_by_role("link", name="Next").get_attribute("href")
    assert after == "/widgets?search=a%26b&sort=name&order=asc&page=6"
    numbers = page.locator(".pagination .page-link").all_inner_texts()
    assert numbers == ["Previous", "1", "…", "4", "5", "6", "…", "12", "Next"]


def test_the_whole_frame_is_served_by_the_product_itself(opened, gallery):
    hosts = set()
    page = opened("/widgets")
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.reload()
    page.evaluate("document.fonts.ready")
    assert hosts == {gallery.address.split("/")[2]}
    assert page.evaluate("document.fonts.check('16px Quicksand')")
