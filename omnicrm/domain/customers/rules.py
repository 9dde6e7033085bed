"""Pure rules of customers: statuses and what they allow, contact types, Plus Codes."""

from __future__ import annotations

from openlocationcode import openlocationcode

from omnicrm.domain.customers.models import STATUSES, CustomerContact
from omnicrm.domain.errors import Conflict
from omnicrm.settings import Settings

EMAIL = r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]{2,}"
PHONE = r"[0-9 +().\-]*"


def statuses(settings: Settings) -> tuple[str, ...]:
    """The four documented words and those that the deployment adds (CRM-023)."""
    extra = tuple(block.name for block in settings.crm.customer_statuses if block.name not in STATUSES)
    return (*STATUSES, *extra)


def refuse_order(status: str, enabled: bool, settings: Settings) -> None:
    """Raise Conflict unless a customer in this state may get a new service (CRM-025, CRM-071, CRM-072)."""
    if status == "Archived":
        raise Conflict("Customer is archived. Restore it before ordering.")
    if not enabled:
        raise Conflict("Customer is disabled. Enable it before ordering.")
    rules = {block.name: block for block in settings.crm.customer_statuses}
    if status in rules and not rules[status].may_order:
        raise Conflict(f"Customer is {status.lower()}; no new service can be ordered.")


def primary_first(contacts: list[CustomerContact]) -> list[CustomerContact]:
    return sorted(contacts, key=lambda contact: (not contact.has_type("Primary"), contact.contact_id))


def plus_code(latitude: float, longitude: float) -> str:
    """The full ten-digit code, e.g. 9C3XGV4C+XV (CRM-100)."""
    return str(openlocationcode.encode(latitude, longitude))


def is_plus_code(text: str) -> bool:
    """A full code of ten or eleven digits (CRM-101)."""
    return len(text) in (11, 12) and bool(openlocationcode.isFull(text))


def center_of(code: str) -> tuple[float, float]:
    """Latitude and longitude of the middle of a full Plus Code."""
    area = openlocationcode.decode(code)
    return round(area.latitudeCenter, 7), round(area.longitudeCenter, 7)
