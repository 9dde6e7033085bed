"""Rules between services and the charging engine. Pure: values in, findings out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from omnicrm.domain.charging.planids import split_plan_id
from omnicrm.domain.checking.values import Account, Finding, Service

#: A cancelled service is ended by a job within minutes of its day; a day later something is wrong.
LATE = timedelta(days=1)


def engine_call(method: str, **params: Any) -> str:
    return f"send {method} {json.dumps(params)} to the charging endpoint"


def _finding(kind: str, service: Service, text: str, mend: str = "") -> Finding:
    page = f"/services/{service.service_id}"
    return Finding(kind, "service", str(service.service_id), service.name, text, mend or f"open {page}")


def renewals(service: Service, account: Account) -> list[str]:
    """The account's plans that renew this very product; a plan of an add-on is another's."""
    found = []
    for plan_id in account.plans:
        parts = split_plan_id(plan_id)
        if parts.get("ServiceID") == service.uuid and parts.get("ProductID", service.product_id) == service.product_id:
            found.append(plan_id)
    return found


def service_findings(service: Service, now: datetime) -> Iterator[Finding]:
    """One service against itself and the job that made it."""
    if service.maker_failed:
        text = f"it was made by job {service.made_by}, which failed"
        mend = f"press Clean up on /provisioning/{service.made_by}"
        yield _finding("service-of-failed-job", service, text, mend)
    if service.group == "Inactive" and service.ended_at is None:
        yield _finding("ended-service-without-date", service, "it is over, but it has no service_deactivate_date")
    if service.deleted_at is not None and service.group != "Inactive":
        yield _finding("deleted-service-not-ended", service, f"it is removed, but its status counts as {service.group}")
    if service.cancel_at is not None and service.group == "Inactive":
        yield _finding("ended-service-waits", service, "it is over, but it still waits for the end of its grace period")
    elif service.cancel_at is not None and service.cancel_at < now - LATE:
        text = f"it was to end on {service.cancel_at:%Y-%m-%d %H:%M} UTC, but it is {service.group}"
        yield _finding("cancelled-service-not-ended", service, text)
    if service.status_before is not None and service.cancel_at is None and service.group != "Inactive":
        text = f"it remembers the status {service.status_before} of before a cancellation, but it is not cancelled"
        yield _finding("service-remembers-a-status", service, text)


def account_findings(service: Service, account: Account | None) -> Iterator[Finding]:
    """One service against its account (None: the engine has none) and that account's plans."""
    page = f"/services/{service.service_id}"
    if service.is_live and account is None:
        text = f"it is {service.group}, but the engine has no account {service.uuid}"
        yield _finding("service-without-account", service, text, f"deprovision it on {page} and order it again")
    if account is None:
        return
    if not service.is_live:
        yield from _of_an_ended_one(service, account)
        return
    if service.group == "Active" and account.disabled:
        text = f"it is Active, but account {account.name} is disabled"
        yield _finding("active-service-disabled", service, text, f"suspend and resume it on {page}")
    if service.group == "Suspended" and (account.plans or not account.disabled):
        state = f"still has the plan {account.plans[0]}" if account.plans else "can still be charged and used"
        text = f"it is Suspended, but account {account.name} {state}"
        yield _finding("suspended-service-not-stopped", service, text, f"resume and suspend it on {page}")
        return
    plans = renewals(service, account)
    if service.auto_renew and service.group == "Active" and service.cancel_at is None and not plans:
        text = f"it renews automatically, but no plan of account {service.uuid} renews it"
        yield _finding("renewal-without-plan", service, text, f"switch automatic renewal off and on again on {page}")
    if plans and not service.auto_renew:
        text = f"it does not renew automatically, but the plan {plans[0]} renews it"
        mend = f"switch automatic renewal on and off again on {page}"
        yield _finding("plan-without-renewal", service, text, mend)


def _of_an_ended_one(service: Service, account: Account) -> Iterator[Finding]:
    if account.plans:
        text = f"it is over, but account {account.name} still has the plan {account.plans[0]}"
        yield _finding("ended-service-with-plans", service, text, engine_call("RemoveActionPlan", ID=account.plans[0]))
    if not account.disabled:
        text = f"it is over, but account {account.name} can still be charged and used"
        mend = engine_call("ApierV2.RemoveAccount", Account=account.name)
        yield _finding("ended-service-with-account", service, text, mend)


def lonely_account(account: Account) -> Finding:
    """An account of no service at all (OC-33)."""
    text = "the engine has this account, but no service has it"
    mend = engine_call("ApierV2.RemoveAccount", Account=account.name)
    return Finding("account-without-service", "account", account.name, "", text, mend)


def plan_without_actions(plan_id: str, actions_id: str) -> Finding:
    text = f"it runs the action set {actions_id}, which does not exist: what was due is lost"
    mend = f"set {actions_id} in the charging engine as the product's play does"
    return Finding("plan-without-actions", "plan", plan_id, "", text, mend)


def post_given_up(number: int, address: str, reason: str) -> Finding:
    """A post of the engine, such as a renewal, that nobody took."""
    mend = engine_call("OmniSv1.RetryPost", ID=number)
    return Finding("post-given-up", "post", str(number), address, f"it was given up: {reason}", mend)


_REMOVAL = {
    "plan": ("ApierV1.RemoveActionPlan", "ID"),
    "actions": ("APIerSv1.RemoveActions", "ActionIDs"),
    "attribute": ("APIerSv1.RemoveAttributeProfile", "ID"),
    "filter": ("APIerSv1.RemoveFilter", "ID"),
}


def orphan(record: str, ident: str, uuid: str, service: Service | None) -> Finding | None:
    """An object of the engine that is named after a service: `record` is plan, actions, attribute or filter."""
    if service is not None and service.is_live:
        return None
    name, field = _REMOVAL[record]
    mend = engine_call(name, **{field: [ident] if field == "ActionIDs" else ident})
    if service is None:
        return Finding(f"{record}-without-service", record, ident, "", f"no service has the account {uuid}", mend)
    text = f"its service {service.service_id} is over"
    return Finding(f"{record}-of-ended-service", record, ident, service.name, text, mend)
