"""The writer: one transaction for many requests, whole requests or none, nothing acknowledged is lost."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text

from omnicrm.domain.charging import models, schema
from omnicrm.domain.charging.database import Database
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.storage import ACCOUNTS, Tx
from omnicrm.domain.charging.writer import Writer
from tests.charging.conftest import NOW, values

ROOT = Path(__file__).parents[2]
BODY = {"Account": "a", "BalanceType": "*data"}

CLIENTS = 16
# Serves an engine on a free port, which it prints.
VICTIM = """
import asyncio, sys
from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.views.jsonrpc import serve
async def main():
    server = await serve(Door(Engine.open(sys.argv[1])), "127.0.0.1", 0)
    print(server.port, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_a_killed_process_loses_no_acknowledged_operation(
    database_url: str, open_engine: Callable[..., Engine]
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, database_url], stdout=subprocess.PIPE, env=environment, cwd=ROOT
    )
    assert victim.stdout is not None
    port = int(victim.stdout.readline())
    acknowledged = [0] * CLIENTS

    def write(number: int) -> None:
        balance = {"ID": f"D{number}", "Value": 1}
        body = json.dumps({"method": "ApierV1.AddBalance", "params": [{**BODY, "Balance": balance}]})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with suppress(OSError, http.client.HTTPException):
            while True:
                connection.request("POST", "/jsonrpc", body)
                assert json.loads(connection.getresponse().read())["result"] == "OK"
                acknowledged[number] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(write, number) for number in range(CLIENTS)]
        while min(acknowledged) < 10:
            assert not any(client.done() for client in clients)
            time.sleep(0.01)
        victim.send_signal(signal.SIGKILL)
    victim.wait(10)
    victim.stdout.close()
    stored = values(open_engine(database_url), "a", "*data")
    for number, count in enumerate(acknowledged):
        # At most one request of each client may have been stored and not yet acknowledged.
        assert count <= stored[f"D{number}"] <= count + 1


def test_fifty_parallel_changes_conserve_the_sum(database_url: str, open_engine: Callable[..., Engine]) -> None:
    engine = open_engine(database_url)
    engine.call("ApierV1.AddBalance", {**BODY, "Balance": {"ID": "D", "Value": 1000}})
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda _: engine.call("ApierV1.DebitBalance", {**BODY, "Value": 7}), range(50)))
    assert values(engine, "a", "*data") == {"D": 1000 - 50 * 7}


def test_two_processes_on_one_database_lose_no_change(database_url: str, open_engine: Callable[..., Engine]) -> None:
    engines = [open_engine(database_url), open_engine(database_url)]

    def work(number: int) -> None:
        body = {"Account": f"acc{number % 3}", "BalanceType": "*sms", "Balance": {"ID": "S", "Value": 1}}
        engines[number % 2].call("ApierV1.AddBalance", body)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(120)))
    assert [values(engines[0], f"acc{i}", "*sms") for i in range(3)] == [{"S": 40}] * 3


def test_actions_changed_by_one_process_are_seen_by_the_other(
    database_url: str, open_engine: Callable[..., Engine]
) -> None:
    first, second = open_engine(database_url), open_engine(database_url)
    event = {"ToR": "*sms", "RequestType": "*postpaid", "Account": "a", "Destination": "61", "Usage": "1"}
    destination = {"Id": "AU", "Prefixes": ["61"]}
    first.call("ApierV1.SetDestination", destination)
    balance = {"ID": "S", "Value": 9, "DestinationIDs": "AU"}
    first.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*sms", "Balance": balance})
    second.call("CDRsV1.ProcessExternalCDR", {**event, "OriginID": "1"})
    first.call("ApierV1.SetDestination", {"Id": "AU", "Prefixes": ["99"], "Overwrite": True})
    second.call("CDRsV1.ProcessExternalCDR", {**event, "OriginID": "2"})
    assert values(first, "a", "*sms") == {"S": 8}


class Writing:
    """A writer whose thread is held back until everything has been queued, so that all of it is one group."""

    def __init__(self, path: Path) -> None:
        self.database = Database(f"sqlite:///{path}")
        schema.prepare(self.database, NOW, UTC)
        self.writer = Writer(self.database)

    def together(self, *works: Callable[[Tx], Any]) -> list[Any]:
        gate = threading.Event()
        self.writer.submit(lambda tx: gate.wait(5))
        answers = [self.writer.submit(work) for work in works]
        gate.set()
        return [answer.exception(10) or answer.result() for answer in answers]

    def stored(self) -> dict[str, str]:
        with self.database.reading() as connection:
            return dict(connection.execute(text("SELECT name, body FROM account ORDER BY name")).all())  # type: ignore[arg-type]


@pytest.fixture
def writing(tmp_path: Path) -> Any:
    found = Writing(tmp_path / "writer.db")
    yield found
    found.writer.close()
    found.database.dispose()


def put(name: str, body: str, then: Exception | None = None) -> Callable[[Tx], Any]:
    def work(tx: Tx) -> Any:
        before = tx.get(ACCOUNTS, "t", name)
        tx.put(ACCOUNTS, ("t", name), body)
        if then is not None:
            raise then
        return before

    return work


def test_a_request_sees_those_before_it_and_nothing_of_those_that_failed(writing: Writing) -> None:
    answers = writing.together(
        put("a", "1"),
        put("a", "2", EngineError("REFUSED")),
        put("a", "3"),
        put("b", "4", ZeroDivisionError("a defect")),
        put("b", "5"),
    )
    assert [str(answer) for answer in answers] == ["None", "REFUSED", "1", "SERVER_ERROR: internal error", "None"]
    assert writing.stored() == {"a": "3", "b": "5"}


def test_a_request_that_breaks_the_transaction_fails_alone(writing: Writing) -> None:
    def broken(tx: Tx) -> None:
        tx.connection.execute(text("SELECT * FROM nowhere"))

    answers = writing.together(put("a", "1"), broken, put("b", "2"))
    assert [str(answer) for answer in answers] == [
        "None",
        "SERVER_ERROR: the charging database did not take it",
        "None",
    ]
    assert writing.stored() == {"a": "1", "b": "2"}


def test_a_request_that_never_fits_fails_alone_though_the_group_is_tried_again(writing: Writing) -> None:
    def twice(tx: Tx) -> None:
        for _ in range(2):
            tx.append(models.state, name="twice", value=1)

    answers = writing.together(put("a", "1"), twice, put("b", "2"))
    refused = "SERVER_ERROR: the charging database did not take it"
    assert [str(answer) for answer in answers] == ["None", refused, "None"]
    assert writing.stored() == {"a": "1", "b": "2"}


@pytest.mark.parametrize("failure", [EngineError("REFUSED"), ZeroDivisionError("a defect")])
def test_a_statement_that_ran_at_once_is_undone_with_its_request_alone(writing: Writing, failure: Exception) -> None:
    def take_away(tx: Tx) -> None:
        assert tx.execute(delete(models.account)) == 1
        raise failure

    writing.together(put("a", "1"), take_away, put("b", "2"))
    assert writing.stored() == {"a": "1", "b": "2"}


def test_after_closing_a_request_is_refused_and_those_before_are_stored(writing: Writing) -> None:
    gate = threading.Event()
    writing.writer.submit(lambda tx: gate.wait(5))
    last = writing.writer.submit(put("a", "1"))
    gate.set()
    writing.writer.close()
    assert last.result(0) is None
    assert writing.stored() == {"a": "1"}
    assert str(writing.writer.submit(put("b", "2")).exception(0)) == "SERVER_ERROR: the engine is closed"


def test_a_url_that_every_connection_would_read_differently_is_refused() -> None:
    with pytest.raises(ValueError, match="names no file"):
        Engine.open("sqlite://")


def test_what_was_stored_is_read_after_a_restart(database_url: str, open_engine: Callable[..., Engine]) -> None:
    first = open_engine(database_url)
    balance = {"ID": "Ünïcode €", "Value": "1.000000001", "ExpiryTime": "2030-01-02T03:04:05Z", "Weight": 2.5}
    first.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*monetary", "Balance": balance})
    before = first.call("ApierV2.GetAccount", {"Account": "a"})
    first.close()
    assert open_engine(database_url).call("ApierV2.GetAccount", {"Account": "a"}) == before
    assert json.dumps(str(before["BalanceMap"]["*monetary"][0]["Value"])) == '"1.000000001"'


def test_a_value_that_no_column_holds_fails_its_request_alone(writing: Writing) -> None:
    answers = writing.together(put("a", "1"), put("b", "\ud800"), put("c", "3"))
    refused = "SERVER_ERROR: the charging database did not take it"
    assert [str(answer) for answer in answers] == ["None", refused, "None"]
    assert writing.stored() == {"a": "1", "c": "3"}
