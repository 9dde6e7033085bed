"""Who comes in from a customer's side, and what he reads of the log and of hidden fields there."""

from __future__ import annotations

from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.errors import Invalid
from omnicrm.domain.identity import actions as identity
from omnicrm.domain.identity import tokens
from omnicrm.domain.resource import RESOURCES, ListQuery
from tests.conftest import HASHED, PASSWORD, Client


class TestStatuses:
    @pytest.fixture
    def extra_settings(self) -> dict[str, str]:
        return {"crm.customer_statuses": "[{name: Barred, may_log_in: false}, {name: Pending}]"}

    @pytest.mark.parametrize(("status", "welcome"), [("Archived", False), ("Barred", False), ("Pending", True)])
    async def test_the_customer_s_status_decides_whether_its_users_come_in(
        self, status: str, welcome: bool, admin: Client, as_user: Any, browser_as: Any, cast: Any
    ) -> None:
        alice, login = as_user("alice"), {"email": "alice@example.com", "password": PASSWORD}
        browser = await browser_as("alice")
        changed = await admin.patch(f"/crm/customer/{cast.alice_customer}", {"customer_status": status})
        assert changed.status_code == 200, changed.text
        own = await alice.get(f"/crm/customer/{cast.alice_customer}")
        assert own.status_code == (200 if welcome else 401)
        assert (await alice.post("/crm/auth/login", login)).status_code == (200 if welcome else 401)
        assert (await browser.get("/")).status_code == (200 if welcome else 303)
        assert (await as_user("bob").get(f"/crm/customer/{cast.bob_customer}")).status_code == 200


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_a_deleted_contact_s_user_is_nobody(
    role: str, parts: root.Parts, admin: Client, make: Any, cast: Any
) -> None:
    """CRM-087: the link, the session and the tokens end, also for a role that reaches more than one customer."""
    contact = await make("contact", 1)
    new = identity.NewUser(
        "ann", "ann@example.com", HASHED, (role,), contact_id=contact["contact_id"], customer_id=cast.alice_customer
    )
    user = parts.door.act_now(identity.create_user, SYSTEM, new)
    login = {"email": "ann@example.com", "password": PASSWORD}
    pair = (await admin.post("/crm/auth/login", login)).json()
    opened = identity.OpenSession(user.id, tokens.random_token(), False, "", None)
    parts.door.act_now(identity.open_session, SYSTEM, opened)
    ann = Client(admin.http, {"Authorization": f"Bearer {pair['token']}"})
    assert (await ann.get(f"/crm/customer/{cast.alice_customer}")).status_code == 200

    assert (await admin.delete(f"/crm/contact/{contact['contact_id']}")).status_code == 200

    for path in (f"/crm/customer/{cast.alice_customer}", f"/crm/customer/{cast.bob_customer}", "/crm/customer", "/crm"):
        assert (await ann.get(path)).status_code in (401, 404), path
    refresh = {"refresh_token": pair["refresh_token"]}
    assert (await admin.post("/crm/auth/refresh", refresh)).status_code == 401
    assert (await admin.post("/crm/auth/login", login)).status_code == 401
    cookie = {"Cookie": f"omnicrm_session={opened.token}"}
    assert (await admin.http.get("/", headers=cookie, follow_redirects=False)).status_code == 303


async def test_a_portal_user_reads_no_notes_of_staff_and_nothing_of_services_kept_from_her(
    admin: Client, as_user: Any, make: Any, world: Any
) -> None:
    hidden = world.services[world.alice]
    await admin.patch(f"/crm/service/{hidden}", {"service_visible_to_customer": False})
    shown = await make("service", 3)
    item = await make("inventory", 2)
    await admin.patch(f"/crm/inventory/{item['inventory_id']}", {"item_state": "Stolen"})
    await admin.put("/crm/activity", {"customer_id": world.alice, "title": "Owes us since May"})

    path = f"/crm/activity/customer_id/{world.alice}?per_page=500"
    seen = (await as_user("alice").get(path)).json()["data"]
    everything = (await admin.get(path)).json()["data"]

    assert {"note", "security"} <= {entry["action"] for entry in everything}
    assert not {"note", "audit", "security"} & {entry["action"] for entry in seen}
    assert hidden in {entry["service_id"] for entry in everything}
    assert shown["service_id"] in {entry["service_id"] for entry in seen}
    assert hidden not in {entry["service_id"] for entry in seen}
    assert not {"user_name", "user_id"} & seen[0].keys()
    assert everything[0]["user_name"]
    note = next(entry for entry in everything if entry["action"] == "note")
    assert (await as_user("alice").get(f"/crm/activity/{note['activity_id']}")).status_code == 404


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_hidden_fields_neither_filter_nor_sort_nor_search_for_a_portal_user(
    name: str, parts: root.Parts, cast: Any
) -> None:
    """What a caller may not see he must not be able to guess by asking for it either."""
    resource = RESOURCES[name]
    family = frozenset({f"view_{resource.family}"})
    alice = SYSTEM.__class__("alice", permissions=family, customer_id=cast.alice_customer)
    staff = SYSTEM.__class__("staff", permissions=family)

    def ask(actor: Any, wanted: ListQuery) -> bool:
        try:
            parts.door.read_now(resource.page, actor, parts.settings, wanted)
        except Invalid:
            return False
        return True

    hidden = {item.name for item in resource.fields if not item.own}
    for field in resource.filters:
        wanted = ListQuery(filters={field: [None]})
        assert ask(staff, wanted)
        assert ask(alice, wanted) == (field not in hidden), field
    for field in resource.sort:
        assert ask(alice, ListQuery(sort=field)) == (field not in hidden), field
    found = {str(column) for column in resource._matches("x", alice)}
    for field in hidden:
        assert not any(f".{resource.by_name[field].attribute}" in text for text in found), field


async def test_the_log_cannot_be_asked_for_the_staff_behind_it(as_user: Any, admin: Client, world: Any) -> None:
    assert (await as_user("alice").get("/crm/activity?user_id=1")).status_code == 400
    assert (await as_user("alice").get("/crm/activity?search=system")).json()["data"] == []
    assert (await admin.get("/crm/activity?search=system")).json()["data"]
