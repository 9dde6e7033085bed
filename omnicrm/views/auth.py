"""Login and logout of pages, login and refresh of the JSON API."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from litestar import Request, Response, get, post

from omnicrm.domain.action import Door
from omnicrm.domain.actor import Actor
from omnicrm.domain.errors import Invalid, NotAuthenticated
from omnicrm.domain.identity import actions, passwords, queries, tokens
from omnicrm.views import http
from omnicrm.views.openapi_schemas import takes
from omnicrm.views.page import page, redirect

WRONG = "Invalid email or password"


async def check_password(door: Door, caller: Actor, identifier: str, password: str) -> int | None:
    """The user's id, or None; unknown, wrong and locked are one answer and cost the same time (AUTH-013)."""
    login = await door.read(queries.find_login, door.settings, identifier)
    stored = login.password_hash if login is not None else None
    matches = await asyncio.to_thread(passwords.verify_password, stored, password)
    if login is None:
        return None
    if login.locked_until is not None and login.locked_until > door.clock():
        return None
    new_hash = None
    if matches and passwords.needs_rehash(stored or ""):
        new_hash = await asyncio.to_thread(passwords.hash_password, password)
    await door.act(actions.login_tried, caller, actions.LoginTried(login.user_id, matches, new_hash))
    return login.user_id if matches else None


def landing(actor: Actor) -> str:
    """Where a fresh login starts (AUTH-017)."""
    return "/customers" if actor.can("view_customer") else "/"


def _safe_next(target: str) -> str:
    """Only a path of our own: `//host` and `https://…` would leave; browsers drop tabs and line breaks."""
    fine = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if fine else ""


@get("/login", opt=http.public("public"), name="login", include_in_schema=False)
async def login_page(request: Request[Any, Any, Any]) -> Response[str]:
    wanted = _safe_next(request.query_params.get("next", ""))
    return page(request, "login.html", email="", remember=False, next=wanted, error=None, forgot_enabled=False)


@post("/login", opt=http.public("login"), status_code=200, include_in_schema=False)
async def login(request: Request[Any, Any, Any]) -> Response[Any]:
    form = await http.form_body(request)
    door, caller = http.door(request), http.anonymous(request)
    email, wanted, remember = form.get("email", ""), _safe_next(form.get("next", "")), "remember" in form
    user_id = await check_password(door, caller, email, form.get("password", ""))
    if user_id is None:
        return page(
            request,
            "login.html",
            "form",
            status=422,
            email=email,
            remember=remember,
            next=wanted,
            error=WRONG,
            forgot_enabled=False,
        )
    token = tokens.random_token()
    agent = request.headers.get("user-agent", "")
    await door.act(
        actions.open_session, caller, actions.OpenSession(user_id, token, remember, agent, caller.ip_address)
    )
    actor = await door.read(queries.actor_of_user, door.settings, user_id)
    answer = redirect(wanted or landing(actor or caller))
    answer.set_cookie(
        http.COOKIE,
        token,
        max_age=door.settings.auth.remember_me_days * 86400 if remember else None,
        httponly=True,
        secure=door.settings.crm.public_url.startswith("https:"),
        samesite="lax",
        path="/",
    )
    return answer


@post("/logout", opt=http.public(), status_code=303, include_in_schema=False)
async def logout(request: Request[Any, Any, Any]) -> Response[Any]:
    token = request.cookies.get(http.COOKIE)
    if token:
        await http.door(request).act(actions.close_session, http.anonymous(request), token)
    answer = redirect("/login")
    answer.delete_cookie(http.COOKIE, path="/")
    return answer


@post(
    ["/crm/auth/login", "/auth/login"],
    opt=http.public("login") | takes("email", "password"),
    status_code=200,
    summary="Log in for the JSON API",
)
async def api_login(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """`{"email", "password"}` -> token, refresh_token, permissions, roles (AUTH-014)."""
    body = await http.json_body(request)
    missing = {name: "is required" for name in ("email", "password") if not isinstance(body.get(name), str)}
    if missing:
        raise Invalid(missing)
    door, caller = http.door(request), http.anonymous(request)
    user_id = await check_password(door, caller, body["email"], body["password"])
    if user_id is None:
        raise NotAuthenticated(WRONG)
    refresh = tokens.random_token()
    await door.act(actions.issue_refresh, caller, actions.IssueRefresh(user_id, refresh, str(uuid.uuid4())))
    return await _tokens(door, user_id, refresh)


@post(
    ["/crm/auth/refresh", "/auth/refresh"],
    opt=http.public("public") | takes("refresh_token"),
    status_code=200,
    summary="Trade a refresh token",
)
async def api_refresh(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """`{"refresh_token"}` -> a new pair; the old refresh token is used up (PROV-181)."""
    body = await http.json_body(request)
    if not isinstance(body.get("refresh_token"), str):
        raise Invalid({"refresh_token": "is required"})
    door, fresh = http.door(request), tokens.random_token()
    cmd = actions.Rotate(body["refresh_token"], fresh)
    user_id = await door.act(actions.rotate_refresh, http.anonymous(request), cmd)
    if user_id is None:
        raise NotAuthenticated("The refresh token is not valid any more. Log in again.")
    return await _tokens(door, user_id, fresh)


async def _tokens(door: Door, user_id: int, refresh: str) -> dict[str, Any]:
    actor = await door.read(queries.actor_of_user, door.settings, user_id)
    if actor is None:
        raise NotAuthenticated(WRONG)
    minutes = door.settings.auth.access_token_minutes
    token = tokens.access_token(http.secret_of(door.settings), user_id, door.clock(), minutes)
    return {
        "token": token,
        "access_token": token,
        "refresh_token": refresh,
        "token_type": "Bearer",
        "expires_in": minutes * 60,
        "user_id": user_id,
        "username": actor.name,
        "permissions": sorted(actor.permissions),
        "roles": list(actor.roles),
    }


HANDLERS = [login_page, login, logout, api_login, api_refresh]
