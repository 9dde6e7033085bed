"""Sends what the embedded engine's `*http_post` actions ask for (cgrates.md §5.6)."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 3
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0


class EnginePost:
    """`post(url, body)` of the engine: JSON, no login, three attempts. Safe to call from several threads."""

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx  # a third of a second that a start does not need

        return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)

    def __call__(self, url: str, body: bytes) -> None:
        """Raises httpx.HTTPError when the last attempt got no answer or a status from 400 on."""
        import httpx

        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._http.post(url, content=body, headers={"Content-Type": "application/json"}).raise_for_status()
                return
            except httpx.HTTPError:
                if attempt == ATTEMPTS:
                    raise
            time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        if "_http" in self.__dict__:
            self._http.close()
