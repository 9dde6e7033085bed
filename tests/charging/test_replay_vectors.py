"""The recorded exchanges of a real engine, replayed against ours through its socket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from tests.charging.conftest import Clock, Socket

VECTORS = Path(__file__).parent / "vectors"
RECORDED_AT = datetime(2026, 11, 23, 1, 53, 36, tzinfo=UTC)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHA1 = re.compile(r"[0-9a-f]{40}")
# Moments that depend on the second of the recording: compared by day.
MOMENT = re.compile(r"(202[67]-\d\d-\d\d)T\d\d:\d\d:\d\d(\.\d+)?Z")
UNORDERED = ("GetFilterIDs", "GetAttributeProfileIDs", "GetCDRs")


def comparable(value: Any) -> Any:
    """The value without what differs from run to run: uuids, hashes, order numbers, times of day."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if key != "OrderID"}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, str):
        if UUID.fullmatch(value) or SHA1.fullmatch(value):
            return "<id>"
        return MOMENT.sub(r"\1", value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def answers(record: dict[str, Any], answer: dict[str, Any]) -> tuple[Any, Any]:
    """Recorded and given answer, made comparable."""
    want, got = comparable(record["response"]), comparable(answer)
    if str(record["request"]["method"]).endswith(UNORDERED):
        for side in (want, got):
            if isinstance(side["result"], list):
                side["result"].sort(key=lambda item: json.dumps(item, sort_keys=True))
    return want, got


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def test_every_recorded_exchange_about_accounts_answers_equal(
    database_url: str, open_engine: Callable[..., Engine], listen: Callable[[Door], Socket]
) -> None:
    engine = open_engine(database_url, play_fixes=False, clock=Clock(RECORDED_AT))
    socket = listen(Door(engine))
    records = read("accounts.jsonl")
    different = []
    for number, record in enumerate(records):
        status, body = socket.send(json.dumps(record["request"]).encode())
        want, got = answers(record, json.loads(body))
        if status != 200 or want != got:
            different.append((number, record["label"], want, got))
    assert len(records) == 159
    assert different == []


@pytest.mark.parametrize(
    ("account", "kind"),
    [("d1", "*data"), ("d2", "*data"), ("d3", "*data")],
    ids=["steps of 1 KiB", "steps of 1 MiB", "single bytes"],
)
def test_recorded_data_debits_take_the_same_units(bare: Engine, account: str, kind: str) -> None:
    bare.call("APIerSv1.SetChargerProfile", {"ID": "DEFAULT", "RunID": "*default", "AttributeIDs": ["*none"]})
    compared = 0
    for record in read("balances.jsonl"):
        method, params = record["request"]["method"], record["request"]["params"][0]
        mine = params.get("Account") == account or params.get("Event", {}).get("Account") == account
        # What exceeds the recorded engine's step limit debits nothing there and is debited here (cgrates.md §5.3).
        if not mine or params.get("ID") in ("d1b", "d3b"):
            continue
        result = bare.call(method, params)
        if method.endswith("GetAccount"):
            want = record["response"]["result"]["BalanceMap"][kind][0]["Value"]
            assert result["BalanceMap"][kind][0]["Value"] == want
            compared += 1
    assert compared >= 1
