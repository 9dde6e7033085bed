"""A small crash drill: real processes, kill -9 at random moments, and afterwards all records agree (bench/crash.py)."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from bench.crash import FAST, Product, drill, schemas
from tests.conftest import MYSQL

#: A busy machine may need longer than the half minute that the drill itself allows.
PATIENCE = 75


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


@pytest.mark.slow
def test_after_each_kill_every_job_ends_and_all_records_agree(
    tmp_path: Path, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = 6 if backend == "sqlite" else 2
    with schemas(MYSQL) if backend == "mysql" else contextlib.nullcontext({}) as sets:
        product = Product(tmp_path / "data", *_free_ports(), {**FAST, **sets})
        done = drill(product, rounds, seed=5, settle_seconds=PATIENCE, block=rounds // 2)
    assert len(done) == rounds
    assert [one for one in done if not one.is_good] == [], capsys.readouterr().out
