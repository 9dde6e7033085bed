"""Delivery of `*http_post`: renewals of the product itself in process, anything else over HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from omnicrm.domain.errors import Conflict, Invalid, NotFound, Unavailable
from omnicrm.integrations import engine_post
from omnicrm.integrations.engine_post import EnginePost, Undelivered

PATH = "/crm/provision/simple_provision_addon/service_id/12/product_id/3"
BODY = b'{"ID":"t:a"}'
RECHARGE = "/crm/provision/simple_provision_addon_recharge/service_id/12/product_id/3"


class Started:
    """Notes what was started, or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[int, int, str, str, bool]] = []
        self.error = error

    def __call__(self, service_id: int, product_id: int, key: str, *, account: str, recharge: bool) -> None:
        self.calls.append((service_id, product_id, key, account, recharge))
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    "url",
    [
        f"https://crm.example.net/bss{PATH}",
        f"https://CRM.example.net:443/bss{PATH}/",
        f"http://localhost:5631{PATH}",
        f"http://127.0.0.1:5631{PATH}?from=engine",
        f"http://[::1]:5631{PATH}",
        f"http://localhost:5000{PATH}",
    ],
)
def test_a_renewal_of_the_product_itself_starts_without_http(url: str) -> None:
    start = Started()
    EnginePost(start, ("http://10.0.0.5:8080", "https://crm.example.net/bss"), 5631)(url, BODY, "plan|a|due")
    assert start.calls == [(12, 3, "plan|a|due", "a", False)]


@pytest.mark.parametrize(("body", "account"), [(BODY, "a"), (b'{"ID":"t:a:b"}', "a:b"), (b"null", ""), (b"{}", "")])
def test_a_quick_recharge_is_told_from_a_renewal_and_names_who_pays(body: bytes, account: str) -> None:
    start = Started()
    EnginePost(start)(f"http://localhost:5000{RECHARGE}", body, "k")
    assert start.calls == [(12, 3, "k", account, True)]


@pytest.mark.parametrize(
    "path",
    [
        "/crm/provision/simple_provision_addon/service_id/12/product_id/x",
        "/crm/provision/simple_provision_addon/service_id/12/product_id/3/more",
        f"/elsewhere{PATH}",
        "/hook",
    ],
)
def test_another_address_of_the_same_place_is_posted(httpserver: HTTPServer, path: str) -> None:
    httpserver.expect_request(path, "POST", json={"ID": "t:a"}).respond_with_data("")
    start = Started()
    post = EnginePost(start, (), httpserver.port)
    post(httpserver.url_for(path), BODY, "k")
    httpserver.check_assertions()
    assert [request.headers["Content-Type"] for request, _ in httpserver.log] == ["application/json"]
    assert start.calls == []


def test_a_renewal_path_on_a_foreign_host_is_posted_there(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH, "POST").respond_with_data("")
    start = Started()
    EnginePost(start, ("http://crm.example.net",), 1)(httpserver.url_for(PATH), b"{}", "k")
    assert (start.calls, len(httpserver.log)) == ([], 1)


@pytest.mark.parametrize("error", [Conflict("no"), NotFound("no"), Invalid({"product": "no"})])
def test_a_renewal_that_is_refused_for_good_is_logged_and_not_tried_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    EnginePost(Started(error))(f"http://localhost:5000{PATH}", BODY, "plan|a|due")
    assert "Renewal of product 3 on service 12 (plan|a|due) refused" in caplog.text


@pytest.mark.parametrize("error", [Unavailable("busy"), RuntimeError("the database is away")])
def test_a_renewal_that_may_go_through_later_is_an_error(error: Exception) -> None:
    with pytest.raises(type(error)):
        EnginePost(Started(error))(f"http://localhost:5000{PATH}", BODY, "k")


@pytest.mark.parametrize("status", [301, 302, 404, 500])
def test_only_a_success_is_a_delivery(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status, headers={"Location": httpserver.url_for("/other")})
    with pytest.raises(Undelivered, match=f"^status {status}$"):
        EnginePost()(httpserver.url_for("/hook"), b"{}", "k")
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_target_whose_answer_trickles_is_left_after_the_time_of_one_delivery(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_post, "TIMEOUT_SECONDS", 0.5)
    ended = threading.Event()

    def trickle() -> None:
        peer, _ = server.accept()
        with peer, contextlib.suppress(OSError):
            peer.sendall(sent)
            while not ended.wait(0.05):
                peer.sendall(b"x" if sent else b"")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=trickle)
        thread.start()
        begin = time.monotonic()
        with pytest.raises(Undelivered, match=r"^no answer \(ReadTimeout\)$"):
            EnginePost()(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", "k")
        assert time.monotonic() - begin < 3
        ended.set()
        thread.join(10)


def test_an_endless_answer_after_a_success_is_not_read(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_handler(lambda request: Response(b"x" for _ in range(10**9)))
    EnginePost()(httpserver.url_for("/hook"), b"{}", "k")


def test_a_target_that_refuses_or_is_down_is_an_error_without_what_is_secret(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("no", 503)
    with pytest.raises(Undelivered, match=r"^status 503$"):
        EnginePost()(httpserver.url_for("/hook?token=s3cret"), b"{}", "k")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Undelivered, match=r"^no answer \(ConnectError\)$"):
            EnginePost()(f"http://u:s3cret@127.0.0.1:{free.getsockname()[1]}/", b"{}", "k")


@pytest.mark.parametrize("url", ["", "nothing", "http://[half", "ftp://127.0.0.1/x", "http://h:99999/", "http://a b/"])
def test_an_address_that_is_none_is_an_error_of_its_own_kind(url: str) -> None:
    with pytest.raises(Undelivered):
        EnginePost(Started())(url, b"{}", "k")
