"""What the product needs from a charging engine, whichever engine is in force (decision 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class EngineError(Exception):
    """The engine refused the request. `message` is its error string, such as `NOT_FOUND` or `EXISTS`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class EngineUnavailable(Exception):
    """No answer from the engine: connection refused, time-out, or an answer that is no JSON-RPC answer."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the engine has given up, for staff: `key` names the event, such as `plan|account|due time`; `url` is the
    address of a post. No secrets in title and detail."""

    key: str
    title: str
    detail: str
    url: str = ""


class ChargingEngine(Protocol):
    """A charging engine seen from the CRM; every call is made for one tenant."""

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Result of a JSON-RPC method. Raises EngineError or EngineUnavailable."""

    def account(self, account: str) -> dict[str, Any] | None:
        """Account object of `ApierV2.GetAccount`, None when the engine does not know it."""

    def action_plans(self, account: str) -> list[dict[str, Any]]:
        """Entries of `ApierV1.GetAccountActionPlan`: ActionPlanId, Uuid, ActionsId, NextExecTime."""

    def granted(self, account: str) -> dict[str, Any]:
        """Size of each bucket by its uuid; empty where the engine does not keep sizes (OC-23)."""

    def made_by_job(self, provision_id: int) -> list[str] | None:
        """What a provisioning job made and what is still there, in words, oldest first; None where the engine keeps
        no journal, as CGRateS does not. Raises EngineUnavailable, and EngineError when it refuses."""

    def undo_job(self, provision_id: int) -> list[str]:
        """Take that back, newest first, and say what; a second time finds nothing. Raises EngineUnavailable, and
        EngineError where the engine keeps no journal."""


@dataclass(frozen=True, slots=True)
class JobRef:
    """A provisioning job that is allowed to call the engine, with the reach of its token (decision 9)."""

    provision_id: int
    customer_id: int | None
    service_uuids: frozenset[str] = frozenset()
