"""What the product does by itself from time to time: quick looks that ask for jobs where something is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from omnicrm.domain.jobs import Runtime


@dataclass(frozen=True)
class Periodic:
    """A look that the sweep of the workers runs."""

    run: Callable[[Runtime], None]
    every: timedelta


PERIODIC: dict[str, Periodic] = {}


def periodic(name: str, every: timedelta) -> Callable[[Callable[[Runtime], None]], Callable[[Runtime], None]]:
    """Declare such a look. Several processes and machines run it, twice in a minute or not at all for an hour: its
    jobs carry a unique key."""

    def declare(function: Callable[[Runtime], None]) -> Callable[[Runtime], None]:
        PERIODIC[name] = Periodic(function, every)
        return function

    return declare
