"""Background work: Huey carries job ids to threads, one queue a lane; heartbeat and sweep run beside them.

The job table is the truth (domain/jobs.py). Huey forgets a message the moment it hands it out, so nothing here
relies on it: a job that no worker took is announced again by the sweep, a job whose worker died is found by it.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import Any

from huey import RedisHuey, SqliteHuey
from huey.consumer import Consumer

from omnicrm.domain import jobs, lanes
from omnicrm.domain.errors import DomainError
from omnicrm.domain.jobs import HEARTBEAT, KINDS, Held, Job, Runtime
from omnicrm.domain.periodic import PERIODIC

log = logging.getLogger("omnicrm.worker")

LANES = ("plays", "short")


class _Embedded(Consumer):
    """A consumer that lives in somebody else's process and leaves its signal handlers alone."""

    def _set_signal_handlers(self) -> None:
        pass


def _redis(url: str) -> Any:
    """Connections that give up: an unreachable server must not hold a use case up that has committed already."""
    from redis import ConnectionPool  # only where the queue is there

    return ConnectionPool.from_url(url, socket_timeout=10, socket_connect_timeout=3)


class Queue:
    """The sending half: `announce` tells the workers which jobs wait. Every process may have one."""

    def __init__(self, settings: Any) -> None:
        self.lanes: dict[str, Any] = {}
        self.run_job: dict[str, Any] = {}
        self.runner: Workers | None = None
        for lane in LANES:
            if settings.jobs.backend == "redis":
                huey: Any = RedisHuey(f"omnicrm-{lane}", connection_pool=_redis(str(settings.cache.url)), results=False)
            else:
                path = str(settings.server.data_dir / "queue.db")
                huey = SqliteHuey(f"omnicrm-{lane}", filename=path, results=False)
            self.lanes[lane] = huey
            self.run_job[lane] = huey.task(name="run_job")(self._run)

    def announce(self, waiting: list[Job]) -> None:
        for job in waiting:
            try:
                self.run_job[job.lane](job.job_id)
            except Exception:  # the sweep announces it again
                log.exception("job %s could not be announced", job.job_id)

    def _run(self, job_id: int) -> None:
        if self.runner is not None:
            self.runner.run(job_id)

    def is_up(self) -> bool:
        """Whether the queue's storage answers; one look at each lane's length."""
        try:
            return all(huey.pending_count() >= 0 for huey in self.lanes.values())
        except Exception:
            return False

    def close(self) -> None:
        for huey in self.lanes.values():
            huey.storage.close()


class Workers:
    """The working half: threads of both lanes, the heartbeat and the sweep. One process has it."""

    def __init__(self, queue: Queue, runtime: Runtime) -> None:
        self.queue, self.runtime = queue, runtime
        self._held: dict[int, tuple[int, threading.Event]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._next: dict[str, float] = {}
        self._told: set[tuple[int, datetime]] = set()
        self._consumers: list[Any] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self.queue.runner = self
        settings = self.runtime.settings
        for lane, count in (("plays", settings.provisioning.workers), ("short", settings.jobs.workers)):
            consumer = _Embedded(
                self.queue.lanes[lane],
                workers=count,
                periodic=False,
                initial_delay=0.02,
                backoff=1.3,
                max_delay=0.25,
                check_worker_health=False,
                scheduler_interval=60,
            )
            consumer.start()
            self._consumers.append(consumer)
        for name, step in (("heartbeat", self.beat), ("sweep", self.sweep)):
            thread = threading.Thread(target=self._every, args=(name, step), name=f"omnicrm-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Ask running jobs to stop and wait for them; what does not end in time is found by the next sweep."""
        self._stop.set()
        with self._lock:
            for _, event in self._held.values():
                event.set()
        for consumer in self._consumers:
            consumer.stop(graceful=True)
        for thread in self._threads:
            thread.join(timeout=5)
        self.queue.runner = None

    def _every(self, name: str, step: Any) -> None:
        while True:
            try:
                step()
            except Exception:
                log.exception("the %s failed; it goes on", name)
            if self._stop.wait(HEARTBEAT.total_seconds()):
                return

    def run(self, announced: int) -> None:
        """Claim the announced job, or the one whose turn it is, and run it to its end. Harmless when all are taken."""
        if self._stop.is_set():
            return  # another process takes it, or this one after its restart
        door = self.runtime.door
        free = door.db.read(lambda session: lanes.candidates(session, announced, door.clock()))
        row = door.db.write(lambda session: lanes.claim_first(session, free, door.clock())) if free else None
        if row is None:
            return
        job_id = row.job_id
        event = threading.Event()
        with self._lock:
            self._held[job_id] = (row.lease, event)
        held = Held(job_id, row.kind, row.subject_id, dict(row.args), row.lease, row.attempts, event.is_set)
        error = None
        try:
            KINDS[row.kind].run(self.runtime, held)
        except DomainError as failure:
            log.warning("job %s (%s): %s", job_id, row.kind, failure.message)
            error = failure.message
        except Exception:
            # What an exception of a library says may hold values of the job: it goes to the log alone.
            log.exception("job %s (%s) failed", job_id, row.kind)
            error = "An internal error stopped the job; the log has the details."
        finally:
            with self._lock:
                self._held.pop(job_id, None)
        door.db.write(lambda session: jobs.finish(session, job_id, row.lease, door.clock(), error))

    def beat(self) -> None:
        with self._lock:
            held = {job_id: lease for job_id, (lease, _) in self._held.items()}
        if not held:
            return
        door = self.runtime.door
        stopping = door.db.write(lambda session: jobs.beat(session, list(held.items()), door.clock()))
        with self._lock:
            for job_id in stopping & self._held.keys():
                self._held[job_id][1].set()

    def sweep(self) -> None:
        door = self.runtime.door
        if door.db.read(lambda session: jobs.has_lost(session, door.clock())):
            self.queue.announce(door.db.write(lambda session: jobs.settle_lost(session, door.clock())))
        self._run_periodic()
        waiting = door.db.read(lambda session: jobs.unheard(session, door.clock()))
        # Once in any case: what was put off is in no queue yet. Again when the queue is empty, so that its messages
        # are lost; with others before it, it may only be waiting for its turn.
        told, self._told = self._told, {(job.job_id, job.run_at) for job in waiting}
        empty = {lane for lane, huey in self.queue.lanes.items() if huey.pending_count() == 0}
        self.queue.announce([job for job in waiting if job.lane in empty or (job.job_id, job.run_at) not in told])

    def _run_periodic(self) -> None:
        """Run what is due; the first time at the start. One that fails is not in the way of the others."""
        now = time.monotonic()
        for name, step in PERIODIC.items():
            if now < self._next.get(name, 0):
                continue
            self._next[name] = now + step.every.total_seconds()
            try:
                step.run(self.runtime)
            except Exception:
                log.exception("the periodic step %s failed; it runs again", name)
