"""What the charging engine gave up, for the figures and for the System page."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request

from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable

_SECONDS = 2


async def posts_given_up(request: Request[Any, Any, Any]) -> list[dict[str, Any]] | None:
    """ID, Key, URL, CreatedAt, FailedAt and Reason of each; None from an engine that does not answer or keeps none."""
    engine: ChargingEngine = request.app.state.ports[ChargingEngine]
    asked = asyncio.to_thread(engine.call, "OmniSv1.GetFailedPosts")
    try:
        found: list[dict[str, Any]] = await asyncio.wait_for(asked, timeout=_SECONDS) or []
    except (EngineError, EngineUnavailable, TimeoutError):
        return None
    return found
