"""A world of records around the cast, and one way to make a record of any resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.identity import actions as identity
from omnicrm.domain.identity import tokens
from tests.conftest import HASHED, Client
from tests.resources.samples import SAMPLES, World, build_world

Make = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def world(parts: root.Parts, cast: Any) -> World:
    return build_world(parts.door, cast.alice_customer, cast.bob_customer)


@pytest.fixture
def make(admin: Client, world: World) -> Make:
    """`await make("tag", 3)`: a stored tag of Alice's customer; `owner` and single values may differ."""

    async def one(name: str, number: int = 1, owner: int | None = None, **values: Any) -> dict[str, Any]:
        body = SAMPLES[name].create(world, owner or world.alice, number) | values
        answer = await admin.put(f"/crm/{name}/", body)
        assert answer.status_code == 200, answer.text
        made = await admin.get(f"/crm/{name}/{answer.json()[f'{name}_id']}")
        assert made.status_code == 200, made.text
        return dict(made.json())

    return one


@pytest.fixture
def mighty_alice(parts: root.Parts, web: Any, cast: Any) -> Client:
    """A user who may do everything, inside Alice's customer."""
    new = identity.NewUser("mighty", "mighty@example.com", HASHED, ("admin",), customer_id=cast.alice_customer)
    user = parts.door.act_now(identity.create_user, SYSTEM, new)
    assert parts.settings.jwt_secret is not None
    token = tokens.access_token(parts.settings.jwt_secret.reveal(), user.id, parts.door.clock(), 30)
    return Client(web, {"Authorization": f"Bearer {token}"})
