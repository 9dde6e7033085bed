"""Stock under orders, one owner for item and service, secrets of SIM cards, and lists without long texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from omnicrm import app as root
from omnicrm.domain.action import Ctx
from omnicrm.domain.actor import SYSTEM, Actor, JobScope
from omnicrm.domain.errors import Conflict
from omnicrm.domain.identity.catalogue import JOB_PERMISSIONS
from omnicrm.domain.inventory import actions, queries
from omnicrm.domain.inventory.models import InventoryTemplate
from omnicrm.domain.resource import MASKED, RESOURCES, Write

ORDER = 77


def reserve(parts: root.Parts, item: dict[str, Any]) -> None:
    def run(session: Any) -> None:
        ctx = Ctx(session, SYSTEM, parts.settings, parts.door.clock())
        session.info.update(actor=SYSTEM, now=ctx.now, currency="USD")
        actions.reserve(ctx, ORDER, {item["item"]: item["inventory_id"]})

    parts.db.write(run)


def job_of(order: int, customer_id: int, inventory_id: int) -> Actor:
    return Actor("job", permissions=JOB_PERMISSIONS, job=JobScope(order, customer_id, frozenset({inventory_id})))


async def test_what_an_open_order_holds_is_for_its_own_job(
    parts: root.Parts, admin: Any, make: Any, world: Any
) -> None:
    item = await make("inventory", 2, customer_id=None)
    reserve(parts, item)
    path, key = f"/crm/inventory/{item['inventory_id']}", item["inventory_id"]
    assigned = {"customer_id": world.alice, "service_id": world.services[world.alice], "item_state": "Assigned"}
    for change in ({"customer_id": world.alice}, {"service_id": assigned["service_id"]}, {"item_state": "Used"}):
        refused = await admin.patch(path, change)
        assert refused.status_code == 409, (change, refused.text)
    update = RESOURCES["inventory"].actions["update"]
    with pytest.raises(Conflict):
        parts.door.act_now(update, job_of(ORDER + 1, world.alice, key), Write(key, assigned))
    assert (await admin.patch(path, {"item_location": "Shelf 3", "item_state": "New"})).status_code == 200
    done = parts.door.act_now(update, job_of(ORDER, world.alice, key), Write(key, assigned))
    assert (done.row.customer_id, done.row.item_state) == (world.alice, "Assigned")


async def test_an_order_that_is_over_holds_nothing(parts: root.Parts, admin: Any, make: Any, world: Any) -> None:
    item = await make("inventory", 2, customer_id=None)
    past = replace(parts.settings.inventory, reservation_minutes=-1)
    reserve(replace(parts, settings=replace(parts.settings, inventory=past)), item)
    answer = await admin.patch(f"/crm/inventory/{item['inventory_id']}", {"customer_id": world.alice})
    assert answer.status_code == 200, answer.text


async def test_an_item_and_its_service_belong_to_one_customer(admin: Any, make: Any, world: Any) -> None:
    alices, bobs = world.services[world.alice], world.services[world.bob]
    free = await make("inventory", 2, customer_id=None)
    path = f"/crm/inventory/{free['inventory_id']}"
    for change in (
        {"customer_id": world.bob, "service_id": alices},
        {"customer_id": None, "service_id": alices},
    ):
        refused = await admin.patch(path, change)
        assert refused.status_code == 400 and "service_id" in refused.json()["errors"], (change, refused.text)
    taken = (await admin.patch(path, {"service_id": alices})).json()
    assert (taken["customer_id"], taken["service_id"]) == (world.alice, alices)
    for change in ({"customer_id": world.bob}, {"customer_id": None}):
        assert (await admin.patch(path, change)).json()["errors"].keys() == {"service_id"}, change
    body = {"inventory_template_id": world.templates[0], "itemtext1": "SN1", "service_id": bobs}
    for owner in (world.alice, None):
        assert (await admin.put("/crm/inventory", body | {"customer_id": owner})).status_code == 400
    assert (await admin.put("/crm/inventory", body | {"customer_id": world.bob})).status_code == 200
    released = await admin.patch(path, {"service_id": None, "customer_id": None, "item_state": "Used"})
    assert released.status_code == 200, released.text


@pytest.mark.parametrize(
    ("label", "secret"),
    [("Ki", True), ("OPc", True), ("PIN 1", True), ("PUK2", True), ("Kind", False), ("Pinned by", False)],
)
def test_a_label_s_words_say_whether_its_text_is_a_secret(label: str, secret: bool) -> None:
    template = InventoryTemplate(**{f"{name}_label": "" for name in ("itemtext1", "itemtext2")}, itemtext4_label=label)
    assert ("itemtext4" in template.secret_texts) is secret


class TestSecrets:
    KI = "465B5CE8B199B49FAA5F0A2EE238A6BC"

    @pytest.fixture
    async def sim(self, admin: Any, make: Any, world: Any) -> dict[str, Any]:
        labels = {"itemtext1_label": "ICCID", "itemtext2_label": "PIN", "itemtext3_label": "Ki"}
        template = await make("inventory_template", 5, item="SIM Card", **labels)
        texts = {"itemtext1": "8944001", "itemtext2": "PIN 4711", "itemtext3": self.KI, "service_id": None}
        return dict(await make("inventory", 2, inventory_template_id=template["inventory_template_id"], **texts))

    @pytest.mark.parametrize("who", ["auditor", "alice"])
    async def test_keys_and_pins_are_masked_for_those_who_cannot_change_items(
        self, who: str, sim: dict[str, Any], as_user: Any, world: Any
    ) -> None:
        reader, key = as_user(who), sim["inventory_id"]
        one = (await reader.get(f"/crm/inventory/{key}")).json()
        assert (one["iccid"], one["ki"], one["pin"]) == ("8944001", MASKED, MASKED)
        for path in (f"/crm/inventory/{key}", "/crm/inventory", f"/crm/inventory/customer_id/{world.alice}"):
            text = (await reader.get(path)).text
            assert "8944001" in text and self.KI not in text and "PIN 4711" not in text, path
        assert (await reader.get(f"/crm/inventory?search={self.KI[:8]}")).json()["data"] == []

    async def test_who_may_change_items_and_jobs_read_them(
        self, sim: dict[str, Any], as_user: Any, parts: root.Parts, world: Any
    ) -> None:
        assert (await as_user("agent").get(f"/crm/inventory/{sim['inventory_id']}")).json()["ki"] == self.KI
        job, resource = job_of(1, world.alice, sim["inventory_id"]), RESOURCES["inventory"]
        assert parts.door.read_now(resource.one, job, parts.settings, sim["inventory_id"])["ki"] == self.KI

    async def test_pages_mask_them_too(self, sim: dict[str, Any], browser_as: Any, admin: Any, world: Any) -> None:
        service = world.services[world.alice]
        await admin.patch(f"/crm/inventory/{sim['inventory_id']}", {"service_id": service})
        pages = (
            "/inventory-items-list",
            "/inventory-items-list?item=SIM+Card",
            f"/inventory-items-list/{sim['inventory_id']}",
            f"/services/{service}/inventory",
            f"/customers/{world.alice}/inventory",
        )
        auditor, agent = await browser_as("auditor"), await browser_as("agent")
        for path in pages:
            answer = await auditor.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert "8944001" in answer.text and self.KI not in answer.text and "PIN 4711" not in answer.text, path
        assert self.KI in (await agent.get(pages[2])).text


def test_lists_of_items_leave_the_configuration_texts_in_the_database(parts: root.Parts, world: Any) -> None:
    statements: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(parts.db.engine, "before_cursor_execute", note)
    try:
        parts.door.read_now(queries.options, "Modem 92", parts.door.clock(), parts.settings)
        parts.door.read_now(queries.of_service, SYSTEM, world.services[world.alice])
        rename = Write(world.templates[0], {"item": "Gateway"})
        parts.door.act_now(RESOURCES["inventory_template"].actions["update"], SYSTEM, rename)
    finally:
        event.remove(parts.db.engine, "before_cursor_execute", note)
    items = [text for text in statements if "FROM inventory" in text and "inventory.itemtext1" in text]
    assert len(items) == 3
    assert not any("config_content" in text for text in items)
