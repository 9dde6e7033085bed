"""The contests of bench/races.py between real processes, a few rounds of each: exactly one wins, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bench import races
from tests.conftest import MYSQL


@pytest.fixture
def schema(backend: str) -> str:
    """A database of its own where the run is on MariaDB; empty stands for a file."""
    if backend == "sqlite":
        yield ""
        return
    admin = create_engine(MYSQL, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS omnicrm_test_races"))
        connection.execute(text("CREATE DATABASE omnicrm_test_races CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    yield f"{MYSQL}/omnicrm_test_races"
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE omnicrm_test_races"))
    admin.dispose()


def test_exactly_one_of_several_processes_wins_every_race(tmp_path: Path, schema: str) -> None:
    rounds = 8
    found = races.run(tmp_path, rounds, processes=3, mysql=schema)
    assert races.defects(found) == 0, found
    for name in races.CONTESTS:
        assert sum(found[name].values()) == rounds, name
    assert found["orders for one SIM"] == {"one winner": rounds}
