"""The JSON-RPC methods of the engine, one module for each kind of object; `find` looks one up by its name."""

from omnicrm.domain.charging.methods import (
    accounts,
    actions,
    balances,
    cdrs,
    jobs,
    plans,
    posts,
    profiles,
    system,
    thresholds,
    triggers,
)
from omnicrm.domain.charging.registry import find

__all__ = [
    "accounts",
    "actions",
    "balances",
    "cdrs",
    "find",
    "jobs",
    "plans",
    "posts",
    "profiles",
    "system",
    "thresholds",
    "triggers",
]
