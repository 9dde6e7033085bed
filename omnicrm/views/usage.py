"""What a service holds in the charging engine, read live for routes and shared for a second between pages."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from litestar import Request

from omnicrm.domain.charging import usage
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.views import http

#: Pages that show the same account ask the engine once a second, however many are open.
_SHARED_SECONDS = 1.0

Answer = tuple[dict[str, Any] | None, str]


async def account_of(request: Request[Any, Any, Any], account: str) -> Answer:
    """The `cgrates` object of OCS-066..073 and an error text; `(None, text)` while the engine cannot be reached.

    The engine's client blocks, so it waits in a thread of its own and never holds other users up (OCS-013).
    """
    door = http.door(request)
    engine: ChargingEngine = request.app.state.ports[ChargingEngine]

    def ask() -> tuple[Any, Any, Any]:
        found = engine.account(account)
        return found, engine.action_plans(account) if found else [], engine.granted(account) if found else {}

    try:
        found, plans, granted = await asyncio.to_thread(ask)
    except EngineUnavailable as error:
        return None, f"The charging engine cannot be reached: {error}"
    except EngineError as error:
        return None, f"The charging engine refused: {error}"
    return usage.merged(found, plans, granted, door.settings, door.clock()), ""


@dataclass
class SharedReads:
    """The reads of the last second by account."""

    reads: dict[str, tuple[float, asyncio.Task[Answer]]] = field(default_factory=dict)

    async def account_of(self, request: Request[Any, Any, Any], account: str) -> Answer:
        now = time.monotonic()
        self.reads = {name: read for name, read in self.reads.items() if now - read[0] < _SHARED_SECONDS}
        if account not in self.reads:
            self.reads[account] = (now, asyncio.create_task(account_of(request, account)))
        # A page that is closed must not end the read that another one waits for.
        return await asyncio.shield(self.reads[account][1])
