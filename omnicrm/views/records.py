"""All pages of customers, products, stock and the activity log, for the composition root."""

from __future__ import annotations

from omnicrm.views import (
    activity_pages,
    customer_batch,
    customer_page,
    customer_pages,
    customer_tabs,
    inventory_pages,
    product_pages,
)

HANDLERS = [
    *customer_pages.HANDLERS,
    *customer_page.HANDLERS,
    *customer_batch.HANDLERS,
    *customer_tabs.HANDLERS,
    *product_pages.HANDLERS,
    *inventory_pages.HANDLERS,
    *activity_pages.HANDLERS,
]
