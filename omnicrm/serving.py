"""Processes: the web server (with everything else in it by default) and the worker alone."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable

import uvicorn
from litestar import Litestar

from omnicrm import app as root
from omnicrm import background
from omnicrm.settings import Settings

#: An open progress poll must not hold the end of the process up for long.
GRACE_SECONDS = 3


def configure_logs(settings: Settings) -> None:
    """Plain lines on standard error; what a request or a play says never reaches them unredacted."""
    logging.basicConfig(
        level=settings.logging.level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for noisy in ("httpx", "httpcore", "huey", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def serve(settings: Settings, *, with_workers: bool = True, ready: Callable[[root.Parts], None] | None = None) -> int:
    """Serve until a signal. `ready` is called once everything answers."""
    configure_logs(settings)
    parts = root.build(root.prepare(settings))
    return run_app(parts, root.create_app(parts, with_workers=with_workers), ready)


def run_app(parts: root.Parts, app: Litestar, ready: Callable[[root.Parts], None] | None) -> int:
    server_settings = parts.settings.server
    config = uvicorn.Config(
        app,
        host=server_settings.host,
        port=server_settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        # X-Forwarded-For is read by views/http.py, which knows the trusted proxies.
        proxy_headers=False,
    )
    server = _Server(config, ready and (lambda: ready(parts)))
    server.run()
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started and self._ready is not None:
            self._ready()


def work(settings: Settings) -> int:
    """Workers alone, until a signal."""
    configure_logs(settings)
    parts = root.build(root.prepare(settings))

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        async with background.working(parts):
            await stop.wait()
        await parts.db.aclose()

    asyncio.run(run())
    return 0
