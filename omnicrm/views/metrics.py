"""Figures for monitoring in the text format of Prometheus (CFG-128, PROV-292)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from litestar import Request, Response, get

from omnicrm import __version__
from omnicrm.domain.errors import NotFound, NotPermitted
from omnicrm.domain.jobs import KINDS
from omnicrm.domain.provisioning import queue
from omnicrm.views import http
from omnicrm.views.given_up import posts_given_up

AnyRequest = Request[Any, Any, Any]
_STATES = {0: "success", 1: "running", 2: "failed"}


@get("/metrics", opt=http.public(), include_in_schema=False)
async def metrics(request: AnyRequest) -> Response[str]:
    """For the addresses of monitoring.metrics_allow, and for whoever brings monitoring.metrics_token."""
    _let_in(request)
    door = http.door(request)
    found = await door.read(queue.figures, door.clock())
    posts = await posts_given_up(request)
    return Response(_text(found, None if posts is None else len(posts)), media_type="text/plain; version=0.0.4")


def _let_in(request: AnyRequest) -> None:
    rules = http.settings(request).monitoring
    if not rules.metrics_enabled:
        raise NotFound("There is nothing at this address.")
    sent = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    token = rules.metrics_token.reveal() if rules.metrics_token else ""
    if token and hmac.compare_digest(sent.encode(), token.encode()):
        return
    address = http.client_ip(request)
    try:
        known = ip_address(address or "")
    except ValueError:
        known = None
    networks = [ip_network(text) for text in rules.metrics_allow]
    if known is None or not any(known.version == network.version and known in network for network in networks):
        raise NotPermitted("Metrics are for monitoring.metrics_allow, or with monitoring.metrics_token.")


def _text(found: queue.Figures, posts_given_up: int | None) -> str:
    lanes = sorted({kind.lane for kind in KINDS.values()})
    states = {name: found.provisions.get(status, 0) for status, name in _STATES.items()}
    families: list[tuple[str, str, Mapping[str, float]]] = [
        ("info", "The running version.", {_label(version=__version__): 1}),
        (
            "provisions",
            "Provisioning jobs by state.",
            {_label(state=name): count for name, count in states.items()},
        ),
        (
            "jobs",
            "Jobs of the queue that run or wait.",
            {
                _label(lane=lane, state=state): found.jobs.get((lane, state), 0)
                for lane in lanes
                for state in ("queued", "running")
            },
        ),
        (
            "job_oldest_waiting_seconds",
            "Age of the oldest job that waits for a worker.",
            {_label(lane=lane): round(found.oldest.get(lane, 0.0), 3) for lane in lanes},
        ),
        (
            "alerts_open",
            "Alerts that nobody has cleared.",
            {_label(severity=name): found.alerts.get(name, 0) for name in ("warning", "critical")},
        ),
    ]
    if posts_given_up is not None:
        meaning = "Posts of the charging engine, such as renewals, that were given up."
        families.append(("charging_posts_given_up", meaning, {"": posts_given_up}))
    lines = []
    for name, meaning, values in families:
        lines += [f"# HELP omnicrm_{name} {meaning}", f"# TYPE omnicrm_{name} gauge"]
        lines += [f"omnicrm_{name}{label} {value}" for label, value in values.items()]
    return "\n".join(lines) + "\n"


def _label(**values: str) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in values.items()) + "}"


HANDLERS = [metrics]
