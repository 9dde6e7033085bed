"""What a service holds in the charging engine, read live for routes and pages."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request

from omnicrm.domain.charging import usage
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.views import http


async def account_of(request: Request[Any, Any, Any], account: str) -> tuple[dict[str, Any] | None, str]:
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
