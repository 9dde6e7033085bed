"""The one door for writes: permission, one transaction, the activity log, jobs after the commit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from omnicrm import app as root
from omnicrm.domain.action import PUBLIC, Ctx
from omnicrm.domain.activity import CustomerActivity
from omnicrm.domain.actor import SYSTEM, Actor
from omnicrm.domain.customers.models import Customer, CustomerTag
from omnicrm.domain.errors import Conflict, Invalid, NotFound, NotPermitted
from omnicrm.domain.identity.models import User
from omnicrm.domain.inventory.models import Inventory, InventoryTemplate
from omnicrm.domain.jobs import Job
from omnicrm.domain.resource import RESOURCES, Write

ALICE = 1
BOSS = Actor("boss", 1, frozenset({"admin"}), ip_address="192.0.2.7")


def entries(parts: root.Parts, **where: Any) -> list[CustomerActivity]:
    query = select(CustomerActivity).filter_by(**where).order_by(CustomerActivity.activity_id)
    return parts.door.read_now(lambda session: list(session.scalars(query)))


def count(parts: root.Parts, model: type[Any]) -> int:
    return parts.door.read_now(lambda session: session.scalar(select(func.count()).select_from(model))) or 0


def name_of(parts: root.Parts, customer_id: int = ALICE) -> str:
    return parts.door.read_now(lambda session: session.get(Customer, customer_id)).customer_name


@pytest.mark.parametrize("error", [RuntimeError("broken"), Invalid({"field": "bad"}), KeyboardInterrupt()])
def test_an_exception_leaves_nothing_behind(parts: root.Parts, declare: Any, kind: Any, error: BaseException) -> None:
    woken: list[Any] = []
    parts.door.wake = woken.extend
    kind("greet")
    before = (count(parts, Job), count(parts, CustomerActivity), count(parts, Customer))

    def body(ctx: Ctx, cmd: None) -> None:
        ctx.load(Customer, ALICE).customer_name = "Changed"
        ctx.session.add(_customer("New"))
        ctx.session.flush()
        ctx.note("customer", "note", "Half done")
        ctx.later("greet", ALICE)
        ctx.session.flush()
        raise error

    with pytest.raises(type(error)):
        parts.door.act_now(declare(body), BOSS, None)
    assert (count(parts, Job), count(parts, CustomerActivity), count(parts, Customer)) == before
    assert name_of(parts) == "Alice Adams"
    assert woken == []


def _customer(name: str) -> Customer:
    words = {"customer_account_type": "Individual", "customer_status": "Open", "customer_payment_type": "prepaid"}
    return Customer(customer_name=name, **words)


def test_a_write_outside_an_action_is_refused(parts: root.Parts) -> None:
    def rename(session: Any) -> None:
        session.get(Customer, ALICE).customer_name = "Sneaky"

    with pytest.raises(RuntimeError, match="Customer was written outside an action"):
        parts.db.write(rename)
    with pytest.raises(RuntimeError, match="outside an action"):
        parts.db.write(lambda session: session.delete(session.get(Customer, ALICE)))
    assert name_of(parts) == "Alice Adams"


@pytest.mark.parametrize(
    "statement",
    [
        update(Customer).values(customer_notes="all"),
        delete(CustomerTag),
        insert(CustomerTag).values(customer_id=ALICE, tag_text="x", tag_hex_color="FFFFFF"),
    ],
    ids=["update", "delete", "insert"],
)
def test_a_statement_that_passes_the_log_by_is_refused(parts: root.Parts, declare: Any, statement: Any) -> None:
    action = declare(lambda ctx, cmd: ctx.session.execute(statement))
    with pytest.raises(RuntimeError, match="leaves no activity entry"):
        parts.door.act_now(action, BOSS, None)
    assert parts.door.read_now(lambda session: session.get(Customer, ALICE)).customer_notes == ""


def test_an_action_marked_for_it_may_change_many_rows_and_its_entries_share_a_batch(
    parts: root.Parts, declare: Any
) -> None:
    def body(ctx: Ctx, cmd: None) -> None:
        ctx.session.execute(update(Customer).values(customer_notes="all"))
        for customer in ctx.session.scalars(select(Customer)):
            customer.tax_identifier = "GB1"

    parts.door.act_now(declare(body, bulk=True), BOSS, None)
    rows = entries(parts, user_name="boss")
    assert len(rows) == 2
    assert len({row.batch_id for row in rows}) == 1 and rows[0].batch_id
    assert parts.door.read_now(lambda session: session.get(Customer, ALICE)).customer_notes == "all"


def test_a_broken_constraint_is_a_conflict(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: None) -> None:
        for _ in range(2):
            ctx.session.add(InventoryTemplate(item="Modem"))

    with pytest.raises(Conflict, match="came first"):
        parts.door.act_now(declare(body), BOSS, None)
    assert count(parts, InventoryTemplate) == 0


def test_changes_of_several_flushes_become_one_entry(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: None) -> None:
        row = ctx.load(Customer, ALICE)
        for name in ("One", "Two", "Three"):
            row.customer_name = name
            ctx.session.flush()
        row.tax_identifier = "GB1"

    parts.door.act_now(declare(body), BOSS, None)
    (entry,) = entries(parts, user_name="boss")
    assert entry.changes == {"customer_name": ["Alice Adams", "Three"], "tax_identifier": ["", "GB1"]}
    assert (entry.action, entry.entity_type, entry.entity_id) == ("update", "customer", ALICE)
    assert (entry.customer_id, entry.user_id, entry.ip_address) == (ALICE, 1, "192.0.2.7")
    assert entry.title == "Customer Three changed"


def test_a_value_that_ends_as_it_began_is_no_change(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: None) -> None:
        row = ctx.load(Customer, ALICE)
        for name in ("Other", "Alice Adams"):
            row.customer_name = name
            ctx.session.flush()

    parts.door.act_now(declare(body), BOSS, None)
    assert entries(parts, user_name="boss") == []


def test_a_new_record_that_is_changed_again_is_one_creation(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: None) -> Customer:
        row = _customer("First")
        ctx.session.add(row)
        ctx.session.flush()
        row.customer_name = "Second"
        return row

    made = parts.door.act_now(declare(body), BOSS, None)
    (entry,) = entries(parts, user_name="boss")
    assert (entry.action, entry.entity_id) == ("create", made.customer_id)
    assert entry.changes["customer_name"] == [None, "Second"]


def test_an_attribute_set_before_it_was_read_still_knows_its_old_value(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: None) -> None:
        row = ctx.load(Customer, ALICE)
        ctx.session.expire(row)
        row.customer_name = "Blind"

    parts.door.act_now(declare(body), BOSS, None)
    (entry,) = entries(parts, user_name="boss")
    assert entry.changes == {"customer_name": ["Alice Adams", "Blind"]}


def test_a_deletion_logs_what_was_there(parts: root.Parts) -> None:
    tags = RESOURCES["tag"].actions
    values = {"customer_id": ALICE, "tag_text": "VIP", "tag_hex_color": "FFD700"}
    tag = parts.door.act_now(tags["create"], BOSS, Write(None, values)).row
    parts.door.act_now(tags["delete"], BOSS, Write(tag.tag_id))
    entry = entries(parts, action="delete")[-1]
    assert entry.changes["tag_text"] == ["VIP", None]
    assert (entry.customer_id, entry.entity_id, entry.title) == (ALICE, tag.tag_id, "Tag VIP deleted")


def test_secrets_are_logged_as_changed_and_nothing_more(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: None) -> None:
        template = InventoryTemplate(item="Modem")
        ctx.session.add(template)
        ctx.session.flush()
        item = Inventory(
            item="Modem", inventory_template_id=template.inventory_template_id, management_password="hunter2"
        )
        ctx.session.add(item)
        ctx.session.flush()
        user = ctx.load(User, 1)
        user.password_hash, user.totp_secret = "$argon2id$new", "JBSWY3DPEHPK3PXP"

    parts.door.act_now(declare(body), BOSS, None)
    rows = entries(parts, user_name="boss")
    logged = {name: pair for row in rows for name, pair in row.changes.items()}
    assert logged["management_password"] == [None, "*** (changed)"]
    assert logged["password_hash"] == ["***", "*** (changed)"]
    assert logged["totp_secret"] == [None, "*** (changed)"]
    text = str([(row.changes, row.title, row.description) for row in rows])
    assert not any(secret in text for secret in ("hunter2", "argon2", "JBSWY3DP"))


def test_the_clock_of_the_door_stamps_every_row(parts: root.Parts, declare: Any) -> None:
    moment = parts.door.clock().replace(year=2030, microsecond=123456)
    parts.door.clock = lambda: moment

    def body(ctx: Ctx, cmd: None) -> Customer:
        assert ctx.now == moment
        row = _customer("New")
        ctx.session.add(row)
        ctx.load(Customer, ALICE).customer_notes = "x"
        return row

    made = parts.door.act_now(declare(body), BOSS, None)
    stored = parts.door.read_now(lambda session: session.get(Customer, made.customer_id))
    assert (stored.created, stored.last_modified) == (moment, moment)
    old = parts.door.read_now(lambda session: session.get(Customer, ALICE))
    assert old.last_modified == moment and old.created < moment


# ---- permission and scope


def test_without_the_permission_the_body_is_not_even_called(parts: root.Parts, declare: Any) -> None:
    called: list[Any] = []
    action = declare(lambda ctx, cmd: called.append(cmd), permission=("create_customer", "update_customer"))
    with pytest.raises(NotPermitted, match="create_customer or update_customer"):
        parts.door.act_now(action, Actor("anybody"), 1)
    assert called == []
    parts.door.act_now(action, Actor("agent", permissions=frozenset({"update_customer"})), 2)
    assert called == [2]
    parts.door.act_now(declare(lambda ctx, cmd: called.append(cmd), "test.open", permission=PUBLIC), Actor("x"), 3)
    assert called == [2, 3]


def test_two_actions_cannot_share_a_name(declare: Any) -> None:
    declare(lambda ctx, cmd: None)
    with pytest.raises(RuntimeError, match=r"two actions are called test\.body"):
        declare(lambda ctx, cmd: None)


def test_a_row_outside_the_conditions_does_not_exist(parts: root.Parts, declare: Any) -> None:
    action = declare(lambda ctx, key: ctx.load(Customer, key, Customer.customer_name == "Bob Brown"))
    with pytest.raises(NotFound, match="customer 1 does not exist"):
        parts.door.act_now(action, BOSS, ALICE)
    assert parts.door.act_now(action, BOSS, 2).customer_name == "Bob Brown"


# ---- jobs


def test_jobs_are_announced_after_the_commit_and_exist_by_then(parts: root.Parts, declare: Any, kind: Any) -> None:
    kind("greet")
    seen: list[tuple[int, str]] = []

    def wake(jobs: list[Job]) -> None:
        ids = [job.job_id for job in jobs]
        query = select(Job.subject_id, Job.state).where(Job.job_id.in_(ids))
        seen.extend(parts.door.read_now(lambda session: session.execute(query).all()))

    parts.door.wake = wake
    parts.door.act_now(declare(lambda ctx, cmd: ctx.later("greet", 7)), BOSS, None)
    assert seen == [(7, "queued")]


def test_one_unique_key_is_one_job(parts: root.Parts, declare: Any, kind: Any) -> None:
    kind("greet")
    action = declare(lambda ctx, cmd: ctx.later("greet", 7, unique_key="greet:2025-01"))
    parts.door.act_now(action, BOSS, None)
    with pytest.raises(Conflict):
        parts.door.act_now(action, BOSS, None)
    assert count(parts, Job) == 1


async def test_handlers_and_threads_share_the_door(parts: root.Parts, declare: Any, kind: Any) -> None:
    """`act` in an event loop and `act_now` in a thread: the same body, log and announcement."""
    kind("greet")
    woken: list[int] = []
    parts.door.wake = lambda jobs: woken.extend(job.job_id for job in jobs)

    def body(ctx: Ctx, name: str) -> str:
        ctx.load(Customer, ALICE).customer_name = name
        ctx.later("greet", ALICE)
        return name

    action = declare(body)
    assert await parts.door.act(action, SYSTEM, "Async") == "Async"
    assert await asyncio.to_thread(parts.door.act_now, action, SYSTEM, "Thread") == "Thread"
    assert len(woken) == len(set(woken)) == 2
    changes = [row.changes["customer_name"] for row in entries(parts, action="update")]
    assert changes == [["Alice Adams", "Async"], ["Async", "Thread"]]
    await parts.db.aclose()


async def test_a_handler_that_is_cancelled_while_it_waits_gives_its_turn_back(parts: root.Parts, declare: Any) -> None:
    """A client that hangs up while another writer holds SQLite must not block all writers after it."""
    if not parts.db.is_sqlite:
        pytest.skip("MySQL has no writer's turn")
    action = declare(lambda ctx, cmd: cmd)
    parts.db._writer.acquire()
    waiting = asyncio.create_task(parts.door.act(action, SYSTEM, 1))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    parts.db._writer.release()
    assert await asyncio.wait_for(parts.door.act(action, SYSTEM, 2), 5) == 2
    await parts.db.aclose()
