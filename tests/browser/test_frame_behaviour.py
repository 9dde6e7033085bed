"""What static/*.js does on every page, seen in a browser under the strict content security policy."""

from __future__ import annotations

import pytest
from gallery import Gallery

pytestmark = pytest.mark.browser


def test_the_page_follows_the_system_and_remembers_the_choice(opened):
    page = opened("/widgets", color_scheme="dark")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.click("[data-theme-toggle]")
    page.reload()
    assert page.get_attribute("html", "data-bs-theme") == "light"


def test_the_dark_page_is_dark_before_any_other_script_runs(opened):
    page = opened("/widgets", color_scheme="dark")
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => {"
        " window.early = getComputedStyle(document.body).backgroundColor }, true)"
    )
    page.route("**/app.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.reload()
    assert page.evaluate("window.early") == "rgb(19, 23, 34)"


def test_the_collapsed_navigation_stays_collapsed(opened):
    page = opened("/widgets")
    wide = page.locator(".side-inner").bounding_box()["width"]
    page.click("[data-nav-toggle]")
    page.reload()
    assert page.locator(".side-inner").bounding_box()["width"] < wide / 2
    assert page.get_attribute("[data-nav-toggle]", "aria-expanded") == "false"


def test_on_a_phone_the_navigation_slides_in(opened):
    page = opened("/widgets", width=390)
    assert not page.locator(".side-inner").is_visible()
    page.click("[data-bs-toggle='offcanvas']")
    page.locator("#side.show:not(.showing)").get_by_role("link", name="Customers").wait_for()
    page.keyboard.press("Escape")
    page.locator(".side-inner").wait_for(state="hidden")


def test_a_form_that_asks_first_is_not_sent_on_cancel_and_is_sent_once_on_confirm(opened, gallery: Gallery):
    page = opened("/widgets")
    page.click("button:has-text('Suspend')")
    dialog = page.locator("#confirm-dialog")
    dialog.get_by_text("Suspend the customer “Northwind”?").wait_for()
    page.locator("[data-confirm-cancel]:focus").wait_for()
    page.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    assert gallery.sent == []
    page.click("button:has-text('Suspend')")
    page.locator("[data-confirm-cancel]:focus").wait_for()
    with page.expect_navigation():
        dialog.get_by_role("button", name="Suspend").click()
    assert [sent["body"] for sent in gallery.sent] == [{"_csrf_token": "the-token", "reason": "unpaid"}]


def test_a_request_of_htmx_asks_first_too(opened, gallery: Gallery):
    page = opened("/widgets#2")
    page.click("#remove")
    page.locator("#confirm-dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("Gone.").wait_for()
    assert [sent["token"] for sent in gallery.sent] == ["the-token"]


def test_the_csrf_cookie_wins_over_the_token_of_the_page(opened, gallery: Gallery):
    page = opened("/widgets#2")
    page.context.add_cookies([{"name": "csrftoken", "value": "newer", "url": gallery.address}])
    page.click("#remove")
    page.locator("#confirm-dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("Gone.").wait_for()
    assert gallery.sent[0]["token"] == "newer"


def test_a_form_is_sent_once_however_often_the_button_is_pressed(opened, gallery: Gallery):
    page = opened("/form")
    gallery.release.clear()
    page.fill("#field-name", "Ada")
    page.evaluate("""() => {
        const form = document.getElementById("form");
        for (let turn = 0; turn < 3; turn++) form.requestSubmit(form.querySelector(".btn-primary"));
    }""")
    page.locator(".is-busy").wait_for()
    gallery.release.set()
    page.locator("#field-email-error").wait_for()
    assert len(gallery.sent) == 1
    page.click("#form .btn-primary")
    page.wait_for_timeout(300)
    assert len(gallery.sent) == 2


def test_a_refused_form_comes_back_with_texts_beside_the_fields_and_toasts(opened):
    page = opened("/form")
    page.fill("#field-name", "Ada")
    page.click("#form .btn-primary")
    page.locator("#field-email-error").wait_for()
    described = page.get_attribute("#field-email", "aria-describedby").split()
    assert described == ["field-email-help", "field-email-error"]
    assert page.input_value("#field-name") == "Ada"
    page.locator(".toast.tone-warning").get_by_text("Not saved <yet>.").wait_for()
    page.locator(".toast.tone-success").get_by_text("Beside it.").wait_for()


def test_good_news_leaves_by_itself_and_bad_news_stays(opened):
    page = opened("/form?toast=Broken")
    page.click("#form .btn-primary")
    page.locator(".toast.tone-success").wait_for()
    page.locator(".toast.tone-success").wait_for(state="detached", timeout=9000)
    assert page.locator(".toast.tone-danger").is_visible()
    page.click(".toast.tone-danger .btn-close")
    page.locator(".toast.tone-danger").wait_for(state="detached")


def test_the_text_of_a_refusal_is_shown(opened):
    page = opened("/form")
    page.click("#refused")
    page.locator(".toast.tone-danger").get_by_text("The item is taken by order 12.").wait_for()


def test_the_address_names_the_tab_and_back_returns_to_the_former_one(opened, gallery: Gallery):
    page = opened("/widgets#3")
    assert page.locator("#tab-3").is_visible() and not page.locator("#tab-1").is_visible()
    assert gallery.turns["/sites"] == 0
    page.get_by_role("tab", name="Sites").click()
    page.locator("#tab-2").get_by_text("Active").wait_for()
    assert page.url.endswith("#2")
    page.go_back()
    page.locator("#tab-3").wait_for()
    page.go_forward()
    page.locator("#tab-2").wait_for()
    assert gallery.turns["/sites"] == 1


def test_an_unknown_tab_falls_back_to_the_first_and_the_skip_link_changes_none(opened):
    page = opened("/widgets#8")
    assert page.locator("#tab-1").is_visible()
    page.get_by_role("tab", name="Services").click()
    page.locator("#tab-3").wait_for()
    page.evaluate("location.hash = '#main'")
    page.wait_for_timeout(100)
    assert page.locator("#tab-3").is_visible()


def test_arrow_keys_move_between_tabs(opened):
    page = opened("/widgets")
    page.focus("#tab-link-1")
    page.keyboard.press("ArrowLeft")
    page.locator("#tab-3").wait_for()
    assert page.evaluate("document.activeElement.id") == "tab-link-3"


def test_polling_ends_when_the_server_says_so(opened, gallery: Gallery):
    page = opened("/progress")
    page.get_by_text("3 of 3 tasks completed").wait_for()
    turns = gallery.turns["/progress"]
    page.wait_for_timeout(700)
    assert gallery.turns["/progress"] == turns


def test_an_opened_balance_stays_open_while_the_usage_refreshes(opened):
    page = opened("/usage")
    page.get_by_role("button", name="More info about Data").click()
    page.get_by_text("Total remaining").wait_for()
    for _ in range(2):
        turn = page.get_attribute("#usage", "data-turn")
        page.locator(f"#usage:not([data-turn='{turn}'])").wait_for()
    assert page.get_by_text("Total remaining").is_visible()


def test_polling_rests_while_the_tab_is_hidden(opened, gallery: Gallery):
    page = opened("/usage")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    page.wait_for_timeout(400)
    turns = gallery.turns["/usage"]
    page.wait_for_timeout(800)
    assert gallery.turns["/usage"] == turns


def test_a_lost_connection_is_said_once_and_goes_when_it_is_back(opened):
    page = opened("/form")
    page.route("**/refused", lambda route: route.abort())
    page.click("#refused")
    page.locator(".offline").wait_for()
    page.unroute("**/refused")
    page.locator(".toast .btn-close").click()
    page.click("#refused")
    page.locator(".offline").wait_for(state="hidden")


def test_keys_reach_the_search_and_the_help(opened):
    page = opened("/widgets")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.press("?")
    assert page.input_value("[name=q]") == "?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("#help-dialog:focus").wait_for()
    page.keyboard.press("Escape")
    page.locator("#help-dialog").wait_for(state="hidden")


def test_the_eye_shows_and_hides_the_password(opened):
    page = opened("/login")
    page.fill("#field-password", "secret")
    page.click("[data-eye]")
    assert page.get_attribute("#field-password", "type") == "text"
    page.click("[data-eye]")
    assert page.get_attribute("#field-password", "type") == "password"


def test_a_row_opens_its_record_and_its_menu_does_not(opened):
    page = opened("/widgets")
    page.click("[aria-label='Actions for Ada Byron']")
    page.get_by_role("link", name="View").wait_for()
    assert page.url.endswith("/widgets")
    page.keyboard.press("Escape")
    page.click("tr[data-row-link] td.num")
    page.wait_for_url("**/usage")


def test_a_list_sorts_pages_and_searches_in_place_and_the_address_follows(opened, gallery: Gallery):
    page = opened("/widgets")
    page.evaluate("window.untouched = true")
    page.get_by_role("link", name="Name", exact=True).click()
    page.locator("th[aria-sort='ascending']").wait_for()
    page.get_by_role("link", name="Page 6").click()
    page.wait_for_url("**/widgets?sort=name&order=asc&page=6")
    page.fill("#tab-1 input[type='search']", "ada")
    page.wait_for_url("**/widgets?search=ada**")
    assert page.evaluate("window.untouched") and page.input_value("#tab-1 input[type='search']") == "ada"
    page.reload()
    assert page.input_value("#tab-1 input[type='search']") == "ada"
    page.go_back()
    page.wait_for_url("**/widgets?sort=name&order=asc&page=6")
    page.locator("th[aria-sort='ascending']").wait_for()


def test_copying_says_so(opened):
    page = opened("/widgets", permissions=["clipboard-read", "clipboard-write"])
    page.click("[data-copy]")
    page.locator(".toast").get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "copied text"


def test_without_javascript_the_login_form_is_whole(opened):
    page = opened("/login?error=Invalid", java_script_enabled=False)
    assert page.get_by_label("E-mail address").is_visible()
    assert page.get_by_text("Invalid").is_visible()
    assert not page.locator("[data-eye]").is_visible()
    assert page.get_attribute("form.auth-form", "method") == "post"
