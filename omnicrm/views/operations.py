"""All pages of catalogue, orders, provisioning, alerts, services, sandboxes and system, for the composition root."""

from __future__ import annotations

from omnicrm.views import (
    alerts,
    catalogue_pages,
    metrics,
    order_pages,
    provision_log,
    provision_pages,
    queue_pages,
    sandbox_pages,
    service_health,
    service_pages,
    system_pages,
    usage_pages,
)

HANDLERS = [
    *catalogue_pages.HANDLERS,
    *order_pages.HANDLERS,
    *provision_pages.HANDLERS,
    provision_log.log,
    *queue_pages.HANDLERS,
    *alerts.HANDLERS,
    *metrics.HANDLERS,
    *service_pages.HANDLERS,
    *service_health.HANDLERS,
    *usage_pages.HANDLERS,
    *sandbox_pages.HANDLERS,
    *system_pages.HANDLERS,
]
