"""All pages of catalogue, orders, provisioning, services and sandboxes, for the composition root."""

from __future__ import annotations

from omnicrm.views import order_pages, provision_pages

HANDLERS = [
    *order_pages.HANDLERS,
    *provision_pages.HANDLERS,
]
