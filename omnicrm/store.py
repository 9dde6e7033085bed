"""Engines, sessions and column types for SQLite and MariaDB/MySQL; nothing here knows what is stored."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import JSON, BigInteger, DateTime, Engine, MetaData, create_engine, event
from sqlalchemy import String as SqlString
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")

#: Options of every table: ids are never used twice (decision 27), text compares byte by byte on both databases.
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __table_args__: Any = TABLE


def table(*parts: Any, **options: Any) -> tuple[Any, ...]:
    """`__table_args__` of a model with indexes or constraints of its own."""
    return (*parts, {**TABLE, **options})


class Money(TypeDecorator[int]):
    """An amount in minor units (cents). Anything but an int is a mistake in our code, never rounded away."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> int | None:
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise TypeError(f"money is an int of minor units, not {value!r}")
        return value


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as naive UTC with microseconds. A naive value is refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name == "mysql" else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"a stored time needs its zone: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


class _Keyring:
    """The key of columns encrypted at rest; set once by the composition root."""

    fernet: Fernet | None = None


def set_encryption_key(key: str) -> None:
    """`key`: 32 url-safe base64 bytes, as Fernet takes them (`security.encryption_key`)."""
    _Keyring.fernet = Fernet(key.encode())


class Encrypted(TypeDecorator[str]):
    """Text encrypted at rest (device passwords, TOTP secrets, the variables of a job)."""

    impl = SqlText
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(mysql.LONGTEXT() if dialect.name == "mysql" else SqlText())

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is None:
            return None
        if _Keyring.fernet is None:
            raise RuntimeError("security.encryption_key is not set")
        return _Keyring.fernet.encrypt(value.encode()).decode()

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        if value is None or _Keyring.fernet is None:
            return None
        try:
            return _Keyring.fernet.decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise RuntimeError(
                "security.encryption_key does not fit this database: restore secrets.yaml too"
            ) from error


Json = MutableDict.as_mutable(JSON)


def String(length: int) -> SqlString:
    return SqlString(length)


def LongText() -> SqlText:
    """Text of more than 64 KiB on MySQL too."""
    return SqlText().with_variant(mysql.LONGTEXT(), "mysql")


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver must not open transactions of its own
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A deferred transaction that reads and then writes fails at once when another wrote in between.
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


#: MySQL's dead lock and lock time-out: the transaction was rolled back whole and may simply be run again.
_GAVE_WAY = (1205, 1213)
_TRIES = 4


def _gave_way(error: OperationalError) -> bool:
    arguments: list[Any] = list(getattr(error.orig, "args", ()))
    return bool(arguments) and arguments[0] in _GAVE_WAY


class Database:
    """One database, reachable from async handlers (`aread`, `awrite`) and from threads (`read`, `write`).

    Every function handed in takes a sync `Session`; a write is one transaction, committed when the function
    returns and rolled back when it raises. Writers of one process queue at a lock in front of SQLite, since its
    own waiting is a poll without order.
    """

    def __init__(self, sync_url: str, async_url: str, pool_size: int = 10) -> None:
        self.is_sqlite = sync_url.startswith("sqlite")
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_pre_ping": True, "pool_recycle": 1800}
        if not self.is_sqlite:
            options["isolation_level"] = "READ COMMITTED"
        options["pool_size"] = pool_size
        options["hide_parameters"] = True  # values of a statement must not reach a log with its error
        self.engine: Engine = create_engine(sync_url, **options)
        self.async_engine: AsyncEngine = create_async_engine(async_url, **options)
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
            _prepare_sqlite(self.async_engine.sync_engine)
        self._immediate = self.engine.execution_options(immediate=True)
        self._async_immediate = self.async_engine.execution_options(immediate=True)
        self._writer = threading.Lock()

    def read(self, function: Callable[[Session], T]) -> T:
        with Session(self.engine, expire_on_commit=False) as session:
            return function(session)

    def write(self, function: Callable[[Session], T]) -> T:
        for attempt in range(_TRIES):
            try:
                with self._writing(), Session(self._immediate, expire_on_commit=False) as session:
                    result = function(session)
                    session.commit()
                    return result
            except OperationalError as error:
                if attempt == _TRIES - 1 or not _gave_way(error):
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def aread(self, function: Callable[[Session], T]) -> T:
        async with AsyncSession(self.async_engine, expire_on_commit=False) as session:
            return await session.run_sync(function)

    async def awrite(self, function: Callable[[Session], T]) -> T:
        if self.is_sqlite:
            await self._await_turn()
        try:
            for attempt in range(_TRIES):
                try:
                    async with AsyncSession(self._async_immediate, expire_on_commit=False) as session:
                        result = await session.run_sync(function)
                        await session.commit()
                        return result
                except OperationalError as error:
                    if attempt == _TRIES - 1 or not _gave_way(error):
                        raise
            raise AssertionError("the last attempt returns or raises")
        finally:
            if self.is_sqlite:
                self._writer.release()

    async def _await_turn(self) -> None:
        if self._writer.acquire(blocking=False):
            return
        turn = asyncio.ensure_future(asyncio.to_thread(self._writer.acquire))
        try:
            await asyncio.shield(turn)
        except asyncio.CancelledError:
            # The thread goes on waiting; what it gets for nobody it must give back.
            turn.add_done_callback(lambda _: self._writer.release())
            raise

    def _writing(self) -> Any:
        return self._writer if self.is_sqlite else contextlib.nullcontext()

    async def aclose(self) -> None:
        await self.async_engine.dispose()
        self.engine.dispose()

    def close(self) -> None:
        self.engine.dispose()
