"""A runner with its warm process for the whole session, plays written on the spot, and a server that records calls."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from omnicrm.domain.provisioning.ports import RunOutcome, RunSpec, TaskEvent
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.paths import PLAYBOOKS

_numbers = count(1)


@dataclass
class Call:
    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Recorder:
    """A loopback HTTP server. `answers` maps a path to (status, headers, body); other paths get 200 and `{}`."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    hold: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = (status, {"Content-Type": "application/json", **named}, raw)


@pytest.fixture
def server() -> Iterator[Recorder]:
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            recorder.calls.append(Call(self.command, self.path, self.headers, body))
            if self.path == "/hold":
                recorder.hold.wait(20)
            if self.path == "/drop":
                self.connection.close()
                return
            status, headers, raw = recorder.answers.get(self.path, (200, {"Content-Type": "application/json"}, b"{}"))
            self.send_response(status)
            for name, value in headers.items():
                for single in value if isinstance(value, list) else [value]:
                    self.send_header(name, single)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

        def log_message(self, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
    thread.start()
    yield recorder
    recorder.hold.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[str]:
    """The address of an HTTPS server whose certificate nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    pem = tmp_path / "localhost.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
    thread.start()
    yield f"https://localhost:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(scope="session")
def run_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def runner(run_root: Path) -> Iterator[AnsibleRunner]:
    runner = AnsibleRunner(run_root, PLAYBOOKS)
    runner.start()
    yield runner
    runner.close()


@dataclass
class Ran:
    outcome: RunOutcome
    events: list[TaskEvent]

    @property
    def ends(self) -> list[tuple[str, int]]:
        """(name, last status) of each task in order."""
        last = {event.number: event for event in self.events}
        return [(last[number].name, last[number].status) for number in sorted(last)]

    def result(self, name: str) -> dict[str, Any]:
        """The last result of the task of that name."""
        return dict([event for event in self.events if event.name == name][-1].result or {})

    def message(self, name: str) -> str:
        return [event for event in self.events if event.name == name][-1].message


type_of_run = Callable[..., Ran]


@pytest.fixture
def plays(tmp_path: Path) -> Path:
    folder = tmp_path / "plays"
    folder.mkdir()
    return folder


@pytest.fixture
def spec(plays: Path) -> Callable[..., RunSpec]:
    """A RunSpec for play_test in `plays`; `tasks` writes that play as tasks of one block-less play."""

    def build(tasks: str | None = None, **values: Any) -> RunSpec:
        if tasks is not None:
            indented = "\n".join(f"    {line}" for line in tasks.strip("\n").splitlines())
            (plays / "play_test.yaml").write_text(
                f"- name: A test\n  hosts: localhost\n  gather_facts: no\n  become: False\n  tasks:\n{indented}\n"
            )
        defaults: dict[str, Any] = {
            "provision_id": next(_numbers),
            "lease": 1,
            "play": "play_test",
            "plays_dirs": (plays,),
            "variables": {},
            "crm_config": {},
            "job_token": "job-token-0123456789",
            "crm_url": "http://127.0.0.1:9",
        }
        return RunSpec(**{**defaults, **values})

    return build


@pytest.fixture
def run(runner: AnsibleRunner, spec: Callable[..., RunSpec]) -> type_of_run:
    """Run tasks (or a play already written, with tasks=None) and gather what came."""

    def go(tasks: str | None = None, **values: Any) -> Ran:
        events: list[TaskEvent] = []
        outcome = runner.run(spec(tasks, **values), events.append, lambda: False)
        return Ran(outcome, events)

    return go
