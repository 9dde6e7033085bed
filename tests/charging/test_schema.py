"""The version of the engine's tables: a database of version 1 is brought up to date, a newer one is refused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import inspect, text

from omnicrm.domain.charging import schema
from omnicrm.domain.charging.database import Database
from omnicrm.domain.charging.engine import Engine
from tests.charging.conftest import NOW, Clock, values


def back_to_version_1(url: str) -> None:
    """Takes away what versions 2 and 3 brought, and leaves the data."""
    database = Database(url)
    with database.transaction() as connection:
        connection.execute(text("DROP TABLE plan_run"))
        connection.execute(text("DROP TABLE post"))
        for column in ("plan_id", "due_at"):
            connection.execute(text(f"ALTER TABLE task DROP COLUMN {column}"))
        connection.execute(text("ALTER TABLE journal DROP COLUMN former"))
        connection.execute(text("DELETE FROM state WHERE name = 'schema'"))
    database.dispose()


def shape(url: str) -> dict[str, list[str]]:
    """Columns of every table, in any order."""
    database = Database(url)
    found = inspect(database.writer)
    tables = {table: sorted(column["name"] for column in found.get_columns(table)) for table in found.get_table_names()}
    database.dispose()
    return tables


def of_version_1(url: str, open_engine: Callable[..., Engine]) -> None:
    """A database of version 1 with an account, its plan, and a one-off run that waits."""
    engine = open_engine(url)
    row = {"Identifier": "*topup", "BalanceType": "*sms", "BalanceId": "S", "Units": 1}
    engine.call("ApierV1.SetActions", {"ActionsId": "A", "Actions": [row]})
    entries = [{"ActionsId": "A", "MonthDays": "1", "Time": "00:00:00"}, {"ActionsId": "A", "Time": "*asap"}]
    engine.call("ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": entries})
    engine.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"]})
    engine.close()
    back_to_version_1(url)


def test_a_database_of_version_1_is_brought_up_to_date_with_its_data(
    database_url: str, open_engine: Callable[..., Engine], clock: Clock
) -> None:
    of_version_1(database_url, open_engine)
    engine = open_engine(database_url)
    engine.scheduler.run_due()
    assert values(engine, "a", "*sms") == {"S": 1}
    times = [entry["NextExecTime"] for entry in engine.call("ApierV1.GetAccountActionPlan", {"Account": "a"})]
    assert times == ["2026-12-01T00:00:00Z", "0001-01-01T00:00:00Z"]
    clock.now = datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC)
    engine.scheduler.run_due()
    assert values(engine, "a", "*sms") == {"S": 2}


def test_an_upgraded_database_has_the_tables_of_a_new_one(
    database_url: str, open_engine: Callable[..., Engine]
) -> None:
    open_engine(database_url).close()
    fresh = shape(database_url)
    back_to_version_1(database_url)
    assert shape(database_url) != fresh
    open_engine(database_url).close()
    assert shape(database_url) == fresh


def test_a_top_up_that_an_older_version_journalled_is_set_back(
    database_url: str, open_engine: Callable[..., Engine]
) -> None:
    of_version_1(database_url, open_engine)
    engine = open_engine(database_url)
    uuids = {}
    for ident in ("NEW", "OLD"):
        body = {"Account": "a", "BalanceType": "*data", "Balance": {"ID": ident, "Value": 100}}
        engine.call("ApierV1.AddBalance", body)
    for bucket in engine.call("ApierV2.GetAccount", {"Account": "a"})["BalanceMap"]["*data"]:
        uuids[bucket["ID"]] = bucket["Uuid"]
    engine.close()
    back_to_version_1(database_url)
    database = Database(database_url)
    row = "INSERT INTO journal (provision_id, kind, tenant, ident, detail, created_at) VALUES (:n, :k, :t, :i, :d, :at)"
    with database.transaction() as connection:
        for ident, change in (("NEW", "100"), ("OLD", "30"), ("OLD", "-10")):
            key = f"a\n*data\n{uuids[ident]}"
            values_of = {
                "n": 7,
                "k": "balance",
                "t": "cgrates.org",
                "i": key,
                "d": change,
                "at": NOW.replace(tzinfo=None),
            }
            connection.execute(text(row), values_of)
    database.dispose()
    engine = open_engine(database_url)
    engine.undo(7)
    assert values(engine, "a", "*data") == {"OLD": 80}


def test_processes_that_start_together_upgrade_once(database_url: str, open_engine: Callable[..., Engine]) -> None:
    of_version_1(database_url, open_engine)
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda database: schema.prepare(database, NOW, UTC), databases))
    with databases[0].reading() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM plan_run")).scalar() == 1
    for database in databases:
        database.dispose()


def test_an_upgrade_that_was_cut_off_is_finished_by_the_next_start(
    database_url: str, open_engine: Callable[..., Engine]
) -> None:
    of_version_1(database_url, open_engine)
    database = Database(database_url)
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE task ADD COLUMN plan_id VARCHAR(191) NOT NULL DEFAULT ''"))
    database.dispose()
    engine = open_engine(database_url)
    assert len(engine.call("ApierV1.GetScheduledActions", {"Account": "a"})) == 1


def test_tables_of_a_newer_version_are_refused(database_url: str, open_engine: Callable[..., Engine]) -> None:
    open_engine(database_url).close()
    database = Database(database_url)
    with database.transaction() as connection:
        connection.execute(text("UPDATE state SET value = 99 WHERE name = 'schema'"))
    database.dispose()
    with pytest.raises(schema.NewerSchema, match="tables of version 99, this OmniCRM knows version 3"):
        open_engine(database_url)


def test_a_second_start_changes_nothing(database_url: str, open_engine: Callable[..., Engine]) -> None:
    for _ in range(2):
        engine = open_engine(database_url)
        engine.call("ApierV2.SetAccount", {"Account": "a"})
        found: Any = engine.call("ApierV2.GetAccountsCount")
        engine.close()
    assert found == 1
