"""One HTTP request and its answer, under one limit of time for all of it and one of size, whatever the other side does.

A client's own time limits count from read to read: a receiver that sends a byte now and then holds a thread for hours.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

_CONNECT_SECONDS = 5.0


def exchange(
    method: str, url: str, *, seconds: float, most: int, trust_env: bool = False, **options: Any
) -> tuple[int, bytes]:
    """Status and at most `most` bytes of the body. Blocking, for threads. No redirect is followed.

    `seconds` is the time for the whole exchange; `trust_env` heeds the environment's proxies. Raises httpx.HTTPError,
    httpx.InvalidURL or ValueError.
    """
    # A loop that is closed waits for nobody; asyncio.run would wait for a look-up of the host's name.
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(_exchange(method, url, seconds, most, trust_env, options))


async def _exchange(
    method: str, url: str, seconds: float, most: int, trust_env: bool, options: dict[str, Any]
) -> tuple[int, bytes]:
    import httpx  # a third of a second that a start does not need

    verify = _certificates() if url.startswith("https:") else False
    limits = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
    # What is packed could become any size when it is unpacked.
    options["headers"] = {**options.get("headers", {}), "Accept-Encoding": "identity"}
    body = bytearray()
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(timeout=limits, trust_env=trust_env, verify=verify) as client,
            client.stream(method, url, **options) as answer,
        ):
            if most:
                async for chunk in answer.aiter_raw():
                    body += chunk[: most - len(body)]
                    if len(body) == most:
                        break
            return answer.status_code, bytes(body)
    except TimeoutError:
        raise httpx.ReadTimeout(f"no whole answer within {seconds:g} seconds") from None


@cache
def _certificates() -> ssl.SSLContext:
    """Reading the machine's certificates takes 30 ms."""
    import httpx

    return httpx.create_ssl_context()
