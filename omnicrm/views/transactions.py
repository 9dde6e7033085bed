"""JSON routes of transactions; DELETE voids (BILL-026..031, BILL-060)."""

from __future__ import annotations

from omnicrm.domain.billing.resource import transactions
from omnicrm.views.resources import routes_for

HANDLERS = routes_for(transactions)
