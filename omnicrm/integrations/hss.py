"""Reads the subscribers of HSS peers for `omnicrm check`, with the calls that plays use (chapters 14 and 17)."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from omnicrm.domain.checking.ports import HssUnavailable
from omnicrm.domain.checking.values import Subscriber, plain_address

if TYPE_CHECKING:
    import httpx

#: Seconds for one call; a list of 100,000 subscribers takes a while.
TIMEOUT, LIST_TIMEOUT = 10.0, 60.0


class HssRegister:
    """Implements SubscriberRegister. Blocking: for worker threads and commands."""

    def __init__(self, peers: tuple[str, ...]) -> None:
        self.peers = tuple(peer.rstrip("/") for peer in peers)

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx  # a third of a second that a start does not need

        return httpx.Client(timeout=TIMEOUT, trust_env=False)

    def everybody(self, peer: str) -> list[Subscriber] | None:
        """All subscribers; None where the peer answers that there is no such list."""
        status, found = self._get(f"{peer}/subscriber", LIST_TIMEOUT)
        if status in (404, 405, 501):
            return None
        if status != 200 or not isinstance(found, list):
            raise HssUnavailable(f"{plain_address(peer)}/subscriber answered with status {status} and no list")
        return [subscriber for row in found if (subscriber := _subscriber(row)) is not None]

    def find(self, peer: str, imsi: str) -> Subscriber | None:
        """The subscriber of an IMSI, None where the peer does not know it."""
        status, found = self._get(f"{peer}/subscriber/{quote(imsi, safe='')}", TIMEOUT)
        if status == 404:
            return None
        subscriber = _subscriber(found) if status == 200 else None
        if subscriber is None:
            raise HssUnavailable(
                f"{plain_address(peer)} answered the question for a subscriber with status {status} and no subscriber"
            )
        return subscriber

    def _get(self, url: str, timeout: float) -> tuple[int, Any]:
        import httpx

        try:
            answer = self._http.get(url, timeout=timeout)
            return answer.status_code, answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise HssUnavailable(f"{plain_address(url)} does not answer: {type(error).__name__}") from None


def _subscriber(row: Any) -> Subscriber | None:
    """The fields that are compared, and no other: an HSS may answer with keys. Numbers are digits, and not too many."""
    if not isinstance(row, dict) or not (imsi := _digits(row.get("imsi"))):
        return None
    return Subscriber(imsi, _digits(row.get("msisdn")), row.get("enabled") is not False)


def _digits(value: Any) -> str:
    return re.sub(r"[^0-9]", "", str(value))[:20] if isinstance(value, str | int) else ""
