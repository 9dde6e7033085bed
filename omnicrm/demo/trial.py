"""`omnicrm plays run NAME --dry-run`: a play as a real order, in a demo of its own with sandboxes only.

The demo has an empty configuration, data in a temporary folder and free ports; what a play sends to other machines
meets a closed proxy. Nothing of the operator's data, engine or network is read or touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from omnicrm.demo.check import JOB_SECONDS, Failed, Shop, Timeline, running_demo
from omnicrm.domain.provisioning.playnames import ORDER_NAMES, names_of
from omnicrm.domain.provisioning.plays import Play, PlayError, read_play
from omnicrm.domain.provisioning.playshow import calls
from omnicrm.integrations.ansible.expressions import read_expression
from omnicrm.paths import PLAYBOOKS

_MARKS = {0: "ok  ", 2: "FAIL", 3: "ign."}
_CLOSED = "http://127.0.0.1:9"
_SLUG = "trial-product"
#: How long the settling of a job that has ended is waited for, in seconds.
_SETTLE_SECONDS = 3


def try_play(name: str, folders: Sequence[Path], variables: Sequence[str], *, deprovision: bool) -> int:
    """Order `name` once and print what happens; 0 when all jobs succeed. `variables` are NAME=VALUE."""
    try:
        play = read_play(name, folders)
        values = dict(_pair(text) for text in variables)
    except (PlayError, ValueError) as error:
        text = next(iter(error.errors.values())) if isinstance(error, PlayError) else str(error)
        print(f"omnicrm: {text}", file=sys.stderr)
        return 1
    for address in sorted({address for _, address, _ in calls(play) if _is_outside(address)}):
        print(f"  note: {address} is no sandbox; a dry run cannot reach it")
    timeline = Timeline()
    with tempfile.TemporaryDirectory(prefix="omnicrm-trial-") as folder:
        log = Path(folder) / "demo.log"
        try:
            with _demo(Path(folder), log, folders, timeline) as shop:
                return _Trial(shop, play, values).run(deprovision)
        except (Failed, httpx.HTTPError) as error:
            print(f"omnicrm: {error}", file=sys.stderr)
            print(log.read_text(errors="replace")[-2000:] if log.exists() else "", file=sys.stderr)
            return 1


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"--var {text}: write it as name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _is_outside(address: str) -> bool:
    host = address.partition("://")[2].partition("/")[0]
    known = ("localhost", "127.0.0.1", "api.mailjet.com")
    return bool(host) and "{{" not in host and not host.startswith(known)


@contextlib.contextmanager
def _demo(folder: Path, log: Path, folders: Sequence[Path], timeline: Timeline) -> Iterator[Shop]:
    empty = folder / "omnicrm.yaml"
    empty.write_text("{}\n")
    own = folder / "plays"
    own.mkdir()
    for source in reversed([place for place in folders if place.resolve() != (PLAYBOOKS / "plays").resolve()]):
        _copy_plays(source, own)
    environ = {key: text for key, text in os.environ.items() if not key.upper().startswith("OMNICRM_")}
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _CLOSED)
    environ |= proxies | dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1")
    sets = [f"provisioning.plays_dir={own}"] if any(own.iterdir()) else []
    with running_demo(folder, log, sets, timeline, options=["--config", str(empty)], environ=environ) as shop:
        yield shop


def _copy_plays(source: Path, target: Path) -> None:
    """The plays beside each other and the folders that they use, not whatever else lies there."""
    for path in [*source.glob("*.y*ml")]:
        shutil.copy(path, target / path.name)
    for name in ("templates", "files", "vars"):
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)


class _Trial:
    """One play, one product of it, one customer."""

    def __init__(self, shop: Shop, play: Play, variables: Mapping[str, Any]) -> None:
        self.shop, self.play = shop, play
        # What an order decides, such as auto_renew, would not reach the play as a variable of the product.
        self.order_values = {name: value for name, value in variables.items() if name in ORDER_NAMES}
        self.variables = {name: value for name, value in variables.items() if name not in ORDER_NAMES}
        self.names = names_of(play, read_expression)
        self.customer = 0
        self.imsi = ""

    def run(self, deprovision: bool) -> int:
        shop = self.shop
        shop.log_in()
        self.customer = shop.call("GET", "/crm/customer/search", search="Ada Byron")[0]["customer_id"]
        body: dict[str, Any] = {"customer_id": self.customer, **self.order_values}
        if self._wants_service():
            made = shop.settle({"product_id": shop.product("basic-line"), "customer_id": self.customer})
            body["service_id"] = made["service_id"]
            print(f"  a service for it to work on: {made['service_id']}")
        body["product_id"] = self._product()
        body |= {kind: self._item(kind) for kind in sorted(self.names.inventory)}
        print(f"  order {json.dumps(body)}")
        job = self._watch(body)
        service = job.get("service_id")
        if deprovision and job["provisioning_status"] == 0 and service:
            print(f"  deprovision service {service}")
            job = self._watch({"service_id": service, "action": "deprovision"})
        return 0 if job["provisioning_status"] == 0 else 1

    def _wants_service(self) -> bool:
        """Whether the play works on a service that is there: it reads service_id and makes no service."""
        makes = any(method == "PUT" and "/crm/service/" in address for method, address, _ in calls(self.play))
        return "service_id" in self.names.inputs and not makes and self.play.name != "play_deprovision_service"

    def _product(self) -> int:
        kinds = sorted(self.names.inventory)
        values = {
            "product_name": f"Trial of {self.play.name}",
            "product_slug": _SLUG,
            "category": "addon" if self._wants_service() else "standalone",
            "service_type": "fixed-voice" if self._wants_service() else "generic",
            "retail_cost": 10,
            "retail_setup_cost": 5,
            "residential": True,
            "business": True,
            "provisioning_play": self.play.name,
            "provisioning_json_vars": json.dumps(dict(self.variables)),
            "inventory_items_list": json.dumps(kinds),
        }
        return int(self.shop.call("PUT", "/crm/product/", values)["product_id"])

    def _item(self, kind: str) -> int:
        """A free item of the type; one is made where the demo has none."""
        shop = self.shop
        found = shop.call("GET", "/crm/inventory/", available="true", item=kind)["data"]
        if found:
            self.imsi = found[0]["itemtext2"] if kind == "SIM Card" else self.imsi
            return int(found[0]["inventory_id"])
        templates = shop.call("GET", "/crm/inventory_template/", search=kind)["data"]
        if not any(row["item"] == kind for row in templates):
            shop.call("PUT", "/crm/inventory_template/", {"item": kind, "wholesale_cost": 0, "retail_cost": 0})
        made = shop.call("PUT", "/crm/inventory/", {"item": kind, "itemtext1": "TRIAL-1", "itemtext2": "TRIAL-2"})
        return int(made["inventory_id"])

    def _watch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Order, print each task as it ends, and then what is left."""
        before = self._world()
        provision_id = self.shop.call("PUT", "/crm/provision/", dict(body))["provision_id"]
        shown: set[int] = set()
        deadline, ended = time.monotonic() + JOB_SECONDS * 5, 0.0
        while time.monotonic() < deadline:
            job = dict(self.shop.call("GET", f"/crm/provision/provision_id/{provision_id}"))
            for event in job["provisioning_result_json"]:
                if event["event_number"] not in shown and event["provisioning_status"] != 1:
                    shown.add(event["event_number"])
                    _print_event(event)
            if job["provisioning_status"] != 1:
                ended = ended or time.monotonic()
                if job["provisioning_status"] == 0 or time.monotonic() - ended > _SETTLE_SECONDS:
                    break
            time.sleep(0.1)
        else:
            raise Failed(f"the job did not end within {JOB_SECONDS * 5} s")
        self._print_end(job, before)
        return job

    def _world(self) -> dict[str, int]:
        """Counts of what orders make for the customer, to tell what changed."""
        shop = self.shop
        found = {
            name: len(shop.call("GET", f"/crm/{name}/customer_id/{self.customer}")["data"])
            for name in ("service", "inventory", "transaction")
        }
        peers = [shop.http.get(f"/sandbox/hss/{peer}/subscriber/{self.imsi or 0}") for peer in (1, 2)]
        return found | {"HSS subscriber": sum(answer.status_code == 200 for answer in peers)}

    def _print_end(self, job: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        result = {0: "success", 2: "failed"}.get(job["provisioning_status"], "unknown")
        print(f"  result: {result}{': ' + job['error'] if job.get('error') else ''}")
        now = self._world()
        changed = [f"{name} {before[name]} -> {now[name]}" for name in now if now[name] != before[name]]
        print(f"  changed: {', '.join(changed) or 'nothing counted'}")
        for entry in job["leftovers"]:
            print(f"  left over: {entry['where']}: {entry['what']} ({entry['text']})")


def _print_event(event: Mapping[str, Any]) -> None:
    mark = "skip" if event["skipped"] else _MARKS.get(event["provisioning_status"], "?")
    text = f": {event['message']}" if event.get("message") else ""
    print(f"  {event['event_number']:3}  {mark}  {event['event_name']}{text}", flush=True)
