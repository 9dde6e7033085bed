"""Who is told of a failed job, what the mail says, and what happens when it cannot be sent (PROV-190..195)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from omnicrm import app as root
from omnicrm.domain import alerts
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.jobs import Job
from omnicrm.domain.messaging.ports import Letters, Mailer
from omnicrm.domain.provisioning import failure_mail
from omnicrm.domain.provisioning.failure_report import failure_report
from omnicrm.domain.provisioning.models import Provision
from omnicrm.integrations.mailjet import MailjetClient
from omnicrm.integrations.sandbox import SandboxStore
from omnicrm.integrations.sandbox.faults import Fault
from omnicrm.settings.secret import Secret
from omnicrm.worker import Workers
from tests.failure_mail.conftest import TIMEOUT, later, run_due
from tests.pages import shop

Failed = Callable[..., int]
Tell = Callable[[int], None]
Mails = Callable[[], list[Any]]


def states(parts: root.Parts, kind: str) -> list[tuple[str, int]]:
    query = select(Job.state, Job.attempts).where(Job.kind == kind).order_by(Job.job_id)
    return parts.door.read_now(lambda session: [tuple(row) for row in session.execute(query)])


def raised(parts: root.Parts) -> list[tuple[str, str]]:
    return parts.door.read_now(lambda session: [(row.title, row.detail) for row in alerts.open_alerts(session)])


def test_every_address_of_the_list_gets_one_mail(parts: root.Parts, failed: Failed, tell: Tell, mails: Mails) -> None:
    job = failed()
    tell(job)
    assert sorted(mail.recipients for mail in mails()) == ["noc@example.com", "ops@example.com"]
    assert all(f"(job {job})" in mail.subject and "Alice Adams" in mail.subject for mail in mails())


def test_a_job_that_tells_of_itself_again_is_not_mailed_again(failed: Failed, tell: Tell, mails: Mails) -> None:
    job = failed()
    tell(job)
    tell(job)
    assert len(mails()) == 2


@pytest.mark.parametrize("status", [0, 1])
def test_a_job_that_did_not_fail_is_no_mail(status: int, failed: Failed, tell: Tell, mails: Mails) -> None:
    tell(failed(events=[("Send the SMS", 3, {}, "no answer")], provisioning_status=status))
    assert mails() == []


def test_the_mail_tells_customer_play_error_and_link(failed: Failed, tell: Tell, mails: Mails) -> None:
    job = failed()
    tell(job)
    mail = mails()[0]
    for text in (mail.html, mail.text):
        assert "Alice Adams" in text and "play_line" in text and "The switch said no." in text
        assert f"https://crm.test/provisioning/{job}" in text


def test_tasks_are_green_orange_and_red_and_only_the_red_ones_show_their_output(
    parts: root.Parts, failed: Failed
) -> None:
    job = failed(
        events=[
            ("Get the product", 0, {"json": "of the good one"}, ""),
            ("Send the SMS", 3, {"json": "of the ignored one"}, "no answer"),
            ("Tell the switch", 2, {"json": {"cause": "of the bad one"}}, "Status code was 500"),
        ]
    )
    report = parts.door.read_now(failure_report, parts.settings, job)
    html, text = parts.ports[Letters].render("provision_failure", report)
    for name, color in (("Get the product", "#1b7f3b"), ("Send the SMS", "#a85400"), ("Tell the switch", "#c0262d")):
        line = next(line for line in html.splitlines() if name in line)
        assert color in line
    assert "Status code was 500" in html and "of the bad one" in html and "of the bad one" in text
    assert "of the good one" not in html and "of the ignored one" not in html


def test_a_play_that_could_not_be_run_tells_code_output_causes_and_variables(parts: root.Parts, failed: Failed) -> None:
    detail = {"exit_code": 4, "output": "ERROR! a syntax error", "common_causes": ["a file is missing"]}
    variables = '{"package": "Gold", "password": "hunter22"}'
    job = failed(events=[("Fatal error", 2, detail, "a syntax error")], provisioning_json_vars=variables)
    report = parts.door.read_now(failure_report, parts.settings, job)
    for body in parts.ports[Letters].render("provision_failure", report):
        for expected in ("exit code: 4", "ERROR! a syntax error", "a file is missing", "Gold"):
            assert expected in body
        assert "hunter22" not in body


def test_what_is_left_is_in_the_mail(parts: root.Parts, failed: Failed) -> None:
    left = '[{"where": "HSS http://10.0.0.9", "what": "Delete the subscriber", "text": "connection refused"}]'
    report = parts.door.read_now(failure_report, parts.settings, failed(leftovers=left))
    for body in parts.ports[Letters].render("provision_failure", report):
        assert "Delete the subscriber" in body and "http://10.0.0.9" in body and "connection refused" in body


def test_secrets_of_the_configuration_never_leave_by_mail(parts: root.Parts, failed: Failed) -> None:
    secret = "t" * 64
    job = failed(
        error=f"refused {secret}",
        events=[(f"Say {secret}", 2, {"msg": f"with {secret}", "h": {"Authorization": "Bearer abcdefgh1"}}, secret)],
        leftovers=f'[{{"where": "x", "what": "{secret}", "text": "{secret}"}}]',
    )
    report = parts.door.read_now(failure_report, parts.settings, job)
    for body in parts.ports[Letters].render("provision_failure", report):
        assert secret not in body and "abcdefgh1" not in body and "********" in body


def test_what_a_customer_typed_is_text_in_the_mail(parts: root.Parts, failed: Failed) -> None:
    report = parts.door.read_now(failure_report, parts.settings, failed(error="<img src=x onerror=alert(1)> {{ 7*7 }}"))
    html, text = parts.ports[Letters].render("provision_failure", report)
    assert "<img" not in html and "{{ 7*7 }}" in html
    assert "<img src=x" in text


def test_no_answer_is_settled_by_asking_and_the_mail_is_not_sent_twice(
    parts: root.Parts,
    failed: Failed,
    tell: Tell,
    mails: Mails,
    store: SandboxStore,
) -> None:
    """The provider takes both mails, but its answers come after our time limit."""
    store.set_fault("mailjet", Fault("late", seconds=TIMEOUT + 2, method="POST"))
    tell(failed())
    assert states(parts, "mail.provision_failure") == [("queued", 1), ("queued", 1)]
    store.set_fault("mailjet", Fault())
    later(parts, 20)
    run_due(parts)
    assert states(parts, "mail.provision_failure") == [("done", 2), ("done", 2)]
    assert len(mails()) == 2


def test_a_provider_that_was_down_gets_the_mail_later(
    parts: root.Parts,
    failed: Failed,
    tell: Tell,
    mails: Mails,
    store: SandboxStore,
) -> None:
    store.set_fault("mailjet", Fault("500"))
    tell(failed())
    assert mails() == []
    store.set_fault("mailjet", Fault())
    later(parts, 20)
    run_due(parts)
    assert len(mails()) == 2
    assert raised(parts) == []


def test_a_refusal_raises_an_alert_and_changes_nothing_at_the_job(
    backend: str, parts: root.Parts, failed: Failed, tell: Tell
) -> None:
    job = failed()
    parts.ports[Mailer] = MailjetClient("http://127.0.0.1:9", None, None)
    tell(job)
    title, detail = raised(parts)[0]
    assert title == f"The mail about failed job {job} was not sent"
    assert "mailjet.api_key" in detail
    row = parts.door.read_now(lambda session: session.get(Provision, job))
    assert (row.provisioning_status, row.error) == (2, "The switch said no.")
    assert states(parts, "mail.provision_failure") == [("done", 1), ("done", 1)]


def test_tries_that_are_used_up_raise_an_alert(parts: root.Parts, failed: Failed, tell: Tell) -> None:
    job = failed()
    parts.ports[Mailer] = MailjetClient("http://127.0.0.1:9", Secret("key"), Secret("secret"), TIMEOUT)
    tell(job)
    assert raised(parts) == []
    for _ in range(7):
        later(parts, 3700)
        run_due(parts)
    assert states(parts, "mail.provision_failure") == [("failed", 8), ("failed", 8)]
    title, reason = f"The mail about failed job {job} was not sent", "Mailjet did not answer: ConnectError."
    assert sorted(raised(parts)) == [(title, f"To {one}@example.com: {reason}") for one in ("noc", "ops")]


def test_a_mail_whose_last_try_came_through_unheard_is_no_alert(
    parts: root.Parts, failed: Failed, tell: Tell, mails: Mails, store: SandboxStore
) -> None:
    store.set_fault("mailjet", Fault("late", seconds=TIMEOUT + 2, method="POST"))
    tell(failed())
    lose = update(Job).where(Job.kind == "mail.provision_failure").values(attempts=7)
    parts.db.write(lambda session: session.execute(lose))
    store.set_fault("mailjet", Fault("500"))
    later(parts, 3700)
    chosen = select(Job.job_id).where(Job.kind == "mail.provision_failure")
    for job_id in parts.door.read_now(lambda session: list(session.scalars(chosen))):
        Workers(parts.queue, parts.runtime).run(job_id)
    assert states(parts, "mail.provision_failure_unsent") == [("queued", 0), ("queued", 0)]
    store.set_fault("mailjet", Fault())
    run_due(parts)
    assert raised(parts) == []


def test_mails_of_two_installations_have_different_keys(parts: root.Parts, failed: Failed) -> None:
    row = parts.door.read_now(lambda session, job=failed(): session.get(Provision, job))
    key = failure_mail.mail_key(parts.settings, row, "ops@example.com")
    assert key != failure_mail.mail_key(parts.settings, row, "noc@example.com")
    assert len(failure_mail.mail_key(parts.settings, Provision(provision_id=2**63, created=row.created), "a@b.c")) <= 64


def test_the_end_of_a_job_asks_for_one_round_of_mails(backend: str, parts: root.Parts, failed: Failed) -> None:
    """`provision.failure_mail` may run twice: a worker may die between the first run and its end."""
    job = failed()
    for _ in range(2):
        parts.door.act_now(failure_mail.tell_failure, SYSTEM, job)
    assert states(parts, "mail.provision_failure") == [("queued", 0), ("queued", 0)]


@pytest.mark.parametrize(("succeeded", "told"), [(False, 2), (True, 0)])
async def test_the_end_of_a_job_tells_of_a_failure_by_itself(
    parts: root.Parts, admin: Any, cast: Any, mailjet: MailjetClient, mails: Mails, succeeded: bool, told: int
) -> None:
    parts.ports[Mailer] = mailjet
    order = {"product_id": await shop.product(admin), "customer_id": cast.alice_customer}
    job = (await admin.put("/crm/provision/", order)).json()["provision_id"]
    shop.ended(parts, job, succeeded, "The switch said no.")
    await asyncio.to_thread(run_due, parts)
    assert len(mails()) == told
