"""Puts the demo's content through the same door as everybody: actions for records, the engine for usage."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from typing import Any

import httpx

from omnicrm.app import Parts
from omnicrm.demo import LOGINS, PASSWORD, content
from omnicrm.domain import listtext
from omnicrm.domain.action import Door
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.billing.resource import transactions
from omnicrm.domain.catalogue.resource import products
from omnicrm.domain.charging.ports import ChargingEngine, EngineUnavailable
from omnicrm.domain.customers.resource import attributes, customers, tags
from omnicrm.domain.identity import actions as identity
from omnicrm.domain.identity import passwords, queries
from omnicrm.domain.inventory.resource import inventory, templates
from omnicrm.domain.resource import Resource, Write
from omnicrm.domain.services.resource import services as service_resource

log = logging.getLogger("omnicrm.demo")
GIGABYTE = 1024**3
MINUTE = 60 * 10**9


def records(door: Door) -> bool:
    """Users, customers, catalogue and stock; False when the database holds users already."""
    door.act_now(identity.seed_catalogue, SYSTEM, None)
    if door.read_now(queries.has_users):
        return False
    dice = random.Random(2026)
    _catalogue(door)
    _stock(door, dice)
    owned = _customers(door, dice)
    hashed = passwords.hash_password(PASSWORD)
    for email, role in LOGINS:
        linked = owned[0] if role == "customer" else None
        user = identity.NewUser(email.partition("@")[0], email, hashed, (role,), customer_id=linked)
        door.act_now(identity.create_user, SYSTEM, user)
    return True


def lacks_services(door: Door) -> bool:
    """True after a first start that ended before the services were made."""
    query = service_resource.query(SYSTEM).limit(1)
    return door.read_now(lambda session: session.scalars(query).first()) is None


def _add(door: Door, resource: Resource[Any], **values: Any) -> Any:
    return door.act_now(resource.actions["create"], SYSTEM, Write(None, values)).row


def _catalogue(door: Door) -> None:
    for entry in content.TEMPLATES:
        values = {name: value for name, value in entry.items() if name != "labels"}
        values |= {f"itemtext{place}_label": label for place, label in enumerate(entry["labels"], 1)}
        _add(door, templates, **values)
    for entry in content.PRODUCTS:
        values = {
            name: value for name, value in entry.items() if name not in ("features", "vars", "inventory", "relies_on")
        }
        _add(
            door,
            products,
            **values,
            terms=content.TERMS,
            features_list=listtext.format_list(entry["features"]),
            provisioning_json_vars=entry["vars"] or "",
            inventory_items_list=entry["inventory"],
            relies_on_list=entry.get("relies_on", []),
        )


def _stock(door: Door, dice: random.Random) -> None:
    """300 items: SIM cards, numbers and equipment."""
    for place in range(130):
        _add(
            door,
            inventory,
            item="SIM Card",
            item_location="Warehouse A" if place % 3 else "Shop St Peter Port",
            item_state="New" if place % 2 else "In Stock",
            itemtext1=f"89445500000{place:08d}",
            itemtext2=f"23455{1000000000 + place}",
            itemtext3="Nano" if place % 4 else "eSIM",
            itemtext4=f"{dice.getrandbits(128):032X}",
            itemtext5=f"{dice.getrandbits(128):032X}",
        )
    for place in range(110):
        _add(
            door,
            inventory,
            item="Mobile Number",
            item_location="Guernsey range",
            itemtext1=f"+44 7781 {100200 + place * 7}",
            itemtext2="Guernsey",
            itemtext3="Gold" if place % 10 == 0 else "Standard",
        )
    kinds = (("Fixed Wireless CPE", "CPE"), ("GPON ONT", "ONT"), ("Modem Router", "AX3000"))
    for place in range(60):
        item, model = kinds[place % 3]
        mac = ":".join(f"{dice.randrange(256):02X}" for _ in range(6))
        _add(
            door,
            inventory,
            item=item,
            item_location="Warehouse B",
            item_state=("New", "In Stock", "Used", "Damaged")[place % 4],
            itemtext1=f"{model}-{place:04d}" if item == "GPON ONT" else mac if model == "CPE" else model,
            itemtext2=f"SN{dice.randrange(10**9):09d}",
        )


def _customers(door: Door, dice: random.Random) -> list[int]:
    """Forty customers of both kinds, with contacts and sites."""
    owned = []
    for place, name in enumerate([*content.PEOPLE, *content.COMPANIES]):
        company = place >= len(content.PEOPLE)
        first, _, last = (dice.choice(content.PEOPLE) if company else name).partition(" ")
        host = name.lower().replace(" ", "").replace("'", "") + ".example" if company else "example.com"
        street, city, zip_code, latitude, longitude = content.PLACES[place % len(content.PLACES)]
        people = [_contact(first, last, host, dice, "Primary,Billing" if not company else "Primary")]
        if company:
            other = dice.choice(content.PEOPLE).partition(" ")
            people.append(_contact(other[0], other[2], host, dice, "Technical"))
        row = _add(
            door,
            customers,
            customer_name=name,
            customer_account_type="Business" if company else "Individual",
            customer_payment_type="postpaid" if company or place % 5 == 0 else "prepaid",
            customer_status=("Suspended" if place == 7 else "Closed" if place == 19 else "Open"),
            tax_identifier=f"GB{dice.randrange(10**8, 10**9)}" if company else "",
            contacts=people,
            sites=[
                {
                    "site_name": "Main office" if company else "Home",
                    "address_line_1": street,
                    "city": city,
                    "zip_code": zip_code,
                    "country": "United Kingdom",
                    "latitude": round(latitude + dice.uniform(-0.004, 0.004), 6),
                    "longitude": round(longitude + dice.uniform(-0.004, 0.004), 6),
                }
            ],
        )
        owned.append(row.customer_id)
        if place % 3 == 0:
            text, color = content.TAGS[place % len(content.TAGS)]
            _add(door, tags, customer_id=row.customer_id, tag_text=text, tag_hex_color=color)
        if place % 4 == 0:
            attribute, value = content.ATTRIBUTES[place % len(content.ATTRIBUTES)]
            _add(door, attributes, customer_id=row.customer_id, attribute_name=attribute, attribute_value=value)
    return owned


def _contact(first: str, last: str, host: str, dice: random.Random, types: str) -> dict[str, str]:
    local = f"{first}.{last}".lower().replace(" ", "").replace("'", "")
    return {
        "contact_firstname": first,
        "contact_lastname": last,
        "contact_email": f"{local}@{host}",
        "contact_phone": f"+44 1481 {dice.randrange(200000, 999999)}",
        "contact_types": types,
    }


def services(parts: Parts, done: threading.Event) -> None:
    """A dozen live services with usage, once the engine listens."""
    try:
        _await_engine(parts)
        offered = parts.door.read_now(lambda session: list(session.scalars(products.query(SYSTEM))))
        plans = {row.product_slug: row for row in offered}
        for place in range(12):
            _service(parts, plans["mobile-prepaid-20gb" if place % 3 else "mobile-prepaid-mini"], place)
    except Exception:
        log.exception("the demo's services could not be made")
    finally:
        done.set()


def _await_engine(parts: Parts) -> None:
    engine = parts.ports[ChargingEngine]
    for _ in range(100):
        try:
            engine.call("CoreSv1.Ping")
            return
        except EngineUnavailable:
            time.sleep(0.1)


def _nth(door: Door, kind: str, place: int) -> Any:
    query = inventory.query(SYSTEM).where(inventory.model.item == kind).order_by(inventory.key_column)
    return door.read_now(lambda session: session.scalars(query.offset(place).limit(1)).one())


def _subscriber(parts: Parts, imsi: str, number: str) -> None:
    """What the play tells the HSS peers, which are sandboxes of this very server."""
    profile = {"imsi": imsi, "msisdn": re.sub(r"\D", "", number), "enabled": True, "apn_list": "1,2"}
    for peer in parts.settings.hss.hss_peers if parts.settings.sandbox.active else ():
        httpx.put(f"{peer}/subscriber/{imsi}", json=profile, trust_env=False).raise_for_status()


def _service(parts: Parts, product: Any, place: int) -> None:
    """A service as the shipped play would leave it, and some weeks of usage."""
    engine: ChargingEngine = parts.ports[ChargingEngine]
    dice = random.Random(place)
    account = f"Local_Mobile_SIM_{dice.getrandbits(64):016x}"
    vars_ = {entry["product_slug"]: entry["vars"] for entry in content.PRODUCTS}[product.product_slug]
    engine.call("ApierV2.SetAccount", {"Account": account, "ExtraOptions": {"AllowNegative": False, "Disabled": False}})
    minutes = vars_["voice_minutes"]
    balances = (
        ("*data", f"DATA_{vars_['data_gb']}GB", vars_["data_gb"] * GIGABYTE),
        (
            "*voice",
            "VOICE_Unlimited" if minutes == "unlimited" else f"VOICE_{minutes}MIN",
            999999999 * 10**9 if minutes == "unlimited" else minutes * MINUTE,
        ),
        ("*sms", f"SMS_{vars_['sms_count']}", vars_["sms_count"]),
        ("*monetary", "Credit", dice.randrange(200, 2500)),
    )
    for kind, ident, value in balances:
        expiry = "*unlimited" if kind == "*monetary" else f"+{24 * dice.randrange(3, 30)}h"
        balance = {"ID": ident, "Value": value, "ExpiryTime": expiry, "Weight": 10, "DestinationIDs": "*any"}
        engine.call("ApierV1.AddBalance", {"Account": account, "BalanceType": kind, "Balance": balance})
    customer_id = place * 2 + 1
    sim, number = (_nth(parts.door, kind, place) for kind in ("SIM Card", "Mobile Number"))
    service = _add(
        parts.door,
        service_resource,
        customer_id=customer_id,
        product_id=product.product_id,
        service_name=f"Mobile - {number.itemtext1.replace(' ', '')}",
        service_type="mobile",
        service_uuid=account,
        retail_cost=str(product.retail_cost_minor / 100),
    )
    for item in (sim, number):
        held = {"customer_id": customer_id, "service_id": service.service_id, "item_state": "Assigned"}
        parts.door.act_now(inventory.actions["update"], SYSTEM, Write(item.inventory_id, held))
    _subscriber(parts, sim.itemtext2, number.itemtext1)
    _add(
        parts.door,
        transactions,
        customer_id=customer_id,
        service_id=service.service_id,
        title=f"{product.product_name} - first month",
        retail_cost=str(product.retail_cost_minor / 100),
    )
    for number, (kind, usage) in enumerate(
        (
            ("*data", str(dice.randrange(1, vars_["data_gb"]) * GIGABYTE * 9 // 10)),
            ("*voice", f"{dice.randrange(60, 3600)}s"),
            ("*sms", str(dice.randrange(1, 90))),
        )
    ):
        engine.call(
            "CDRsV1.ProcessExternalCDR",
            {
                "OriginID": f"demo-{place}-{number}",
                "OriginHost": "demo",
                "Source": "demo",
                "ToR": kind,
                "RequestType": "*postpaid",
                "Category": kind.removeprefix("*").replace("voice", "call"),
                "Account": account,
                "Subject": account,
                "Destination": "447781000000",
                "SetupTime": "*now",
                "AnswerTime": "*now",
                "Usage": usage,
            },
        )
