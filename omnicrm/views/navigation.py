"""The side navigation: what a user may open, in the order of the day's work."""

from __future__ import annotations

from typing import Any

from omnicrm.domain.actor import Actor
from omnicrm.settings import Settings

#: Group -> (label, address, icon, permissions of which one opens it).
MENU: tuple[tuple[str, tuple[tuple[str, str, str, tuple[str, ...]], ...]], ...] = (
    (
        "",
        (
            ("Customers", "/customers", "users", ("view_customer",)),
            ("Services", "/services", "wifi", ("view_customer_service",)),
            ("Provisioning", "/provisioning", "list-check", ("view_provision",)),
            ("Queue", "/provisioning/queue", "hourglass-half", ("view_provision",)),
            ("Alerts", "/alerts", "bell", ("view_provision",)),
        ),
    ),
    (
        "Products",
        (
            ("Catalogue", "/catalogue", "store", ("view_product",)),
            ("Products", "/products", "box", ("view_product",)),
        ),
    ),
    (
        "Inventory",
        (
            ("Items", "/inventory-items-list", "sim-card", ("view_inventory",)),
            ("Templates", "/inventory-templates", "shapes", ("view_inventory_template",)),
        ),
    ),
    (
        "Administration",
        (
            ("Activity log", "/activity", "clock-rotate-left", ("view_customer_activity",)),
            ("Sandbox", "/sandbox", "flask", ("admin",)),
            ("System", "/system", "gear", ("admin",)),
        ),
    ),
)


def navigation(actor: Actor, path: str, settings: Settings) -> list[dict[str, Any]]:
    """The groups of the menu; the item with the longest address that leads to `path` is the active one."""
    known = [href for _, items in MENU for _, href, _, _ in items]
    here = max((href for href in known if path == href or path.startswith(f"{href}/")), key=len, default="")
    groups = []
    for label, items in MENU:
        shown = [
            {"label": text, "href": href, "icon": icon, "active": href == here}
            for text, href, icon, needed in items
            if actor.can_any(needed) and (href != "/sandbox" or settings.sandbox.active)
        ]
        if shown:
            groups.append({"label": label, "items": shown})
    return groups
