"""Events become debits and records: units, refusals, repetitions, and the filter of GetCDRs."""

from __future__ import annotations

from typing import Any

import pytest

from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError
from tests.charging.conftest import Clock, values

GB = 1024**3


def give(engine: Engine, kind: str, ident: str, value: int, **fields: Any) -> None:
    balance = {"ID": ident, "Value": value, **fields}
    engine.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": kind, "Balance": balance})


def report(engine: Engine, origin: str, tor: str = "*data", usage: str = "1000", **fields: Any) -> Any:
    event = {
        "OriginID": origin,
        "OriginHost": "127.0.0.1",
        "ToR": tor,
        "RequestType": "*postpaid",
        "Category": tor.removeprefix("*"),
        "Account": "a",
        "Destination": "4471",
        "AnswerTime": "2026-11-23T09:59:00Z",
        "Usage": usage,
        **fields,
    }
    return engine.call("CDRsV1.ProcessExternalCDR", event)


def record(engine: Engine, origin: str) -> dict[str, Any]:
    (found,) = engine.call("APIerSv2.GetCDRs", {"OriginIDs": [origin]})
    return dict(found)


def test_data_voice_and_messages_are_taken_from_their_buckets(engine: Engine) -> None:
    give(engine, "*data", "D", 20 * GB)
    give(engine, "*voice", "V", 3600)
    give(engine, "*sms", "S", 10)
    report(engine, "1", "*data", str(GB))
    report(engine, "2", "*voice", "10m")
    report(engine, "3", "*sms", "1")
    assert values(engine, "a", "*data") == {"D": 19 * GB}
    assert values(engine, "a", "*voice") == {"V": 3000 * 10**9}
    assert values(engine, "a", "*sms") == {"S": 9}
    assert record(engine, "2") | {"Usage": "10m0s", "Cost": 0, "CostSource": "*cdrs", "ExtraInfo": ""} == record(
        engine, "2"
    )


def test_the_id_of_an_event_is_made_of_its_origin(engine: Engine) -> None:
    give(engine, "*data", "D", GB)
    report(engine, "dd1")
    assert record(engine, "dd1")["CGRID"] == "614880df9fe43627aac672d875da711307d5557e"


def test_a_repeated_event_is_refused_and_debits_nothing(engine: Engine) -> None:
    give(engine, "*data", "D", 5000)
    report(engine, "1")
    with pytest.raises(EngineError, match="EXISTS"):
        report(engine, "1")
    assert values(engine, "a", "*data") == {"D": 4000}


def test_repetitions_within_one_transaction_are_found_too(engine: Engine) -> None:
    give(engine, "*data", "D", 5000)
    event = {"OriginID": "x", "ToR": "*data", "RequestType": "*postpaid", "Account": "a", "Usage": "100"}
    prepared = engine.prepare("CDRsV1.ProcessExternalCDR", [event])
    answers = [engine.submit(prepared) for _ in range(20)]
    assert sorted(str(answer.exception() or answer.result()) for answer in answers) == ["EXISTS"] * 19 + ["OK"]
    assert values(engine, "a", "*data") == {"D": 4900}


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        ([], "ACCOUNT_NOT_FOUND"),
        ([("ApierV2.SetAccount", {"Account": "a", "ExtraOptions": {"Disabled": True}})], "ACCOUNT_DISABLED"),
        ([("ApierV2.SetAccount", {"Account": "a"})], "RATING_PLAN_NOT_FOUND"),
        (
            [("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*monetary",
                                     "Balance": {"ID": "m", "Value": 0, "Blocker": True}})],
            "INSUFFICIENT_CREDIT_BALANCE_BLOCKER",
        ),
        (
            [("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": "D", "Value": 999}})],
            "RATING_PLAN_NOT_FOUND",
        ),
    ],
    ids=["no account", "disabled", "no balance", "blocker", "not enough"],
)  # fmt: skip
def test_what_cannot_be_paid_is_recorded_with_the_reason_and_debits_nothing(
    engine: Engine, prepare: list[tuple[str, dict[str, Any]]], reason: str
) -> None:
    for method, params in prepare:
        engine.call(method, params)
    assert report(engine, "1") == "OK"
    found = record(engine, "1")
    assert (found["Cost"], found["ExtraInfo"], found["CostSource"]) == (-1, reason, "")
    if reason == "RATING_PLAN_NOT_FOUND" and prepare[0][0] == "ApierV1.AddBalance":
        assert values(engine, "a", "*data") == {"D": 999}


def test_a_destination_limits_a_bucket(engine: Engine) -> None:
    engine.call("ApierV1.SetDestination", {"Id": "AU", "Prefixes": ["61"]})
    give(engine, "*sms", "AU", 5, DestinationIDs="AU", Weight=20)
    give(engine, "*sms", "ANY", 5, Weight=10)
    report(engine, "1", "*sms", "1", Destination="4471")
    report(engine, "2", "*sms", "1", Destination="6140")
    assert values(engine, "a", "*sms") == {"AU": 4, "ANY": 4}


def test_a_changed_destination_is_in_force_for_the_next_event(engine: Engine) -> None:
    engine.call("ApierV1.SetDestination", {"Id": "AU", "Prefixes": ["61"]})
    give(engine, "*sms", "AU", 5, DestinationIDs="AU")
    report(engine, "1", "*sms", "1", Destination="6140")
    engine.call("ApierV1.SetDestination", {"Id": "AU", "Prefixes": ["99"], "Overwrite": True})
    report(engine, "2", "*sms", "1", Destination="6140")
    assert record(engine, "2")["Cost"] == -1
    assert values(engine, "a", "*sms") == {"AU": 4}


def test_a_bucket_that_has_expired_pays_nothing(engine: Engine, clock: Clock) -> None:
    give(engine, "*data", "D", 5000, ExpiryTime="+1h")
    clock.now = clock.now.replace(hour=12)
    report(engine, "1", AnswerTime="2026-11-23T11:30:00Z")
    assert record(engine, "1")["Cost"] == -1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Usage": "xx"}, 'time: invalid duration "xx"'),
        ({"AnswerTime": "soon"}, "Unsupported time format"),
        (
            {"Usage": 5},
            "json: cannot unmarshal number into Go struct field ExternalCDRWithAPIOpts.Usage of type string",
        ),
        ({"Destination": "4" * 192}, "SERVER_ERROR: destination is longer than 191 characters"),
    ],
)
def test_a_bad_event_is_refused_whole(engine: Engine, fields: dict[str, Any], message: str) -> None:
    give(engine, "*data", "D", 5000)
    with pytest.raises(EngineError) as refused:
        report(engine, "1", **fields)
    assert refused.value.message == message
    assert values(engine, "a", "*data") == {"D": 5000}


def test_an_event_with_nothing_in_it_is_recorded(engine: Engine) -> None:
    assert engine.call("CDRsV1.ProcessExternalCDR", {}) == "OK"
    (found,) = engine.call("APIerSv2.GetCDRs", {})
    assert (found["RequestType"], found["Cost"], found["ToR"], found["Category"]) == ("*rated", 0, "*voice", "call")


def test_without_a_charger_no_event_is_taken(bare: Engine) -> None:
    give(bare, "*data", "D", 5000)
    with pytest.raises(EngineError, match="PARTIALLY_EXECUTED"):
        report(bare, "1")
    bare.call("APIerSv1.SetChargerProfile", {"ID": "DEFAULT", "RunID": "*default", "AttributeIDs": ["*none"]})
    assert report(bare, "1") == "OK"


def test_a_charger_takes_the_events_that_its_filters_let_through(bare: Engine) -> None:
    give(bare, "*data", "D", 5000)
    body = {"ID": "DATA", "RunID": "data", "FilterIDs": ["*string:~*req.ToR:*data", "*prefix:~*req.Destination:44;33"]}
    bare.call("APIerSv1.SetChargerProfile", body)
    assert report(bare, "1") == "OK"
    assert record(bare, "1")["RunID"] == "data"
    with pytest.raises(EngineError, match="PARTIALLY_EXECUTED"):
        report(bare, "2", Destination="6140")


def test_records_are_found_by_their_fields_in_order_and_in_pages(engine: Engine) -> None:
    give(engine, "*data", "D", GB)
    for number in range(5):
        moment = f"2026-11-23T0{number}:00:00Z"
        report(engine, f"o{number}", usage=str(100 * number), SetupTime=moment, AnswerTime=moment)

    def found(**wanted: Any) -> list[str]:
        try:
            return [entry["OriginID"] for entry in engine.call("APIerSv2.GetCDRs", wanted)]
        except EngineError as error:
            assert error.message == "NOT_FOUND"
            return []

    assert found(Accounts=["a"]) == ["o0", "o1", "o2", "o3", "o4"]
    assert found(OrderBy="SetupTime;desc", Limit=2, Offset=1) == ["o3", "o2"]
    assert found(SetupTimeStart="2026-11-23T01:00:00Z", SetupTimeEnd="2026-11-23T03:00:00Z") == ["o1", "o2"]
    assert found(MinUsage="200", NotOriginIDs=["o3"]) == ["o2", "o4"]
    assert found(DestinationPrefixes=["447"], Offset=4) == ["o4"]
    assert found(Accounts=["b"]) == []
    assert engine.call("CDRsV1.GetCDRsCount", {"ToRs": ["*data"]}) == 5
    with pytest.raises(EngineError, match="Invalid value : Nope"):
        engine.call("APIerSv2.GetCDRs", {"OrderBy": "Nope"})


def test_fields_of_an_event_that_a_record_has_no_place_for_are_kept(engine: Engine) -> None:
    give(engine, "*data", "D", GB)
    event = {"OriginID": "e", "ToR": "*data", "RequestType": "*postpaid", "Account": "a", "Usage": 100, "Cell": "7"}
    assert engine.call("CDRsV1.ProcessEvent", {"Event": event}) == "OK"
    assert record(engine, "e")["ExtraFields"] == {"Cell": "7"}
    assert values(engine, "a", "*data") == {"D": GB - 100}
