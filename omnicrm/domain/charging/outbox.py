"""What `*http_post` sends: rows that are written with the action's effects and delivered after the commit (OCS-056).

A row goes when it was delivered. Every try is claimed by moving the row's next try on first, so a process that dies
while it delivers leaves a row that is tried again later, and two processes do not try at the same moment. A receiver
may see a post twice; its key tells.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Connection, delete, select, update

from omnicrm.domain.charging import models
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.database import Database
from omnicrm.domain.charging.gotime import format_time
from omnicrm.domain.charging.ports import Trouble

log = logging.getLogger(__name__)

Poster = Callable[[str, bytes, str], None]
Change = Callable[[Callable[[Call], Any]], Future[Any]]

#: Posts that charge a service go to the product itself; targets that hang must not keep them waiting.
CHARGES = "/crm/provision/simple_provision_addon"
# Ten tries: the first at once, the last after four hours and a quarter.
PAUSES = tuple(timedelta(seconds=30 * 2**number) for number in range(9))
#: For each of the two sorts of posts.
SENDERS = 2
TICK_SECONDS = 1.0
TROUBLE_SECONDS = 5.0
_DETAIL = models.length_of(models.post, "last_error")


@dataclass(frozen=True, slots=True)
class _Post:
    id: int
    key: str
    url: str
    body: str
    attempts: int


def put(call: Call, url: str, body: str, key: str) -> None:
    """Queues a post with the effects of the request at work."""
    now = call.now.replace(tzinfo=None)
    call.tx.append(models.post, key=key, url=url, body=body, created_at=now, next_try_at=now)


def failed(connection: Connection) -> list[dict[str, Any]]:
    """Posts that were given up, oldest first. An address is shown without login and query."""
    table = models.post.c
    columns = (table.id, table.key, table.url, table.created_at, table.failed_at, table.last_error)
    rows = connection.execute(select(*columns).where(table.failed_at.is_not(None)).order_by(table.id))
    return [
        {
            "ID": row[0],
            "Key": row[1],
            "URL": shown(row[2]),
            "CreatedAt": format_time(row[3].replace(tzinfo=UTC)),
            "FailedAt": format_time(row[4].replace(tzinfo=UTC)),
            "Reason": row[5],
        }
        for row in rows
    ]


def again(call: Call, ident: int) -> bool:
    """Puts a post that was given up back to its first try; False when there is no such post."""
    table = models.post.c
    statement = (
        update(models.post)
        .where(table.id == ident, table.failed_at.is_not(None))
        .values(failed_at=None, attempts=0, next_try_at=call.now.replace(tzinfo=None))
    )
    return bool(call.tx.execute(statement))


class _Lane:
    """Senders of one sort of posts."""

    def __init__(self, name: str, chosen: ColumnElement[bool]) -> None:
        self.chosen = chosen
        self.free = threading.Semaphore(SENDERS)
        self.senders = ThreadPoolExecutor(SENDERS, thread_name_prefix=f"charging-{name}")


class Outbox:
    """Sends what is queued: one thread that looks for due posts, and a few that send: charges, and all others.

    `post(url, body, key)` delivers or raises; it may take its time, but less than the first pause. What is refused for
    good it has to take as delivered.
    """

    def __init__(self, database: Database, change: Change, clock: Callable[[], datetime], post: Poster | None) -> None:
        self._database = database
        self._change = change
        self._clock = clock
        self._post = post
        charges = models.post.c.url.contains(CHARGES, autoescape=True)
        self._lanes = (_Lane("charge", charges), _Lane("post", ~charges))
        self._sending: set[int] = set()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="charging-outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something new is queued, or may be due."""
        self._wake.set()

    def close(self) -> None:
        """Ends after the posts that are being sent."""
        self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for lane in self._lanes:
            lane.senders.shutdown()

    def _loop(self) -> None:
        while not self._closed:
            try:
                pause = 0.0 if sum(map(self._send_due, self._lanes)) else TICK_SECONDS
            except Exception:
                log.exception("The posts of the charging engine could not be looked up")
                pause = TROUBLE_SECONDS
            if self._wake.wait(pause):
                self._wake.clear()

    def _send_due(self, lane: _Lane) -> int:
        """Hands due posts to free senders, new ones first, so that a target that is down holds up no other."""
        table = models.post.c
        due = (
            select(table.id, table.key, table.url, table.body, table.attempts)
            .where(table.failed_at.is_(None), table.next_try_at <= self._clock().replace(tzinfo=None), lane.chosen)
            .order_by(table.attempts, table.id)
            .limit(SENDERS * 4)
        )
        with self._database.reading() as connection:
            posts = [post for row in connection.execute(due) if (post := _Post(*row)).id not in self._sending]
        handed = 0
        for post in posts:
            if self._closed or not lane.free.acquire(blocking=False):
                break
            self._sending.add(post.id)
            lane.senders.submit(self._send, lane, post)
            handed += 1
        return handed

    def _send(self, lane: _Lane, post: _Post) -> None:
        try:
            if self._change(lambda call: self._claim(call, post)).result():
                self._deliver(post)
        except Exception:
            log.exception("A post of the charging engine could not be settled; it is tried again")
        finally:
            self._sending.discard(post.id)
            lane.free.release()
            self._wake.set()

    def _claim(self, call: Call, post: _Post) -> bool:
        table = models.post.c
        pause = PAUSES[min(post.attempts, len(PAUSES) - 1)]
        statement = (
            update(models.post)
            .where(table.id == post.id, table.attempts == post.attempts, table.failed_at.is_(None))
            .values(attempts=post.attempts + 1, next_try_at=self._clock().replace(tzinfo=None) + pause)
        )
        return bool(call.tx.execute(statement))

    def _deliver(self, post: _Post) -> None:
        try:
            if self._post is None:
                raise RuntimeError("no HTTP client was given to the engine")
            self._post(post.url, post.body.encode(), post.key)
        except Exception as error:
            reason = str(error) or type(error).__name__
            self._change(lambda call: self._keep(call, post, reason)).result()
        else:
            self._change(lambda call: _remove(call, post)).result()

    def _keep(self, call: Call, post: _Post, reason: str) -> None:
        """Remembers why a try failed, and gives the post up after the last one."""
        place = shown(post.url)
        values: dict[str, Any] = {"last_error": reason[:_DETAIL]}
        if post.attempts >= len(PAUSES):
            values["failed_at"] = self._clock().replace(tzinfo=None)
            log.error("*http_post %s to %s was given up after %d tries: %s", post.key, place, post.attempts + 1, reason)
            detail = f"Given up after {post.attempts + 1} tries: {reason}"
            call.troubles.append(Trouble(post.key, f"The charging engine could not post to {place}", detail, post.url))
        else:
            log.warning("*http_post %s to %s failed, try %d: %s", post.key, place, post.attempts + 1, reason)
        call.tx.later(update(models.post).where(models.post.c.id == post.id).values(**values))


def _remove(call: Call, post: _Post) -> None:
    call.tx.later(delete(models.post).where(models.post.c.id == post.id))


def shown(url: str) -> str:
    """The address without what may be secret in it: login and query."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"
    except ValueError:
        return "an address that is none"
