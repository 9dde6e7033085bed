"""The API describes itself at /crm/docs, from the routes in force (AUTH-003, CFG-109, CFG-110)."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from omnicrm.domain.resource import RESOURCES
from omnicrm.paths import STATIC


@pytest.fixture
async def document(web: httpx.AsyncClient) -> dict[str, Any]:
    answer = await web.get("/crm/docs/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_every_json_route_is_listed_with_its_methods(application: Litestar, document: dict[str, Any]) -> None:
    listed = {(path, method.upper()) for path, operations in document["paths"].items() for method in operations}
    second_addresses = {f"/{name}/{{key}}" for name in RESOURCES}
    missing = [
        (route.path, method)
        for route in application.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/crm/") and not route.path.startswith("/crm/docs")
        for handler in route.route_handlers
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
        if (path := route.path_format.removeprefix("/crm")) not in second_addresses and (path, method) not in listed
    ]
    assert missing == []
    assert ("/auth/login", "POST") in listed


async def test_every_operation_names_its_permission_and_its_refusals(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["security"]:
                assert re.search(r"Permission: `|Any caller who is logged in", operation["description"]), (path, method)
                assert {"401", "403"} <= set(operation["responses"]), (path, method)
            assert operation["summary"], (path, method)


async def test_every_reference_and_path_parameter_is_there(document: dict[str, Any]) -> None:
    names = set(document["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", str(document))) <= names
    for path, operations in document["paths"].items():
        for operation in operations.values():
            declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))
    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))


async def test_a_record_shows_what_it_takes_and_answers(document: dict[str, Any]) -> None:
    created = document["components"]["schemas"]["CustomerCreate"]
    assert "customer_name" in created["required"]
    assert "customer_id" not in created["properties"]
    assert document["components"]["schemas"]["Customer"]["properties"]["customer_id"]["type"] == ["integer", "null"]


async def test_the_page_takes_everything_from_this_site(web: httpx.AsyncClient) -> None:
    for address in ("/crm/docs", "/crm/docs/"):
        answer = await web.get(address)
        assert answer.status_code == 200
        files = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
        assert files
        for name in files:
            assert name.startswith(("/static/", "/crm/docs")), name
            if name.startswith("/static/"):
                assert (STATIC / name.removeprefix("/static/").partition("?")[0]).is_file(), name
