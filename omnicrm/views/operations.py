"""All pages of catalogue, orders, provisioning, services, sandboxes and system, for the composition root."""

from __future__ import annotations

from omnicrm.views import (
    catalogue_pages,
    order_pages,
    provision_pages,
    sandbox_pages,
    service_pages,
    system_pages,
    usage_pages,
)

HANDLERS = [
    *catalogue_pages.HANDLERS,
    *order_pages.HANDLERS,
    *provision_pages.HANDLERS,
    *service_pages.HANDLERS,
    *usage_pages.HANDLERS,
    *sandbox_pages.HANDLERS,
    *system_pages.HANDLERS,
]
