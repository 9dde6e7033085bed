"""Client of a charging engine over JSON-RPC: the embedded engine's socket or a CGRateS, which answer alike."""

from __future__ import annotations

from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from omnicrm.domain.charging.ports import EngineError, EngineUnavailable

if TYPE_CHECKING:
    import httpx

#: How an engine answers a method that it does not have.
_NO_METHOD = "rpc: can't find "


class CgratesClient:
    """Implements `ChargingEngine`. Safe to share between threads; connections are kept open.

    Blocking: call it from worker threads, never from an event loop's thread. Every request names the tenant, on which
    CGRateS v0.10 and v0.11 agree (cgrates.md §1).
    """

    def __init__(self, endpoint: str, tenant: str, timeout: float = 15.0) -> None:
        """`endpoint` is `host:port` or a URL; `timeout` is in seconds (a prepaid record may take 12)."""
        base = endpoint if "://" in endpoint else f"http://{endpoint}"
        self._url = base if base.rstrip("/").endswith("/jsonrpc") else f"{base.rstrip('/')}/jsonrpc"
        self._tenant = tenant
        self._timeout = timeout
        self._ids = count(1)

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx  # a third of a second that a start does not need

        # The engine is local by design: a proxy of the environment has no business here. Reading the certificates of
        # the machine takes 30 ms, so it is left out where no TLS is spoken.
        limits = httpx.Timeout(self._timeout, connect=3.0)
        return httpx.Client(timeout=limits, trust_env=False, verify=self._url.startswith("https:"))

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Result of a method. Raises EngineError for a refusal, EngineUnavailable without a proper answer."""
        import httpx

        body = {"id": next(self._ids), "method": method, "params": [{"Tenant": self._tenant, **(params or {})}]}
        try:
            answer = self._http.post(self._url, json=body)
            document = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise EngineUnavailable(f"The charging engine at {self._url} does not answer: {error}") from error
        if answer.status_code != 200 or not isinstance(document, dict) or "error" not in document:
            raise EngineUnavailable(f"The charging engine at {self._url} answered with status {answer.status_code}")
        if document["error"] is not None:
            raise EngineError(str(document["error"]))
        return document.get("result")

    def account(self, account: str) -> dict[str, Any] | None:
        """Account object, None when the engine does not know it."""
        try:
            found: dict[str, Any] = self.call("ApierV2.GetAccount", {"Account": account})
        except EngineError as error:
            if error.message == "NOT_FOUND":
                return None
            raise
        return found

    def action_plans(self, account: str) -> list[dict[str, Any]]:
        """The account's plans with their next run; empty when there is none."""
        return list(self.call("ApierV1.GetAccountActionPlan", {"Account": account}) or [])

    def granted(self, account: str) -> dict[str, Any]:
        """Size of each bucket by uuid; empty where the engine does not know the method, as CGRateS does not."""
        try:
            return dict(self.call("OmniSv1.GetGranted", {"Account": account}))
        except EngineError:
            return {}

    def made_by_job(self, provision_id: int) -> list[str] | None:
        """What a job made and what is still there, in words; None where the engine keeps no journal, as CGRateS does.

        Raises EngineError when it refuses, EngineUnavailable without a proper answer.
        """
        try:
            return [str(text) for text in self.call("OmniSv1.GetJobJournal", {"ProvisionID": provision_id})]
        except EngineError as error:
            if error.message.startswith(_NO_METHOD):
                return None
            raise

    def undo_job(self, provision_id: int) -> list[str]:
        """Take back what a job made, newest first, and say what."""
        return [str(text) for text in self.call("OmniSv1.UndoJob", {"ProvisionID": provision_id})]

    def close(self) -> None:
        if "_http" in self.__dict__:
            self._http.close()
