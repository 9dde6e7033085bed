"""The thread that runs plans when they are due (OCS-046 to OCS-058, decision 11).

It looks every second, so that plans set by another process, or a clock that was moved, are noticed. Runs go through the
engine's one writer a few dozen at a time: a midnight with thousands of renewals holds up no other request.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, func, select

from omnicrm.domain.charging import models, tasks, triggers
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.database import Database

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# A one-off run waits for the request that reloads the scheduler; if none comes, it runs after this time anyway.
ONE_OFF_PATIENCE = timedelta(minutes=1)
TOGETHER = 64
_MANY = 512

Change = Callable[[Callable[[Call], Any]], Future[Any]]


class Scheduler:
    """Runs due plans and waiting tasks of one engine; `change` runs work in the engine's next write transaction."""

    def __init__(self, database: Database, change: Change, clock: Callable[[], datetime], *, catch_up: bool) -> None:
        """`catch_up` runs once what was missed while no engine was up; without it those runs are left out."""
        self._database = database
        self._change = change
        self._clock = clock
        self._catch_up = catch_up
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._patience = timedelta(0)
        self._thread = threading.Thread(target=self._loop, name="charging-scheduler", daemon=True)

    def start(self) -> None:
        if not self._catch_up:
            self._together(tasks.skip_missed, self._due())
        self._thread.start()

    def close(self) -> None:
        """Ends after the runs at work."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def run_due(self) -> None:
        """Runs what is due now, and returns when it is committed."""
        with self._lock:
            self._together(tasks.claim, self._due())
            self._together(triggers.expire, self._expired())
            while found := self._waiting():
                self._together(tasks.run, [(task,) for task in found])
            self._patience = ONE_OFF_PATIENCE

    def _loop(self) -> None:
        pause = 0.0
        while not self._end.wait(pause):
            try:
                self.run_due()
                pause = self._pause()
            except Exception:
                log.exception("The scheduler of the charging engine failed; it goes on in a moment")
                pause = TICK_SECONDS * 5

    def _pause(self) -> float:
        """Seconds until the next plan is due, a second at most."""
        with self._database.reading() as connection:
            following = connection.execute(select(func.min(models.plan_run.c.next_run))).scalar()
        if following is None:
            return TICK_SECONDS
        left: float = (following.replace(tzinfo=UTC) - self._clock()).total_seconds()
        return min(max(left, 0.01), TICK_SECONDS)

    def _due(self) -> list[tuple[str, dict[str, datetime]]]:
        """Plans with the moments of their timings that are due."""
        with self._database.reading() as connection:
            return _due_runs(connection, self._clock())

    def _expired(self) -> list[tuple[str, str, datetime]]:
        """(tenant, account, moment) of buckets that expired and that a trigger watches."""
        table = models.expiry_watch.c
        statement = select(table.tenant, table.account, table.expires_at)
        with self._database.reading() as connection:
            found = connection.execute(statement.where(table.expires_at <= self._clock().replace(tzinfo=None)))
            return [(row[0], row[1], row[2]) for row in found]

    def _waiting(self) -> list[tasks.Task]:
        if self._end.is_set():
            return []
        with self._database.reading() as connection:
            return tasks.waiting(connection, _MANY, self._clock().replace(tzinfo=None) - self._patience)

    def _together(self, work: Callable[..., None], items: list[Any]) -> None:
        """Does the work for each item, some of them in one commit. Raises the first error when all have been tried."""
        errors: list[BaseException] = []
        for begin in range(0, len(items), TOGETHER):
            answers = [self._change(partial(_apply, work, item)) for item in items[begin : begin + TOGETHER]]
            errors += [error for answer in answers if (error := answer.exception()) is not None]
        if errors:
            raise errors[0]


def _apply(work: Callable[..., None], item: tuple[Any, ...], call: Call) -> None:
    work(call, *item)


def _due_runs(connection: Connection, now: datetime) -> list[tuple[str, dict[str, datetime]]]:
    table = models.plan_run.c
    statement = (
        select(table.plan_id, table.timing, table.next_run)
        .where(table.next_run <= now.replace(tzinfo=None))
        .order_by(table.plan_id)
    )
    rows = connection.execute(statement).all()
    return [(plan_id, {row[1]: row[2] for row in group}) for plan_id, group in groupby(rows, lambda row: row[0])]
