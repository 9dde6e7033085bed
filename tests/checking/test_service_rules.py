"""Each rule between a service and the engine: a sound example is silent, a broken one is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from omnicrm.domain.charging.planids import service_of, service_of_actions, service_of_profile
from omnicrm.domain.checking import rules_services as rules
from omnicrm.domain.checking.values import Account, Service

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIVE = Service(7, 3, 5, "Mobile", "Local_Mobile_SIM_aa", "Active")
OVER = replace(LIVE, group="Inactive", ended_at=NOW - timedelta(days=3))
PLAN = "ServiceID_Local_Mobile_SIM_aa__ProductID_5__CustomerID_3"
ADDON_PLAN = "ServiceID_Local_Mobile_SIM_aa__ProductID_9__CustomerID_3"
ACCOUNT = Account("Local_Mobile_SIM_aa")
RENEWED = Account("Local_Mobile_SIM_aa", plans=(PLAN,))


@pytest.mark.parametrize(
    "service",
    [
        LIVE,
        OVER,
        replace(LIVE, group="Suspended"),
        replace(OVER, deleted_at=NOW),
        replace(OVER, status_before="Active"),
        replace(LIVE, cancel_at=NOW + timedelta(days=1), status_before="Active"),
        replace(LIVE, cancel_at=NOW - timedelta(hours=1), status_before="Active"),
    ],
)
def test_a_sound_service_is_silent(service: Service) -> None:
    assert list(rules.service_findings(service, NOW)) == []


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        (replace(LIVE, made_by=4, maker_failed=True), "service-of-failed-job"),
        (replace(OVER, ended_at=None), "ended-service-without-date"),
        (replace(LIVE, deleted_at=NOW), "deleted-service-not-ended"),
        (replace(OVER, cancel_at=NOW + timedelta(days=1)), "ended-service-waits"),
        (replace(LIVE, cancel_at=NOW - timedelta(days=2)), "cancelled-service-not-ended"),
        (replace(LIVE, status_before="Active"), "service-remembers-a-status"),
    ],
)
def test_a_broken_service_is_named(service: Service, kind: str) -> None:
    (found,) = rules.service_findings(service, NOW)
    assert (found.kind, found.record, found.ident, found.name) == (kind, "service", "7", "Mobile")
    assert found.text and found.mend


@pytest.mark.parametrize(
    ("service", "account"),
    [
        (LIVE, ACCOUNT),
        (replace(LIVE, group="Suspended"), replace(ACCOUNT, disabled=True)),
        (replace(LIVE, auto_renew=True), RENEWED),
        (replace(LIVE, auto_renew=True, group="Suspended"), replace(ACCOUNT, disabled=True)),
        (replace(LIVE, auto_renew=True, cancel_at=NOW), ACCOUNT),
        (LIVE, replace(ACCOUNT, plans=(ADDON_PLAN,))),
        (OVER, None),
        (OVER, replace(ACCOUNT, disabled=True)),
    ],
)
def test_a_service_that_fits_its_account_is_silent(service: Service, account: Account | None) -> None:
    assert list(rules.account_findings(service, account)) == []


@pytest.mark.parametrize(
    ("service", "account", "kinds"),
    [
        (LIVE, None, ["service-without-account"]),
        (replace(LIVE, group="Suspended"), None, ["service-without-account"]),
        (OVER, ACCOUNT, ["ended-service-with-account"]),
        (OVER, RENEWED, ["ended-service-with-plans", "ended-service-with-account"]),
        (replace(LIVE, deleted_at=NOW), ACCOUNT, ["ended-service-with-account"]),
        (replace(LIVE, auto_renew=True), ACCOUNT, ["renewal-without-plan"]),
        (replace(LIVE, auto_renew=True), replace(ACCOUNT, plans=(ADDON_PLAN,)), ["renewal-without-plan"]),
        (LIVE, RENEWED, ["plan-without-renewal"]),
        (LIVE, replace(ACCOUNT, disabled=True), ["active-service-disabled"]),
        (replace(LIVE, group="Suspended"), ACCOUNT, ["suspended-service-not-stopped"]),
        (replace(LIVE, group="Suspended"), replace(RENEWED, disabled=True), ["suspended-service-not-stopped"]),
    ],
)
def test_a_service_that_does_not_fit_its_account_is_named(
    service: Service, account: Account | None, kinds: list[str]
) -> None:
    assert [found.kind for found in rules.account_findings(service, account)] == kinds


def test_an_account_of_nobody_is_named_with_the_call_that_removes_it() -> None:
    found = rules.lonely_account(ACCOUNT)
    assert found.kind == "account-without-service"
    assert 'ApierV2.RemoveAccount {"Account": "Local_Mobile_SIM_aa"}' in found.mend


@pytest.mark.parametrize(
    ("owner_of", "ident", "owner"),
    [
        (service_of, PLAN, "Local_Mobile_SIM_aa"),
        (service_of, "ActionPlan_Monthly_Local_Mobile_SIM_aa_5", "Local_Mobile_SIM_aa"),
        (service_of, "PLAN_FOR_ALL", None),
        (service_of_actions, "Action_AutoTopup_Local_Mobile_SIM_aa_5", "Local_Mobile_SIM_aa"),
        (service_of_actions, "Action_Topup_Standard", None),
        (service_of_profile, "ATTR_ACCOUNT_Local_Mobile_SIM_aa", "Local_Mobile_SIM_aa"),
        (service_of_profile, "FLTR_ACCOUNT_Local_Mobile_SIM_aa", "Local_Mobile_SIM_aa"),
        (service_of_profile, "ATTR_OF_OURS", None),
    ],
)
def test_the_service_in_a_name_is_read(owner_of: object, ident: str, owner: str | None) -> None:
    assert owner_of(ident) == owner  # type: ignore[operator]


@pytest.mark.parametrize("record", ["plan", "actions", "attribute", "filter"])
def test_what_is_named_after_nobody_or_after_an_ended_service_is_named(record: str) -> None:
    assert rules.orphan(record, "X_aa", "aa", LIVE) is None
    of_nobody, of_ended = (rules.orphan(record, "X_aa", "aa", service) for service in (None, OVER))
    assert of_nobody is not None and of_nobody.kind == f"{record}-without-service"
    assert of_ended is not None and of_ended.kind == f"{record}-of-ended-service"
    assert '"X_aa"' in of_nobody.mend
