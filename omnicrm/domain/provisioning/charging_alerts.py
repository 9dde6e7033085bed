"""Telling staff what the charging engine gave up: a renewal that was not started, a due run that could not be done."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain.alerts import raise_alert
from omnicrm.domain.charging.planids import split_plan_id
from omnicrm.domain.charging.ports import Trouble
from omnicrm.domain.services.models import CustomerService


def renewal_alert(service_id: int, product_id: int) -> str:
    """The alert about a charge that did not go through; the next one that does clears it."""
    return f"renewal:{service_id}/{product_id}"


def tell_staff(session: Session, trouble: Trouble, charged: tuple[int, int] | None, now: datetime) -> None:
    """Raise the alert. `charged` are service and product of a post that charges one."""
    plan_id, account, _ = ["", "", *trouble.key.rsplit("|", 2)][-3:]
    named = split_plan_id(plan_id).get("ProductID")
    if charged is None and isinstance(named, int):
        query = select(CustomerService.service_id).where(CustomerService.service_uuid == account)
        service_id = session.scalar(query)
        charged = (service_id, named) if service_id is not None else None
    if charged is not None:
        key, link = renewal_alert(*charged), f"/services/{charged[0]}"
    else:
        key, link = f"charging:{hashlib.sha256(f'{trouble.title} {account}'.encode()).hexdigest()[:32]}", ""
    raise_alert(session, key, trouble.title, now, detail=trouble.detail, link=link)
