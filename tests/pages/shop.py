"""What orders need: templates with stock, a product, a service; made through the JSON routes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import actions

TERMS = "Fair use.\nNo resale."


async def _made(client: Any, path: str, key: str, **values: Any) -> int:
    answer = await client.put(path, values)
    assert answer.status_code == 200, answer.text
    return int(answer.json()[key])


async def stock(admin: Any, *texts: str, item: str = "SIM Card", label: str = "ICCID") -> list[int]:
    """A template and one item for each text; answers the items' ids."""
    values = {"item": item, "itemtext1_label": label, "wholesale_cost": 1, "retail_cost": 2}
    await _made(admin, "/crm/inventory_template/", "inventory_template_id", **values)
    return [
        await _made(admin, "/crm/inventory/", "inventory_id", item=item, itemtext1=text, item_location="Shelf 1")
        for text in texts
    ]


async def product(admin: Any, **more: Any) -> int:
    """A plan that the shipped play makes, for individuals, on offer."""
    values = {
        "product_name": "Mobile 10",
        "product_slug": "mobile-10",
        "service_type": "mobile",
        "retail_cost": 15,
        "retail_setup_cost": 5,
        "contract_days": 30,
        "features_list": "['10 GB of data', 'Free calls']",
        "provisioning_play": "play_simple_service",
        **more,
    }
    return await _made(admin, "/crm/product/", "product_id", **values)


async def service(admin: Any, customer_id: int, **more: Any) -> int:
    values = {
        "customer_id": customer_id,
        "service_name": "Mobile of Alice",
        "service_type": "mobile",
        "service_uuid": "Line_1",
        **more,
    }
    return await _made(admin, "/crm/service/", "service_id", **values)


def ended(parts: root.Parts, provision_id: int, succeeded: bool, message: str = "") -> None:
    """End a job as its worker would: its own end, then the queue's row."""
    parts.door.act_now(actions.end, SYSTEM, actions.Ended(provision_id, succeeded, message))
    done = update(Job).where(Job.subject_id == provision_id, Job.kind == "provision.run").values(state="done")
    parts.db.write(lambda session: session.execute(done))
