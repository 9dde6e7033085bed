"""Telling the operator that a job has failed: one mail for each address of provisioning.failure_list (PROV-190..195).

A job of the queue carries each mail, so that one address that bounces holds up no other, and a provider that is down
is tried again. Whatever becomes of the mails, the provisioning job keeps its state.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from dataclasses import dataclass

from sqlalchemy import select

from omnicrm.domain.action import Ctx, action
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.alerts import raise_alert
from omnicrm.domain.errors import Unavailable
from omnicrm.domain.jobs import Held, Job, Runtime, job
from omnicrm.domain.messaging.ports import Letters, Mail, Mailer, MailRefused
from omnicrm.domain.provisioning.failure_report import failure_report
from omnicrm.domain.provisioning.models import Provision, Status
from omnicrm.settings import Settings

log = logging.getLogger("omnicrm.mail")

#: Of a sender that the configuration does not name; Mailjet refuses it unless the operator validates it.
_DEFAULT_SENDER = "noreply@example.com"


@dataclass(frozen=True)
class Unsent:
    """A mail about `provision_id` to `to` that will not be tried any more, and why; `key` names the mail."""

    provision_id: int
    to: str
    key: str
    reason: str


@action("provision.tell_failure", permission="admin")
def tell_failure(ctx: Ctx, cmd: int) -> None:
    """A mail job for each address; harmless when repeated, and nothing for a job that did not fail."""
    row = ctx.load(Provision, cmd)
    if row.provisioning_status != Status.FAILED:
        return
    for address in sorted({address.lower() for address in ctx.settings.provisioning.failure_list}):
        key = mail_key(ctx.settings, row, address)
        if ctx.session.scalar(select(Job.job_id).where(Job.unique_key == key)) is None:
            ctx.later("mail.provision_failure", row.provision_id, args={"to": address, "key": key}, unique_key=key)


def mail_key(settings: Settings, row: Provision, address: str) -> str:
    """Names one mail among all that an account of the provider ever sends: job numbers of a test system repeat."""
    told = f"{settings.crm.public_url} {row.provision_id} {row.created.isoformat()} {address}"
    return f"omnicrm-job-{row.provision_id}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


@action("provision.failure_unsent", permission="admin")
def failure_unsent(ctx: Ctx, cmd: Unsent) -> None:
    """The provider refused the mail, or could not be reached for half an hour: staff are told on the page instead."""
    row = ctx.load(Provision, cmd.provision_id)
    title = f"The mail about failed job {row.provision_id} was not sent"
    link = f"/provisioning/{row.provision_id}"
    raise_alert(ctx.session, f"mail:{cmd.key}", title, ctx.now, detail=f"To {cmd.to}: {cmd.reason}", link=link)
    ctx.note("provision", "mail_failed", title, customer_id=row.customer_id, entity_id=row.provision_id)


@job("provision.failure_mail", max_attempts=10)
def tell_of_failure(runtime: Runtime, held: Held) -> None:
    """What the end of a failed job asks for."""
    assert held.subject_id is not None
    runtime.door.act_now(tell_failure, SYSTEM, held.subject_id)


@job("mail.provision_failure", max_attempts=8, lost="mail.provision_failure_unsent")
def send_failure_mail(runtime: Runtime, held: Held) -> None:
    """One mail to one address. A repeat asks the provider first: the last try may have come through unheard."""
    assert held.subject_id is not None
    report = runtime.door.read_now(failure_report, runtime.settings, held.subject_id)
    if report is None:
        return
    block = runtime.settings.mailjet.mail("api_crmCommunicationNotification")
    html, text = runtime.port(Letters).render("provision_failure", report)
    mail = Mail(
        key=held.args["key"],
        to=held.args["to"],
        # A template or subject of the operator's own for "all other notices" could not hold the tasks: only its sender
        # is taken.
        subject=f"Provisioning failed: {report['job'].playbook_description or report['job'].provisioning_play}"
        f" for {report['customer'].customer_name} (job {held.subject_id})",
        text=text,
        html=html,
        sender=block.from_email or _DEFAULT_SENDER,
        sender_name=block.from_name or runtime.settings.branding.company_name,
    )
    mailer = runtime.port(Mailer)
    try:
        if held.attempt == 1 or not mailer.has(mail.key):
            mailer.send(mail)
    except MailRefused as refusal:
        log.warning("the mail about job %s was refused: %s", held.subject_id, refusal.message)
        unsent = Unsent(held.subject_id, mail.to, mail.key, refusal.message)
        runtime.door.act_now(failure_unsent, SYSTEM, unsent)


@job("mail.provision_failure_unsent", max_attempts=10)
def answer_unsent(runtime: Runtime, held: Held) -> None:
    """The tries are used up; the last one may have come through unheard."""
    assert held.subject_id is not None
    args = runtime.door.read_now(lambda session: session.get_one(Job, held.args["job_id"]).args)
    with contextlib.suppress(Unavailable, MailRefused):
        if runtime.port(Mailer).has(args["key"]):
            return
    reason = str(held.args.get("reason") or "The mail could not be sent.")
    log.warning("the mail about job %s was given up: %s", held.subject_id, reason)
    runtime.door.act_now(failure_unsent, SYSTEM, Unsent(held.subject_id, args["to"], args["key"], reason))
