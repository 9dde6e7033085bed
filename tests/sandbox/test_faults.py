"""Each fault switch does what it says, once or until it is switched off, and only where it matches."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from omnicrm.integrations.sandbox import SandboxStore, snapshot
from omnicrm.integrations.sandbox.faults import Fault

Caller = Callable[..., httpx.Response]
IMSI = "/hss/1/subscriber/505931234567890"


def subscribers(store: SandboxStore) -> int:
    return snapshot(store, "hss").total


def test_500_does_nothing_until_it_is_switched_off(call: Caller, store: SandboxStore) -> None:
    assert call("PUT", "/hss/fault", json={"mode": "500"}).json()["mode"] == "500"
    assert [call("PUT", IMSI, json={}).status_code for _ in range(2)] == [500, 500]
    assert subscribers(store) == 0
    call("PUT", "/hss/fault", json={"mode": "off"})
    assert call("PUT", IMSI, json={}).status_code == 200


def test_once_hits_one_call_only(call: Caller) -> None:
    call("PUT", "/hss/fault", json={"mode": "500", "once": True})
    assert [call("PUT", IMSI, json={}).status_code for _ in range(2)] == [500, 200]
    assert call("GET", "/hss/fault").json()["mode"] == "off"


def test_a_fault_leaves_alone_what_it_does_not_match(call: Caller) -> None:
    call("PUT", "/hss/fault", json={"mode": "500", "method": "delete", "path_part": "/1/subscriber"})
    assert call("PUT", IMSI, json={}).status_code == 200
    assert call("DELETE", IMSI.replace("/1/", "/2/")).status_code == 404
    assert call("DELETE", IMSI).status_code == 500


def test_refuse_closes_the_connection_without_an_answer(call: Caller, store: SandboxStore) -> None:
    store.set_fault("hss", Fault("refuse"))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        call("PUT", IMSI, json={})
    assert subscribers(store) == 0
    assert snapshot(store, "hss").requests[0].status == 0


def test_timeout_holds_the_call_and_does_nothing(call: Caller, store: SandboxStore) -> None:
    store.set_fault("hss", Fault("timeout", seconds=30))
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        call("PUT", IMSI, json={}, timeout=0.3)
    # The sandbox lets go as soon as the client has left.
    while not snapshot(store, "hss").requests:
        assert time.monotonic() - started < 5
        time.sleep(0.05)
    assert subscribers(store) == 0


def test_late_does_the_work_and_answers_afterwards(call: Caller, store: SandboxStore) -> None:
    store.set_fault("hss", Fault("late", seconds=0.5))
    started = time.monotonic()
    assert call("PUT", IMSI, json={}).status_code == 200
    assert time.monotonic() - started >= 0.5
    with pytest.raises(httpx.ReadTimeout):
        call("PUT", IMSI.replace("890", "891"), json={}, timeout=0.2)
    assert subscribers(store) == 2


def test_garbage_is_an_answer_that_is_not_json(call: Caller, store: SandboxStore) -> None:
    store.set_fault("hss", Fault("garbage"))
    answer = call("PUT", IMSI, json={})
    assert answer.status_code == 200
    assert not answer.text.startswith("{")


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ({"mode": "explode"}, "mode"),
        ({"mode": "late", "seconds": "soon"}, "seconds"),
        ({"mode": "late", "seconds": 9999}, "seconds"),
        ({"mode": "500", "method": "BREW"}, "method"),
        ({"mode": "500", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_setting_is_refused_and_named(call: Caller, setting: dict, field: str) -> None:
    refused = call("PUT", "/hss/fault", json=setting)
    assert refused.status_code == 400
    assert field in refused.json()["errors"]
    assert call("GET", "/hss/fault").json()["mode"] == "off"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Origin"])
def test_a_proxied_caller_or_a_web_page_is_turned_away(call: Caller, header: str) -> None:
    assert call("GET", "/hss/1/subscriber", headers={header: "203.0.113.9"}).status_code == 403


def test_a_body_that_is_not_json_is_refused(call: Caller) -> None:
    assert call("PUT", IMSI, content=b"{nope").status_code == 400
    assert call("PUT", "/hss/fault", content=b"[]").status_code == 400


def test_two_processes_see_the_same_state_and_one_takes_the_single_fault(tmp_path: Path) -> None:
    one, two = SandboxStore(tmp_path / "shared.db"), SandboxStore(tmp_path / "shared.db")
    one.set_fault("smsc", Fault("500", once=True))
    assert [two.take_fault("smsc", "POST", "/").mode, one.take_fault("smsc", "POST", "/").mode] == ["500", "off"]
    one.close()
    two.close()


def test_the_log_is_capped_and_clear_forgets_everything(tmp_path: Path) -> None:
    store = SandboxStore(tmp_path / "sandbox.db")
    for number in range(300):
        store.log("smsc", "POST", f"/{number}", 201, 1, "", "")
    kept = store.rows("SELECT count(*) FROM request")[0][0]
    assert 200 <= kept <= 220
    assert snapshot(store, "smsc").requests[0].path == "/299"
    store.set_fault("smsc", Fault("500"))
    store.clear("smsc")
    assert store.rows("SELECT count(*) FROM request")[0][0] == 0
    assert store.fault("smsc").mode == "off"
    store.close()
