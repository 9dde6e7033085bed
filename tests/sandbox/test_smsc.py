"""The SMSC takes both printed forms, answers 201 and keeps its key to itself."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from omnicrm.integrations.sandbox import SandboxStore, snapshot

Caller = Callable[..., httpx.Response]


def test_both_printed_forms_are_taken(call: Caller, store: SandboxStore) -> None:
    first = call(
        "POST",
        "/smsc/SMS/plaintext/s3cr3t-key",
        json={"source_msisdn": "YourCompany", "destination_msisdn": "+44 7700 900123", "message_body": "Thanks"},
    )
    second = call("POST", "/smsc/api/send", json={"source": "X", "destination": "447700900124", "message": "Hello"})
    assert (first.status_code, second.status_code) == (201, 201)
    seen = snapshot(store, "smsc")
    assert [(sms.destination, sms.body) for sms in seen.messages] == [
        ("447700900124", "Hello"),
        ("447700900123", "Thanks"),
    ]
    assert "s3cr3t-key" not in repr(seen)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"source": "X", "message": "Hello"}, 400),
        ({"source": "X", "destination": "nobody", "message": "Hello"}, 422),
        ({"source": "X", "destination": "447700900124", "message": "x" * 2000}, 422),
        ([], 400),
    ],
)
def test_what_cannot_be_sent_is_refused(call: Caller, store: SandboxStore, body: object, status: int) -> None:
    assert call("POST", "/smsc/api/send", json=body).status_code == status
    assert snapshot(store, "smsc").total == 0
