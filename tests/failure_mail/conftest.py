"""A Mailjet that answers over HTTP, and jobs that have ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.jobs import Job
from omnicrm.domain.messaging.ports import Mailer
from omnicrm.domain.provisioning import failure_mail
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent
from omnicrm.integrations.mailjet import MailjetClient
from omnicrm.integrations.sandbox import SandboxStore, snapshot
from omnicrm.settings.secret import Secret
from omnicrm.worker import Workers
from tests.sandbox.conftest import base, store  # noqa: F401 - fixtures

#: Long enough for an answer on a busy machine, short enough to wait for it once.
TIMEOUT = 1.0


@pytest.fixture
def extra_settings() -> dict[str, str]:
    return {"provisioning.failure_list": "[ops@example.com, noc@example.com]", "crm.public_url": "https://crm.test"}


@pytest.fixture
def mailjet(base: str) -> MailjetClient:  # noqa: F811
    return MailjetClient(f"{base}/mailjet", Secret("key"), Secret("secret"), TIMEOUT)


@pytest.fixture
def mails(store: SandboxStore) -> Callable[[], list[Any]]:  # noqa: F811
    """What the provider has taken, oldest first."""
    return lambda: list(reversed(snapshot(store, "mailjet").mails))


@pytest.fixture
def failed(parts: root.Parts, mailjet: MailjetClient, cast: Any) -> Callable[..., int]:
    """`failed(error="…", events=[(name, status, result, message)])` is a job of that end; answers its number."""
    parts.ports[Mailer] = mailjet

    def make(events: Any = (), **values: Any) -> int:
        now = parts.door.clock()

        def write(session: Any) -> int:
            session.info.update(actor=SYSTEM, now=now, currency="USD")
            fixed = {"provisioning_play": "play_line", "playbook_description": "A line", "created": now}
            fixed |= {"provisioning_status": 2, "finished_at": now, "error": "The switch said no."}
            row = Provision(customer_id=cast.alice_customer, **fixed | values)
            session.add(row)
            session.flush()
            for number, (name, status, result, message) in enumerate(events, start=1):
                session.add(
                    ProvisionEvent(
                        provision_id=row.provision_id,
                        event_number=number,
                        event_name=name,
                        provisioning_status=status,
                        provisioning_result_json=json.dumps(result),
                        message=message,
                        timestamp=now,
                        ended_at=now,
                    )
                )
            return row.provision_id

        return parts.db.write(write)

    return make


@pytest.fixture
def tell(parts: root.Parts) -> Callable[[int], None]:
    """Ask for the mails about a job, as its end does, and run what is due."""

    def run(provision_id: int) -> None:
        parts.door.act_now(failure_mail.tell_failure, SYSTEM, provision_id)
        run_due(parts)

    return run


def run_due(parts: root.Parts) -> None:
    """Run every queued job of mails that is due, as a worker does."""
    workers = Workers(parts.queue, parts.runtime)
    while True:
        query = select(Job.job_id).where(
            Job.state == "queued", Job.run_at <= parts.door.clock(), Job.kind.contains("fail")
        )
        waiting = parts.door.read_now(lambda session, query=query: list(session.scalars(query)))
        if not waiting:
            return
        for job_id in waiting:
            workers.run(job_id)


def later(parts: root.Parts, seconds: float) -> None:
    """Let the clock of the product run ahead."""
    now = parts.door.clock()
    parts.door.clock = lambda: now + timedelta(seconds=seconds)
