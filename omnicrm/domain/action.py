"""The one door for writes: permission, transaction, activity log, jobs; the same for web, worker and CLI."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from omnicrm.domain import activity
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.actor import Actor
from omnicrm.domain.errors import Conflict, NotFound, Unavailable
from omnicrm.domain.jobs import Job, job_row
from omnicrm.settings import Settings
from omnicrm.store import Database

Cmd = TypeVar("Cmd")
Result = TypeVar("Result")
Row = TypeVar("Row")

#: The permission of use cases that come before any login.
PUBLIC = "public"

#: Every action by name; the architecture test walks it.
ACTIONS: dict[str, Action[Any, Any]] = {}


@dataclass
class Ctx:
    """What a use case works with. `now` is the one clock of the action; `session` is its one transaction."""

    session: Session
    actor: Actor
    settings: Settings
    now: datetime
    jobs: list[Job] = field(default_factory=list)

    def load(self, model: type[Row], key: Any, *conditions: ColumnElement[bool], name: str = "") -> Row:
        """The row of that id inside `conditions`, locked for change on MySQL; NotFound for a stranger's too."""
        primary = model.__mapper__.primary_key[0]  # type: ignore[attr-defined]
        query = select(model).where(primary == key, *conditions).with_for_update(of=model)
        row = self.session.scalars(query).one_or_none()
        if row is None:
            raise NotFound(f"{name or model.__audit__.entity} {key} does not exist.")  # type: ignore[attr-defined]
        return row

    def later(self, kind: str, subject_id: int | None = None, **options: Any) -> Job:
        """A job in the same transaction; the queue hears of it after the commit. Options as `jobs.job_row` takes."""
        job = job_row(kind, subject_id, self.now, **options)
        self.session.add(job)
        self.jobs.append(job)
        return job

    def called(self, row: Any, verb: str) -> None:
        """Name the change of `row` in the activity log: 'archive' says more than 'update'."""
        self.session.info.setdefault("activity_verbs", {})[id(row)] = verb

    def note(self, entity: str, action: str, title: str, **columns: Any) -> None:
        """An entry for what changes no audited row: a mail sent, a password shown, a play ended."""
        self.session.add(
            CustomerActivity(
                entity_type=entity,
                action=action,
                title=title[:255],
                user_id=self.actor.user_id,
                user_name=self.actor.name,
                ip_address=self.actor.ip_address,
                created=self.now,
                **columns,
            )
        )


class Action(Generic[Cmd, Result]):
    """A use case with its name and the permissions of which the caller needs one."""

    def __init__(
        self,
        name: str,
        permissions: tuple[str, ...],
        body: Callable[[Ctx, Cmd], Result],
        bulk: bool = False,
        replaces: Action[Any, Any] | None = None,
    ) -> None:
        self.name, self.permissions, self.body, self.bulk = name, permissions, body, bulk
        self.__doc__ = body.__doc__
        if ACTIONS.get(name) is not replaces:
            raise RuntimeError(f"two actions are called {name}")
        ACTIONS[name] = self


def action(
    name: str, *, permission: str | tuple[str, ...], bulk: bool = False
) -> Callable[[Callable[[Ctx, Cmd], Result]], Action[Cmd, Result]]:
    """Declare a use case. `bulk` allows bulk statements on audited tables; it then logs a summary with a batch id."""
    permissions = (permission,) if isinstance(permission, str) else permission
    return lambda body: Action(name, permissions, body, bulk)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise Unavailable("The database is busy or cannot be reached. Try again in a moment.") from error


@dataclass
class Door:
    """Runs actions and reads. `act`/`read` are awaited in handlers; `act_now`/`read_now` serve threads and the CLI."""

    db: Database
    settings: Settings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    #: Called after a commit with the jobs it holds; the worker module pokes the queue here.
    wake: Callable[[list[Job]], None] = lambda jobs: None

    async def act(self, action: Action[Cmd, Result], actor: Actor, cmd: Cmd) -> Result:
        self._require(action, actor)
        ctx, run = self._prepare(action, actor, cmd)
        with _reachable():
            result = await self.db.awrite(run)
        if ctx[0].jobs:
            # The queue may be a Redis that takes its time; other callers must not wait for it.
            await asyncio.to_thread(self.wake, ctx[0].jobs)
        return result

    def act_now(self, action: Action[Cmd, Result], actor: Actor, cmd: Cmd) -> Result:
        self._require(action, actor)
        ctx, run = self._prepare(action, actor, cmd)
        result = self.db.write(run)
        self.wake(ctx[0].jobs)
        return result

    async def read(self, query: Callable[..., Result], *arguments: Any) -> Result:
        with _reachable():
            return await self.db.aread(lambda session: query(session, *arguments))

    def read_now(self, query: Callable[..., Result], *arguments: Any) -> Result:
        return self.db.read(lambda session: query(session, *arguments))

    def _require(self, action: Action[Any, Any], actor: Actor) -> None:
        if PUBLIC not in action.permissions:
            actor.require(*action.permissions)

    def _prepare(
        self, action: Action[Cmd, Result], actor: Actor, cmd: Cmd
    ) -> tuple[list[Ctx], Callable[[Session], Result]]:
        made: list[Ctx] = []

        def run(session: Session) -> Result:
            ctx = Ctx(session, actor, self.settings, self.clock())
            made[:] = [ctx]
            session.info.update(actor=actor, now=ctx.now, currency=self.settings.regional.currency_code)
            if action.bulk:
                session.info.update(bulk=True, batch_id=str(uuid.uuid4()))
            try:
                result = action.body(ctx, cmd)
                session.flush()
                activity.write(session)
            except IntegrityError as error:
                # Two callers passed the same check at once; the constraint lets one of them win.
                raise Conflict("Another change came first; read the record again.") from error
            return result

        return made, run
