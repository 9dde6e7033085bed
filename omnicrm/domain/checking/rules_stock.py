"""Rules of stock: items, reservations, and the subscribers of the HSS. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from omnicrm.domain.checking.values import Finding, Item, Reservation, Sim, Subscriber, Work

FREE_STATES = ("New", "In Stock")


def _finding(kind: str, item: Item, text: str, mend: str = "") -> Finding:
    page = f"/inventory-items-list/{item.inventory_id}"
    return Finding(
        kind, "item", str(item.inventory_id), f"{item.kind} {item.name}", text, mend or f"correct it on {page}"
    )


def item_findings(item: Item) -> Iterator[Finding]:
    """Links and state of one item."""
    service = item.service
    release = "release it from the service in the stock list, or end the service again"
    if item.service_id is not None and service is None:
        yield _finding("item-of-no-service", item, f"it is linked to service {item.service_id}, which does not exist")
    elif service is not None and not service.is_live:
        text = f"it is linked to service {service.service_id} ({service.name}), which is over"
        yield _finding("item-of-ended-service", item, text, release)
    elif service is not None and service.customer_id != item.customer_id:
        text = f"its customer is {item.customer_id}, but its service {service.service_id} is customer "
        yield _finding("item-of-another-customer", item, f"{text}{service.customer_id}'s")
    if item.state == "Assigned" and item.service_id is None and item.customer_id is None:
        yield _finding("assigned-to-nobody", item, "its state is Assigned, but it has neither service nor customer")
    if item.state in FREE_STATES and (item.customer_id is not None or item.service_id is not None):
        holder = f"service {item.service_id}" if item.service_id is not None else f"customer {item.customer_id}"
        yield _finding("free-but-linked", item, f"its state is {item.state}, but it is linked to {holder}")


def reservation_finding(reservation: Reservation, work: Work, now: datetime) -> Finding | None:
    """A reservation lives as long as its order's job waits, runs or is cleaned up."""
    if reservation.provision_id in work.provisions:
        return None
    over = " and its time is over" if reservation.expires_at < now else f" (until {reservation.expires_at:%H:%M} UTC)"
    text = f"it is reserved by job {reservation.provision_id}, which no longer works{over}"
    mend = f"press Clean up on /provisioning/{reservation.provision_id}"
    return Finding("reservation-without-job", "item", str(reservation.inventory_id), reservation.item, text, mend)


def sim_findings(sim: Sim, peer: str, subscriber: Subscriber | None) -> Iterator[Finding]:
    """A SIM against what one HSS peer knows of it; `peer` is its address as people may see it."""
    service = sim.item.service
    live = service is not None and service.is_live
    if live and service is not None and service.group == "Active" and subscriber is None:
        text = f"its service {service.service_id} is Active, but the HSS {peer} does not know IMSI {sim.imsi}"
        mend = f"create the subscriber in the HSS, or deprovision /services/{service.service_id} and order it again"
        yield _finding("sim-without-subscriber", sim.item, text, mend)
    if subscriber is None:
        return
    remove = f"DELETE {peer}/subscriber/{sim.imsi}"
    if service is None and not subscriber.is_dormant:
        text = f"it has no service, but the HSS {peer} serves it with the number {subscriber.msisdn}"
        yield _finding("subscriber-of-free-sim", sim.item, text, remove)
    elif service is not None and not live and not subscriber.is_dormant:
        text = f"its service {service.service_id} is over, but the HSS {peer} serves it with {subscriber.msisdn}"
        yield _finding("subscriber-of-ended-service", sim.item, text, remove)
    elif live and service is not None and sim.numbers and subscriber.msisdn not in sim.numbers:
        known = subscriber.msisdn or "no number"
        held = ", ".join(sorted(sim.numbers))
        text = f"the HSS {peer} knows it with {known}, its service {service.service_id} has {held}"
        mend = f"correct msisdn at {peer}/subscriber/{sim.imsi}"
        yield _finding("subscriber-with-other-number", sim.item, text, mend)


def unknown_subscriber(peer: str, subscriber: Subscriber) -> Finding:
    text = f"the HSS {peer} serves an IMSI of which there is no SIM in the stock"
    mend = f"add the SIM to the stock, or DELETE {peer}/subscriber/{subscriber.imsi}"
    return Finding("subscriber-without-sim", "subscriber", subscriber.imsi, subscriber.msisdn, text, mend)
