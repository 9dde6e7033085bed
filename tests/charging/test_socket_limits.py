"""Limits of the socket: connections, time, answers that nobody reads, requests that never end."""

from __future__ import annotations

import json
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.views import jsonrpc, jsonrpc_connection
from tests.charging.conftest import Socket

PING = b'{"method":"CoreSv1.Ping","params":[{}],"id":7}'


def request(body: bytes) -> bytes:
    return b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.fixture
def socket(engine: Engine, listen: Callable[[Door], Socket]) -> Socket:
    return listen(Door(engine))


@pytest.fixture
def connect(socket: Socket) -> Iterator[Callable[[], sockets.socket]]:
    """Opens connections and closes them at the end."""
    with ExitStack() as stack:

        def opened() -> sockets.socket:
            return stack.enter_context(sockets.create_connection(("127.0.0.1", socket.port), timeout=10))

        yield opened


def ended(connection: sockets.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def until(found: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not found() and time.monotonic() < deadline:
        time.sleep(0.01)
    return found()


def test_in_a_full_house_the_connection_that_was_idle_longest_makes_room(
    socket: Socket, connect: Callable[[], sockets.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonrpc, "MAX_CONNECTIONS", 3)
    first, second, _ = [connect() for _ in range(3)]
    assert until(lambda: len(socket.server.connections) == 3)
    assert socket.send(PING)[0] == 200
    assert ended(first)
    second.sendall(request(PING))
    assert second.recv(12) == b"HTTP/1.1 200"


def test_when_everybody_is_at_work_a_further_connection_is_refused(
    engine: Engine, socket: Socket, connect: Callable[[], sockets.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonrpc, "MAX_CONNECTIONS", 2)
    gate = threading.Event()
    engine.change(lambda call: gate.wait(10))
    busy = [connect() for _ in range(2)]
    for connection in busy:
        connection.sendall(request(b'{"method":"ApierV2.SetAccount","params":[{"Account":"a"}]}'))
    assert until(lambda: sum(not other.idle for other in socket.server.connections) == 2)
    assert connect().recv(12) == b"HTTP/1.1 503"
    gate.set()
    assert [connection.recv(12) for connection in busy] == [b"HTTP/1.1 200"] * 2


def test_a_client_that_sends_byte_by_byte_has_the_time_of_one_request(
    socket: Socket, connect: Callable[[], sockets.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonrpc_connection, "REQUEST_SECONDS", 0.3)
    slow = connect()
    begin = time.monotonic()
    with pytest.raises(OSError):
        for byte in request(PING) * 20:
            slow.sendall(bytes([byte]))
            time.sleep(0.02)
            if time.monotonic() - begin > 8:
                break
    assert time.monotonic() - begin < 8
    assert socket.send(PING)[0] == 200


def test_a_client_that_says_nothing_is_cut_off(
    connect: Callable[[], sockets.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonrpc_connection, "IDLE_SECONDS", 0.2)
    assert ended(connect())


def big_answers(engine: Engine) -> bytes:
    """A request whose answer has some hundred kilobytes."""
    for number in range(40):
        balance = {"ID": "x" * 8000 + str(number), "Value": 1}
        engine.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*data", "Balance": balance})
    return request(b'{"method":"ApierV2.GetAccount","params":[{"Account":"a"}]}')


def test_a_client_that_does_not_read_is_held_back_and_reads_everything_later(
    engine: Engine, socket: Socket, connect: Callable[[], sockets.socket]
) -> None:
    body = big_answers(engine)
    lazy = connect()
    lazy.sendall(body * 60)
    assert until(lambda: any(other._unread for other in socket.server.connections))
    (held,) = socket.server.connections
    time.sleep(0.2)
    assert held._transport is not None
    assert held._transport.get_write_buffer_size() < 1_000_000
    answers = 0
    with lazy.makefile("rb") as stream:
        while answers < 60:
            head = b"".join(iter(stream.readline, b"\r\n"))
            length = int(head.partition(b"Content-Length: ")[2].split()[0])
            assert json.loads(stream.read(length))["error"] is None
            answers += 1


def test_a_client_that_never_reads_is_cut_off(
    engine: Engine, socket: Socket, connect: Callable[[], sockets.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonrpc_connection, "UNREAD_SECONDS", 0.3)
    body = big_answers(engine)
    connect().sendall(body * 60)
    assert until(lambda: len(socket.server.connections) == 1)
    assert until(lambda: not socket.server.connections)


def test_trailers_that_never_end_are_cut_off(socket: Socket, connect: Callable[[], sockets.socket]) -> None:
    endless = connect()
    head = b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    endless.sendall(head)
    for _ in range(100):
        endless.sendall((b"X-More: " + b"x" * 1000 + b"\r\n") * 32)
    assert endless.recv(12) == b"HTTP/1.1 413"
    assert socket.send(PING)[0] == 200


@pytest.mark.parametrize(("behind", "status"), [(b"\x00garbage\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nHo", b"408")])
def test_a_refusal_comes_after_the_answer_of_the_request_at_work(
    engine: Engine,
    socket: Socket,
    connect: Callable[[], sockets.socket],
    monkeypatch: pytest.MonkeyPatch,
    behind: bytes,
    status: bytes,
) -> None:
    monkeypatch.setattr(jsonrpc_connection, "REQUEST_SECONDS", 0.2)
    gate = threading.Event()
    engine.change(lambda call: gate.wait(10))
    client = connect()
    client.sendall(request(b'{"method":"ApierV2.SetAccount","params":[{"Account":"a"}],"id":5}') + behind)
    assert until(lambda: any(other._refusal for other in socket.server.connections))
    gate.set()
    received = b""
    while part := client.recv(65536):
        received += part
    first, _, second = received.partition(b"HTTP/1.1 " + status)
    assert first.startswith(b"HTTP/1.1 200") and b'"id":5' in first.replace(b" ", b"")
    assert second and received.count(b"HTTP/1.1") == 2
