"""The embedded engine: opens its database, dispatches requests to the methods, and keeps the jobs' journals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

from omnicrm.domain.charging import journal, models, play_fixes, schema, triggers
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.database import Database
from omnicrm.domain.charging.goparams import decode, first_param
from omnicrm.domain.charging.methods import find
from omnicrm.domain.charging.outbox import Outbox, Poster
from omnicrm.domain.charging.ports import JobRef, Trouble
from omnicrm.domain.charging.registry import Method
from omnicrm.domain.charging.scheduler import Scheduler
from omnicrm.domain.charging.storage import Reader, Tx
from omnicrm.domain.charging.writer import Writer

log = logging.getLogger(__name__)

READERS = 4


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose method was found and whose parameters were read."""

    method: Method
    params: Any
    notes: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        """The account that the request changes, or "" ."""
        return str(self.params[self.method.account_field]) if self.method.account_field else ""


class Engine:
    """One engine on one charging database. Safe to use from any thread.

    Threads: `charging-writer` (one), `charging-read_N` (reads), `charging-door_N` (requests of jobs, whose checks may
    be slow, and what staff are told), `charging-scheduler` (due plans), `charging-outbox`, `charging-charge_N` and
    `charging-post_N` (`*http_post`).
    """

    def __init__(
        self,
        database: Database,
        *,
        tenant: str,
        play_fixes: bool,
        zone: tzinfo,
        clock: Callable[[], datetime],
        post: Poster | None,
        alarm: Callable[[Trouble], object],
    ) -> None:
        self.database = database
        self.tenant = tenant
        self.fixes = play_fixes
        self.zone = zone
        self.clock = clock
        self._alarm = alarm
        self._writer = Writer(database)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="charging-read")
        self.doors = ThreadPoolExecutor(READERS, thread_name_prefix="charging-door")
        self.outbox = Outbox(database, self.change, clock, post)
        self.scheduler = Scheduler(database, self.change, clock, catch_up=play_fixes)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        tenant: str = "cgrates.org",
        play_fixes: bool = True,
        zone: tzinfo = UTC,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        post: Poster | None = None,
        alarm: Callable[[Trouble], object] = lambda trouble: None,
    ) -> Engine:
        """Opens `url` (`sqlite:///PATH` or `mysql://…/SCHEMA`), brings its tables up to date and starts the threads.

        `tenant` is used where a request names none; `zone` is what times of day are meant in; `post(url, body, key)`
        sends what `*http_post` asks for (outbox.py); `alarm` hears on a thread of its own what was given up for good.
        Raises NewerSchema.
        """
        database = Database(url)
        schema.prepare(database, clock(), zone)
        engine = cls(database, tenant=tenant, play_fixes=play_fixes, zone=zone, clock=clock, post=post, alarm=alarm)
        engine.scheduler.start()
        engine.outbox.start()
        return engine

    def prepare(self, name: str, params: Any) -> Prepared:
        """Finds the method and reads `params` (a JSON array), after the play fixes. Raises EngineError."""
        if not self.fixes:
            method = find(name)
            return Prepared(method, decode(method.shape, first_param(params)))
        method = find(play_fixes.real_name(name), any_version=True)
        fixed, notes = play_fixes.fix(method.name, first_param(params))
        return Prepared(method, decode(method.shape, fixed), tuple(notes))

    def submit(self, prepared: Prepared, job: JobRef | None = None) -> Future[Any]:
        """Starts the request; the future gives its result or EngineError. A change is on the disk when it ends."""
        if prepared.method.writes:
            return self.change(lambda call: self._write(call, prepared), job)
        return self._readers.submit(self.read, prepared)

    def change(self, work: Callable[[Call], Any], job: JobRef | None = None) -> Future[Any]:
        """Runs `work` in the next write transaction; the future ends when it is on the disk."""

        def run(tx: Tx) -> Any:
            call = self._new_call(tx, job)
            result = work(call)
            triggers.settle(call)
            if any(table is models.post for table, _ in tx.appended):
                tx.after_commit.append(self.outbox.wake)
            tx.after_commit.extend(partial(self.doors.submit, self._tell, trouble) for trouble in call.troubles)
            return result

        return self._writer.submit(run)

    def call(self, name: str, params: Any = None, job: JobRef | None = None) -> Any:
        """Runs one request and waits for it."""
        return self.submit(self.prepare(name, [{} if params is None else params]), job).result()

    def journal(self, provision_id: int) -> list[journal.Entry]:
        """What the job made and has not been removed since, oldest first."""
        with self.database.reading() as connection:
            return journal.entries(connection, provision_id)

    def notes(self, provision_id: int) -> list[str]:
        """Play fixes that acted for the job, oldest first."""
        with self.database.reading() as connection:
            return journal.notes(connection, provision_id)

    def undo(self, provision_id: int) -> list[str]:
        """Takes back what is in the job's journal, newest first, and says what. A second time does nothing."""
        done: list[str] = self.change(lambda call: journal.undo(call, provision_id)).result()
        return done

    def accounts_of_plan(self, plan_id: str) -> list[str]:
        """Names of the accounts of a plan, or of all plans that a pattern with a trailing `*` means (OC-06)."""
        with self.database.reading() as connection:
            call = self._new_call(Reader(connection), None)
            plans = [plan_id]
            if self.fixes and plan_id.endswith("*"):
                plans = [known for known in call.plan_ids() if known.startswith(plan_id.removesuffix("*"))]
            return [name for known in plans for _, name in call.accounts_of(known)]

    def status(self) -> dict[str, Any]:
        """For the status page: reachable, the database's kind, and how many accounts there are."""
        return {
            "mode": "embedded",
            "database": "sqlite" if self.database.sqlite else "mysql",
            "accounts": self.call("ApierV2.GetAccountsCount", {}),
            "play_fixes": self.fixes,
            "failed_posts": len(self.call("OmniSv1.GetFailedPosts")),
        }

    def close(self) -> None:
        """Finishes what was submitted and closes the database."""
        self.scheduler.close()
        self.outbox.close()
        self.doors.shutdown()
        self._writer.close()
        self._readers.shutdown()
        self.database.dispose()

    def _tell(self, trouble: Trouble) -> None:
        try:
            self._alarm(trouble)
        except Exception:
            log.exception("Staff could not be told: %s", trouble.title)

    def _new_call(self, rows: Tx | Reader, job: JobRef | None) -> Call:
        return Call(rows, self.clock(), self.tenant, self.zone, self.fixes, job)

    def read(self, prepared: Prepared) -> Any:
        """Runs a request that reads, on the calling thread."""
        with self.database.reading() as connection:
            return prepared.method.run(self._new_call(Reader(connection), None), prepared.params)

    def _write(self, call: Call, prepared: Prepared) -> Any:
        params = dict(prepared.params) if isinstance(prepared.params, dict) else prepared.params
        result = prepared.method.run(call, params)
        journal.write_notes(call, [*prepared.notes, *call.notes])
        return result
