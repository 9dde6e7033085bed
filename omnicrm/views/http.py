"""Access to routes: who is calling, by which credential, and whether the route lets him in.

Every handler declares its `Access` in `opt`; app.py refuses to start with one that does not. Pages take the session
cookie, JSON routes take bearer, key or trusted address and never the cookie (decision 21), downloads take both.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from omnicrm.domain.action import Door
from omnicrm.domain.actor import Actor
from omnicrm.domain.errors import Invalid, NotAuthenticated, NotFound, NotPermitted
from omnicrm.domain.identity import actions, queries, tokens
from omnicrm.domain.provisioning.queries import actor_of_job
from omnicrm.settings import Settings

COOKIE = "omnicrm_session"
#: A session's idle limit is pushed on at most this often.
_TOUCH = timedelta(minutes=1)
#: What the database's integers hold; the driver fails on a larger one.
_LARGEST_ID = 2**63 - 1

Way = Literal["page", "json", "download", "public"]


@dataclass(frozen=True)
class Access:
    way: Way
    permissions: tuple[str, ...] = ()
    #: The rate limit of a public route, by address; JSON routes have that of the API, by user (views/limits.py).
    limit: Literal["", "login", "public"] = ""


def page(*permissions: str) -> dict[str, Access]:
    """`opt` of a page handler: a session whose user holds one of the permissions (or any user, without names)."""
    return {"access": Access("page", permissions)}


def json(*permissions: str) -> dict[str, Access]:
    """`opt` of a JSON handler."""
    return {"access": Access("json", permissions)}


def public(limit: Literal["", "login", "public"] = "") -> dict[str, Access]:
    """`opt` of a route that needs no caller: login, health, static files."""
    return {"access": Access("public", limit=limit)}


def door(connection: ASGIConnection[Any, Any, Any, Any]) -> Door:
    found: Door = connection.app.state.door
    return found


def settings(connection: ASGIConnection[Any, Any, Any, Any]) -> Settings:
    return door(connection).settings


def actor(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
    found: Actor = connection.scope["state"]["actor"]
    return found


def client_ip(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The peer; behind a trusted proxy the last address of X-Forwarded-For that is not one (PROV-179)."""
    peer = connection.client.host if connection.client else None
    proxies = connection.app.state.trusted_proxies
    if peer is None or not proxies:
        return peer
    forwarded = [part.strip() for part in connection.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    for hop in [*reversed(forwarded)]:
        if not _inside(peer, proxies):
            break
        peer = hop
    return peer


def _inside(address: str, networks: Any) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed.version == network.version and parsed in network for network in networks)


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Resolve the caller and check the route's permission; runs before every handler."""
    access: Access = handler.opt["access"]
    if any(isinstance(part, int) and part > _LARGEST_ID for part in connection.path_params.values()):
        raise NotFound("There is nothing at this address.")
    if access.limit:
        connection.app.state.limits.admit(access.limit, client_ip(connection))
    if access.way == "public":
        return
    caller = None
    if access.way in ("json", "download"):
        caller = await _by_credential(connection)
    if caller is None and access.way in ("page", "download"):
        caller = await _by_cookie(connection)
    if caller is None:
        raise NotAuthenticated("Log in first, or send a bearer token or an API key.")
    connection.scope["state"]["actor"] = caller
    if access.permissions:
        caller.require(*access.permissions)


async def _by_credential(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
    header = connection.headers.get("authorization", "")
    if header:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("The Authorization header must read: Bearer <token>.")
        return await _by_token(connection, token.strip())
    key = connection.headers.get("x-api-key")
    if key is not None:
        return await _by_key(connection, key)
    return await _by_address(connection)


async def _by_token(connection: ASGIConnection[Any, Any, Any, Any], token: str) -> Actor:
    here = door(connection)
    claims = tokens.read_token(secret_of(here.settings), token)
    found: Actor | None = None
    if claims.get("type") == "job":
        found = await here.read(actor_of_job, int(claims["job_id"]), int(claims["lease"]))
    elif claims.get("type") == "access":
        connection.app.state.limits.admit("api", claims["sub"])
        found = await here.read(queries.actor_of_user, here.settings, int(claims["sub"]), client_ip(connection))
    if found is None:
        raise NotAuthenticated("The token is not valid any more.")
    return found


async def _by_key(connection: ASGIConnection[Any, Any, Any, Any], key: str) -> Actor:
    here = door(connection)
    # Every key is compared, in constant time, so that the answer tells nothing about which one is near.
    sent = key.encode()
    matches = [known for known in here.settings.api_keys if hmac.compare_digest(known.key.reveal().encode(), sent)]
    if not matches:
        raise NotAuthenticated("Invalid API key")
    address = client_ip(connection)
    if matches[0].networks and (address is None or not _inside(address, matches[0].networks)):
        raise NotPermitted("Access denied")
    return await _of_roles(here, list(matches[0].roles), f"API key {matches[0].description}".strip(), address)


async def _by_address(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
    here = door(connection)
    address = client_ip(connection)
    if not here.settings.ip_whitelist or address is None:
        return None
    trusted = [known for known in here.settings.ip_whitelist if _inside(address, (known.network,))]
    if not trusted:
        return None
    if connection.headers.get("origin") or connection.headers.get("sec-fetch-site"):
        raise NotPermitted("Access denied")  # a browser on a trusted host must not be driven by a foreign page
    return await _of_roles(here, list(trusted[0].roles), f"Address {address}", address)


async def _of_roles(here: Door, roles: list[str], name: str, address: str | None) -> Actor:
    def read(session: Any) -> Actor:
        held = queries.permissions_of(session, roles)
        return Actor(name, queries.first_admin(session), held, ip_address=address, roles=tuple(roles))

    return await here.read(read)


async def _by_cookie(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
    token = connection.cookies.get(COOKIE)
    if not token:
        return None
    here = door(connection)
    now = here.clock()
    found = await here.read(
        queries.actor_of_session, here.settings, tokens.token_hash(token), now, client_ip(connection)
    )
    if found is None:
        return None
    caller, session = found
    if now - session.last_seen_at > _TOUCH:
        await here.act(actions.touch_session, caller, session.session_id)
    return caller


def secret_of(settings: Settings) -> str:
    assert settings.jwt_secret is not None, "ensure_secrets runs at start"
    return settings.jwt_secret.reveal()


async def json_body(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The request's JSON object. An empty body is an empty object; errors say where the text breaks off."""
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid({"body": f"is not JSON: {error}"}, "The body is not JSON.") from None
    except RecursionError:
        raise Invalid({"body": "is nested too deeply"}, "The body is nested too deeply.") from None
    if not isinstance(body, dict):
        raise Invalid({"body": "must be a JSON object"}, "The body must be a JSON object.")
    return body


async def form_body(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The fields of a form, without the CSRF token; a repeated field keeps its last value."""
    form = await request.form()
    return {name: value for name, value in form.multi_items() if name != "_csrf_token" and isinstance(value, str)}


def anonymous(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
    return replace(Actor("anonymous"), ip_address=client_ip(connection))
