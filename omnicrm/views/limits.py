"""How many requests a minute a caller may make (CFG-112): logins and public routes by address, the API by user.

Jobs, API keys and trusted addresses are systems of the operator and are not counted. Counts are those of one process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from omnicrm.domain.errors import TooMany
from omnicrm.settings import Settings

Kind = Literal["login", "public", "api"]
#: Callers kept in mind; beyond it those are forgotten that have not called for a minute.
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
        left, seen = self._buckets.get(caller, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - seen) * self.per_minute / _MINUTE)
        if left < 1:
            self._buckets[caller] = left, now
            return (1 - left) * _MINUTE / self.per_minute
        if len(self._buckets) >= _KEPT:
            self._buckets = {key: one for key, one in self._buckets.items() if now - one[1] < _MINUTE}
        self._buckets[caller] = left - 1, now
        return 0.0


class Limits:
    def __init__(self, settings: Settings) -> None:
        rates = settings.security.rate_limits
        self._limiters = {"login": Limiter(rates.login), "public": Limiter(rates.public), "api": Limiter(rates.api)}

    def admit(self, kind: Kind, caller: object) -> None:
        """Raises TooMany with the seconds to wait."""
        seconds = self._limiters[kind].wait(caller)
        if seconds:
            raise TooMany(math.ceil(seconds))
