"""Simple provisioning: a recurring charge or a quick recharge of a service, asked for without a user (PROV-198..205).

Asking twice is harmless (PC-26, decision 14). While a job for the same service and product works, and for 60 seconds
after it succeeded, a call is answered with that job. A renewal is charged once in its period besides: a call less
than half a period away from a renewal that went through (at most 15 days, for plans run monthly whatever the
contract says) is a repeat of it. A run of a charging plan counts at the time that it was due and repeats a job of its
own period only, so that one which comes late after an outage takes nothing from the next.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from omnicrm.domain import alerts
from omnicrm.domain.action import Ctx, Door, action
from omnicrm.domain.actor import Actor
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.customers import rules as customer_rules
from omnicrm.domain.customers.models import Customer
from omnicrm.domain.errors import Conflict, Invalid, NotPermitted, Unavailable
from omnicrm.domain.provisioning import rules
from omnicrm.domain.provisioning.charging_alerts import renewal_alert
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.domain.provisioning.orderplays import plays_for_order
from omnicrm.domain.provisioning.placing import Placement, merge, open_job_of, place
from omnicrm.domain.services.models import CustomerService

REPEAT = timedelta(seconds=60)
_LONGEST_GUARD = timedelta(days=15)
ENGINE = Actor("Charging engine", permissions=frozenset({"create_provision"}))


@dataclass(frozen=True)
class Call:
    """`plan_run` names one run of a charging plan, `plan|account|due time`; empty for a call over HTTP."""

    service_id: int
    product_id: int
    plan_run: str = ""
    #: A quick recharge may be repeated as often as somebody pays for it.
    recharge: bool = False
    #: The account whose charging action asks; None for a call over HTTP. It pays for its own service only.
    account: str | None = None


@dataclass(frozen=True)
class Answer:
    """The job, or why there is none. A refusal is no exception, since its entry in the activity log has to stay."""

    job: Provision | None = None
    repeated: bool = False
    refusal: str = ""

    def accepted(self) -> Provision:
        """The job. Raises Conflict with the reason where there is none."""
        if self.job is None:
            raise Conflict(self.refusal)
        return self.job


def start_from_plan(door: Door, service_id: int, product_id: int, key: str, *, account: str, recharge: bool) -> int:
    """Start the job that a charging action of `account` asks for, and answer its id: once for one `key` (OCS-056).

    `key` is `plan|account|due time` (ISO) for the run of a plan, any other unique text else; `recharge` tells a quick
    recharge from a renewal. Raises Conflict or NotFound where the charge is refused for good, Unavailable where it
    should be tried again later.
    """
    try:
        call = Call(service_id, product_id, key, recharge, account)
        return door.act_now(start, ENGINE, call).accepted().provision_id
    except Invalid as error:
        # A play that cannot be read is mended by people; until then the engine goes on asking.
        title, now = f"Service {service_id} cannot be charged for product {product_id}", door.clock()
        detail, link, alert = error.message, f"/services/{service_id}", renewal_alert(service_id, product_id)
        door.db.write(lambda session: alerts.raise_alert(session, alert, title, now, detail=detail, link=link))
        raise Unavailable(f"{title}: {error.message}") from error


@action("provision.simple", permission="create_provision")
def start(ctx: Ctx, cmd: Call) -> Answer:
    """Run a product's play for a service, without a person and without a body (PROV-198, PROV-202)."""
    if ctx.actor.is_customer or ctx.actor.job is not None:
        raise NotPermitted("This is for trusted systems and staff; place an order instead.")
    service = ctx.load(CustomerService, cmd.service_id, name="Service")  # locked: of two calls one sees the other
    product = ctx.load(Product, cmd.product_id, name="Product")
    if cmd.account is not None and cmd.account != service.service_uuid:
        return _refused(ctx, service, f"Account {cmd.account or 'without a name'} is not that of this service")
    renews = not cmd.recharge and (bool(_due(cmd.plan_run)) or _asked_for_renewal(ctx, service, product))
    at = _due(cmd.plan_run) or ctx.now
    key = _request_key(cmd, at, renews)
    known = _known(ctx, cmd, product, key, at if renews else None)
    refusal = why_not_charged(ctx, service, product)
    if known is not None and not (refusal and known.provisioning_status == Status.SUCCESS):
        return Answer(known, repeated=True)
    if refusal:
        return _refused(ctx, service, refusal)
    busy = open_job_of(ctx, service.service_id)
    if busy is not None:
        raise Unavailable(f"Job {busy} is still working on this service. Try again later.", provision_id=busy)
    customer = ctx.session.get_one(Customer, service.customer_id)
    values = {"auto_renew": True} if renews else {}
    plays = plays_for_order(ctx, values, product)
    merged = merge(values, product, service, customer, {}, plays)
    job = Placement(
        customer_id=customer.customer_id,
        product_id=product.product_id,
        service_id=service.service_id,
        plays=plays,
        values=merged.variables,
        dropped=merged.dropped,
        request_key=key,
    )
    alerts.clear_alert(ctx.session, renewal_alert(cmd.service_id, cmd.product_id), ctx.now)
    return Answer(place(ctx, job))


def _refused(ctx: Ctx, service: CustomerService, refusal: str) -> Answer:
    title = f"Not charged: {refusal}"
    ctx.note("service", "refused", title, customer_id=service.customer_id, service_id=service.service_id)
    return Answer(refusal=f"{refusal}; nothing was charged.")


def why_not_charged(ctx: Ctx, service: CustomerService, product: Product) -> str:
    """Why nothing may be charged to a live service (PROV-203); empty where it may."""
    if service.group != "Active" or service.cancel_at is not None:
        return f"Service {service.service_id} is {service.service_status}"
    if not product.enabled:
        return f"{product.product_name} is disabled"
    customer = ctx.session.get_one(Customer, service.customer_id)
    try:
        customer_rules.refuse_order(customer.customer_status, customer.customer_enabled, ctx.settings)
    except Conflict as error:
        return error.message.split(".")[0].split(";")[0]
    return ""


def _due(plan_run: str) -> datetime | None:
    """When the run of a plan was due; None for what is no run of a plan."""
    _, bar, text = plan_run.rpartition("|")
    try:
        found = datetime.fromisoformat(text) if bar else None
    except ValueError:
        return None
    return found and (found if found.tzinfo else found.replace(tzinfo=UTC))


def _prefix(kind: str, service_id: int, product_id: int) -> str:
    return f"{kind} {service_id}/{product_id} "


def _request_key(cmd: Call, at: datetime, renews: bool) -> str:
    """Unique in the table. Two plans that are due for the same service, product and time are one renewal."""
    prefix = _prefix("renewal" if renews else "recharge", cmd.service_id, cmd.product_id)
    if renews or not cmd.plan_run:
        return prefix + at.astimezone(UTC).isoformat()
    return prefix + hashlib.sha256(cmd.plan_run.encode()).hexdigest()


def _known(ctx: Ctx, cmd: Call, product: Product, key: str, renewal_at: datetime | None) -> Provision | None:
    """The job that this call repeats."""
    same = ctx.session.scalars(select(Provision).where(Provision.request_key == key)).one_or_none()
    if same is not None:
        return same
    working = open_job_of(ctx, cmd.service_id)
    for row in _earlier(ctx, cmd.service_id, cmd.product_id):
        origin = _origin(ctx, row)
        paid_at = _paid_period(origin) if renewal_at is not None else None
        of_period = renewal_at is not None and paid_at is not None and abs(paid_at - renewal_at) < _guard(product)
        if _due(cmd.plan_run) and not of_period:
            continue  # of another period, however late it was: this run is neither paid by it nor lost in it
        if origin.request_key and row.provision_id == working:
            return row
        if row.provisioning_status != Status.SUCCESS:
            continue
        if origin.request_key and row.finished_at is not None and ctx.now - row.finished_at < REPEAT:
            return row
        if of_period:
            return row
    return None


def _earlier(ctx: Ctx, service_id: int, product_id: int) -> list[Provision]:
    """Jobs that gave this product to this service, newest first."""
    query = select(Provision).where(
        Provision.service_id == service_id, Provision.product_id == product_id, Provision.action == ""
    )
    return list(ctx.session.scalars(query.order_by(Provision.provision_id.desc()).limit(100)))


def _origin(ctx: Ctx, row: Provision) -> Provision:
    """The job that a person tried again, or the job itself."""
    while row.request_key is None and row.retry_of is not None:
        former = ctx.session.get(Provision, row.retry_of)
        if former is None:
            break
        row = former
    return row


def _paid_period(job: Provision) -> datetime | None:
    """When the period began that a job paid for: a renewal's own time, or that of an order which asked for renewal.

    An order without renewal is an extra, and takes nothing from the next period.
    """
    if job.request_key is None:
        return job.created if rules.renews(json.loads(job.provisioning_json_vars).get("auto_renew")) else None
    kind, _, rest = job.request_key.partition(" ")
    return datetime.fromisoformat(rest.rpartition(" ")[2]) if kind == "renewal" else None


def period_of(product: Product) -> timedelta:
    """The renewal period (PC-32): a month for contracts of 28 to 31 days and for those without, else their days."""
    days = product.contract_days
    return timedelta(days=30 if days == 0 or 28 <= days <= 31 else days)


def _guard(product: Product) -> timedelta:
    return min(period_of(product) / 2, _LONGEST_GUARD)


def _asked_for_renewal(ctx: Ctx, service: CustomerService, product: Product) -> bool:
    """Whether this product renews on this service: the service says so, or the last order of it asked for it."""
    if service.auto_renew and service.product_id == product.product_id:
        return True
    for row in _earlier(ctx, service.service_id, product.product_id):
        values = json.loads(row.provisioning_json_vars)
        if row.provisioning_status == Status.SUCCESS and "auto_renew" in values:
            return rules.renews(values["auto_renew"])
    return False
