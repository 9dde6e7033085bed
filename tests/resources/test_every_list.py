"""What holds for every list: filters narrow, sorting goes both ways, pages hold each row once, search takes text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.provisioning import actions as provisioning
from omnicrm.domain.resource import RESOURCES, Write
from tests.resources.samples import SAMPLES, World

NAMES = sorted(RESOURCES)
#: Where the management list of a resource answers in pages (CRM-033, PROV-021).
PAGED = {"customer": "/crm/customers", "product": "/crm/product/paginated"}
SEARCHED = [name for name in NAMES if SAMPLES[name].searched]


def path_of(name: str) -> str:
    return PAGED.get(name, f"/crm/{name}")


async def rows_of(client: Any, name: str, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{path_of(name)}?per_page=500&{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


@pytest.fixture
async def several(make: Any, world: World, parts: root.Parts) -> Callable[[str], Any]:
    """Four records that differ in every filter, of both customers."""

    async def fill(name: str) -> None:
        made = [await make(name, 1), await make(name, 2), await make(name, 3, owner=world.bob), await make(name, 4)]
        if name == "provision":
            ended = provisioning.Ended(made[0]["provision_id"], succeeded=True)
            parts.door.act_now(provisioning.end, SYSTEM, ended)
        if name == "transaction":
            parts.door.act_now(RESOURCES[name].actions["delete"], SYSTEM, Write(made[1]["transaction_id"]))

    return fill


@pytest.mark.parametrize("name", [name for name in NAMES if RESOURCES[name].filters])
async def test_each_filter_leaves_exactly_the_rows_that_have_the_value(name: str, admin: Any, several: Any) -> None:
    await several(name)
    every = "&void=true&void=false" if name == "transaction" else ""  # void ones come on request only
    whole = await rows_of(admin, name, every)
    for field in RESOURCES[name].filters:
        also = every if field != "void" else ""
        values = list(dict.fromkeys(row[field] for row in whole))
        assert len(values) > 1 or field in SAMPLES[name].constant, f"the rows do not differ in {field}"
        for value in values:
            expected = [row for row in whole if row[field] == value]
            as_json = quote(json.dumps({field: [value]}))
            assert await rows_of(admin, name, f"filters={as_json}{also}") == expected, (field, value)
            if value is not None:
                plain = str(value).lower() if isinstance(value, bool) else quote(str(value))
                assert await rows_of(admin, name, f"{field}={plain}{also}") == expected, (field, value)
        if len(values) > 1:
            both = quote(json.dumps({field: values[:2]}))
            assert await rows_of(admin, name, f"filters={both}{also}") == [
                row for row in whole if row[field] in values[:2]
            ]


@pytest.mark.parametrize("name", NAMES)
async def test_a_list_that_is_asked_for_nonsense_says_so(name: str, admin: Any) -> None:
    for query, field in (
        ("per_page=0", "per_page"),
        ("per_page=501", "per_page"),
        ("per_page=ten", "per_page"),
        ("per_page=5&page=-1", "page"),
        ("per_page=5&page=1.5", "page"),
        ("per_page=5&order=up", "order"),
        ("per_page=5&sort=password_hash", "sort"),
        ("per_page=5&filters=[1]", "filters"),
        ("per_page=5&filters={", "filters"),
        ('per_page=5&filters={"password_hash":["x"]}', "filters"),
    ):
        answer = await admin.get(f"{path_of(name)}?{query}")
        assert answer.status_code == 400, (query, answer.text)
        assert field in answer.json()["errors"], query


@pytest.mark.parametrize("name", NAMES)
async def test_sorting_goes_both_ways(name: str, admin: Any, several: Any) -> None:
    await several(name)
    resource = RESOURCES[name]
    for field in (resource.key, *resource.sort):
        up = await rows_of(admin, name, f"sort={field}&order=asc")
        down = await rows_of(admin, name, f"sort={field}&order=desc")
        assert [row[resource.key] for row in up] == [row[resource.key] for row in reversed(down)]
        assert up == await rows_of(admin, name, f"sort={field}")
        values = [row[field] for row in up if row[field] is not None]
        assert values == sorted(values, key=lambda value: value.lower() if isinstance(value, str) else value), field
        assert len(up) > 2


@pytest.mark.parametrize("name", NAMES)
async def test_pages_hold_each_row_once(name: str, admin: Any, several: Any) -> None:
    await several(name)
    key = RESOURCES[name].key
    for sort in ("", *(f"&sort={field}" for field in RESOURCES[name].sort[:2])):
        whole = [row[key] for row in await rows_of(admin, name, sort)]
        seen: list[int] = []
        for page in range(1, -(-len(whole) // 2) + 1):
            answer = (await admin.get(f"{path_of(name)}?per_page=2&page={page}{sort}")).json()
            assert answer["pagination"] == {
                "current_page": page,
                "per_page": 2,
                "total_pages": -(-len(whole) // 2),
                "total_items": len(whole),
            }
            seen += [row[key] for row in answer["data"]]
        assert seen == whole
        beyond = (await admin.get(f"{path_of(name)}?per_page=2&page=99{sort}")).json()
        assert beyond["data"] == []
        assert beyond["pagination"]["total_items"] == len(whole)


@pytest.mark.parametrize("name", SEARCHED)
async def test_search_takes_percent_and_underscore_as_text(name: str, admin: Any, make: Any) -> None:
    key, field = RESOURCES[name].key, SAMPLES[name].searched
    texts = ["fare 100% off", "fare 1000 off", "snake_case", "snakeXcase", "back\\slash", "ÉCOLE"]
    made = {text: (await make(name, number * 2, **{field: text}))[key] for number, text in enumerate(texts)}

    async def found(term: str) -> set[int]:
        return {row[key] for row in await rows_of(admin, name, f"search={quote(term)}")}

    assert await found("100%") == {made["fare 100% off"]}
    assert await found("fare 100") == {made["fare 100% off"], made["fare 1000 off"]}
    assert await found("e_c") == {made["snake_case"]}
    assert await found("SNAKE") == {made["snake_case"], made["snakeXcase"]}
    assert await found("k\\s") == {made["back\\slash"]}
    assert await found("COLE") == {made["ÉCOLE"]}
    assert await found("no such words anywhere") == set()
    assert made["snake_case"] in await found(str(made["snake_case"])), "a number also finds the record of that id"
    assert await found("' OR 1=1 --") == set()


@pytest.mark.parametrize("name", NAMES)
async def test_whole_lists_come_in_key_order_without_gaps(name: str, admin: Any, several: Any, world: World) -> None:
    """Lists that the chapters show whole are streamed (decision 3)."""
    await several(name)
    sample, resource = SAMPLES[name], RESOURCES[name]
    for path, shape in (
        (f"/crm/{name}?include_disabled=true", sample.listed),
        (f"/crm/{name}/customer_id/{world.alice}", sample.of_customer),
    ):
        if shape not in ("array", "data"):
            continue
        body = (await admin.get(path)).json()
        rows = body if shape == "array" else body["data"]
        keys = [row[resource.key] for row in rows]
        assert keys == sorted(set(keys))
        assert len(keys) > 1
        if "customer_id/" in path:
            assert {row["customer_id"] for row in rows} == {world.alice}
