"""The crash drill: kill -9 at a random moment, restart, and see that every job ends and that all records agree.

    PYTHONPATH=. python bench/crash.py --rounds 100 [--data DIR] [--mysql URL] [--seed N] [--port N] [--ocs-port N]

Each round keeps orders, deprovisions, top-ups and orders that fail in flight over HTTP, kills a random victim, starts
again what died, waits at most 30 s until no job is open, and runs `omnicrm check`. A job that names what it could not
undo is cleaned up by hand, as its page offers: "named" counts such jobs. What differs after that is a finding. Blocks
of rounds alternate between everything in one process (`demo`) and web server and worker apart. Prints a table; exit 1
on any finding or late end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from omnicrm import demo, store
from omnicrm.cli.check import look
from omnicrm.demo.check import Failed, Shop
from omnicrm.domain.checking import Finding
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning.models import Provision
from omnicrm.integrations.ansible import marks
from omnicrm.settings import Settings, load

SETTLE_SECONDS = 30
BLOCK = 4
ONE, APART = "one process", "apart"
VICTIMS = {
    ONE: ("server", "server and its children", "play", "warm process"),
    APART: ("server", "worker", "server and worker", "play", "warm process"),
}
#: The check's word for what a job names itself; some of it only a person can look after, such as a message.
LEFT, TO_CHECK = "left-behind", "please check"
#: Products of the demo: the last one is refused by the HSS.
MOBILE, LINE, BOOST, REFUSED = "mobile-prepaid-20gb", "basic-line", "data-boost", "mobile-5g-early-access"


@dataclass
class Round:
    mode: str
    victim: str
    seconds: float
    #: What was still open after the time limit.
    late: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    #: Jobs that named what they left, and were cleaned up once more.
    named: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.late or self.findings or self.wrong)


class Product:
    """The product's processes on one data folder, started and killed like a machine would."""

    def __init__(self, data: Path, port: int, ocs_port: int, sets: dict[str, str]) -> None:
        self.data, self.sets = data, {**demo.overrides(port, ocs_port), **sets}
        self.settings: Settings = load(sets=self.sets, data_dir=data)
        self.ports = ("--port", str(port), "--ocs-port", str(ocs_port))
        self.shop = Shop(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{ocs_port}")
        self.mode = ONE
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        data.mkdir(parents=True, exist_ok=True)
        self.log = (data / "drill.log").open("ab")

    def start(self, mode: str) -> None:
        self.mode = mode
        self.start_dead()

    def start_dead(self) -> None:
        for name in ("server", "worker") if self.mode == APART else ("server",):
            process = self.running.get(name)
            if process is None or process.poll() is not None:
                self.running[name] = self._spawn(name)

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        sets = [part for key, value in self.sets.items() for part in ("--set", f"{key}={value}")]
        if self.mode == ONE:
            command = ["demo", *self.ports]
        else:
            command = ["serve", "--without-workers"] if name == "server" else ["worker"]
        line = [sys.executable, "-m", "omnicrm", *command, "--data", str(self.data), *sets]
        return subprocess.Popen(line, stdout=self.log, stderr=self.log, start_new_session=True)

    def wait_ready(self) -> None:
        self.shop.wait(self.running["server"])

    def kill(self, victim: str) -> bool:
        """`kill -9`; False where there was no such process at this moment."""
        if victim in ("play", "warm process"):
            pids = self.plays() if victim == "play" else self._warm()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return bool(pids)
        for name, process in self.running.items():
            if name in victim:
                (os.killpg if "children" in victim else os.kill)(process.pid, signal.SIGKILL)
                process.wait()
        return True

    def plays(self) -> list[int]:
        """Processes of the first run that has any."""
        for folder in sorted((self.data / "runs").glob("run-*")):
            provision_id, lease = folder.name.split("-")[1:3]
            found = marks.processes_of(marks.mark(self.data / "runs", int(provision_id), int(lease)), folder)
            if found:
                return sorted(found)
        return []

    def _warm(self) -> list[int]:
        """The warm process: it works in its own folder, and its plays come after it."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if (entry / "cwd").readlink().relative_to(self.data / "runs").parts[0].startswith("warm-"):
                    found.append(int(entry.name))
        return sorted(found)[:1]

    def stop(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self.running.clear()


class Drill:
    """Rounds on one product; `dice` decides everything that is left to chance."""

    def __init__(self, product: Product, seed: int, settle_seconds: float) -> None:
        self.product, self.dice, self.settle_seconds = product, random.Random(seed), settle_seconds
        self.db = store.Database(product.settings.database.sync_url, product.settings.database.async_url)
        self.known: set[tuple[str, ...]] = set()
        self.products: dict[str, int] = {}
        self.customers: list[int] = []
        self.must_fail: list[int] = []

    def prepare(self) -> None:
        """Start the product, and wait until the demo has its services."""
        self.product.start(ONE)
        self.product.wait_ready()
        shop = self.product.shop
        self._log_in()
        self.products = {slug: shop.product(slug) for slug in (MOBILE, LINE, BOOST, REFUSED)}
        rows = shop.call("GET", "/crm/customers", per_page="40")["data"]
        self.customers = [row["customer_id"] for row in rows if row["customer_status"] == "Open"]
        deadline = time.monotonic() + 60
        while not self._is_filled():
            if time.monotonic() > deadline:
                raise Failed("the demo's services were not made")
            time.sleep(0.2)
        if found := look(self.product.settings).findings:
            raise Failed(f"the demo itself is not sound: {found[0].line()}")

    def _log_in(self) -> None:
        body = self.product.shop.call(
            "POST", "/crm/auth/login", {"email": demo.LOGINS[0][0], "password": demo.PASSWORD}
        )
        self.product.shop.http.headers["Authorization"] = f"Bearer {body['token']}"

    def _is_filled(self) -> bool:
        """Whether the demo's twelve services are there with their transactions, which come last."""
        totals = [
            self.product.shop.call("GET", f"/crm/{name}/", per_page="1")["pagination"]["total_items"]
            for name in ("service", "transaction")
        ]
        return min(totals) >= 12

    def round(self, mode: str) -> Round:
        if mode != self.product.mode:
            self.product.stop()
            self.product.start(mode)
            self.product.wait_ready()
        asked = self._orders()
        victim = self.dice.choice(VICTIMS[mode])
        time.sleep(self.dice.uniform(0, 4))
        if not self.product.kill(victim):
            victim = "server"
            self.product.kill(victim)
        begun = time.monotonic()
        self.product.start_dead()
        late = self._settle(begun + self.settle_seconds)
        seconds = time.monotonic() - begun
        self.product.wait_ready()
        self._log_in()
        findings, named = self._compared()
        return Round(mode, victim, seconds, late, findings, named, self._wrong(asked))

    def _orders(self) -> list[int]:
        """Put some of everything in flight; answers the numbers of the jobs that were accepted."""
        shop, asked = self.product.shop, []
        self._log_in()
        ours = self._live_services()
        self.dice.shuffle(ours)
        wanted: list[dict[str, Any]] = [
            self._mobile(MOBILE),
            {"product_id": self.products[LINE]},
            self._mobile(REFUSED),
        ]
        wanted += [{"service_id": service_id, "action": "deprovision"} for service_id in ours[:1]]
        wanted += [{"service_id": service_id, "product_id": self.products[BOOST]} for service_id in ours[1:2]]
        self.dice.shuffle(wanted)
        for body in wanted:
            body.setdefault("customer_id", self.dice.choice(self.customers))
            if "service_id" in body:
                del body["customer_id"]
            if body.pop("takes_stock", False):
                body |= {kind: shop.free(kind)["inventory_id"] for kind in ("SIM Card", "Mobile Number")}
            provision_id = int(shop.call("PUT", "/crm/provision/", body)["provision_id"])
            asked.append(provision_id)
            if body.get("product_id") == self.products[REFUSED]:
                self.must_fail.append(provision_id)
        return asked

    def _mobile(self, slug: str) -> dict[str, Any]:
        renewed = {"auto_renew": self.dice.random() < 0.5} if slug == MOBILE else {}
        return {"product_id": self.products[slug], "takes_stock": True, **renewed}

    def _live_services(self) -> list[int]:
        rows = self.product.shop.call("GET", "/crm/service/", per_page="200", sort="service_id", order="desc")["data"]
        return [
            row["service_id"] for row in rows if row["service_status"] == "Active" and row["service_type"] == "mobile"
        ]

    def _settle(self, deadline: float) -> list[str]:
        """Wait until no job is open; answers what still is when the time is over."""

        def still_open(session: Session) -> list[str]:
            query = select(Job).where(Job.state.in_(("queued", "running")), Job.kind.like("provision.%"))
            rows = session.scalars(query).all()
            found = [f"{row.kind} {row.subject_id} is {row.state}, attempt {row.attempts}: {row.error}" for row in rows]
            running = session.scalars(select(Provision.provision_id).where(Provision.provisioning_status == 1))
            subjects = {row.subject_id for row in rows}
            return found + [f"job {number} runs without the queue" for number in running if number not in subjects]

        while (found := self.db.read(still_open)) and time.monotonic() < deadline:
            self.product.start_dead()
            time.sleep(0.1)
        return found

    def _compared(self) -> tuple[list[Finding], list[str]]:
        """(What differs, jobs that named what they left): those are cleaned up first, as staff would."""
        named = [finding for finding in self._fresh() if finding.kind == LEFT]
        jobs = sorted({finding.ident for finding in named}, key=int)
        for job in jobs:
            self.product.shop.call("POST", f"/crm/provision/provision_id/{job}/clean")
        if jobs and (late := self._settle(time.monotonic() + self.settle_seconds)):
            raise Failed(f"the clean-up did not come to its end: {late}")
        left = [finding for finding in self._fresh() if finding.kind != LEFT or TO_CHECK not in finding.text]
        self.known |= {finding.key for finding in look(self.product.settings).findings}
        return left, [f"{finding.ident}: {finding.text}" for finding in named]

    def _fresh(self) -> list[Finding]:
        report = look(self.product.settings)
        if report.unchecked:
            raise Failed(f"not everything could be checked: {report.unchecked}")
        return [finding for finding in report.findings if finding.key not in self.known]

    def _wrong(self, asked: list[int]) -> list[str]:
        """What was accepted is there, and what had to fail did."""
        query = select(Provision.provision_id, Provision.provisioning_status).where(Provision.provision_id.in_(asked))
        found = dict(self.db.read(lambda session: session.execute(query).all()))
        wrong = [f"job {number} was accepted and is gone" for number in asked if number not in found]
        return wrong + [f"job {number} had to fail" for number in self.must_fail if found.get(number) == 0]


def table(rounds: list[Round]) -> str:
    """One line for each victim: rounds, median and worst seconds until every job had ended, findings."""
    columns = f"{'rounds':>6} {'median s':>9} {'worst s':>8} {'late':>5} {'named':>6} {'findings':>9}"
    lines = [f"{'mode':<12} {'victim':<24} {columns}"]
    for mode, victim in sorted({(one.mode, one.victim) for one in rounds}):
        mine = [one for one in rounds if (one.mode, one.victim) == (mode, victim)]
        times = [one.seconds for one in mine]
        found = sum(len(one.findings) + len(one.wrong) for one in mine)
        counts = f"{sum(bool(one.late) for one in mine):>5} {sum(bool(one.named) for one in mine):>6} {found:>9}"
        times_shown = f"{statistics.median(times):>9.1f} {max(times):>8.1f}"
        lines.append(f"{mode:<12} {victim:<24} {len(mine):>6} {times_shown} {counts}")
    times = [one.seconds for one in rounds]
    bad = sum(not one.is_good for one in rounds)
    lines.append(f"{len(rounds)} rounds, median {statistics.median(times):.1f} s, worst {max(times):.1f} s, {bad} bad.")
    return "\n".join(lines)


@contextlib.contextmanager
def schemas(server: str) -> Iterator[dict[str, str]]:
    """Two fresh schemas on a MariaDB server, dropped again at the end; answers the settings that name them."""
    name = f"omnicrm_crash_{os.getpid()}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for schema in (name, f"{name}_charging"):
            connection.execute(text(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    try:
        yield {"database.url": f"{server}/{name}", "crm.mode": "development"}
    finally:
        with admin.connect() as connection:
            for schema in (name, f"{name}_charging"):
                connection.execute(text(f"DROP DATABASE {schema}"))
        admin.dispose()


def drill(
    product: Product,
    rounds: int,
    seed: int,
    say: Any = print,
    settle_seconds: float = SETTLE_SECONDS,
    block: int = BLOCK,
) -> list[Round]:
    """Run so many rounds and answer what each one showed; the product is stopped at the end. `block` rounds in a row
    run in one process, then as many apart."""
    done: list[Round] = []
    try:
        exercise = Drill(product, seed, settle_seconds)
        exercise.prepare()
        for number in range(rounds):
            one = exercise.round((ONE, APART)[number // block % 2])
            done.append(one)
            say(f"{number + 1:>4}  {one.mode:<12} {one.victim:<24} {one.seconds:5.1f} s{'  LATE' if one.late else ''}")
            for line in (*(f"named by job {text}" for text in one.named), *(found.line() for found in one.findings)):
                say(f"      {line}")
            for line in (*one.late, *one.wrong):
                say(f"      {line}")
    except KeyboardInterrupt:
        say("interrupted; the rounds so far count")
    finally:
        product.stop()
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--data", type=Path, help="data folder; kept, with drill.log (default: a fresh one)")
    parser.add_argument("--mysql", help="server such as mysql+pymysql://root@127.0.0.1:3306")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--port", type=int, default=5632)
    parser.add_argument("--ocs-port", type=int, default=2132)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        data = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omnicrm-crash-")))
        sets = stack.enter_context(schemas(options.mysql)) if options.mysql else {}
        product = Product(data.absolute(), options.port, options.ocs_port, {**FAST, **sets})
        try:
            rounds = drill(product, options.rounds, options.seed, lambda line: print(line, flush=True))
        except (Failed, httpx.HTTPError) as error:
            print(f"the drill could not go on: {error}", file=sys.stderr)
            return 2
        if rounds:
            print(table(rounds))
        return 0 if rounds and all(one.is_good for one in rounds) else 1


#: Used cards go back into the stock, so that a hundred rounds find some; late answers are waited for briefly.
FAST = {
    "inventory.selectable_states": "New,In Stock,Used",
    "provisioning.workers": "3",
    "provisioning.late_answer_seconds": "2",
}

if __name__ == "__main__":
    sys.exit(main())
