"""The socket: what it refuses, what it survives, and that answers keep their order."""

from __future__ import annotations

import http.client
import json
import socket as sockets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.views import jsonrpc, jsonrpc_connection
from tests.charging.conftest import Socket

PING = b'{"method":"CoreSv1.Ping","params":[{}],"id":7}'


@pytest.fixture
def socket(engine: Engine, listen: Callable[[Door], Socket]) -> Socket:
    return listen(Door(engine))


def raw(socket: Socket, data: bytes, wait: float = 5.0) -> bytes:
    """Everything that comes back for these bytes until the other side closes or falls silent."""
    received = b""
    with sockets.create_connection(("127.0.0.1", socket.port), timeout=wait) as connection:
        connection.sendall(data)
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except TimeoutError:
            pass
    return received


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"[" + PING + b"]", 400),
        (PING + PING, 400),
        (b'{"method":5,"params":[{}]}', 400),
        (b'{"method":"CoreSv1.Ping","params":[{"a":NaN}]}', 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe{}", 400),
        (b'{"method":"CoreSv1.Ping","params":["' + b"x" * jsonrpc_connection.MAX_BODY + b'"]}', 413),
        (PING, 200),
    ],
    ids=["empty", "half", "array", "batch", "two", "number", "NaN", "deep", "no UTF-8", "too big", "good"],
)
def test_a_body_that_is_no_request_has_a_status_of_its_own(socket: Socket, body: bytes, status: int) -> None:
    assert socket.send(body)[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/jsonrpc", 405), ("POST", "/", 404), ("POST", "/crm/customers", 404), ("PUT", "/jsonrpc", 405)],
)
def test_only_post_to_jsonrpc_is_served(socket: Socket, method: str, path: str, status: int) -> None:
    assert socket.send(PING, method, path)[0] == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:5000"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:2080"},
        {"Host": ""},
    ],
)
def test_a_web_page_cannot_drive_the_engine(socket: Socket, headers: dict[str, str]) -> None:
    status, _ = socket.send(b'{"method":"ApierV2.SetAccount","params":[{"Account":"x"}]}', **headers)
    assert status == 403
    assert socket.rpc("ApierV2.GetAccount", {"Account": "x"})["error"] == "NOT_FOUND"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:2080", "127.0.0.1", "127.0.0.1:1", "[::1]:2080"])
def test_local_names_are_served(socket: Socket, host: str) -> None:
    assert socket.send(PING, Host=host)[0] == 200


@pytest.mark.parametrize(("ident", "echo"), [("5", "5"), ('"abc"', '"abc"'), ("1e3", "1e3"), ("null", "null")])
def test_the_id_comes_back_as_it_was_sent(socket: Socket, ident: str, echo: str) -> None:
    _, body = socket.send(b'{"method":"CoreSv1.Ping","params":[{}],"id":%b}' % ident.encode())
    assert body.startswith(f'{{"id":{echo},'.encode())


def test_markup_in_text_is_escaped_as_go_does(socket: Socket) -> None:
    socket.rpc("ApierV2.SetAccount", {"Account": "<b>&"})
    _, body = socket.send(b'{"method":"ApierV2.GetAccount","params":[{"Account":"<b>&"}]}')
    assert rb"\u003cb\u003e\u0026" in body
    assert json.loads(body)["result"]["ID"] == "cgrates.org:<b>&"


def test_amounts_are_written_as_plain_numbers(socket: Socket) -> None:
    for ident, value in {"A": "10737418240", "B": "0.00001", "C": "5.50"}.items():
        socket.rpc("ApierV1.AddBalance", {"Account": "m", "BalanceType": "*monetary",
                                          "Balance": {"ID": ident, "Value": value}})  # fmt: skip
    _, body = socket.send(b'{"method":"ApierV2.GetAccount","params":[{"Account":"m"}]}')
    assert [text in body for text in (b'"Value":10737418240,', b'"Value":0.00001,', b'"Value":5.5,')] == [True] * 3


def test_requests_on_one_connection_are_answered_in_their_order(socket: Socket) -> None:
    requests = b""
    for number in range(40):
        body = json.dumps({"method": "CoreSv1.Ping" if number % 2 else "ApierV2.GetAccount", "params": [{}],
                           "id": number}).encode()  # fmt: skip
        requests += b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answers = raw(socket, requests, wait=1.0)
    found = [json.loads(line)["id"] for line in answers.split(b"\n") if line.startswith(b'{"id"')]
    assert found == list(range(40))


def test_a_request_in_small_pieces_and_in_chunks_is_read(socket: Socket) -> None:
    head = b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(PING), PING)
    with sockets.create_connection(("127.0.0.1", socket.port), timeout=5) as connection:
        for byte in head + body:
            connection.send(bytes([byte]))
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert b'"Pong"' in received


def test_an_endless_chunked_body_is_cut_off(socket: Socket) -> None:
    head = b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert b" 413 " in raw(socket, head + chunk * 17)


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"\x16\x03\x01 hello\r\n\r\n", b" 400 "), (b"POST /jsonrpc HTTP/1.1\r\nX: " + b"a" * 40_000, b" 431 ")],
    ids=["TLS", "endless head"],
)
def test_what_is_not_http_ends_the_connection(socket: Socket, data: bytes, status: bytes) -> None:
    assert status in raw(socket, data)


def test_a_half_sent_request_is_given_up(socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonrpc_connection, "REQUEST_SECONDS", 0.2)
    begin = time.monotonic()
    answer = raw(socket, b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
    assert b" 408 " in answer
    assert time.monotonic() - begin < 3


def test_a_client_that_goes_away_harms_nobody(socket: Socket) -> None:
    body = json.dumps({"method": "ApierV2.SetAccount", "params": [{"Account": "gone"}]}).encode()
    with sockets.create_connection(("127.0.0.1", socket.port)) as connection:
        connection.sendall(
            b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
    assert socket.send(PING)[0] == 200


def test_fifty_clients_at_once_lose_and_invent_nothing(socket: Socket) -> None:
    account: dict[str, Any] = {"Account": "c", "BalanceType": "*data"}
    socket.rpc("ApierV1.AddBalance", {**account, "Balance": {"ID": "D", "Value": 50_000}})

    def client(number: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", socket.port, timeout=30)
        for step in range(4):
            method, value = ("DebitBalance", 7) if (number + step) % 2 else ("AddBalance", 3)
            body = {"method": f"ApierV1.{method}", "params": [{**account, "Balance": {"ID": "D", "Value": value}}]}
            connection.request("POST", "/jsonrpc", json.dumps(body))
            assert json.loads(connection.getresponse().read())["result"] == "OK"
        connection.close()
        return 4

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(client, range(50))) == 200
    (bucket,) = socket.rpc("ApierV2.GetAccount", {"Account": "c"})["result"]["BalanceMap"]["*data"]
    assert bucket["Value"] == 50_000 + 100 * 3 - 100 * 7


async def test_a_port_that_is_taken_is_an_error_at_once(engine: Engine) -> None:
    first = await jsonrpc.serve(Door(engine), "127.0.0.1", 0)
    try:
        with pytest.raises(OSError):
            await jsonrpc.serve(Door(engine), "127.0.0.1", first.port)
    finally:
        await first.close()
