"""The login page: who gets in, what the cookie looks like, where a login leads, and forms of other sites."""

from __future__ import annotations

from typing import Any

import pytest

from omnicrm.views.auth import WRONG
from omnicrm.views.http import COOKIE


@pytest.mark.parametrize("name", ["admin@example.com", "ADMIN@Example.COM", "admin", "Admin", "  admin  "])
async def test_e_mail_or_username_in_any_case_gets_in(browser: Any, name: str) -> None:
    answer = await browser.log_in(name)
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers")
    assert (await browser.get("/customers")).status_code == 200


async def test_unknown_wrong_and_locked_are_one_page(browser: Any, web: Any) -> None:
    pages = [await browser.log_in("nobody-at-all@example.com", "x"), await browser.log_in("admin@example.com", "x")]
    for _ in range(4):
        await browser.log_in("admin@example.com", "x")
    pages.append(await browser.log_in("admin@example.com"))
    texts = [page.text.replace("nobody-at-all@", "admin@") for page in pages]
    assert {page.status_code for page in pages} == {422}
    assert WRONG in texts[0]
    assert texts[0] == texts[1] == texts[2]
    assert not any(COOKIE in page.headers.get("set-cookie", "") for page in pages)
    assert "x" not in [value for page in pages for value in page.text.split('"')], "a password never comes back"


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Any) -> None:
    cookie = (await browser.log_in()).headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie
    assert "max-age" not in cookie and "expires" not in cookie
    assert "secure" not in cookie, "over plain http on this machine a browser would drop it"


async def test_remember_me_keeps_the_cookie_for_thirty_days(browser: Any, later: Any) -> None:
    cookie = (await browser.log_in(remember="on")).headers["set-cookie"].lower()
    assert "max-age=2592000" in cookie
    later(days=29, hours=23)
    assert (await browser.get("/customers")).status_code == 200
    later(hours=2)
    assert (await browser.get("/customers")).status_code == 303


async def test_a_session_ends_after_half_an_hour_without_use(browser: Any, later: Any) -> None:
    await browser.log_in()
    for _ in range(4):
        later(minutes=29)
        assert (await browser.get("/customers")).status_code == 200, "each use starts the half hour anew"
    later(minutes=31)
    assert (await browser.get("/customers")).status_code == 303


async def test_logging_out_ends_the_session_on_the_server(browser: Any, web: Any) -> None:
    await browser.log_in()
    token = web.cookies[COOKIE]
    page = await browser.get("/customers")
    assert page.status_code == 200
    gone = await browser.send("/logout", {}, page="/customers")
    assert (gone.status_code, gone.headers["location"]) == (303, "/login")
    web.cookies.set(COOKIE, token)
    assert (await browser.get("/customers")).status_code == 303


@pytest.mark.parametrize("fields", [{}, {"_csrf_token": ""}, {"_csrf_token": "a" * 64}])
async def test_a_form_without_its_token_is_refused(web: Any, fields: dict[str, str]) -> None:
    await web.get("/login")
    answer = await web.post("/login", data={"email": "admin", "password": "Demo-1234!", **fields})
    assert answer.status_code == 403
    assert "security token" in answer.text
    assert COOKIE not in web.cookies


async def test_a_logged_in_user_s_cookie_alone_changes_nothing(browser: Any, web: Any) -> None:
    """AUTH-034: what a foreign page can make a browser send carries the cookie, not the form's token."""
    await browser.log_in()
    answer = await web.post("/customers/new", data={"customer_name": "Forged"})
    assert answer.status_code == 403
    assert "Forged" not in (await browser.get("/customers")).text


async def test_a_token_of_another_browser_does_not_fit(browser: Any, web: Any) -> None:
    await web.get("/login")
    web.cookies.clear()
    token = (await web.get("/login")).cookies["csrftoken"]
    web.cookies.clear()
    await web.get("/login")
    answer = await web.post("/login", data={"_csrf_token": token, "email": "admin", "password": "Demo-1234!"})
    assert answer.status_code == 403


@pytest.mark.parametrize("wanted", ["/products", "/customers?status=Open&page=2", "/customers/1#3", "/provisioning/7"])
async def test_a_login_leads_to_the_page_that_was_asked_for(browser: Any, wanted: str) -> None:
    answer = await browser.log_in(next=wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\r/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        " //evil.example",
        "/customers\r\nSet-Cookie: a=b",
    ],
)
async def test_a_login_never_leads_to_another_site(browser: Any, wanted: str) -> None:
    answer = await browser.log_in(next=wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers")


async def test_a_page_sends_a_stranger_to_the_login_and_back(web: Any) -> None:
    answer = await web.get("/products?search=a+b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/products%3Fsearch%3Da%2Bb")
    part = await web.get("/products", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login?next=/products")


async def test_a_bearer_token_opens_no_page(as_user: Any) -> None:
    assert (await as_user("admin").get("/customers")).status_code == 303


async def test_json_routes_refuse_the_cookie(browser: Any) -> None:
    """Decision 21: no page of another site can read or change a record by the user's cookie."""
    await browser.log_in()
    for method, path in (("GET", "/crm/customers"), ("PUT", "/crm/customer"), ("DELETE", "/crm/customer/1")):
        answer = await browser.http.request(method, path, json=None if method == "GET" else {"customer_name": "X"})
        assert answer.status_code == 401, path


async def test_a_portal_user_s_start_is_no_staff_page(browser: Any) -> None:
    answer = await browser.log_in("alice@example.com")
    assert answer.status_code == 303
    assert answer.headers["location"] != "/customers"
    assert (await browser.get(answer.headers["location"])).status_code == 200


class TestOverHttps:
    """`crm.public_url` with https: cookies are Secure, and browsers are told to stay with it."""

    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {"crm.public_url": "https://crm.example.com"}

    async def test_cookies_are_secure_and_hsts_is_sent(self, browser: Any, web: Any) -> None:
        shown = await web.get("/login")
        assert "max-age=31536000" in shown.headers["strict-transport-security"]
        assert "secure" in shown.headers["set-cookie"].lower()
        web.base_url = "https://testserver.local"
        assert "; secure" in (await browser.log_in()).headers["set-cookie"].lower()
