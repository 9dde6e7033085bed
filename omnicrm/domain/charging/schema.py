"""The version of the charging tables: made anew, brought up to date, or refused when a newer product wrote them.

`create_all` makes a missing table but never changes one that is there; that is what the numbered steps are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Table, func, insert, inspect, literal, select, text, update
from sqlalchemy.schema import CreateColumn

from omnicrm.domain.charging import models
from omnicrm.domain.charging.account import Balance
from omnicrm.domain.charging.database import Database
from omnicrm.domain.charging.documents import Plan
from omnicrm.domain.charging.recording import Change
from omnicrm.domain.charging.timing import next_run

VERSION = 3
_LOCK_SECONDS = 60


class NewerSchema(RuntimeError):
    """The charging database was written by a newer version of the product."""


def prepare(database: Database, now: datetime, zone: tzinfo) -> None:
    """Makes the tables or brings them to this version; processes that start together do it one after the other.

    `now` and `zone` are what plans of version 1 get their next run from. Raises NewerSchema.
    """
    with _alone(database), database.transaction() as connection:
        found = _version(connection)
        if found > VERSION:
            raise NewerSchema(
                f"The charging database has tables of version {found}, this OmniCRM knows version {VERSION}. "
                "Start the newer OmniCRM again, or restore a backup that was made before it."
            )
        if found == VERSION:
            return
        models.metadata.create_all(connection)
        known = connection.execute(select(models.state.c.name)).scalars().all()
        if "config" not in known:
            connection.execute(insert(models.state).values(name="config", value=0))
        for number in range(max(found, 1) + 1, VERSION + 1) if found else ():
            _STEPS[number](connection, now, zone)
        _keep_version(connection, known)


def _version(connection: Connection) -> int:
    """0 of an empty database, 1 of one from before versions were kept."""
    if not inspect(connection).has_table(models.state.name):
        return 0
    stored = connection.execute(select(models.state.c.value).where(models.state.c.name == "schema")).scalar()
    return 1 if stored is None else int(stored)


def _keep_version(connection: Connection, known: Any) -> None:
    if "schema" in known:
        connection.execute(update(models.state).where(models.state.c.name == "schema").values(value=VERSION))
    else:
        connection.execute(insert(models.state).values(name="schema", value=VERSION))


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """One process at a time. SQLite's write transaction sees to it; DDL ends a transaction of MySQL, so a lock does."""
    if database.sqlite:
        yield
        return
    name = func.concat(literal("omnicrm_charging_"), func.md5(func.database()))
    with database.reading() as holder:
        if holder.execute(select(func.get_lock(name, _LOCK_SECONDS))).scalar() != 1:
            raise RuntimeError("Another process has been changing the tables of the charging database for a minute")
        try:
            yield
        finally:
            holder.execute(select(func.release_lock(name)))


def _add_column(connection: Connection, table: Table, column: Column[Any]) -> None:
    """Adds the column unless it is there: DDL of MySQL cannot be rolled back, so a step may come a second time."""
    if column.name in {known["name"] for known in inspect(connection).get_columns(table.name)}:
        return
    definition = CreateColumn(column).compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {definition}"))


def _to_2(connection: Connection, now: datetime, zone: tzinfo) -> None:
    """The scheduler: claimed runs among the tasks, and a next run for every timing of the plans that are there."""
    _add_column(connection, models.task, models.task.c.plan_id)
    _add_column(connection, models.task, models.task.c.due_at)
    decode = msgspec.json.Decoder(Plan).decode
    runs = connection.execute(select(models.plan_run.c.plan_id, models.plan_run.c.timing))
    known = {(row[0], row[1]) for row in runs}
    plans = connection.execute(select(models.action_plan.c.id, models.action_plan.c.body)).all()
    rows = [
        {"plan_id": plan_id, "timing": entry.uuid, "next_run": moment.replace(tzinfo=None)}
        for plan_id, body in plans
        for entry in decode(body).entries
        if (plan_id, entry.uuid) not in known and (moment := next_run(entry.timing, now, zone)) is not None
    ]
    if rows:
        connection.execute(insert(models.plan_run), rows)


def _to_3(connection: Connection, now: datetime, zone: tzinfo) -> None:
    """The journal keeps what was there before; of a balance it had the difference only, as if of a new bucket."""
    table = models.journal.c
    _add_column(connection, models.journal, table.former)
    old = select(table.id, table.ident, table.detail).where(table.kind == "balance", table.former.is_(None))
    for row in connection.execute(old).all():
        change = int(row.detail)
        bucket = Balance(uuid=row.ident.rpartition("\n")[2], value=change, granted=max(change, 0))
        former = msgspec.json.encode(Change(None, bucket)).decode()
        connection.execute(update(models.journal).where(table.id == row.id).values(former=former, detail=""))


_STEPS: dict[int, Callable[[Connection, datetime, tzinfo], None]] = {2: _to_2, 3: _to_3}
