"""Delivers what the embedded engine's `*http_post` actions ask for (cgrates.md §5.6, OCS-056)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from omnicrm.domain.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
DOCUMENTED_PORT = 5000
Start = Callable[[int, int, str], object]
_RENEWAL = re.compile(
    r"/crm/provision/simple_provision_addon(?:_recharge)?"
    r"/service_id/(?P<service>\d{1,18})/product_id/(?P<product>\d{1,18})/?"
)


class Undelivered(Exception):
    """The target gave no answer or refused. The text names neither login nor query of its address."""


class EnginePost:
    """`post(url, body, key)` of the engine, one try each. Safe to call from several threads.

    A simple-provisioning address of the product itself starts its job in process: `start(service_id, product_id, key)`,
    without HTTP and without a whitelist entry for localhost (OC-15). `own_urls` are the product's addresses; those of
    this machine, with its `port` or with the one that the documents print, are its own as well. Anything else is posted
    as JSON without login.
    """

    def __init__(self, start: Start | None = None, own_urls: Iterable[str] = (), port: int = DOCUMENTED_PORT) -> None:
        self._start = start
        local = (f"http://localhost:{number}" for number in (port, DOCUMENTED_PORT))
        self._own = {(_place(parts), parts.path.rstrip("/")) for parts in map(urlsplit, (*own_urls, *local))}

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx  # a third of a second that a start does not need

        return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)

    def __call__(self, url: str, body: bytes, key: str) -> None:
        """Raises when the same post may go through later. A refusal for good is logged and counts as delivered."""
        ids = self._renewal(url) if self._start is not None else None
        if ids is not None:
            self._renew(*ids, key)
        else:
            self._send(url, body)

    def _renewal(self, url: str) -> tuple[int, int] | None:
        """Service and product of an own simple-provisioning address."""
        try:
            parts = urlsplit(url.strip())
            place = _place(parts)
        except ValueError:
            return None
        for own, prefix in self._own:
            if own == place and parts.path.startswith(prefix):
                found = _RENEWAL.fullmatch(parts.path.removeprefix(prefix))
                if found is not None:
                    return int(found["service"]), int(found["product"])
        return None

    def _renew(self, service_id: int, product_id: int, key: str) -> None:
        assert self._start is not None
        try:
            self._start(service_id, product_id, key)
        except (Conflict, Invalid, NotFound) as refused:
            log.error("Renewal of product %d on service %d (%s) refused: %s", product_id, service_id, key, refused)

    def _send(self, url: str, body: bytes) -> None:
        import httpx

        try:
            answer = self._http.post(url, content=body, headers={"Content-Type": "application/json"})
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Undelivered(f"no answer ({type(error).__name__})") from None
        if answer.status_code >= 400:
            raise Undelivered(f"status {answer.status_code}")

    def close(self) -> None:
        if "_http" in self.__dict__:
            self._http.close()


def _place(parts: SplitResult) -> tuple[str, int]:
    """Host and port of an address; the three names of the machine itself are one. Raises ValueError."""
    host = (parts.hostname or "").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ("localhost" if host in ("127.0.0.1", "::1") else host), port
