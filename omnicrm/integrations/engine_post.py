"""Delivers what the embedded engine's `*http_post` actions ask for (cgrates.md §5.6, OCS-056)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from omnicrm.domain.errors import Conflict, Invalid, NotFound
from omnicrm.integrations.exchange import exchange

log = logging.getLogger(__name__)

#: For a whole delivery; the engine tries again after 30 seconds at the earliest.
TIMEOUT_SECONDS = 10.0
DOCUMENTED_PORT = 5000
_CHARGE = re.compile(
    r"/crm/provision/simple_provision_addon(?P<recharge>_recharge)?"
    r"/service_id/(?P<service>\d{1,18})/product_id/(?P<product>\d{1,18})/?"
)


class Undelivered(Exception):
    """The target gave no answer or refused. The text names neither login nor query of its address."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a simple-provisioning address asks for: a renewal, or a quick recharge."""

    service_id: int
    product_id: int
    recharge: bool


class Start(Protocol):
    def __call__(self, service_id: int, product_id: int, key: str, *, account: str, recharge: bool) -> object:
        """Start the job of a charge that `account` asks for."""


class EnginePost:
    """`post(url, body, key)` of the engine, one try each. Safe to call from several threads.

    A simple-provisioning address of the product itself starts its job in process, without HTTP and without a whitelist
    entry for localhost (OC-15), for the account that posts. `own_urls` are the product's addresses; those of this
    machine, with its `port` or with the one that the documents print, are its own as well. Anything else is posted as
    JSON without login.
    """

    def __init__(self, start: Start | None = None, own_urls: Iterable[str] = (), port: int = DOCUMENTED_PORT) -> None:
        self._start = start
        local = (f"http://localhost:{number}" for number in (port, DOCUMENTED_PORT))
        self._own = {(_place(parts), parts.path.rstrip("/")) for parts in map(urlsplit, (*own_urls, *local))}

    def __call__(self, url: str, body: bytes, key: str) -> None:
        """Raises when the same post may go through later. A refusal for good is logged and counts as delivered."""
        charge = self.charge(url)
        if charge is not None and self._start is not None:
            self._charge(self._start, charge, _account(body), key)
        else:
            _send(url, body)

    def charge(self, url: str) -> Charge | None:
        """What an own simple-provisioning address asks for; None for any other."""
        try:
            parts = urlsplit(url.strip())
            place = _place(parts)
        except ValueError:
            return None
        for own, prefix in self._own:
            if own == place and parts.path.startswith(prefix):
                found = _CHARGE.fullmatch(parts.path.removeprefix(prefix))
                if found is not None:
                    return Charge(int(found["service"]), int(found["product"]), bool(found["recharge"]))
        return None

    def _charge(self, start: Start, charge: Charge, account: str, key: str) -> None:
        try:
            start(charge.service_id, charge.product_id, key, account=account, recharge=charge.recharge)
        except (Conflict, Invalid, NotFound) as refused:
            named = charge.product_id, charge.service_id, key
            log.error("Renewal of product %d on service %d (%s) refused: %s", *named, refused)


def _send(url: str, body: bytes) -> None:
    import httpx

    headers = {"Content-Type": "application/json"}
    try:
        status, _ = exchange("POST", url, seconds=TIMEOUT_SECONDS, most=0, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Undelivered(f"no answer ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise Undelivered(f"status {status}")


def _account(body: bytes) -> str:
    """The account that posts, from its own document, whose ID is `tenant:account`; "" for what names none."""
    document = json.loads(body)
    return str(document.get("ID", "")).partition(":")[2] if isinstance(document, dict) else ""


def _place(parts: SplitResult) -> tuple[str, int]:
    """Host and port of an address; the three names of the machine itself are one. Raises ValueError."""
    host = (parts.hostname or "").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ("localhost" if host in ("127.0.0.1", "::1") else host), port
