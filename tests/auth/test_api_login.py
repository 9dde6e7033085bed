"""Login of the JSON API: tokens, lockout, refresh, and permissions that are read at every request."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any

import bcrypt
import jwt
import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.customers.models import Customer
from omnicrm.domain.identity.models import Permission, Role, User
from omnicrm.views.auth import WRONG
from tests.conftest import PASSWORD


def change(parts: root.Parts, work: Any) -> None:
    """Change rows of users and roles directly: their pages belong to another area."""

    def write(session: Any) -> None:
        session.info.update(actor=SYSTEM, now=parts.door.clock(), currency="USD")
        work(session)

    parts.db.write(write)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", ["/crm/auth/login", "/auth/login", "/crm/auth/login/"])
async def test_a_login_answers_tokens_permissions_and_roles(log_in: Any, web: Any, path: str, cast: Any) -> None:
    answer = await log_in("alice@example.com", path=path)
    assert answer.status_code == 200
    body = answer.json()
    assert body["token"] == body["access_token"]
    assert body["roles"] == ["customer"]
    assert "view_own_customer" in body["permissions"] and "view_customer" not in body["permissions"]
    assert body["user_id"] == cast.alice
    claims = jwt.decode(body["token"], options={"verify_signature": False})
    assert claims["sub"] == str(cast.alice)
    assert 900 <= claims["exp"] - claims["iat"] <= 1800
    assert (await web.get("/crm/customer/1", headers=bearer(body["token"]))).status_code == 200
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["admin", "ADMIN", "Admin@EXAMPLE.com", " admin@example.com "])
async def test_e_mail_and_username_are_taken_in_any_case(log_in: Any, name: str) -> None:
    assert (await log_in(name)).status_code == 200


@pytest.mark.parametrize("password", ["wrong", "", "demo-1234!", PASSWORD + " ", "x" * 100_000, "\x00"])
async def test_a_wrong_password_is_refused_without_a_token(log_in: Any, password: str) -> None:
    answer = await log_in("admin", password)
    assert answer.status_code == 401
    assert answer.json() == {"message": WRONG}


async def test_an_unknown_name_costs_the_same_answer_and_the_same_work(log_in: Any) -> None:
    taken: dict[str, list[float]] = {"admin": [], "no-such-user": []}
    for _ in range(4):
        for name, times in taken.items():
            begin = time.perf_counter()
            answer = await log_in(name, "wrong")
            times.append(time.perf_counter() - begin)
            assert (answer.status_code, answer.json()) == (401, {"message": WRONG})
    known, unknown = (statistics.median(times) for times in taken.values())
    assert 0.5 < unknown / known < 2, "hashing is what takes the time, for both"


async def test_missing_and_odd_fields_are_named(web: Any) -> None:
    for body in ({}, {"email": "admin"}, {"email": "admin", "password": 5}, {"email": None, "password": None}):
        answer = await web.post("/crm/auth/login", json=body)
        assert answer.status_code == 400
        assert answer.json()["errors"]


async def test_five_failures_lock_the_account_for_half_an_hour(log_in: Any, later: Any) -> None:
    for _ in range(5):
        assert (await log_in("alice", "wrong")).status_code == 401
    locked = await log_in("alice")
    assert (locked.status_code, locked.json()) == (401, {"message": WRONG})
    assert (await log_in("bob")).status_code == 200, "nobody else is locked"
    later(minutes=29)
    assert (await log_in("alice")).status_code == 401
    later(minutes=2)
    assert (await log_in("alice")).status_code == 200


async def test_a_login_clears_the_failures_before_it(log_in: Any) -> None:
    for _ in range(2):
        for _ in range(4):
            await log_in("alice", "wrong")
        assert (await log_in("alice")).status_code == 200


async def test_a_deleted_user_is_out_at_once(log_in: Any, web: Any, parts: root.Parts, cast: Any) -> None:
    token = (await log_in("alice")).json()["token"]
    change(parts, lambda session: setattr(session.get(User, cast.alice), "deleted", True))
    assert (await log_in("alice")).status_code == 401
    assert (await web.get("/crm/customer/1", headers=bearer(token))).status_code == 401


async def test_a_disabled_customer_s_users_are_out_at_once(log_in: Any, web: Any, parts: root.Parts, cast: Any) -> None:
    """CRM-025."""
    token = (await log_in("alice")).json()["token"]
    change(parts, lambda session: setattr(session.get(Customer, cast.alice_customer), "customer_enabled", False))
    assert (await log_in("alice")).status_code == 401
    assert (await web.get("/crm/customer/1", headers=bearer(token))).status_code == 401
    assert (await log_in("bob")).status_code == 200
    change(parts, lambda session: setattr(session.get(Customer, cast.alice_customer), "customer_enabled", True))
    assert (await log_in("alice")).status_code == 200


async def test_an_imported_bcrypt_hash_is_taken_and_replaced(log_in: Any, parts: root.Parts, cast: Any) -> None:
    imported = bcrypt.hashpw(b"Old-pass-1", bcrypt.gensalt(4)).decode()
    change(parts, lambda session: setattr(session.get(User, cast.alice), "password_hash", imported))
    assert (await log_in("alice", "wrong")).status_code == 401
    assert (await log_in("alice", "Old-pass-1")).status_code == 200
    stored = parts.door.read_now(lambda session: session.get(User, cast.alice)).password_hash
    assert stored.startswith("$argon2id$")
    assert (await log_in("alice", "Old-pass-1")).status_code == 200


# ---- tokens


async def test_only_our_own_unexpired_access_tokens_are_taken(
    web: Any, log_in: Any, parts: root.Parts, later: Any, cast: Any
) -> None:
    now, secret = parts.door.clock(), "t" * 64
    claims = {"sub": str(cast.admin), "type": "access", "iat": now, "exp": now + timedelta(minutes=30)}
    body = (await log_in("admin")).json()
    forged = {
        "another secret": jwt.encode(claims, "x" * 64, "HS256"),
        "no signature": jwt.encode(claims, "", "none"),
        "another algorithm": jwt.encode(claims, secret, "HS512"),
        "another type": jwt.encode({**claims, "type": "reset"}, secret, "HS256"),
        "no type": jwt.encode({"sub": "1", "exp": claims["exp"]}, secret, "HS256"),
        "expired": jwt.encode({**claims, "exp": now - timedelta(seconds=1)}, secret, "HS256"),
        "no expiry": jwt.encode({"sub": "1", "type": "access"}, secret, "HS256"),
        "an unknown user": jwt.encode({**claims, "sub": "999999"}, secret, "HS256"),
        "a refresh token": body["refresh_token"],
        "garbage": "a.b.c",
        "nothing": "",
    }
    ahead = jwt.encode({**claims, "iat": now + timedelta(seconds=10)}, secret, "HS256")
    for token in (body["token"], ahead):  # signed by a machine whose clock is ahead
        assert (await web.get("/crm/customers", headers=bearer(token))).status_code == 200
    for what, token in forged.items():
        answer = await web.get("/crm/customers", headers=bearer(token))
        assert answer.status_code == 401, what
        assert answer.json()["message"]
    for header in (body["token"], f"Basic {body['token']}", "Bearer"):
        assert (await web.get("/crm/customers", headers={"Authorization": header})).status_code == 401


async def test_a_permission_taken_from_the_role_ends_with_the_next_request(
    log_in: Any, web: Any, parts: root.Parts
) -> None:
    headers = bearer((await log_in("auditor")).json()["token"])
    assert (await web.get("/crm/customers", headers=headers)).status_code == 200

    def take(session: Any) -> None:
        role = session.scalars(select(Role).where(Role.name == "Read-only Auditor")).one()
        session.refresh(role, ["permissions"])
        role.permissions = [held for held in role.permissions if held.name != "view_customer"]

    change(parts, take)
    assert (await web.get("/crm/customers", headers=headers)).status_code == 403

    def give(session: Any) -> None:
        role = session.scalars(select(Role).where(Role.name == "Read-only Auditor")).one()
        session.refresh(role, ["permissions"])
        role.permissions.append(session.scalars(select(Permission).where(Permission.name == "create_customer")).one())

    change(parts, give)
    assert (await web.put("/crm/customer", json={"customer_name": "New"}, headers=headers)).status_code == 200


# ---- refresh


async def refresh(web: Any, token: Any, path: str = "/crm/auth/refresh") -> Any:
    return await web.post(path, json={"refresh_token": token})


async def test_a_refresh_token_is_traded_for_a_new_pair(log_in: Any, web: Any, later: Any) -> None:
    first = (await log_in("admin")).json()
    later(days=20)
    for path in ("/crm/auth/refresh", "/auth/refresh"):
        answer = await refresh(web, first["refresh_token"], path)
        assert answer.status_code == 200
        second = answer.json()
        assert second["refresh_token"] != first["refresh_token"]
        assert second["permissions"] == first["permissions"]
        first = second
    later(days=11)
    assert (await refresh(web, first["refresh_token"])).status_code == 401, "30 days after the login it ends for good"


async def test_a_used_refresh_token_that_comes_again_ends_its_whole_family(log_in: Any, web: Any) -> None:
    """Somebody else has it: neither of the two may go on."""
    stolen = (await log_in("admin")).json()["refresh_token"]
    other = (await log_in("admin")).json()["refresh_token"]
    current = (await refresh(web, stolen)).json()["refresh_token"]
    assert (await refresh(web, stolen)).status_code == 401
    assert (await refresh(web, current)).status_code == 401
    assert (await refresh(web, other)).status_code == 200, "another login goes on"


async def test_bad_refresh_tokens_are_refused(web: Any, log_in: Any) -> None:
    access = (await log_in("admin")).json()["token"]
    for token in ("unknown", access, ""):
        assert (await refresh(web, token)).status_code == 401
    for token in (None, 5, ["x"]):
        assert (await refresh(web, token)).status_code == 400
