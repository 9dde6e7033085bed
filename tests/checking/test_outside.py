"""What a check asks of the outside: the HSS over real HTTP, and this machine's folders and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from omnicrm.domain.checking.ports import HssUnavailable
from omnicrm.domain.checking.values import Subscriber, plain_address
from omnicrm.integrations.ansible import marks
from omnicrm.integrations.hss import HssRegister
from omnicrm.integrations.run_remains import MachineRemains
from tests.sandbox.conftest import base, call, store

__all__ = ["base", "call", "store"]

IMSI = "234551000000001"
PROFILE = {"msisdn": "447781100200", "ki": "5ec2e7", "opc": "5ec2e8"}


def test_the_sandbox_lists_and_finds_its_subscribers(base: str, call: object) -> None:
    register = HssRegister((f"{base}/hss/1/",))
    (peer,) = register.peers
    assert register.everybody(peer) == []
    assert register.find(peer, IMSI) is None
    assert call("PUT", f"/hss/1/subscriber/{IMSI}", json=PROFILE).status_code == 200  # type: ignore[operator]
    assert register.everybody(peer) == [Subscriber(IMSI, "447781100200")]
    assert register.find(peer, IMSI) == Subscriber(IMSI, "447781100200")


def test_keys_that_an_hss_answers_with_are_dropped(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/subscriber").respond_with_json([{"imsi": IMSI, "enabled": False, **PROFILE}, "odd"])
    found = HssRegister(()).everybody(httpserver.url_for(""))
    assert found == [Subscriber(IMSI, "447781100200", enabled=False)]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_peer_without_a_list_says_so(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/subscriber").respond_with_data("", status=status)
    assert HssRegister(()).everybody(httpserver.url_for("")) is None


@pytest.mark.parametrize(("status", "body"), [(500, "{}"), (200, "<html>"), (200, '{"no": "list"}')])
def test_an_answer_that_cannot_be_read_is_no_answer(httpserver: HTTPServer, status: int, body: str) -> None:
    httpserver.expect_request("/subscriber").respond_with_data(body, status=status)
    httpserver.expect_request(f"/subscriber/{IMSI}").respond_with_data(body, status=status)
    register, peer = HssRegister(()), httpserver.url_for("")
    for ask in (lambda: register.everybody(peer), lambda: register.find(peer, IMSI)):
        with pytest.raises(HssUnavailable, match=r"127\.0\.0\.1|localhost"):
            ask()


def test_numbers_of_an_hss_are_digits_only(httpserver: HTTPServer) -> None:
    rows = [{"imsi": f"{IMSI}\x1b[2J", "msisdn": "+44 7781\n100200"}, {"imsi": "nobody"}, {"imsi": 1, "msisdn": ["5"]}]
    httpserver.expect_request("/subscriber").respond_with_json(rows)
    found = HssRegister(()).everybody(httpserver.url_for(""))
    assert found == [Subscriber(f"{IMSI}2", "447781100200"), Subscriber("1")]


def test_the_login_of_an_hss_is_in_no_error(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/subscriber").respond_with_data("", status=500)
    place = httpserver.url_for("").removeprefix("http://")
    for peer in (f"http://hssuser:s3cret@{place}", "http://hssuser:s3cret@127.0.0.1:9"):
        for ask in (
            lambda peer=peer: HssRegister(()).everybody(peer),
            lambda peer=peer: HssRegister(()).find(peer, IMSI),
        ):
            with pytest.raises(HssUnavailable) as raised:
                ask()
            assert "s3cret" not in str(raised.value) and "hssuser" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@10.0.0.5:8080/api?key=k", "http://10.0.0.5:8080/api"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://h:99999/", "an address that cannot be read"),
        ("http://h/\x1b[2J", "http://h/[2J"),
    ],
)
def test_an_address_is_shown_without_its_login(url: str, shown: str) -> None:
    assert plain_address(url) == shown


def test_a_peer_that_refuses_the_connection_is_named() -> None:
    with pytest.raises(HssUnavailable, match=r"127\.0\.0\.1:9/subscriber does not answer"):
        HssRegister(()).everybody("http://127.0.0.1:9")


def test_folders_and_processes_of_runs_are_found(tmp_path: Path) -> None:
    (tmp_path / "run-17-2-abc").mkdir()
    (tmp_path / "warm-xyz").mkdir()
    env = {**os.environ, marks.VARIABLE: marks.mark(tmp_path, 18, 1)}
    with subprocess.Popen([sys.executable, "-c", "input()"], env=env, stdin=subprocess.PIPE) as process:
        found = MachineRemains(tmp_path).remains()
        process.kill()
    assert [(one.provision_id, one.lease) for one in found] == [(17, 2), (18, 1)]
    assert "run-17-2-abc" in found[0].what and str(process.pid) in found[1].what
    assert MachineRemains(tmp_path / "other").remains() == []
