"""Where the parts of one customer stand: the tab's address, its owner, and why it may be read-only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from omnicrm.domain.customers import rules
from omnicrm.domain.customers.resource import customers
from omnicrm.views import http
from omnicrm.views.resource_pages import AnyRequest, Place

FROZEN = "Customer is archived. Restore it before changing anything."


def in_tab(slug: str, tab: int) -> Callable[[AnyRequest], Awaitable[Place]]:
    """The place of `/customers/{customer_id}/<slug>`, which is tab number `tab` of the customer page."""

    async def place(request: AnyRequest) -> Place:
        customer_id = request.path_params["customer_id"]
        customer = await http.door(request).read(customers.get, http.actor(request), customer_id)
        home = f"/customers/{customer_id}"
        return Place(
            f"{home}/{slug}",
            (("Customers", "/customers"), (customer.customer_name, home)),
            bound={"customer_id": customer_id},
            back=f"{home}#{tab}",
            frozen=FROZEN if customer.customer_status == "Archived" else "",
            inside=True,
            tab=tab if urlsplit(request.headers.get("hx-current-url", "")).path == home else 0,
            context={"customer": customer},
        )

    return place


def located(values: dict[str, Any]) -> dict[str, Any]:
    """A site's values with the coordinates of its full Plus Code where it was typed instead of them (CRM-099)."""
    code = str(values.get("plus_code") or "").strip().upper()
    blank = all(str(values.get(name) or "").strip() == "" for name in ("latitude", "longitude"))
    if not (blank and rules.is_plus_code(code)):
        return values
    latitude, longitude = rules.center_of(code)
    return {**values, "plus_code": code, "latitude": latitude, "longitude": longitude}


def location_of(typed: Mapping[str, str], prefix: str = "") -> str:
    """The Plus Code of what the form holds so far; "" until it names a place (CRM-103)."""
    texts = {name: typed.get(f"{prefix}{name}", "") for name in ("latitude", "longitude", "plus_code")}
    found = located(dict(texts))
    try:
        latitude, longitude = float(found["latitude"]), float(found["longitude"])
    except ValueError:
        return ""
    sound = -90 <= latitude <= 90 and -180 <= longitude <= 180
    return rules.plus_code(latitude, longitude) if sound else ""
