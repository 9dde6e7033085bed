"""play_prov_cpe_mikrotik: the item holds the configuration, support gets it, a failed run changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from omnicrm.integrations.sandbox import snapshot
from omnicrm.integrations.sandbox.faults import Fault
from tests.plays.conftest import World

pytestmark = pytest.mark.slow
ORDER: dict[str, Any] = {"WiFi Router CPE": 504, "support_email": "noc@example.org", "wan_vlan": 210}


def test_the_configuration_is_kept_on_the_item_and_mailed_to_support(world: World) -> None:
    code, output = world.run("play_prov_cpe_mikrotik", **ORDER)
    assert code == 0, output
    item = world.crm.inventory[504]
    assert (item["itemtext3"], item["management_url"], item["management_username"]) == (
        "Network_504", "CPE_504", "admin_504",
    )  # fmt: skip
    assert (item["address_line_1"], item["city"]) == ("1 High Street", "St Peter Port")
    assert item["management_password"].isalnum()
    assert len(item["management_password"]) == 16
    assert item["itemtext4"][-5:].isdecimal()
    for text in (item["management_password"], item["itemtext4"], "Network_504", "vlan-id=210"):
        assert text in item["config_content"]
    (mail,) = snapshot(world.store, "mailjet").mails
    assert mail.recipients == "noc@example.org"
    (attached,) = mail.attachments
    assert attached.startswith("CPE_504_")
    # The sandbox tells the size from the length of the encoded text.
    size = int(attached.split("(")[1].split()[0])
    assert abs(size - len(item["config_content"].encode())) <= 2
    assert world.crm.services == {}


def test_a_mail_that_fails_gives_the_item_its_former_configuration(world: World) -> None:
    before = world.crm.state()
    world.store.set_fault("mailjet", Fault("500"))
    code, output = world.run("play_prov_cpe_mikrotik", **ORDER)
    assert code != 0
    assert "Failed at 'Mail the configuration to support'" in output
    item = world.crm.inventory[504]
    former = before["inventory"][504]
    kept = ("itemtext3", "itemtext4", "management_url", "management_password", "config_content", "inventory_notes")
    assert {name: item[name] for name in kept} == {name: former[name] for name in kept}
