"""Rows behind the engine: a reader for committed rows, a batch for the writer's open transaction, and one request's
changes on top of it (Tx), which are kept whole or dropped whole.

A document is loaded as JSON text and decoded anew for each request, so nothing that a failed request did to it is seen
by the next. Rows are written at the end of the batch, one executemany for each kind of change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, NestedTransaction, Table, bindparam, delete, insert, select, update
from sqlalchemy.sql.base import Executable

from omnicrm.domain.charging import models
from omnicrm.domain.charging.ports import EngineError

T = TypeVar("T")
Key = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of rows with a key of text and one value, with its prepared statements."""

    table: Table
    lock: bool = False
    keys: tuple[str, ...] = field(init=False)
    value: str = field(init=False)
    load: Executable = field(init=False)
    add: Executable = field(init=False)
    change: Executable = field(init=False)
    drop: Executable = field(init=False)
    limits: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        columns = self.table.c
        keys = tuple(column.name for column in self.table.primary_key)
        value = next(column.name for column in columns if column.name not in keys)
        where = [columns[name] == bindparam(f"k{i}") for i, name in enumerate(keys)]
        load = select(columns[value]).where(*where)
        names: dict[str, Any] = {name: bindparam(f"k{i}") for i, name in enumerate(keys)}
        for name, made in {
            "keys": keys,
            "value": value,
            "load": load.with_for_update() if self.lock else load,
            "add": insert(self.table).values({**names, value: bindparam("v")}),
            "change": update(self.table).where(*where).values({value: bindparam("v")}),
            "drop": delete(self.table).where(*where),
            "limits": tuple(models.length_of(self.table, name) for name in keys),
        }.items():
            object.__setattr__(self, name, made)

    def check(self, key: Key) -> None:
        """Refuses names that a database would cut or compare differently."""
        for name, text, limit in zip(self.keys, key, self.limits, strict=True):
            if len(text) > limit:
                raise EngineError(f"SERVER_ERROR: {name} is longer than {limit} characters")
            if text != text.rstrip() or "\x00" in text:
                raise EngineError(f"SERVER_ERROR: {name} ends in white space or holds a null character")


# The account row is the lock between processes on MySQL; SQLite has no row locks and ignores it.
ACCOUNTS = Sheet(models.account, lock=True)
ACTIONS = Sheet(models.action_set)
PLANS = Sheet(models.action_plan)
LINKS = Sheet(models.plan_account)
PROFILES = Sheet(models.profile)
# The row is the claim on a plan's next run.
PLAN_RUNS = Sheet(models.plan_run, lock=True)
WATCHES = Sheet(models.expiry_watch, lock=True)
CONFIGURATION = (ACTIONS, PROFILES)


@cache
def _listing(sheet: Sheet, names: tuple[str, ...]) -> Executable:
    columns = sheet.table.c
    chosen = select(*(columns[name] for name in sheet.keys), columns[sheet.value])
    return chosen.where(*(columns[name] == bindparam(f"w_{name}") for name in names))


@cache
def _adding(table: Table) -> Executable:
    return insert(table)


def fetch_rows(connection: Connection, sheet: Sheet, where: dict[str, str]) -> list[tuple[Key, Any]]:
    parameters = {f"w_{name}": text for name, text in where.items()}
    width = len(sheet.keys)
    found = connection.execute(_listing(sheet, tuple(where)), parameters)
    return [(tuple(row[:width]), row[width]) for row in found]


class Reader:
    """Committed rows; for requests that only read."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def get(self, sheet: Sheet, *key: str) -> Any | None:
        sheet.check(key)
        return self.connection.execute(sheet.load, _bind(key)).scalar()

    def rows(self, sheet: Sheet, **where: str) -> list[tuple[Key, Any]]:
        """Rows with these key parts, in key order."""
        return sorted(fetch_rows(self.connection, sheet, where))

    def cached(self, _key: object, load: Callable[[], T]) -> T:
        return load()


def _bind(key: Key) -> dict[str, Any]:
    return {f"k{i}": part for i, part in enumerate(key)}


@dataclass(slots=True)
class _Row:
    stored: bool
    value: Any | None
    dirty: bool = False


class Batch:
    """The rows of one write transaction, shared by the requests that it carries."""

    def __init__(self, connection: Connection, cache: dict[object, Any]) -> None:
        self.connection = connection
        self.cache = cache
        self.loaded: dict[tuple[Sheet, Key], _Row] = {}
        self.appended: dict[Table, list[dict[str, Any]]] = {}
        self.configured = False

    def get(self, sheet: Sheet, key: Key) -> Any | None:
        row = self.loaded.get((sheet, key))
        if row is None:
            value = self.connection.execute(sheet.load, _bind(key)).scalar()
            row = self.loaded[sheet, key] = _Row(value is not None, value)
        return row.value

    def take(self, changes: dict[tuple[Sheet, Key], Any | None], appended: list[tuple[Table, dict[str, Any]]]) -> None:
        """Accepts what a request did."""
        for (sheet, key), value in changes.items():
            self.get(sheet, key)
            row = self.loaded[sheet, key]
            row.value, row.dirty = value, True
            if sheet in CONFIGURATION:
                self.configured = True
                self.cache.clear()
        for table, values in appended:
            self.appended.setdefault(table, []).append(values)

    def flush(self) -> None:
        """Writes what is pending; queries and the commit come after it."""
        work: dict[tuple[Sheet, str], list[dict[str, Any]]] = {}
        for (sheet, key), row in self.loaded.items():
            if not row.dirty:
                continue
            row.dirty = False
            if row.value is None:
                if row.stored:
                    work.setdefault((sheet, "drop"), []).append(_bind(key))
            else:
                verb = "change" if row.stored else "add"
                work.setdefault((sheet, verb), []).append({**_bind(key), "v": row.value})
            row.stored = row.value is not None
        for (sheet, verb), parameters in work.items():
            self.connection.execute(getattr(sheet, verb), parameters)
        for table, values in self.appended.items():
            self.connection.execute(_adding(table), values)
        self.appended.clear()
        if self.configured:
            self.configured = False
            column = models.state.c.value
            self.connection.execute(
                update(models.state).where(models.state.c.name == "config").values(value=column + 1)
            )


class Tx:
    """One request's view of a batch: its own changes over the batch over the database."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.changes: dict[tuple[Sheet, Key], Any | None] = {}
        self.appended: list[tuple[Table, dict[str, Any]]] = []
        self.statements: list[Executable] = []
        self.after_commit: list[Callable[[], object]] = []
        self._savepoint: NestedTransaction | None = None

    @property
    def connection(self) -> Connection:
        """For queries over several rows. Requests before it are written first, this one's changes are not."""
        self.batch.flush()
        return self.batch.connection

    def get(self, sheet: Sheet, *key: str) -> Any | None:
        sheet.check(key)
        if (sheet, key) in self.changes:
            return self.changes[sheet, key]
        return self.batch.get(sheet, key)

    def put(self, sheet: Sheet, key: Key, value: Any) -> None:
        sheet.check(key)
        self.changes[sheet, key] = value

    def delete(self, sheet: Sheet, *key: str) -> None:
        self.changes[sheet, key] = None

    def append(self, table: Table, **values: Any) -> None:
        self.appended.append((table, values))

    def execute(self, statement: Executable) -> int:
        """Runs a statement at once and gives the number of its rows. It is undone when the request fails."""
        connection = self.connection
        if self._savepoint is None:
            self._savepoint = connection.begin_nested()
        return connection.execute(statement).rowcount

    def drop(self) -> None:
        """Forgets what the request did."""
        if self._savepoint is not None:
            self._savepoint.rollback()

    def later(self, statement: Executable) -> None:
        """A statement over many rows, run when the request has succeeded."""
        self.statements.append(statement)

    def rows(self, sheet: Sheet, **where: str) -> list[tuple[Key, Any]]:
        found = dict(fetch_rows(self.connection, sheet, where))
        for (changed, key), value in self.changes.items():
            named = dict(zip(sheet.keys, key, strict=False))
            if changed is sheet and all(named[name] == text for name, text in where.items()):
                found[key] = value
        return sorted((key, value) for key, value in found.items() if value is not None)

    def cached(self, key: object, load: Callable[[], T]) -> T:
        """A value made of configuration rows, kept until one of them changes. Not while this request changes some."""
        if any(sheet in CONFIGURATION for sheet, _ in self.changes):
            return load()
        cache = self.batch.cache
        if key not in cache:
            cache[key] = load()
        return cache[key]  # type: ignore[no-any-return]

    def keep(self) -> None:
        """Hands over to the batch what the request did."""
        self.batch.take(self.changes, self.appended)
        for statement in self.statements:
            self.connection.execute(statement)
        if self._savepoint is not None:
            self._savepoint.commit()
