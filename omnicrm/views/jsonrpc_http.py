"""The messages of the charging socket: a request as it is read, the JSON-RPC envelope, the HTTP answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Envelope(msgspec.Struct):
    """A JSON-RPC request; the id is echoed byte by byte."""

    method: str = ""
    params: Any = None
    id: msgspec.Raw = msgspec.Raw(b"null")


decode_envelope = msgspec.json.Decoder(Envelope, float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Request:
    """One HTTP request as the parser fills it."""

    __slots__ = ("body", "expects_continue", "hosts", "keep_alive", "method", "path", "token", "web_page")

    def __init__(self) -> None:
        self.path = b""
        self.method = b""
        self.hosts: list[str] = []
        self.token: str | None = None
        self.web_page = False
        self.expects_continue = False
        self.keep_alive = True
        self.body = bytearray()


def name_of(host: str) -> str:
    """Name of a Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def envelope(ident: bytes | msgspec.Raw, result: Any, error: str | None) -> bytes:
    body = b'{"id":%b,"result":%b,"error":%b}\n' % (bytes(ident), _encode(result), _encode(error))
    # Go escapes these in JSON text; outside of text they cannot stand.
    for char, escaped in ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026")):
        body = body.replace(char, escaped)
    return body


def response(status: int, body: bytes, keep: bool) -> bytes:
    extra = "" if keep else "Connection: close\r\n"
    if status == 405:
        extra += "Allow: POST\r\n"
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body
