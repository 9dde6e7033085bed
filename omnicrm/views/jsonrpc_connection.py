"""One connection of the charging socket: reads requests, checks them, answers in their order, and keeps its limits.

Only `POST /jsonrpc` is served. A request that carries the marks of a web page (Origin, Sec-Fetch-Site) or a Host that
is not ours is refused: a page in somebody's browser must not drive the engine.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

import httptools
import msgspec

from omnicrm.domain.charging.ports import EngineError
from omnicrm.views.jsonrpc_http import Request, decode_envelope, envelope, name_of, response

if TYPE_CHECKING:
    from omnicrm.views.jsonrpc import JsonRpcServer

log = logging.getLogger(__name__)

PATH = b"/jsonrpc"
MAX_BODY = 1024 * 1024
MAX_HEAD = 16 * 1024
REQUEST_SECONDS = 10.0
IDLE_SECONDS = 75.0
LINGER_SECONDS = 2.0
# A client that does not read its answers is held back, and cut off after a while.
UNREAD_SECONDS = 30.0
MAX_WAITING = 16
# What one request may take on the wire, with chunk sizes and trailers.
MAX_RAW = 2 * MAX_BODY


class Connection(asyncio.Protocol):
    """Reads requests, answers them one after the other in their order."""

    def __init__(self, server: JsonRpcServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._request: Request | None = None
        self._raw_bytes = 0
        self._waiting: deque[Request] = deque()
        self._busy = False
        self._unread = False
        self._ending = False
        # What ends the connection when the requests before it are answered.
        self._refusal: tuple[int, str] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """True while no request is at work and none has begun to arrive."""
        return not self._busy and self._request is None

    # Transport events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport by class, only by what they do.
        self._transport = cast(asyncio.Transport, transport)
        if self._server.admit(self):
            self._arm(IDLE_SECONDS, self.abort)
        else:
            self._refuse(503, "Too many connections are open")

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._ending = True
        self._transport = None
        self._server.connections.pop(self, None)

    def pause_writing(self) -> None:
        self._unread = True
        if self._transport is not None:
            self._transport.pause_reading()
        if not self._ending:
            self._arm(UNREAD_SECONDS, self.abort)

    def resume_writing(self) -> None:
        self._unread = False
        if self._ending:
            return
        if self._request is None:
            self._arm(IDLE_SECONDS, self.abort)
        else:
            self._give_time()
        self._read_on()
        self._next()

    def data_received(self, data: bytes) -> None:
        if self._ending or self._refusal is not None:
            return
        self._raw_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "Upgrades are not supported")
        except httptools.HttpParserError:
            self._refuse(400, "Not an HTTP request")
        if self._request is not None and not self._request.method and self._raw_bytes > MAX_HEAD:
            self._refuse(431, "The request's head is too long")
        elif self._raw_bytes > MAX_RAW:
            self._refuse(413, f"A request may have {MAX_BODY} bytes")

    # Parser events

    def on_message_begin(self) -> None:
        self._request = Request()
        self._give_time()

    def on_url(self, url: bytes) -> None:
        if self._request is not None:
            self._request.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._request is None:
            return
        match name.lower():
            case b"host":
                self._request.hosts.append(value.decode("latin-1").strip().lower())
            case b"origin" | b"sec-fetch-site":
                self._request.web_page = True
            case b"x-omnicrm-job":
                self._request.token = value.decode("latin-1").strip()
            case b"expect":
                self._request.expects_continue = value.lower() == b"100-continue"
            case b"content-length" if value.isdigit() and int(value) > MAX_BODY:
                self._refuse(413, f"A request may have {MAX_BODY} bytes")

    def on_headers_complete(self) -> None:
        request = self._request
        if request is None or self._ending or self._refusal is not None:
            return
        request.method = self._parser.get_method()
        request.keep_alive = self._parser.should_keep_alive()
        if request.web_page:
            self._refuse(403, "Requests from web pages are refused")
        elif not request.hosts or any(name_of(host) not in self._server.names for host in request.hosts):
            self._refuse(403, "This Host is not served here")
        elif request.path.partition(b"?")[0] != PATH:
            self._refuse(404, "Only /jsonrpc is served here")
        elif request.method != b"POST":
            self._refuse(405, "Only POST is served here")
        elif request.expects_continue and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._request is None or self._ending or self._refusal is not None:
            return
        self._request.body += body
        if len(self._request.body) > MAX_BODY:
            self._refuse(413, f"A request may have {MAX_BODY} bytes")

    def on_message_complete(self) -> None:
        self._disarm()
        request, self._request, self._raw_bytes = self._request, None, 0
        if request is None or self._ending or self._refusal is not None:
            return
        self._waiting.append(request)
        if len(self._waiting) >= MAX_WAITING and self._transport is not None:
            self._transport.pause_reading()
        self._next()

    # Answers

    def _read_on(self) -> None:
        if len(self._waiting) < MAX_WAITING and not self._unread and self._transport is not None:
            self._transport.resume_reading()

    def _next(self) -> None:
        if self._busy or self._unread or not self._waiting or self._ending:
            return
        request = self._waiting.popleft()
        self._read_on()
        self._busy = True
        ident: bytes | msgspec.Raw = b"null"
        try:
            message = decode_envelope(bytes(request.body))
            ident = message.id
            answer = self._server.door.submit(message.method, message.params, request.token)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ArithmeticError):
            self._answer(request, 400, b'{"message":"The body is not one JSON-RPC request"}')
        except EngineError as error:
            self._answer(request, 200, envelope(ident, None, error.message))
        else:
            answer.add_done_callback(lambda done: self._call_back(request, ident, done))

    def _call_back(self, request: Request, ident: bytes | msgspec.Raw, done: Future[Any]) -> None:
        """Runs on the engine's thread: hands the answer to the event loop."""
        try:
            self._loop.call_soon_threadsafe(self._done, request, ident, done)
        except RuntimeError:
            log.debug("The event loop had ended before an answer could be sent")

    def _done(self, request: Request, ident: bytes | msgspec.Raw, done: Future[Any]) -> None:
        try:
            body = envelope(ident, done.result(), None)
        except EngineError as error:
            body = envelope(ident, None, error.message)
        except Exception:
            log.exception("A charging request failed")
            body = envelope(ident, None, "SERVER_ERROR: internal error")
        self._answer(request, 200, body)

    def _answer(self, request: Request, status: int, body: bytes) -> None:
        self._busy = False
        if self._transport is None:
            return
        keep = request.keep_alive and not self._ending
        self._transport.write(response(status, body, keep))
        if not keep:
            self._end()
        elif self._waiting:
            self._next()
        elif self._refusal is not None:
            self._refuse(*self._refusal)
        elif self._request is None and not self._unread:
            self._arm(IDLE_SECONDS, self.abort)

    def _refuse(self, status: int, message: str) -> None:
        """Answers with a status, after the requests before it, and ends the connection: what follows on it cannot be
        trusted."""
        if self._ending or self._transport is None:
            return
        if self._busy or self._waiting:
            self._refusal = self._refusal or (status, message)
            return
        self._transport.write(response(status, msgspec.json.encode({"message": message}), keep=False))
        self._ending = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        # What the client still sends is read and dropped for a moment: closing on it would reset the connection, and
        # the reset may reach the client before the answer does.
        self._arm(LINGER_SECONDS, self._end)

    def finish(self) -> None:
        """Ends the connection when the request at work is answered, at once when there is none."""
        if self._busy:
            self._ending = True
        else:
            self._end()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self._ending = True
        self._disarm()
        if self._transport is not None:
            self._transport.close()

    def _give_time(self) -> None:
        self._arm(REQUEST_SECONDS, lambda: self._refuse(408, "The request took too long to arrive"))

    def _arm(self, seconds: float, then: Any) -> None:
        self._disarm()
        self._timer = self._loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
