"""What the mail about a failed job says, read from the job and redacted once more (PROV-191, PC-09)."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.customers.models import Customer
from omnicrm.domain.provisioning import leftovers
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent, Status
from omnicrm.domain.provisioning.redact import Redactor
from omnicrm.domain.services.models import CustomerService
from omnicrm.settings import Settings

#: The name of the event that stands for a play that could not be run at all (chapter 17, fatal errors).
FATAL = "Fatal error"
#: A mail has to open on a phone: more tasks, or more tasks with their whole output, are left to the job's page.
_MAX_TASKS = 300
_MAX_OUTPUTS = 20


def failure_report(session: Session, settings: Settings, provision_id: int) -> dict[str, Any] | None:
    """The values of templates/mail/provision_failure; None unless the job has failed (PROV-190).

    `tasks`: list of {name, status, skipped, message, output}; `output` is the redacted result of a task that failed for
    good. `fatal`: {exit_code, output, causes, variables} of a play that could not be run, else None.
    """
    found = session.execute(
        select(Provision, Customer, Product, CustomerService)
        .join(Customer, Customer.customer_id == Provision.customer_id)
        .outerjoin(Product, Product.product_id == Provision.product_id)
        .outerjoin(CustomerService, CustomerService.service_id == Provision.service_id)
        .where(Provision.provision_id == provision_id)
    ).one_or_none()
    if found is None or found[0].provisioning_status != Status.FAILED:
        return None
    row, customer, product, service = found
    clean = Redactor(settings.secret_values())
    events = session.scalars(
        select(ProvisionEvent).where(ProvisionEvent.provision_id == provision_id).order_by(ProvisionEvent.event_number)
    ).all()
    fatal = next((event for event in events if event.event_name == FATAL), None)
    return {
        "company": settings.branding.company_name,
        "link": f"{settings.crm.public_url.rstrip('/')}/provisioning/{provision_id}",
        "job": row,
        "customer": customer,
        "product": product,
        "service": service,
        "error": clean.text(row.error),
        "tasks": _tasks(events, clean),
        "more_tasks": max(0, len(events) - _MAX_TASKS),
        "fatal": fatal and _fatal(fatal, row, clean),
        "leftovers": [
            {"where": clean.text(left.where), "what": clean.text(left.what), "text": clean.text(left.text)}
            for left in leftovers.load(row.leftovers)
        ],
    }


def _tasks(events: Any, clean: Redactor) -> list[dict[str, Any]]:
    tasks, outputs = [], 0
    for event in events[:_MAX_TASKS]:
        critical = event.provisioning_status == Status.FAILED and event.event_name != FATAL
        output = ""
        if critical and outputs < _MAX_OUTPUTS:
            outputs += 1
            output = _pretty(event.provisioning_result_json, clean)
        tasks.append(
            {
                "name": clean.text(event.event_name),
                "status": event.provisioning_status,
                "skipped": event.skipped,
                "message": clean.text(event.message),
                "output": output,
            }
        )
    return tasks


def _fatal(event: ProvisionEvent, row: Provision, clean: Redactor) -> dict[str, Any]:
    detail = _object(event.provisioning_result_json)
    causes = detail.get("common_causes")
    return {
        "exit_code": detail.get("exit_code"),
        "output": clean.text(str(detail.get("output") or "")),
        "causes": [clean.text(str(cause)) for cause in causes] if isinstance(causes, list) else [],
        "variables": _pretty(row.provisioning_json_vars, clean),
    }


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _pretty(text: str, clean: Redactor) -> str:
    """Stored JSON with one value a line; empty for an empty object."""
    found = clean.value(_object(text))
    return json.dumps(found, indent=2, ensure_ascii=False) if found else ""
