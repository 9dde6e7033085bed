"""Load on a fresh charging engine: operations a second and answer times, at 1, 16 and 64 clients.

    PYTHONPATH=. python bench/charging/run.py [--seconds 5] [--repeat 3] [--mysql mysql+pymysql://root@127.0.0.1:3306]

The engine runs in a process of its own behind its socket, first on SQLite and then, where a server is named, on a new
schema there. Each client keeps one connection and sends its next request when the answer is in. Shown is the median of
the repeats. At the end the units that were used are compared with the records that were acknowledged.

    get    ApierV2.GetAccount, accounts in turn
    add    ApierV1.AddBalance onto one named balance
    cdr    CDRsV1.ProcessExternalCDR of 1 MiB that a unit balance pays
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, text

ACCOUNTS = 1000
MIB = 1024 * 1024
PLENTY = MIB * 10**9
WARM_SECONDS = 0.5
ENGINE = """
import asyncio, sys
from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.views.jsonrpc import serve
async def main():
    engine = Engine.open(sys.argv[1], play_fixes=False)
    server = await serve(Door(engine), "127.0.0.1", 0)
    print(server.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close()
    engine.close()
asyncio.run(main())
"""


class Client:
    """One connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        body = json.dumps({"method": method, "params": [params], "id": 1}).encode()
        self.writer.write(b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        answer = json.loads(await self.reader.readexactly(length))
        if answer["error"] is not None:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]


def get(number: int) -> tuple[str, dict[str, Any]]:
    return "ApierV2.GetAccount", {"Account": f"a{number % ACCOUNTS}"}


def add(number: int) -> tuple[str, dict[str, Any]]:
    balance = {"ID": "extra", "Value": 1}
    return "ApierV1.AddBalance", {"Account": f"a{number % ACCOUNTS}", "BalanceType": "*sms", "Balance": balance}


def cdr(number: int) -> tuple[str, dict[str, Any]]:
    event = {"ToR": "*data", "RequestType": "*postpaid", "OriginHost": "bench", "Usage": str(MIB)}
    return "CDRsV1.ProcessExternalCDR", {**event, "OriginID": str(number), "Account": f"a{number % ACCOUNTS}"}


async def drive(
    port: int, make: Callable[[int], tuple[str, dict[str, Any]]], clients: int, seconds: float, numbers: Iterator[int]
) -> tuple[list[float], int]:
    """Answer times in seconds within the measured span, and how many requests were answered at all."""
    begin = time.perf_counter() + WARM_SECONDS
    end = begin + seconds
    times: list[float] = []
    done = 0

    async def work() -> None:
        nonlocal done
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        while time.perf_counter() < end:
            sent = time.perf_counter()
            await client.call(*make(next(numbers)))
            done += 1
            answered = time.perf_counter()
            if begin <= sent and answered <= end:
                times.append(answered - sent)
        client.writer.close()

    await asyncio.gather(*(work() for _ in range(clients)))
    return times, done


async def prepare(port: int) -> None:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    await client.call("APIerSv1.SetChargerProfile", {"ID": "DEFAULT", "RunID": "*default", "AttributeIDs": ["*none"]})
    for number in range(ACCOUNTS):
        balance = {"ID": "units", "Value": PLENTY, "RatingSubject": f"*zero{MIB}"}
        await client.call("ApierV1.AddBalance", {"Account": f"a{number}", "BalanceType": "*data", "Balance": balance})
    client.writer.close()


async def used(port: int) -> int:
    """Mebibytes that the accounts have used."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    left = 0
    for number in range(ACCOUNTS):
        left += (await client.call(*get(number)))["BalanceMap"]["*data"][0]["Value"]
    client.writer.close()
    return (ACCOUNTS * PLENTY - left) // MIB


async def measure(port: int, seconds: float, repeat: int) -> None:
    await prepare(port)
    print(f"{'':5}{'clients':>8}{'ops/s':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    numbers = count()
    records = 0
    for name, make in (("get", get), ("add", add), ("cdr", cdr)):
        for clients in (1, 16, 64):
            rows = []
            for _ in range(repeat):
                times, done = await drive(port, make, clients, seconds, numbers)
                records += done if make is cdr else 0
                cuts = statistics.quantiles(times, n=100)
                rows.append((len(times) / seconds, *(cuts[percent - 1] * 1000 for percent in (50, 95, 99))))
            rate, *delays = (statistics.median(column) for column in zip(*rows, strict=True))
            print(f"{name:5}{clients:8}{rate:8.0f}" + "".join(f"{delay:9.2f}" for delay in delays), flush=True)
    debited = await used(port)
    print(f"{debited} MiB debited for {records} records: {'equal' if debited == records else 'DIFFERENT'}")


@contextmanager
def engine(url: str) -> Iterator[int]:
    """The port of an engine in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", ENGINE, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(20)


@contextmanager
def schema(server: str) -> Iterator[str]:
    """A new schema on a server, dropped afterwards."""
    admin = create_engine(server)
    name = f"omnicrm_bench_{uuid4().hex[:12]}"
    with admin.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    try:
        yield f"{server.rstrip('/')}/{name}"
    finally:
        with admin.begin() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--mysql", help="a server where a schema may be made")
    arguments = parser.parse_args()

    def run(title: str, url: str) -> None:
        print(f"{title}, load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs", flush=True)
        with engine(url) as port:
            asyncio.run(measure(port, arguments.seconds, arguments.repeat))

    with tempfile.TemporaryDirectory() as folder:
        run("SQLite", f"sqlite:///{folder}/charging.db")
    if arguments.mysql:
        with schema(arguments.mysql) as url:
            run("MySQL", url)


if __name__ == "__main__":
    main()
