"""A changing request that may have arrived although no answer came is marked: its effect is looked for later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from omnicrm.domain.provisioning.ports import FAILED, OK

TASK = "- name: Call\n  uri: {{{arguments}, timeout: 1}}\n  ignore_errors: yes\n"


@pytest.fixture
def raw() -> Iterator[Callable[[bytes], str]]:
    """`raw(answer)` serves exactly those bytes to each caller, whatever he asks, and hangs up."""
    listeners: list[socket.socket] = []

    def serve(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def loop() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=loop, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("call", ["hold', method: PUT", *(f"drop', method: {m}" for m in ("POST", "PATCH", "DELETE"))])
def test_a_change_that_was_sent_and_not_answered_is_marked(server, run, call) -> None:
    found = run(TASK.format(arguments=f"url: '{server.url}/{call}")).result("Call")
    assert found["status"] == -1
    assert found["no_answer"] is True


def test_a_gateway_that_waits_in_vain_leaves_the_outcome_open(server, run) -> None:
    server.answer("/gateway", {"message": "upstream timed out"}, status=504)
    found = run(TASK.format(arguments=f"url: '{server.url}/gateway', method: POST")).result("Call")
    assert (found["status"], found["no_answer"]) == (504, True)


@pytest.mark.parametrize(
    "arguments",
    [
        "url: 'http://127.0.0.1:1/', method: POST",
        "url: 'http://no-such-host.invalid/', method: DELETE",
        "url: '{server}/hold'",
        "url: '{server}/refused', method: POST",
        "url: '{server}/well', method: POST",
    ],
)
def test_what_was_not_sent_or_was_answered_or_changes_nothing_is_not_marked(server, run, arguments) -> None:
    server.answer("/refused", {"message": "no"}, status=500)
    arguments = arguments.replace("{server}", server.url)
    assert "no_answer" not in run(TASK.format(arguments=arguments)).result("Call")


def test_an_unfinished_answer_is_no_answer(raw, run) -> None:
    url = raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    ran = run(TASK.format(arguments=f"url: '{url}', method: PUT, return_content: yes"))
    assert (ran.ends[0][1] == OK, ran.result("Call")["no_answer"]) == (False, True)


def test_no_system_can_make_a_well_answered_request_look_unanswered(raw, run) -> None:
    url = raw(b"HTTP/1.1 200 OK\r\nSent: yes\r\nno_answer: yes\r\nContent-Length: 2\r\n\r\nok")
    found = run(TASK.format(arguments=f"url: '{url}', method: PUT")).result("Call")
    assert (found["status"], found["sent"]) == (200, "yes")
    assert "no_answer" not in found


def test_an_outside_system_that_answers_twice_is_heard_once(raw, run) -> None:
    one = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"n":1}'
    url = raw(one + one.replace(b'"n":1', b'"n":2').replace(b"200 OK", b"500 Oh"))
    ran = run("".join(f"- name: {name}\n  uri: {{url: '{url}', method: PUT}}\n" for name in ("First", "Second")))
    assert [ran.result(name)["json"] for name in ("First", "Second")] == [{"n": 1}, {"n": 1}]
    assert ran.ends == [("First", OK), ("Second", OK)]
    assert FAILED not in {event.status for event in ran.events}
