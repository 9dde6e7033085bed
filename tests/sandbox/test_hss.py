"""The HSS keeps subscribers per peer and refuses what a network element would refuse."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from omnicrm.integrations.sandbox import SandboxStore, snapshot

Caller = Callable[..., httpx.Response]
IMSI = "505931234567890"
PROFILE = {"imsi": IMSI, "msisdn": "447700900123", "ki": "0" * 32, "opc": "f" * 32, "enabled": True}


def test_a_subscriber_lives_on_its_peer_only(call: Caller) -> None:
    put = call("PUT", f"/hss/1/subscriber/{IMSI}", json=PROFILE)
    assert put.status_code == 200
    assert put.json()["msisdn"] == "447700900123"
    assert call("GET", f"/hss/1/subscriber/{IMSI}").json() == put.json()
    assert call("GET", f"/hss/2/subscriber/{IMSI}").status_code == 404
    assert call("GET", "/hss/3/subscriber").status_code == 404


def test_a_second_put_replaces_the_profile_and_keeps_the_id(call: Caller) -> None:
    first = call("PUT", f"/hss/1/subscriber/{IMSI}", json=PROFILE | {"ue_ambr_dl": 5}).json()
    second = call("PUT", f"/hss/1/subscriber/{IMSI}", json={"msisdn": "447700900456"}).json()
    assert second["subscriber_id"] == first["subscriber_id"]
    assert (second["msisdn"], second["ue_ambr_dl"]) == ("447700900456", 0)


def test_the_dormant_patch_of_chapter_17_keeps_the_rest(call: Caller) -> None:
    subscriber = call("PUT", f"/hss/1/subscriber/{IMSI}", json=PROFILE | {"apn_list": "1,2"}).json()
    dormant = {"enabled": True, "msisdn": "99991234567890", "ue_ambr_dl": 9999999, "ue_ambr_ul": 9999999}
    patched = call("PATCH", f"/hss/1/subscriber/{subscriber['subscriber_id']}", json=dormant).json()
    assert {key: patched[key] for key in dormant} == dormant
    assert (patched["apn_list"], patched["authentication_keys"]) == ("1,2", True)


def test_delete_works_by_id_and_by_imsi(call: Caller) -> None:
    subscriber = call("PUT", f"/hss/1/subscriber/{IMSI}", json=PROFILE).json()
    assert call("DELETE", f"/hss/1/subscriber/{subscriber['subscriber_id']}").status_code == 200
    assert call("DELETE", f"/hss/1/subscriber/{IMSI}").status_code == 404
    assert call("GET", "/hss/1/subscriber").json() == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"apn_list": "1,42"}, "access point 42"),
        ({"default_apn": 9}, "access point 9"),
        ({"apn_list": "internet"}, "access point internet"),
        ({"imsi": "505930000000000"}, "imsi"),
        ({"ue_ambr_dl": -1}, "ue_ambr_dl"),
        ({"enabled": "yes"}, "enabled"),
        ({"msisdn": None}, "msisdn"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_profile_is_refused_by_name_and_nothing_is_stored(call: Caller, change: dict, named: str) -> None:
    refused = call("PUT", f"/hss/1/subscriber/{IMSI}", json=PROFILE | change)
    assert refused.status_code == 422
    assert named in refused.json()["message"]
    assert call("GET", "/hss/1/subscriber").json() == []


@pytest.mark.parametrize("imsi", ["12345", "50593123456789x", "5059312345678901"])
def test_an_address_that_is_no_imsi_is_refused(call: Caller, imsi: str) -> None:
    assert call("PUT", f"/hss/1/subscriber/{imsi}", json={}).status_code == 422


def test_authentication_keys_are_neither_stored_nor_logged(call: Caller, store: SandboxStore) -> None:
    call("PUT", f"/hss/1/subscriber/{IMSI}", json=PROFILE | {"ki": "5ec2e7" * 5, "opc": "0bc0de" * 5})
    everything = "\n".join(
        str(tuple(row)) for table in ("subscriber", "request") for row in store.rows(f"SELECT * FROM {table}")
    )
    assert IMSI in everything
    assert "5ec2e7" not in everything
    assert "0bc0de" not in everything


def test_the_snapshot_shows_subscribers_of_both_peers_and_the_calls(call: Caller, store: SandboxStore) -> None:
    for peer in (1, 2):
        call("PUT", f"/hss/{peer}/subscriber/{IMSI}", json=PROFILE)
    seen = snapshot(store, "hss")
    assert [peer for peer, _ in seen.subscribers] == ["2", "1"]
    assert seen.total == 2
    assert [(r.method, r.path, r.status) for r in seen.requests] == [
        ("PUT", f"/2/subscriber/{IMSI}", 200),
        ("PUT", f"/1/subscriber/{IMSI}", 200),
    ]
