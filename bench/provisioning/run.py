"""How long a provisioning play takes: ours against stock ansible-runner with the stock `uri`, in turn, in one run.

    PYTHONPATH=. python bench/provisioning/run.py [--repeat 5] [--parallel 2] [--play FILE --variables JSON]

Prints one JSON line per way with the median, and the ratio; both run the same play against the same small server.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from omnicrm.domain.provisioning.ports import RunSpec
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.paths import PLAYBOOKS

HERE = Path(__file__).parent
ANSWERS = {
    "/jsonrpc": {"id": None, "result": "OK", "error": None},
    "/crm/product/": {"product_id": 1, "product_name": "Mobile 10 GB", "retail_cost": 15.0, "retail_setup_cost": 5.0},
    "/crm/customer/": {"customer_id": 1, "customer_name": "Bench", "contacts": [], "sites": []},
    "/crm/inventory/": {"inventory_id": 1, "customer_id": None, "item": "SIM Card"},
    "/crm/service/": {"service_id": 7},
    "/crm/transaction/": {"transaction_id": 9},
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served = 0

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        Handler.served += 1
        body = json.dumps(next(doc for path, doc in ANSWERS.items() if self.path.startswith(path))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *args: Any) -> None:
        pass


def stock(play: Path, variables: dict[str, Any]) -> float:
    """ansible-runner as it comes, in a folder of its own; seconds."""
    import ansible_runner

    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = ansible_runner.run(
            private_data_dir=folder,
            playbook=str(play.resolve()),
            extravars=variables,
            inventory={"all": {"hosts": {"localhost": host}}},
            quiet=True,
            event_handler=lambda event: True,
        )
        took = time.perf_counter() - started
    if run.status != "successful":
        raise SystemExit(f"the stock run ended {run.status}")
    return took


def ours(runner: AnsibleRunner, play: Path, variables: dict[str, Any], number: int, url: str) -> float:
    spec = RunSpec(
        provision_id=number,
        lease=1,
        play=play.stem,
        plays_dirs=(play.parent,),
        variables={name: value for name, value in variables.items() if name != "access_token"},
        crm_config={"crm": {"base_url": url}},
        job_token=variables["access_token"],
        crm_url=url,
    )
    started = time.perf_counter()
    outcome = runner.run(spec, lambda event: None, lambda: False)
    took = time.perf_counter() - started
    if outcome.status != "successful":
        raise SystemExit(f"our run ended {outcome.status}: {outcome.message}")
    return took


def at_once(count: int, one: Callable[[int], float]) -> float:
    """Seconds until `count` runs, started together, have all ended."""
    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--play", type=Path, default=HERE / "play_bench.yaml")
    parser.add_argument("--variables", type=json.loads, default={"SIM_Card": 1, "Mobile_Number": 2})
    options = parser.parse_args()
    # The stock way looks for ansible-playbook on PATH.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    variables = {"crm": url, "ocs": url, "tenant": "cgrates.org", "product_id": 1, "customer_id": 1}
    variables |= {"access_token": "x" * 200, **options.variables}
    times: dict[str, list[float]] = {"stock": [], "ours": [], "ours, plain start": []}
    with tempfile.TemporaryDirectory() as root:
        warm = AnsibleRunner(Path(root) / "warm", PLAYBOOKS)
        plain = AnsibleRunner(Path(root) / "plain", PLAYBOOKS, warm=False)
        warm.start()
        try:
            ours(warm, options.play, variables, 0, url)
            for number in range(1, options.repeat + 1):
                before = Handler.served
                times["ours"].append(ours(warm, options.play, variables, number, url))
                requests = Handler.served - before
                times["ours, plain start"].append(ours(plain, options.play, variables, number, url))
                times["stock"].append(stock(options.play, variables))
            middle = {way: statistics.median(values) for way, values in times.items()}
            for way, values in times.items():
                row = {"way": way, "median_s": round(middle[way], 3), "min_s": round(min(values), 3)}
                print(json.dumps({**row, "max_s": round(max(values), 3), "requests": requests}), flush=True)
            print(json.dumps({"stock_over_ours": round(middle["stock"] / middle["ours"], 2)}))
            if options.parallel > 1:
                both = at_once(options.parallel, lambda n: ours(warm, options.play, variables, 1000 + n, url))
                print(json.dumps({"ours_at_once": options.parallel, "seconds": round(both, 3)}))
            status = Path(f"/proc/{warm.warm_pid}/status").read_text()
            print(json.dumps({"warm_process_rss_mib": int(status.split("VmRSS:")[1].split()[0]) // 1024}))
        finally:
            warm.close()
            server.shutdown()


if __name__ == "__main__":
    main()
