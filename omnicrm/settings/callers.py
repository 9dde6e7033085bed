"""Callers that the file itself admits: API keys, and addresses that need no login (decision 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from omnicrm.settings.kinds import NETWORK, TEXT, At, Bad, Kind, flow, list_of, word
from omnicrm.settings.secret import Secret

Network = IPv4Network | IPv6Network
LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1"))
#: A plain list of addresses gives this built-in role.
LIST_ROLES = ("provisioning",)
_ROLE_WORDS = {"rôles": "roles"}  # as a translated example spells it


@dataclass(frozen=True)
class ApiKey:
    """`networks` is empty where the key may come from anywhere."""

    key: Secret
    roles: tuple[str, ...]
    networks: tuple[Network, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class TrustedAddress:
    network: Network
    roles: tuple[str, ...]
    allow_loopback: bool = field(default=False)


def _entry(raw: Any, allowed: tuple[str, ...]) -> dict[str, Any]:
    raw = flow(raw)
    if not isinstance(raw, dict):
        raise Bad(f"below each entry stand the keys {', '.join(allowed)}")
    found = {(_ROLE_WORDS.get(name) or name): value for name, value in raw.items() if value not in (None, "")}
    for name in found:
        if name not in allowed:
            raise Bad(f"{name!r} is not known in an entry; the keys are {', '.join(allowed)}")
    return found


def _networks(raw: Any, at: At) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in list_of(NETWORK).read(raw, at))


def _api_keys(raw: Any, at: At) -> tuple[ApiKey, ...]:
    raw = flow(raw)
    if not isinstance(raw, dict):
        raise Bad("this is a section; write each key as a name with `roles` below it")
    keys = []
    for name, value in raw.items():
        shown = f"key {name[:4]}…"
        try:
            entry = _entry(value, ("roles", "ips", "description"))
            roles = list_of(TEXT).read(entry.get("roles", []), at)
            networks = _networks(entry.get("ips", []), at)
            keys.append(ApiKey(Secret(name), roles, networks, word(entry.get("description", ""))))
        except Bad as error:
            raise Bad(f"{shown}: {error}") from None
        if not roles:
            at.warn(f"{at.path}, {shown}: it has no roles and may do nothing; name some under `roles`")
    return tuple(keys)


def _trusted(text: str, roles: tuple[str, ...], allow_loopback: bool, at: At) -> TrustedAddress:
    network = ip_network(NETWORK.read(text, at))
    loopback = any(network.version == known.version and network.overlaps(known) for known in LOOPBACK)
    if loopback and not allow_loopback:
        raise Bad(
            f"{text} is this machine itself, so every local program and proxy would get in without a login; "
            "remove it, or write `allow_loopback: true` beside its roles"
        )
    if network.is_global:
        at.warn(f"{at.path}: {text} is a public address; whoever uses it gets in without a login")
    return TrustedAddress(network, roles, allow_loopback)


def _ip_whitelist(raw: Any, at: At) -> tuple[TrustedAddress, ...]:
    raw = flow(raw)
    if not isinstance(raw, dict):
        return tuple(_trusted(text, LIST_ROLES, False, at) for text in list_of(TEXT).read(raw, at))
    found = []
    for text, value in raw.items():
        entry = _entry(value, ("roles", "allow_loopback"))
        loopback = word(entry.get("allow_loopback", "false")).lower() in ("true", "yes", "on")
        roles = list_of(TEXT).read(entry.get("roles", []), at)
        if not roles:
            raise Bad(f"{text} has no roles; name them, as in `roles: [provisioning]`")
        found.append(_trusted(text, roles, loopback, at))
    return tuple(found)


API_KEYS = Kind("mapping: key to roles, ips, description", _api_keys, secret=True)
IP_WHITELIST = Kind("list of addresses, or mapping: address to roles", _ip_whitelist)
