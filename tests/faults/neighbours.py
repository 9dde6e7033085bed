"""Neighbours that can be made to fail at one chosen request of a play: a proxy before each real one.

The play's requests are told from the product's own by their User-Agent, and they come one after the other.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, get_args

#: down     the system refuses connections from this request on, until the job has ended;
#: error    nothing is done, the answer is a server error;
#: garbage  it is done, the answer is no JSON;
#: cut      it is done, no answer comes;
#: late     no answer comes, and it is done after the play has given up and undone itself;
#: cancel   it is done while somebody presses Cancel, and its answer does not come in time.
Kind = Literal["down", "error", "garbage", "cut", "late", "cancel"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Request:
    """`name` tells the calls of one path apart: the method of a call to the charging engine."""

    system: str
    method: str
    path: str
    name: str = ""

    @property
    def changes(self) -> bool:
        return self.method != "GET"


@dataclass
class Scene:
    """What happens in one job: its requests so far, and which of them is hit how."""

    expected: list[Request] = field(default_factory=list)
    hit: int = -1
    kind: Kind | None = None
    calls: list[Request] = field(default_factory=list)
    #: Requests of kind `late`, to be done when the play has given up.
    held: list[Callable[[], Any]] = field(default_factory=list)
    #: Presses Cancel.
    cancel: Callable[[], Any] = lambda: None


class Neighbourhood:
    """All proxies and the present scene."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.proxies: dict[str, Proxy] = {}
        #: Serial numbers of the ONTs whose lines the OLT has lit.
        self.lines: set[str] = set()

    def add(self, system: str) -> int:
        """A proxy for the system; answers its port. It forwards to nowhere until `target` is set."""
        self.proxies[system] = Proxy(self, system)
        return self.proxies[system].port

    def begin(self, scene: Scene) -> None:
        self.scene = scene
        if scene.kind == "down" and scene.hit == 0:
            self.proxies[scene.expected[0].system].close()

    def deliver(self) -> None:
        """What was sent and not answered arrives now."""
        while self.scene.held:
            self.scene.held.pop()()

    def mend(self) -> None:
        """Everything works again."""
        self.scene = Scene()
        for proxy in self.proxies.values():
            proxy.open()

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.close()


class Proxy:
    def __init__(self, around: Neighbourhood, system: str) -> None:
        self.around, self.system, self.port, self.target = around, system, free_port(), 0
        self.server: ThreadingHTTPServer | None = None
        self.connections: set[socket.socket] = set()
        self.open()

    def open(self) -> None:
        if self.server is not None:
            return
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections from now on; open ones are cut."""
        if self.server is None:
            return
        server, self.server = self.server, None
        server.socket.close()
        threading.Thread(target=server.shutdown, daemon=True).start()
        for connection in list(self.connections):
            _cut(connection)

    def forward(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() != "connection"}
            connection.request(method, path, body, kept)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        #: Head and body in one packet: in two, the second waits for an acknowledgement.
        wbufsize = 65536

        def setup(self) -> None:
            super().setup()
            proxy.connections.add(self.connection)

        def finish(self) -> None:
            proxy.connections.discard(self.connection)
            with contextlib.suppress(OSError):
                super().finish()

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            scene, place = proxy.around.scene, -1
            if "ansible-httpget" in self.headers.get("User-Agent", ""):
                place = len(scene.calls)
                name = json.loads(body)["method"] if proxy.system == "engine" else ""
                scene.calls.append(Request(proxy.system, self.command, self.path, name))
            kind = scene.kind if place >= 0 and place == scene.hit else None
            forward = lambda: proxy.forward(self.command, self.path, self.headers, body)  # noqa: E731
            if kind == "late":
                scene.held.append(forward)
                self.hang_up()
                return
            if kind == "error":
                self.say(500, [("Content-Type", "application/json")], b'{"message": "Internal server error"}')
                return
            if kind == "cancel":
                scene.cancel()
            status, headers, answer = forward()
            if kind == "cancel":
                select.select([self.connection], [], [], 10)  # until the play hangs up
            if kind == "cut":
                self.hang_up()
                return
            if kind == "garbage":
                status, headers, answer = 200, [("Content-Type", "text/html")], b"<html>Proxy error, try again"
            if scene.kind == "down" and place >= 0 and place == scene.hit - 1:
                # The next one finds nobody: its system goes down before this one is answered.
                after = proxy.around.proxies[scene.expected[scene.hit].system]
                if after is not proxy:
                    after.close()
                    self.say(status, headers, answer)
                else:
                    self.say(status, headers, answer)
                    proxy.connections.discard(self.connection)
                    after.close()
                return
            self.say(status, headers, answer)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = serve

        def say(self, status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "keep-alive"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()

        def hang_up(self) -> None:
            self.close_connection = True
            _cut(self.connection)

        def log_message(self, *_: object) -> None:
            return

    return Handler
