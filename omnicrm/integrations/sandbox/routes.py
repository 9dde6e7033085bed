"""The sandboxes' HTTP side: who may call, which fault hits, the log, and the answer."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from litestar import Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from omnicrm.domain.errors import Invalid
from omnicrm.integrations.sandbox import hss, mailjet, smsc
from omnicrm.integrations.sandbox.call import Answer, Call, loggable, refusal
from omnicrm.integrations.sandbox.faults import Fault, parse_fault
from omnicrm.integrations.sandbox.store import SYSTEMS, SandboxStore, System

_ANSWER: dict[System, Callable[[SandboxStore, Call], Answer]] = {
    "hss": hss.answer,
    "smsc": smsc.answer,
    "mailjet": mailjet.answer,
}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_MAX_BODY = 24 * 1024 * 1024  # a mail with 15 MB of attachments in base64
_NO_ANSWER = 0

AnyRequest = Request[Any, Any, Any]


def sandbox_routes(
    store: SandboxStore, systems: Iterable[System] = SYSTEMS, opt: Mapping[str, Any] | None = None
) -> list[HTTPRouteHandler]:
    """A handler for each active sandbox, at `/sandbox/{system}/…`. An inactive one has no route at all.

    Callers must be on loopback (decision 26). `PUT /sandbox/{system}/fault` moves the fault switch, GET reads it.
    `opt` is what the application's guard wants to find on a route that anybody may call.
    """
    return [_handler(store, system, {"exclude_from_csrf": True, **(opt or {})}) for system in systems]


def _handler(store: SandboxStore, system: System, opt: dict[str, Any]) -> HTTPRouteHandler:
    @route(
        f"/sandbox/{system}/{{rest:path}}",
        http_method=_METHODS,
        name=f"sandbox.{system}",
        include_in_schema=False,
        request_max_body_size=_MAX_BODY,
        opt=opt,
    )
    async def serve(request: AnyRequest, rest: FromPath[str]) -> Response[Any]:
        if not _is_local(request):
            return _respond(refusal(403, "The sandboxes answer to callers on this machine only"))
        raw = await request.body()
        path = tuple(part for part in rest.split("/") if part)
        if path == ("fault",):
            return _respond(await asyncio.to_thread(_switch, store, system, request.method, raw))
        return await _serve(store, system, request, path, raw)

    return serve


async def _serve(
    store: SandboxStore, system: System, request: AnyRequest, path: tuple[str, ...], raw: bytes
) -> Response[Any]:
    started = time.perf_counter()
    body, readable = _parsed(raw)
    call = Call(request.method, path, body, dict(request.query_params), _login(request))
    # The key of the SMSC is part of the address that chapter 17 prints.
    shown = "/" + "/".join((*path[:2], "(hidden)") if path[:2] == ("SMS", "plaintext") else path)
    fault = await asyncio.to_thread(store.take_fault, system, request.method, shown)
    answer: Answer | None = None
    if fault.mode in ("off", "late", "garbage"):
        answer = await asyncio.to_thread(_ANSWER[system], store, call) if readable else _not_json()
    elif fault.mode == "500":
        answer = Answer(500, {"message": "Internal server error"})
    if fault.mode in ("late", "timeout"):
        await _wait(request, fault.seconds)
    status = answer.status if answer else _NO_ANSWER
    await asyncio.to_thread(
        store.log,
        system,
        request.method,
        shown,
        status,
        int((time.perf_counter() - started) * 1000),
        loggable(body) if readable else "(not JSON)",
        "" if fault.mode == "off" else f"fault: {fault.mode}",
    )
    if fault.mode == "garbage":
        return Response("<html>Proxy error, try again", status_code=200, media_type="text/html")
    return _respond(answer) if answer else await _cut(request, fault)


def _switch(store: SandboxStore, system: System, method: str, raw: bytes) -> Answer:
    if method == "PUT":
        values, readable = _parsed(raw)
        if not readable or not isinstance(values, dict):
            return _not_json()
        try:
            store.set_fault(system, parse_fault(values))
        except Invalid as error:
            return Answer(400, {"message": error.message, "errors": error.errors})
    elif method != "GET":
        return refusal(405, "The switch is read with GET and moved with PUT")
    return Answer(200, asdict(store.fault(system)))


def _is_local(request: AnyRequest) -> bool:
    """A caller on loopback that is neither a reverse proxy speaking for somebody else nor a web page."""
    if any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip", "origin")):
        return False
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False


def _parsed(raw: bytes) -> tuple[Any, bool]:
    """(value, whether it could be read). No body at all reads as None."""
    if not raw.strip():
        return None, True
    try:
        return json.loads(raw), True
    except ValueError:
        return None, False


def _not_json() -> Answer:
    return refusal(400, "The body must be a JSON object")


def _login(request: AnyRequest) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, password


async def _wait(request: AnyRequest, seconds: float) -> None:
    """Hold the call, but let go when the client has left: the body is read, so the next event is its leaving."""
    try:
        await asyncio.wait_for(request.receive(), seconds)
    except TimeoutError:
        return


async def _cut(request: AnyRequest, fault: Fault) -> Response[Any]:
    """Close the connection without an answer. uvicorn keeps its transport on the object behind `receive`; a server
    that does not gets an empty 502 instead, which plays take for a failure all the same."""
    transport = getattr(getattr(request.receive, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
        await asyncio.sleep(0)
    return Response(b"", status_code=504 if fault.mode == "timeout" else 502, media_type="text/plain")


def _respond(answer: Answer) -> Response[Any]:
    return Response(answer.body, status_code=answer.status, media_type="application/json")
