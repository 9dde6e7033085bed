"""The one thread that writes. Whatever requests have arrived share one transaction and one commit.

A request sees the changes of those before it; one that fails leaves no trace. Answers leave after the commit: what was
acknowledged is on the disk.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from omnicrm.domain.charging import models
from omnicrm.domain.charging.database import Database, connection_lost, database_locked, may_retry
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.storage import Batch, Tx

log = logging.getLogger(__name__)

GROUP = 256
TRIES = 6
# The longest pause before the second try; processes that stood in each other's way come back at different moments.
PAUSE_SECONDS = 0.01
_INTERNAL = "SERVER_ERROR: internal error"
_REVISION = select(models.state.c.value).where(models.state.c.name == "config")


@dataclass(slots=True)
class _Request:
    work: Callable[[Tx], Any]
    answer: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: Exception | None = None
    after_commit: list[Callable[[], object]] = field(default_factory=list)

    def run(self, batch: Batch) -> None:
        self.result = self.error = None
        self.after_commit = []
        tx = Tx(batch)
        try:
            self.result = self.work(tx)
            tx.keep()
            self.after_commit = tx.after_commit
        except DBAPIError:
            raise
        except EngineError as error:
            tx.drop()
            self.error = error
        except Exception:
            log.exception("A charging request failed")
            tx.drop()
            self.error = EngineError(_INTERNAL)

    def deliver(self) -> None:
        for effect in self.after_commit if self.error is None else ():
            try:
                effect()
            except Exception:
                log.exception("What follows a charging request could not be started")
        if not self.answer.set_running_or_notify_cancel():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class Writer:
    """Queue and thread. `submit` may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._cache: dict[object, Any] = {}
        self._revision: int | None = None
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="charging-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Tx], Any]) -> Future[Any]:
        """Runs `work` in the next transaction; the future ends after the commit."""
        request = _Request(work)
        with self._gate:
            if self._closed:
                request.error = EngineError("SERVER_ERROR: the engine is closed")
                request.deliver()
            else:
                self._queue.put(request)
        return request.answer

    def close(self) -> None:
        """Finishes what has been submitted, then ends the thread."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while True:
            group: list[_Request] = []
            item = self._queue.get()
            while item is not None:
                group.append(item)
                if len(group) == GROUP or self._queue.empty():
                    break
                item = self._queue.get()
            if group:
                self._carry_out(group)
                for request in group:
                    request.deliver()
            if item is None:
                return

    def _carry_out(self, group: list[_Request]) -> None:
        """Leaves a result or an error in every request."""
        for number in range(1, TRIES + 1):
            try:
                self._transact(group)
                return
            except Exception as error:
                self._cache.clear()
                if isinstance(error, DBAPIError):
                    if may_retry(error) and (number < TRIES or database_locked(error)):
                        time.sleep(random.uniform(0, PAUSE_SECONDS * number))
                        continue
                    if connection_lost(error):
                        # The commit may or may not have arrived: trying again could do everything twice.
                        log.exception("The connection to the charging database was lost")
                        break
                if len(group) > 1:
                    # One request broke the transaction; alone, each of the others goes through.
                    for request in group:
                        self._carry_out([request])
                    return
                log.exception("The charging database refused a transaction")
                break
        for request in group:
            request.error = EngineError("SERVER_ERROR: the charging database did not take it")

    def _transact(self, group: list[_Request]) -> None:
        with self._database.transaction() as connection:
            self._refresh_cache(connection)
            batch = Batch(connection, self._cache)
            for request in group:
                request.run(batch)
            batch.flush()

    def _refresh_cache(self, connection: Connection) -> None:
        """Forgets copies of configuration when it changed, through this process or another."""
        revision = connection.execute(_REVISION).scalar()
        if revision != self._revision:
            self._cache.clear()
            self._revision = revision
