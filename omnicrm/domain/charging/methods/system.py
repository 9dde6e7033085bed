"""Ping, Status, cache and session methods that tools and plays ask for."""

from __future__ import annotations

import platform
import threading
from datetime import UTC, datetime
from typing import Any

from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.goparams import ANYTHING, GoStruct
from omnicrm.domain.charging.gotime import format_time
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import rpc

_started_at = datetime.now(UTC)


@rpc("CoreSv1.Ping", ANYTHING)
def ping(call: Call, params: Any) -> str:
    return "Pong"


@rpc("CoreSv1.Status", ANYTHING)
def status(call: Call, params: Any) -> Any:
    return {
        "version": "OmniCRM (answers as CGRateS v0.11)",
        "node_id": "omnicrm",
        "running_since": format_time(_started_at),
        "go_version": f"python{platform.python_version()}",
        "goroutines": threading.active_count(),
    }


@rpc("CacheSv1.ReloadCache", ANYTHING)
@rpc("CacheSv1.Clear", ANYTHING)
def nothing_to_reload(call: Call, params: Any) -> str:
    """Every change is in force at once here, so there is never anything to reload."""
    return "OK"


@rpc("SessionSv1.GetActiveSessions", GoStruct("SessionFilter"))
def get_active_sessions(call: Call, params: Any) -> Any:
    """No session can be opened yet, so none is active."""
    raise EngineError("NOT_FOUND")


@rpc("SessionSv1.GetActiveSessionsCount", GoStruct("SessionFilter"))
def get_active_sessions_count(call: Call, params: Any) -> int:
    return 0
