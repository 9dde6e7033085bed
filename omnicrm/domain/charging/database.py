"""Opens the charging database for one writer and several readers, on SQLite and MySQL/MariaDB.

SQLite runs in WAL with synchronous=FULL. A killed process loses nothing with NORMAL either, but a power cut would lose
the last acknowledged operations, and then the CRM's database would hold payments whose top-up is gone. FULL costs one
fsync per group of requests (0.2 ms on the developer's disk), because the writer commits in groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

_RETRY_MYSQL = {1205, 1213}
_GONE_MYSQL = {2006, 2013, 2055}


class Database:
    """A pair of SQLAlchemy engines on one database: one whose transactions take the write lock at once, one to read."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self.sqlite = target.get_backend_name() == "sqlite"
        self.writer: Engine
        self.reader: Engine
        if self.sqlite:
            if target.database in (None, "", ":memory:"):
                raise ValueError(
                    f"charging.url {url!r} names no file; readers and the writer must see the same database"
                )
            Path(target.database or "").parent.mkdir(parents=True, exist_ok=True)
            self.writer = create_engine(target.set(drivername="sqlite"))
            self.reader = create_engine(target.set(drivername="sqlite"), pool_size=4, max_overflow=4)
            for engine in (self.writer, self.reader):
                event.listen(engine, "connect", _prepare_sqlite)
            event.listen(self.writer, "begin", _begin_immediate)
        else:
            self.writer = create_engine(
                target.set(drivername="mysql+pymysql"),
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                pool_recycle=1800,
                pool_size=6,
                connect_args={"charset": "utf8mb4"},
            )
            self.reader = self.writer.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction, committed at the end of the block."""
        with self.writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what is committed, statement by statement."""
        with self.reader.connect() as connection:
            yield connection

    def dispose(self) -> None:
        self.writer.dispose()
        self.reader.dispose()


def _prepare_sqlite(dbapi: Any, _record: Any) -> None:
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def may_retry(error: DBAPIError) -> bool:
    """True when nothing was stored and a second try can succeed: a lock was not to be had, or another process was
    faster with the same row."""
    if isinstance(error, IntegrityError):
        return True
    if not isinstance(error, OperationalError):
        return False
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return code in _RETRY_MYSQL or "locked" in str(error.orig)


def database_locked(error: DBAPIError) -> bool:
    """True when another process kept the whole of a SQLite database for itself: then every request fails alike."""
    return "database is locked" in str(error.orig)


def connection_lost(error: DBAPIError) -> bool:
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return error.connection_invalidated or code in _GONE_MYSQL
