"""Which play takes a service down, and with which variables (PC-11, PC-29, PROV-222..224, 233, 234)."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.errors import Conflict
from omnicrm.domain.provisioning import actions, cancelling
from omnicrm.domain.provisioning.cancelling import Cancel
from omnicrm.domain.provisioning.models import Provision
from tests.cancelling.test_cancelling import BOSS, change, jobs
from tests.provisioning_orders.conftest import Shop


@pytest.mark.parametrize(
    ("columns", "play"),
    [
        ({"provisioning_play": ""}, "good"),
        ({"provisioning_play": "addon_step"}, "addon_step"),
        ({"provisioning_play": "no_guard"}, "play_deprovision_service"),
        ({"provisioning_play": "gone"}, "play_deprovision_service"),
        ({"provisioning_play": "good, no_guard"}, "play_deprovision_service"),
        ({"deprovisioning_play": "ends_only"}, "ends_only"),
        ({"deprovisioning_play": "addon_step", "provisioning_play": "no_guard"}, "addon_step"),
    ],
    ids=str,
)
def test_the_play_that_ends_a_service(parts: root.Parts, shop: Shop, columns: dict[str, str], play: str) -> None:
    change(parts, shop, **columns)
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    assert made.provisioning_play == play
    query = select(CustomerActivity.title).where(CustomerActivity.action == "note")
    remarks = parts.door.read_now(lambda session: session.scalars(query).all())
    assert bool(remarks) is (play == "play_deprovision_service"), "that another play does it is no secret"


def test_a_play_that_provisions_is_no_ending_without_its_guard(parts: root.Parts, shop: Shop) -> None:
    change(parts, shop, deprovisioning_play="no_guard")
    with pytest.raises(Conflict, match="one that provisions"):
        parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"]))


def test_the_variables_of_the_ending_are_merged(parts: root.Parts, shop: Shop) -> None:
    """PROV-233, PROV-234."""
    change(
        parts,
        shop,
        provisioning_json_vars='{"data_gb": 10, "imsi": "1"}',
        deprovisioning_json_vars='{"data_gb": 0, "deprovision_subscriber": true}',
    )
    made = parts.door.act_now(cancelling.cancel_service, BOSS, Cancel(shop.services["alice"])).job
    assert made is not None
    query = select(Provision.variables).where(Provision.provision_id == made.provision_id)
    found = json.loads(parts.door.read_now(lambda session: session.scalar(query)) or "{}")["values"]
    expected = {
        "action": "deprovision",
        "service_id": shop.services["alice"],
        "service_uuid": "uuid_alice",
        "customer_id": shop.alice,
        "product_id": shop.products["plain"],
        "data_gb": 0,
        "imsi": "1",
        "deprovision_subscriber": True,
    }
    assert found == expected


def test_an_add_on_whose_play_cannot_undo_is_not_removed_by_ending_the_service(parts: root.Parts, shop: Shop) -> None:
    values = {"action": "deprovision", "service_id": shop.services["alice"], "product_id": shop.products["no_guard"]}
    with pytest.raises(Conflict, match="add-on cannot be taken away"):
        parts.door.act_now(actions.order, BOSS, actions.Order(values))
    assert jobs(parts) == []
