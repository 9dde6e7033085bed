"""Plain input of any size and shape is answered with its fault, never with a 500."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from omnicrm.domain.resource import RESOURCES
from tests.resources.samples import SAMPLES

HUGE = 10**30
TEXTS = ["\x00", "\ud800", "9" * 5000, "1e999999", "NaN", "²", "[" * 1200, '{"a":' * 1200]
VALUES = [HUGE, 2**63, 1e308, True, [[[1]]], {"a": [1]}, *TEXTS]


async def faults(admin: Any, calls: list[tuple[str, str, Any]]) -> list[tuple[str, str, str]]:
    """The calls that ended in a 500 or that broke the application."""
    found = []
    for method, path, body in calls:
        content = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        answer = await admin.http.request(method, path, content=content, headers=admin.headers)
        if answer.status_code >= 500:
            found.append((method, path[:120], (content or "")[:120]))
    return found


@pytest.mark.parametrize("name", sorted(RESOURCES))
async def test_no_value_of_a_field_breaks_a_write(name: str, admin: Any, make: Any, world: Any) -> None:
    resource = RESOURCES[name]
    row = await make(name, 2)
    calls: list[tuple[str, str, Any]] = []
    for value in VALUES:
        for field in resource.fields:
            if field.on_update and "update" in resource.verbs:
                calls.append(("PATCH", f"/crm/{name}/{row[resource.key]}", {field.name: value}))
            else:
                body = SAMPLES[name].create(world, world.alice, 7) | {field.name: value}
                calls.append(("PUT", f"/crm/{name}", body))
        calls.append(("PUT", f"/crm/{name}", {"unknown": value}))
    assert await faults(admin, calls) == []


@pytest.mark.parametrize("name", sorted(RESOURCES))
async def test_no_query_breaks_a_list(name: str, admin: Any, make: Any, world: Any) -> None:
    await make(name, 2)
    keys = [*RESOURCES[name].filters, "filters", "page", "per_page", "sort", "order", "search"]
    calls: list[tuple[str, str, Any]] = []
    for value in VALUES:
        text = value if isinstance(value, str) else json.dumps(value)
        plain = quote(text.encode("utf-8", "surrogatepass"))
        calls += [("GET", f"/crm/{name}?{key}={plain}", None) for key in keys]
        nested = [quote(json.dumps({key: [value]})) for key in RESOURCES[name].filters]
        calls += [("GET", f"/crm/{name}?per_page=5&filters={text}", None) for text in nested]
    assert await faults(admin, calls) == []


@pytest.mark.parametrize("key", ["9" * 23, "9" * 5000, str(2**63), str(2**63 - 1)])
async def test_an_id_beyond_every_row_is_not_found(key: str, admin: Any, world: Any) -> None:
    for name in RESOURCES:
        assert (await admin.get(f"/crm/{name}/{key}")).status_code == 404, name


@pytest.mark.parametrize("key", ["latitude", "longitude", "radius"])
@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e400", "20039", "-181", "", "x"])
async def test_a_circle_lies_on_the_earth(key: str, text: str, admin: Any) -> None:
    circle = {"latitude": "51.5", "longitude": "-0.12", "radius": "10"} | {key: text}
    answer = await admin.get("/crm/site?" + "&".join(f"{name}={value}" for name, value in circle.items()))
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["errors"]) == [key]


@pytest.mark.parametrize("sent", [HUGE, -1, True, None, [1], "1" * 5000, "x", 1.5])
async def test_a_batch_takes_ids_only(sent: Any, admin: Any, cast: Any) -> None:
    body = {"customer_ids": [cast.bob_customer, sent], "action": "archive"}
    answer = await admin.post("/crm/customer/bulk", body)
    assert answer.status_code == 400, answer.text
    assert (await admin.get(f"/crm/customer/{cast.bob_customer}")).json()["customer_status"] == "Open"


@pytest.mark.parametrize("body", ["[" * 20_000, '{"a":' * 20_000, "{", "\x00", '"text"', "[]"])
async def test_a_body_that_is_no_object_is_named(body: str, admin: Any) -> None:
    for path in ("/crm/customer", "/crm/provision", "/crm/customer/bulk", "/crm/auth/login"):
        answer = await admin.http.request("POST", path, content=body, headers=admin.headers)
        assert answer.status_code == 400 and "body" in answer.json()["errors"], (path, answer.text)
