"""The HSS sandbox: subscribers of two independent peers, with the calls of chapters 14 and 17.

    GET    {peer}/subscriber                 all subscribers of the peer
    GET    {peer}/subscriber/{key}           one; the key is an IMSI or a subscriber_id
    PUT    {peer}/subscriber/{imsi}          create, or replace the profile of the same IMSI
    PATCH  {peer}/subscriber/{key}           change single fields
    DELETE {peer}/subscriber/{key}
    GET    {peer}/apn                        the access point names it knows

A peer is `/sandbox/hss/1` or `/sandbox/hss/2`. An unknown access point makes it refuse with 422, as a network element
does whose configuration is not ready for a plan yet.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from omnicrm.integrations.sandbox.call import Answer, Call, refusal
from omnicrm.integrations.sandbox.store import SandboxStore, now

PEERS = ("1", "2")
APNS = {1: "internet", 2: "ims", 3: "mms", 4: "xcap", 5: "iot", 6: "sos"}
_FIELDS: dict[str, type] = {
    "imsi": str,
    "msisdn": str,
    "enabled": bool,
    "apn_list": str,
    "default_apn": int,
    "ue_ambr_dl": int,
    "ue_ambr_ul": int,
}
_KEYS = ("ki", "opc")
_DEFAULTS = {"msisdn": "", "enabled": True, "apn_list": "1", "ue_ambr_dl": 0, "ue_ambr_ul": 0}


def answer(store: SandboxStore, call: Call) -> Answer:
    """Serve one call."""
    match call.path:
        case (peer, *_) if peer not in PEERS:
            return refusal(404, f"There is no HSS peer {peer}; the peers are {' and '.join(PEERS)}")
        case (_, "apn") if call.method == "GET":
            return Answer(200, [{"apn_id": apn_id, "apn": apn} for apn_id, apn in APNS.items()])
        case (peer, "subscriber") if call.method == "GET":
            rows = store.rows("SELECT * FROM subscriber WHERE peer = ? ORDER BY subscriber_id", (peer,))
            return Answer(200, [shown(row) for row in rows])
        case (peer, "subscriber", key):
            return _subscriber(store, call, peer, key)
        case _:
            return refusal(404, "The HSS knows no such path")


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """A subscriber as it is answered and shown: authentication keys never leave the HSS."""
    return {
        "subscriber_id": row["subscriber_id"],
        **json.loads(row["profile"]),
        "authentication_keys": bool(row["has_keys"]),
        "last_modified": row["changed_at"],
    }


def _subscriber(store: SandboxStore, call: Call, peer: str, key: str) -> Answer:
    found = store.rows(
        "SELECT * FROM subscriber WHERE peer = ? AND (imsi = ? OR CAST(subscriber_id AS TEXT) = ?) ORDER BY imsi != ?",
        (peer, key, key, key),
    )
    if call.method == "PUT":
        return _put(store, call, peer, key, json.loads(found[0]["profile"]) if found else None)
    if not found:
        return refusal(404, f"No subscriber {key}")
    row = found[0]
    match call.method:
        case "GET":
            return Answer(200, shown(row))
        case "PATCH":
            return _store(store, peer, json.loads(row["profile"]), call.body, bool(row["has_keys"]))
        case "DELETE":
            store.write("DELETE FROM subscriber WHERE subscriber_id = ?", (row["subscriber_id"],))
            return Answer(200, {"result": "OK", "subscriber_id": row["subscriber_id"]})
        case _:
            return refusal(405, f"{call.method} is not possible on a subscriber")


def _put(store: SandboxStore, call: Call, peer: str, imsi: str, before: dict[str, Any] | None) -> Answer:
    if not (imsi.isdecimal() and 14 <= len(imsi) <= 15):
        return refusal(422, f"imsi: {imsi} is not an IMSI of 14 or 15 digits")
    if before is not None and before["imsi"] != imsi:
        return refusal(409, f"{imsi} is the subscriber_id of another IMSI")
    has_keys = isinstance(call.body, dict) and all(call.body.get(key) for key in _KEYS)
    return _store(store, peer, {"imsi": imsi, **_DEFAULTS}, call.body, has_keys)


def _store(store: SandboxStore, peer: str, profile: dict[str, Any], body: Any, has_keys: bool) -> Answer:
    if not isinstance(body, dict):
        return refusal(400, "The body must be a JSON object")
    for name, value in body.items():
        if name in _KEYS:
            continue
        if name not in _FIELDS:
            return refusal(422, f"{name}: is not a field of a subscriber")
        if name == "imsi" and str(value) != profile["imsi"]:
            return refusal(422, f"imsi: {value} is not the IMSI of the address")
        try:
            profile[name] = _typed(_FIELDS[name], value)
        except (TypeError, ValueError):
            return refusal(422, f"{name}: {value!r} is not acceptable")
    unknown = _unknown_apns(profile)
    if unknown:
        return refusal(422, f"apn_list: access point {unknown[0]} is not configured on this HSS")
    store.write(
        "INSERT INTO subscriber (peer, imsi, profile, has_keys, changed_at) VALUES (?,?,?,?,?) ON CONFLICT (peer, imsi)"
        " DO UPDATE SET profile = excluded.profile, has_keys = excluded.has_keys, changed_at = excluded.changed_at",
        (peer, profile["imsi"], json.dumps(profile), has_keys, now()),
    )
    row = store.rows("SELECT * FROM subscriber WHERE peer = ? AND imsi = ?", (peer, profile["imsi"]))[0]
    return Answer(200, shown(row))


def _typed(kind: type, value: Any) -> Any:
    if kind is bool:
        if not isinstance(value, bool):
            raise TypeError
        return value
    if kind is int:
        number = int(value)
        if isinstance(value, bool) or number < 0:
            raise ValueError
        return number
    if isinstance(value, dict | list | bool) or value is None:
        raise TypeError
    return str(value)


def _unknown_apns(profile: dict[str, Any]) -> list[str]:
    named = [part.strip() for part in str(profile["apn_list"]).split(",") if part.strip()]
    named += [str(profile["default_apn"])] if "default_apn" in profile else []
    return [name for name in named if not (name.isdecimal() and int(name) in APNS)]
