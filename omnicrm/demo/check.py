"""`omnicrm demo --check`: the main job, headless, over HTTP against a demo of its own; a timeline, exit 0 or 1."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from omnicrm.demo import LOGINS, PASSWORD

GIGABYTE = 1024**3
START_SECONDS = 60
JOB_SECONDS = 60


class Failed(Exception):
    """A step that did not do what it should; the text says what was seen."""


class Timeline:
    """Prints each step with its time when it ends."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        notes: list[str] = []
        start = time.perf_counter()
        mark = "ok  "
        try:
            yield notes
        except BaseException:
            mark = "FAIL"
            raise
        finally:
            now = time.perf_counter()
            text = f"{name}: {', '.join(notes)}" if notes else name
            print(f"{now - self.begun:7.2f} s  {mark}  {now - start:6.2f} s  {text}", flush=True)


def run(sets: list[str]) -> int:
    """`sets`: further --set options for the demo, such as a database of its own."""
    timeline = Timeline()
    with tempfile.TemporaryDirectory(prefix="omnicrm-check-") as folder:
        log = Path(folder) / "demo.log"
        try:
            with running_demo(Path(folder), log, sets, timeline) as shop:
                _main_job(shop, timeline)
        except (Failed, httpx.HTTPError) as error:
            print(f"demo --check failed: {error}", file=sys.stderr)
            print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
            return 1
    print(f"{time.perf_counter() - timeline.begun:7.2f} s  everything as it should be")
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_demo(
    folder: Path,
    log: Path,
    sets: Sequence[str],
    timeline: Timeline,
    *,
    options: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Iterator[Shop]:
    """A demo in a process of its own. `options` go to its command line; without `environ` it inherits ours."""
    port, ocs_port = _free_port(), _free_port()
    command = [sys.executable, "-m", "omnicrm", "demo", "--data", str(folder / "data"), *options]
    command += ["--port", str(port), "--ocs-port", str(ocs_port), *(part for text in sets for part in ("--set", text))]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ, start_new_session=True)
        try:
            with timeline.step("start with fresh data") as notes:
                shop = Shop(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{ocs_port}")
                shop.wait(process)
                notes.append(f"port {port}")
            yield shop
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Shop:
    """The running demo as a client sees it."""

    def __init__(self, url: str, ocs: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=20)
        self.ocs = httpx.Client(base_url=ocs, timeout=20)

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(START_SECONDS * 10):
            if process.poll() is not None:
                raise Failed(f"the demo ended with exit code {process.returncode}")
            with contextlib.suppress(httpx.HTTPError):
                answer = self.http.get("/crm/health")
                if answer.status_code == 200 and answer.json()["ocs"] == "ok":
                    return
            time.sleep(0.1)
        raise Failed(f"the demo did not answer within {START_SECONDS} s")

    def call(self, method: str, path: str, json: Any = None, **params: Any) -> Any:
        answer = self.http.request(method, path, json=json, params=params)
        if answer.status_code != 200:
            raise Failed(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def charge(self, method: str, params: dict[str, Any]) -> Any:
        body = self.ocs.post("/jsonrpc", json={"method": method, "params": [params], "id": 1}).json()
        if body["error"] is not None:
            raise Failed(f"{method}: {body['error']}")
        return body["result"]

    def log_in(self) -> None:
        form = self.http.get("/login")
        token = form.cookies.get("csrftoken") or ""
        values = {"email": LOGINS[0][0], "password": PASSWORD, "_csrf_token": token}
        answer = self.http.post("/login", data=values)
        if answer.status_code != 303:
            raise Failed(f"the login page answered {answer.status_code}")
        page = self.http.get("/customers", params={"search": "Ada"})
        if page.status_code != 200 or "Ada Byron" not in page.text:
            raise Failed(f"/customers answered {page.status_code} without Ada Byron")
        body = self.call("POST", "/crm/auth/login", {"email": LOGINS[0][0], "password": PASSWORD})
        self.http.headers["Authorization"] = f"Bearer {body['token']}"

    def product(self, slug: str) -> int:
        found = self.call("GET", "/crm/product/paginated", search=slug)["data"]
        return int(found[0]["product_id"])

    def free(self, kind: str) -> dict[str, Any]:
        rows = self.call("GET", "/crm/inventory/", available="true", item=kind, sort="inventory_id", order="desc")[
            "data"
        ]
        return dict(rows[0])

    def settle(self, body: dict[str, Any]) -> dict[str, Any]:
        """Order, then poll until the job has ended."""
        provision_id = self.call("PUT", "/crm/provision/", body)["provision_id"]
        deadline = time.monotonic() + JOB_SECONDS
        while time.monotonic() < deadline:
            job = self.call("GET", f"/crm/provision/provision_id/{provision_id}")
            if job["provisioning_status"] != 1:
                return dict(job)
            time.sleep(0.05)
        raise Failed(f"job {provision_id} did not end within {JOB_SECONDS} s")

    def balances(self, service_id: int) -> dict[str, int]:
        found = self.call("GET", f"/crm/service/{service_id}")["cgrates"]["BalanceMap"]
        return {
            kind: sum(int(bucket["Value"]) for bucket in found.get(kind) or []) for kind in ("DATA", "VOICE", "SMS")
        }


def _main_job(shop: Shop, timeline: Timeline) -> None:
    with timeline.step("log in by page and by API"):
        shop.log_in()
    customer = shop.call("GET", "/crm/customer/search", search="Ada Byron")[0]["customer_id"]
    sim, number = shop.free("SIM Card"), shop.free("Mobile Number")
    chosen = {"SIM Card": sim["inventory_id"], "Mobile Number": number["inventory_id"]}
    with timeline.step("order Mobile 20 GB, click to Active") as notes:
        job = shop.settle({"product_id": shop.product("mobile-prepaid-20gb"), "customer_id": customer, **chosen})
        _expect("the order succeeds", job["provisioning_status"], 0, job["error"])
        service = int(job["service_id"])
        notes.append(f"{job['tasks_done']} tasks, service {service}")
    with timeline.step("balances") as notes:
        before = shop.balances(service)
        _expect("20 GB of data", before["DATA"], 20 * GIGABYTE)
        _expect("500 SMS", before["SMS"], 500)
        _expect("the SIM is assigned", _item(shop, sim)["item_state"], "Assigned")
        notes.append("20 GB, unlimited minutes, 500 SMS")
    with timeline.step("1 GB and 10 minutes of usage"):
        account = shop.call("GET", f"/crm/service/{service}")["service_uuid"]
        _use(shop, account, "*data", "data", str(GIGABYTE))
        _use(shop, account, "*voice", "call", "600s")
        after = shop.balances(service)
        _expect("1 GB less", before["DATA"] - after["DATA"], GIGABYTE)
        _expect("10 minutes less", before["VOICE"] - after["VOICE"], 600 * 10**9)
    _failing_plan(shop, timeline, customer)
    with timeline.step("deprovision") as notes:
        job = shop.settle({"service_id": service, "action": "deprovision"})
        _expect("the deprovision succeeds", job["provisioning_status"], 0, job["error"])
        _expect("the service is closed", shop.call("GET", f"/crm/service/{service}")["service_status"], "Deactivated")
        _expect("the account is gone", _has_account(shop, account), False)
        item = _item(shop, sim)
        _expect(
            "the SIM is free again", (item["service_id"], item["customer_id"], item["item_state"]), (None, None, "Used")
        )
        notes.append(f"{job['tasks_done']} tasks")


def _failing_plan(shop: Shop, timeline: Timeline, customer: int) -> None:
    sim, number = shop.free("SIM Card"), shop.free("Mobile Number")
    chosen = {"SIM Card": sim["inventory_id"], "Mobile Number": number["inventory_id"]}
    services = len(shop.call("GET", f"/crm/service/customer_id/{customer}")["data"])
    money = shop.call("GET", f"/crm/transaction/customer_id/{customer}", **{"void": "false"})["data"]
    accounts = shop.charge("ApierV2.GetAccountsCount", {})
    with timeline.step("the plan that the HSS refuses, and its undoing") as notes:
        job = shop.settle({"product_id": shop.product("mobile-5g-early-access"), "customer_id": customer, **chosen})
        _expect("the order fails", job["provisioning_status"], 2)
        if "access point 9" not in job["error"]:
            raise Failed(f"the error does not name the cause: {job['error']}")
        _expect("no account is left", shop.charge("ApierV2.GetAccountsCount", {}), accounts)
        _expect("no service is left", len(shop.call("GET", f"/crm/service/customer_id/{customer}")["data"]), services)
        left = shop.call("GET", f"/crm/transaction/customer_id/{customer}", **{"void": "false"})["data"]
        _expect("no charge is left", len(left), len(money))
        for item in (sim, number):
            now = _item(shop, item)
            was = (item["item_state"], item["customer_id"], item["service_id"])
            _expect("the stock is as before", (now["item_state"], now["customer_id"], now["service_id"]), was)
        for peer in (1, 2):
            known = shop.http.get(f"/sandbox/hss/{peer}/subscriber/{sim['itemtext2']}").status_code
            _expect(f"HSS {peer} does not know the SIM", known, 404)
        _expect("it can be ordered again", shop.free("SIM Card")["inventory_id"], sim["inventory_id"])
        notes.append(job["error"][-70:])


def _use(shop: Shop, account: str, kind: str, category: str, usage: str) -> None:
    event = {"OriginID": f"check-{kind}", "OriginHost": "check", "ToR": kind, "RequestType": "*postpaid"}
    event |= {"Category": category, "Account": account, "Subject": account, "Destination": "447781000000"}
    event |= {"SetupTime": "*now", "AnswerTime": "*now", "Usage": usage}
    shop.charge("CDRsV1.ProcessExternalCDR", event)


def _has_account(shop: Shop, account: str) -> bool:
    found = shop.charge("ApierV2.GetAccounts", {"AccountIDs": [account]})
    return bool(found)


def _item(shop: Shop, item: dict[str, Any]) -> dict[str, Any]:
    return dict(shop.call("GET", f"/crm/inventory/inventory_id/{item['inventory_id']}"))


def _expect(what: str, seen: Any, wanted: Any, more: str = "") -> None:
    if seen != wanted:
        raise Failed(f"{what}: expected {wanted!r}, saw {seen!r}{' (' + more + ')' if more else ''}")
