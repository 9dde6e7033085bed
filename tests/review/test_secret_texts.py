"""Keys of a SIM never reach the activity log, whoever writes them."""

from __future__ import annotations

from typing import Any


async def test_the_log_says_that_a_ki_changed_and_not_to_what(admin: Any) -> None:
    template = {"item": "Keyed SIM", "wholesale_cost": 1, "retail_cost": 2}
    template |= {"itemtext1_label": "ICCID", "itemtext2_label": "Ki"}
    assert (await admin.put("/crm/inventory_template/", template)).status_code == 200
    made = await admin.put("/crm/inventory/", {"item": "Keyed SIM", "itemtext1": "8944", "itemtext2": "AAAA1111"})
    key = made.json()["inventory_id"]
    assert (await admin.patch(f"/crm/inventory/{key}", {"itemtext2": "BBBB2222"})).json()["ki"] == "BBBB2222"
    log = await admin.get(f"/crm/activity/?entity_type=inventory&entity_id={key}")
    assert "itemtext2" in log.text
    assert "AAAA1111" not in log.text
    assert "BBBB2222" not in log.text
