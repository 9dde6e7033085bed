"""The one SQLite file in which the sandboxes keep their state, so that several web processes see the same."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from omnicrm.integrations.sandbox.faults import Fault

System = Literal["hss", "smsc", "mailjet"]
SYSTEMS: tuple[System, ...] = get_args(System)

KEEP_REQUESTS = 200
KEEP_MESSAGES = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    request_id INTEGER PRIMARY KEY, system TEXT NOT NULL, at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL, milliseconds INTEGER NOT NULL, body TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS request_by_system ON request (system, request_id);
CREATE TABLE IF NOT EXISTS fault (system TEXT PRIMARY KEY, setting TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subscriber (
    subscriber_id INTEGER PRIMARY KEY AUTOINCREMENT, peer TEXT NOT NULL, imsi TEXT NOT NULL, profile TEXT NOT NULL,
    has_keys INTEGER NOT NULL, changed_at TEXT NOT NULL, UNIQUE (peer, imsi));
CREATE TABLE IF NOT EXISTS sms (
    sms_id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, source TEXT NOT NULL, destination TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mail (mail_id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, message TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS contact (
    contact_id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    excluded INTEGER NOT NULL, properties TEXT NOT NULL, created_at TEXT NOT NULL);
"""
_TABLES: dict[System, tuple[str, ...]] = {
    "hss": ("subscriber",),
    "smsc": ("sms",),
    "mailjet": ("mail", "contact"),
}


def now() -> str:
    """The present instant as it is stored and answered: ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SandboxStore:
    """One connection behind a lock; the file is shared with other processes through WAL."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.row_factory = sqlite3.Row
        with self._lock:
            self._connection.execute("PRAGMA journal_mode=WAL")
            # Play data: losing the last calls in a power cut costs nothing, waiting for the disk would.
            self._connection.execute("PRAGMA synchronous=OFF")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file. The store is of no use afterwards."""
        with self._lock:
            self._connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run one statement and return what it yields."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[int, int]:
        """Run one statement in its own transaction; returns (last row id, rows changed)."""
        with self._lock:
            cursor = self._connection.execute(sql, parameters)
            return cursor.lastrowid or 0, cursor.rowcount

    def trim(self, table: str, key: str, keep: int) -> None:
        """Drop all but the newest rows of a table of messages."""
        self.write(f"DELETE FROM {table} WHERE {key} <= (SELECT max({key}) FROM {table}) - ?", (keep,))

    def clear(self, system: System) -> None:
        """Forget everything a sandbox holds: its records, its requests and its fault."""
        for table in _TABLES[system]:
            self.write(f"DELETE FROM {table}")
        self.write("DELETE FROM request WHERE system = ?", (system,))
        self.write("DELETE FROM fault WHERE system = ?", (system,))

    def log(self, system: System, method: str, path: str, status: int, milliseconds: int, body: str, note: str) -> None:
        """Keep one request; status 0 means that no answer was given."""
        request_id, _ = self.write(
            "INSERT INTO request (system, at, method, path, status, milliseconds, body, note) VALUES (?,?,?,?,?,?,?,?)",
            (system, now(), method, path, status, milliseconds, body, note),
        )
        if request_id % 20 == 0:
            self.write(
                "DELETE FROM request WHERE system = ? AND request_id <= (SELECT request_id FROM request"
                " WHERE system = ? ORDER BY request_id DESC LIMIT 1 OFFSET ?)",
                (system, system, KEEP_REQUESTS),
            )

    def fault(self, system: System) -> Fault:
        """The present switch position."""
        found = self.rows("SELECT setting FROM fault WHERE system = ?", (system,))
        return Fault(**json.loads(found[0]["setting"])) if found else Fault()

    def set_fault(self, system: System, fault: Fault) -> None:
        """Move the switch."""
        self.write("INSERT OR REPLACE INTO fault (system, setting) VALUES (?, ?)", (system, json.dumps(asdict(fault))))

    def take_fault(self, system: System, method: str, path: str) -> Fault:
        """The fault that hits this call. One that is set for a single call is handed to one caller only."""
        found = self.rows("SELECT setting FROM fault WHERE system = ?", (system,))
        if not found:
            return Fault()
        fault = Fault(**json.loads(found[0]["setting"]))
        if not fault.matches(method, path):
            return Fault()
        if fault.once:
            _, taken = self.write("DELETE FROM fault WHERE system = ? AND setting = ?", (system, found[0]["setting"]))
            if not taken:
                return Fault()
        return fault
