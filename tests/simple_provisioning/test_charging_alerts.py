"""Staff hear of what the charging engine gave up, at the service that it concerns."""

from __future__ import annotations

import pytest

from omnicrm import app as root
from omnicrm.background import _tell_staff
from omnicrm.domain.alerts import open_alerts
from omnicrm.domain.charging.ports import Trouble
from omnicrm.domain.provisioning.simple import start_from_plan
from omnicrm.integrations.engine_post import EnginePost
from tests.provisioning_orders.conftest import Shop

DUE = "2026-03-01T00:00:00+00:00"


def raised(parts: root.Parts) -> list[tuple[str, str]]:
    return parts.door.read_now(lambda session: [(row.alert_key, row.link) for row in open_alerts(session)])


def tell(parts: root.Parts, key: str, url: str = "", title: str = "Given up") -> None:
    _tell_staff(parts, EnginePost(), Trouble(key, title, "after 10 tries", url))


@pytest.mark.parametrize("way", ["post", "plan", "second post of the plan"])
def test_a_renewal_that_was_given_up_is_an_alert_until_the_next_goes_through(
    parts: root.Parts, shop: Shop, backend: str, way: str
) -> None:
    service, product = shop.services["alice"], shop.products["plain"]
    plan = f"ServiceID_uuid_alice__ProductID_{product}__MonthlyRenewal"
    url = f"http://localhost:5000/crm/provision/simple_provision_addon/service_id/{service}/product_id/{product}"
    if way == "post":
        tell(parts, "any", url)
    else:
        tell(parts, f"{'2|' if way != 'plan' else ''}{plan}|uuid_alice|{DUE}")
    assert raised(parts) == [(f"renewal:{service}/{product}", f"/services/{service}")]
    start_from_plan(parts.door, service, product, f"{plan}|uuid_alice|{DUE}", account="uuid_alice", recharge=False)
    assert raised(parts) == []


def test_anything_else_that_was_given_up_is_one_alert_for_each_account(parts: root.Parts, shop: Shop) -> None:
    for account in ("a", "a", "b"):
        tell(parts, f"Shared|{account}|{DUE}", "http://hook/x")
    tell(parts, "5d0c6d5e", "http://hook/y", "Could not post to http://hook/y")
    found = raised(parts)
    assert len(found) == 3
    assert all(key.startswith("charging:") and link == "" for key, link in found)
