"""All pages of customers, products, stock and the activity log, for the composition root."""

from __future__ import annotations

from omnicrm.views import customer_page, customer_pages, customer_tabs, product_pages

HANDLERS = [
    *customer_pages.HANDLERS,
    *customer_page.HANDLERS,
    *customer_tabs.HANDLERS,
    *product_pages.HANDLERS,
]
