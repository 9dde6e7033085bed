"""The engine's door: which provisioning job asks, and what it may touch (decisions 29, 30; PC-18)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from omnicrm.domain.charging.engine import Engine, Prepared
from omnicrm.domain.charging.planids import service_of, service_of_actions, service_of_profile
from omnicrm.domain.charging.ports import EngineError, JobRef

JOB_ENDED = "UNAUTHORIZED: the job of this token has ended"


class Door:
    """Takes requests for the engine.

    `job_of(token)` gives the live job of a token, None when it is unknown or over; `owner_of(account)` gives the id of
    the customer whose service has this account, None when no service has it. Both may be slow; they run on
    threads kept for it.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        job_of: Callable[[str], JobRef | None] = lambda token: None,
        owner_of: Callable[[str], int | None] = lambda account: None,
    ) -> None:
        self.engine = engine
        self._job_of = job_of
        self._owner_of = owner_of

    def submit(self, method: str, params: Any, token: str | None = None) -> Future[Any]:
        """The future gives the result or EngineError. Never blocks. Raises EngineError for what cannot be read."""
        prepared = self.engine.prepare(method, params)
        if token is None:
            return self.engine.submit(prepared)
        return self.engine.doors.submit(self._for_job, prepared, token)

    def _for_job(self, prepared: Prepared, token: str) -> Any:
        job = self._job_of(token)
        if job is None:
            raise EngineError(JOB_ENDED)
        if prepared.method.writes:
            for account in self._touched(prepared):
                self._check(account, job)
        else:
            return self.engine.read(prepared)
        return self.engine.submit(prepared, job).result()

    def _touched(self, prepared: Prepared) -> set[str]:
        """Accounts that the request changes: the one that it or its event names, those of a plan that it replaces or
        removes, and those that a plan, an action set or a profile is named after."""
        event = prepared.params.get("Event") if isinstance(prepared.params, dict) else None
        found = {prepared.account, str((event or {}).get("Account") or ""), *_named(prepared)} - {""}
        plan_id = _plan_id(prepared)
        return found | set(self.engine.accounts_of_plan(plan_id)) if plan_id else found

    def _check(self, account: str, job: JobRef) -> None:
        if account in job.service_uuids:
            return
        owner = self._owner_of(account)
        if owner is not None and owner != job.customer_id:
            raise EngineError(f"UNAUTHORIZED: account {account} belongs to another customer's service")


def _named(prepared: Prepared) -> list[str]:
    """Accounts that the objects are named after which the request writes."""
    params = prepared.params
    match prepared.method.name:
        case "SetActions":
            owners = [service_of_actions(params["ActionsId"])]
        case "RemoveActions":
            owners = [service_of_actions(ident) for ident in params["ActionIDs"] or ()]
        case "SetAttributeProfile" | "RemoveAttributeProfile" | "SetFilter" | "RemoveFilter":
            owners = [service_of_profile(params["ID"])]
        case _:
            owners = [service_of(_plan_id(prepared))]
    return [owner for owner in owners if owner]


def _plan_id(prepared: Prepared) -> str:
    match prepared.method.name:
        case "SetActionPlan":
            return str(prepared.params["Id"])
        case "RemoveActionPlan":
            return str(prepared.params["ID"])
        case "RemoveActionTiming":
            return str(prepared.params["ActionPlanId"])
    return ""
