"""A valid body for every resource, and the records that such a body refers to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from omnicrm.domain.action import Door
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.resource import RESOURCES, Write

#: Play names that the product ships.
PLAYS = ("play_simple_service", "play_local_mobile_sim")


@dataclass
class World:
    """What the bodies refer to: two templates and products, and a site and a service of each customer."""

    alice: int
    bob: int
    templates: list[int] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    sites: dict[int, int] = field(default_factory=dict)
    services: dict[int, int] = field(default_factory=dict)


def build_world(door: Door, alice: int, bob: int) -> World:
    """The world, stored through the use cases themselves."""

    def add(name: str, body: dict[str, Any]) -> int:
        resource = RESOURCES[name]
        return int(getattr(door.act_now(resource.actions["create"], SYSTEM, Write(None, body)).row, resource.key))

    world = World(alice, bob)
    for number, play in zip((92, 94), PLAYS, strict=True):
        world.templates.append(add("inventory_template", _template(world, 0, number)))
        world.products.append(add("product", _product(world, 0, number) | {"provisioning_play": play}))
    for owner in (alice, bob):
        world.sites[owner] = add("site", _site(world, owner, 90))
        world.services[owner] = add("service", _service(world, owner, 90))
    return world


def _customer(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "customer_name": f"Customer {number:02}",
        "customer_account_type": ("Individual", "Business")[number % 2],
        "customer_status": ("Open", "Suspended")[number % 2],
        "customer_payment_type": ("prepaid", "postpaid")[number % 2],
        "customer_enabled": number % 2 == 0,
        "tax_identifier": f"GB{number:06}",
        "contract_start_date": "2025-01-01",
        "contract_end_date": "2026-12-31T23:59:59Z",
        "customer_notes": "Pays in time.",
    }


def _contact(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "customer_id": owner,
        "contact_firstname": "Ann",
        "contact_lastname": f"Archer{number:02}",
        "contact_email": f"ann{number}@example.com",
        "contact_phone": f"+44 20 7946 {number:04}",
        "contact_types": "Billing,Technical",
    }


def _site(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "customer_id": owner,
        "site_name": f"Office {number:02}",
        "address_line_1": f"{number} High Street",
        "city": ("London", "Leeds")[number % 2],
        "zip_code": "N1 9GU",
        "country": "United Kingdom",
        "latitude": 51.5 + number / 1000,
        "longitude": -0.12,
        "address_note": "Ring twice.",
    }


def _tag(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "customer_id": owner,
        "tag_text": f"VIP {number:02}",
        "tag_hex_color": "FFD700",
        "tag_link": "https://example.com/vip",
        "tag_active_date": "2025-01-01 00:00:00",
        "tag_deactivate_date": f"20{30 + number % 60}-01-01 00:00:00",
    }


def _attribute(world: World, owner: int, number: int) -> dict[str, Any]:
    return {"customer_id": owner, "attribute_name": f"tier_{number:02}", "attribute_value": f"gold {number:02}"}


def _template(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "item": f"Modem {number:02}",
        "icon": "fa-solid fa-wifi",
        "wholesale_cost": 20.5,
        "retail_cost": 40,
        "itemtext1_label": "Serial",
        "itemtext2_label": "MAC Address",
        "allow_staff_dropdown": True,
        "allow_customer_dropdown": False,
    }


def _inventory(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "inventory_template_id": world.templates[number % 2],
        "customer_id": owner,
        "service_id": world.services[owner] if number % 2 else None,
        "item_location": ("Warehouse", "Shop")[number % 2],
        "item_state": ("New", "Used")[number % 2],
        "itemtext1": f"SN{number:04}",
        "itemtext2": "00:11:22:33:44:55",
        "management_username": "admin",
        "management_password": f"hush-{number}",
        "latitude": "51.5",
        "longitude": "-0.12",
        "sold_date": "2025-06-01",
    }


def _product(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "product_name": f"Plan {number:02}",
        "product_slug": f"plan-{number:02}",
        "category": ("standalone", "promo")[number % 2],
        "service_type": ("mobile", "internet")[number % 2],
        "retail_cost": 10 + number,
        "wholesale_cost": 5,
        "tax_percentage": 12.5,
        "enabled": number % 2 == 0,
        "residential": number % 2 == 0,
        "business": number % 2 == 1,
        "customer_can_purchase": False,
        "contract_days": 30,
        "features_list": "Fast. Cheap.",
        "provisioning_play": PLAYS[number % 2],
        "provisioning_json_vars": '{"data_gb": 10}',
        "inventory_items_list": "[]",
    }


def _service(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "customer_id": owner,
        "product_id": world.products[number % 2],
        "service_name": f"Service {number:02}",
        "service_type": ("mobile", "internet")[number % 2],
        "service_uuid": f"svc_{owner}_{number}",
        "service_status": ("Active", "Suspended")[number % 2],
        "retail_cost": 10 + number,
        "wholesale_cost": 5,
        "site_id": world.sites[owner] if number % 2 else None,
        "service_provisioned_date": f"2025-01-{number % 28 + 1:02}",
        "service_active_date": "2025-01-02",
        "contract_end_date": "2026-01-01",
    }


def _transaction(world: World, owner: int, number: int) -> dict[str, Any]:
    body = {
        "customer_id": owner,
        "service_id": world.services[owner] if number % 2 else None,
        "title": f"Charge {number:02}",
        "description": "One month",
        "retail_cost": 10 + number,
        "wholesale_cost": 4,
        "tax_percentage": 20,
        "created": f"2025-03-{number % 28 + 1:02}",
    }
    return {**body, "credit_type": "discount"} if number % 2 else body


def _provision(world: World, owner: int, number: int) -> dict[str, Any]:
    if number % 2:
        return {"service_id": world.services[owner], "action": "deprovision", "customer_id": owner}
    return {"product_id": world.products[1], "customer_id": owner}


def _activity(world: World, owner: int, number: int) -> dict[str, Any]:
    return {
        "customer_id": owner,
        "service_id": world.services[owner] if number % 2 else None,
        "title": f"Called {number:02}",
        "description": "Asked for the price.",
    }


@dataclass(frozen=True)
class Sample:
    """`create(world, owner, number)` is a valid body; another number differs in what is unique and in its words."""

    create: Callable[[World, int, int], dict[str, Any]]
    #: A PATCH, and with it what the record answers afterwards.
    change: dict[str, Any] = field(default_factory=dict)
    #: A text field that is searched and that a body may set.
    searched: str = ""
    #: Filters that no two records of this issue's product can differ in.
    constant: frozenset[str] = frozenset()
    #: What the list and the list of a customer look like: "array", "data" or "paged".
    listed: str = "paged"
    of_customer: str = ""
    #: What DELETE does: "gone", or the word in the log for a record that is kept.
    deleted: str = "gone"
    #: Rows belong to one customer each.
    owned: bool = True


SAMPLES: dict[str, Sample] = {
    "customer": Sample(
        _customer, {"customer_name": "Renamed", "tax_identifier": "GB1"}, "customer_name", listed="array",
        deleted="archive",
    ),
    "contact": Sample(
        _contact, {"contact_phone": "+1 555 0100", "contact_lastname": "Baker"}, "contact_lastname",
        of_customer="array",
    ),
    "site": Sample(
        _site, {"site_name": "Depot", "latitude": 40.5, "city": "York"}, "site_name", of_customer="array"
    ),
    "tag": Sample(
        _tag, {"tag_text": "Gold", "tag_hex_color": "00FF00"}, "tag_text", of_customer="array"
    ),
    "attribute": Sample(_attribute, {"attribute_value": "silver"}, "attribute_value", of_customer="array"),
    "inventory_template": Sample(
        _template, {"item": "Router", "retail_cost": 45.5, "itemtext3_label": "Colour"}, "item", owned=False
    ),
    "inventory": Sample(
        _inventory, {"item_location": "Van 3", "item_state": "Damaged", "retail_cost": 9.99}, "itemtext1",
        of_customer="data",
    ),
    "product": Sample(
        _product,
        {"product_name": "Plan XL", "product_slug": "plan-xl", "retail_cost": 25.5, "tax_percentage": 7},
        "product_name",
        constant=frozenset({"customer_can_purchase"}), listed="data", owned=False,
    ),
    "service": Sample(
        _service, {"service_name": "Home", "retail_cost": 12.25, "auto_renew": True}, "service_name",
        of_customer="data", deleted="deprovision",
    ),
    "transaction": Sample(
        _transaction, {"title": "Corrected", "retail_cost": 8.5, "tax_percentage": 10}, "title",
        constant=frozenset({"invoice_id"}), of_customer="data", deleted="void",
    ),
    "provision": Sample(_provision, constant=frozenset({"provisioning_status"}), of_customer="data"),
    "activity": Sample(_activity, searched="title", of_customer="paged"),
}  # fmt: skip
