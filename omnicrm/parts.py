"""What every process has: database, door, queue, and the outside systems behind their ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omnicrm import store
from omnicrm.domain import jobs
from omnicrm.domain.action import Door
from omnicrm.settings import Settings
from omnicrm.worker import Queue


@dataclass
class Parts:
    """`ports` are the outside systems by the port that they implement."""

    settings: Settings
    db: store.Database
    door: Door
    queue: Queue
    ports: dict[type, Any]

    @property
    def runtime(self) -> jobs.Runtime:
        return jobs.Runtime(self.door, self.settings, self.ports)
