"""How many requests a minute a caller may make (CFG-112): logins and public routes by address, the API by user.

Jobs, API keys and trusted addresses are systems of the operator and are not counted. Counts are those of one process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Literal

from omnicrm.domain.errors import TooMany
from omnicrm.settings import Settings

Kind = Literal["login", "public", "api"]
#: Callers kept in mind; beyond it the one is forgotten that has not called for longest.
_KEPT = 20_000
_MINUTE = 60.0


@dataclass
class Limiter:
    """A bucket for each caller: it holds a minute's requests and fills up evenly. For one event loop."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[object, tuple[float, float]] = field(default_factory=dict)

    def wait(self, caller: object) -> float:
        """0 for a request that may go on, else the seconds until the next one may."""
        now = self.clock()
        # A dictionary keeps the order of its keys: who calls comes to its end.
        left, seen = self._buckets.pop(caller, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - seen) * self.per_minute / _MINUTE)
        is_free = left >= 1
        self._buckets[caller] = left - is_free, now
        if len(self._buckets) > _KEPT:
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if is_free else (1 - left) * _MINUTE / self.per_minute


class Limits:
    def __init__(self, settings: Settings) -> None:
        rates = settings.security.rate_limits
        self._limiters = {"login": Limiter(rates.login), "public": Limiter(rates.public), "api": Limiter(rates.api)}

    def admit(self, kind: Kind, caller: str | None) -> None:
        """`caller` is an address, or the user of the API. Raises TooMany with the seconds to wait."""
        seconds = self._limiters[kind].wait(caller if kind == "api" else _network_of(caller))
        if seconds:
            raise TooMany(math.ceil(seconds))


def _network_of(address: str | None) -> object:
    """What one caller has: an address of IPv4, 2^64 of IPv6."""
    try:
        found = IPv6Address(address or "")
    except ValueError:
        return address
    return str(found.ipv4_mapped) if found.ipv4_mapped else int(found) >> 64
