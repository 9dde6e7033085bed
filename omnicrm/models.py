"""Every mapped class in one place, for migrations and whoever needs the whole metadata."""

from __future__ import annotations

from omnicrm.domain import activity, alerts, jobs
from omnicrm.domain.billing import models as billing
from omnicrm.domain.catalogue import models as catalogue
from omnicrm.domain.customers import models as customers
from omnicrm.domain.identity import models as identity
from omnicrm.domain.inventory import models as inventory
from omnicrm.domain.provisioning import models as provisioning
from omnicrm.domain.services import models as services
from omnicrm.store import Base

__all__ = [
    "Base",
    "activity",
    "alerts",
    "billing",
    "catalogue",
    "customers",
    "identity",
    "inventory",
    "jobs",
    "provisioning",
    "services",
]
