"""Databases and column types: what SQLite and MySQL must do alike, and many writers at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.orm import Session

from omnicrm import app as root
from omnicrm import store
from omnicrm.domain.action import Ctx
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.customers.models import Customer, CustomerAttribute, CustomerSite
from omnicrm.domain.identity.models import User
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.resource import RESOURCES, Write
from tests.kernel.conftest import together

ALICE = 1


def provision(**values: Any) -> Provision:
    return Provision(customer_id=ALICE, provisioning_play="play", created=datetime.now(UTC), **values)


def variables(parts: root.Parts, key: int) -> str | None:
    return parts.db.read(
        lambda session: session.scalar(select(Provision.variables).where(Provision.provision_id == key))
    )


def put(parts: root.Parts, row: Any) -> Any:
    """Store a row past the actions, as an import would."""

    def write(session: Session) -> Any:
        session.info.update(actor=SYSTEM, now=datetime.now(UTC), currency="USD")
        session.add(row)
        session.flush()
        return row

    return parts.db.write(write)


# ---- encrypted columns


def test_an_encrypted_column_is_clear_in_code_and_unreadable_in_the_database(parts: root.Parts) -> None:
    key = put(parts, provision(variables='{"password": "hunter2 ✓"}')).provision_id
    assert variables(parts, key) == '{"password": "hunter2 ✓"}'
    with parts.db.engine.connect() as connection:
        raw = connection.execute(text("SELECT variables FROM `Provision`")).scalar_one()
    assert "hunter2" not in raw and len(raw) > 50


def test_one_text_encrypted_twice_looks_different(parts: root.Parts) -> None:
    for _ in range(2):
        put(parts, provision(variables="same"))
    with parts.db.engine.connect() as connection:
        first, second = connection.execute(text("SELECT variables FROM `Provision`")).scalars()
    assert first != second


def test_another_key_is_named_as_the_reason(parts: root.Parts) -> None:
    """A restored database without its secrets must not look like broken data."""
    key = put(parts, provision(variables="secret")).provision_id
    assert parts.settings.security.encryption_key is not None
    store.set_encryption_key(Fernet.generate_key().decode())
    try:
        with pytest.raises(RuntimeError, match=r"encryption_key does not fit.*secrets\.yaml"):
            variables(parts, key)
    finally:
        store.set_encryption_key(parts.settings.security.encryption_key.reveal())


def test_large_texts_fit(parts: root.Parts) -> None:
    """256 KB of variables become more when encrypted; a MySQL TEXT would end at 64 KB."""
    large = "ü" * 200_000
    key = put(parts, provision(variables=large, provisioning_json_vars=large)).provision_id
    row = parts.db.read(lambda session: session.get(Provision, key))
    assert variables(parts, key) == row.provisioning_json_vars == large


# ---- times and money


def test_a_time_without_zone_is_refused(parts: root.Parts) -> None:
    with pytest.raises(StatementError, match="needs its zone"):
        put(parts, provision(started_at=datetime(2025, 1, 1)))


def test_a_time_comes_back_in_utc_with_its_microseconds(parts: root.Parts) -> None:
    moment = datetime(2025, 3, 30, 2, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    key = put(parts, provision(started_at=moment)).provision_id
    row = parts.db.read(lambda session: session.get(Provision, key))
    assert row.started_at == moment
    assert row.started_at.tzinfo is UTC and row.started_at.microsecond == 123456


@pytest.mark.parametrize("value", [1.5, "15", True])
def test_money_is_a_whole_number_of_minor_units(parts: root.Parts, value: Any) -> None:
    template = RESOURCES["inventory_template"].model(item="Modem", retail_cost_minor=value)
    with pytest.raises(StatementError, match="minor units"):
        put(parts, template)


def test_amounts_beyond_four_bytes_and_exact_coordinates_are_kept(parts: root.Parts) -> None:
    template = put(parts, RESOURCES["inventory_template"].model(item="Cable", retail_cost_minor=10**15 + 1))
    site = put(parts, CustomerSite(customer_id=ALICE, latitude=-33.8567844, longitude=151.2152967))
    stored = parts.db.read(lambda s: (s.get(type(template), 1), s.get(CustomerSite, site.site_id)))
    assert stored[0].retail_cost_minor == 10**15 + 1
    assert (stored[1].latitude, stored[1].longitude) == (-33.8567844, 151.2152967)


# ---- tables


def test_an_id_is_never_used_twice(parts: root.Parts) -> None:
    tags, values = RESOURCES["tag"].actions, {"customer_id": ALICE, "tag_text": "VIP", "tag_hex_color": "FFD700"}
    ids = []
    for _ in range(3):
        row = parts.door.act_now(tags["create"], SYSTEM, Write(None, values)).row
        ids.append(row.tag_id)
        parts.door.act_now(tags["delete"], SYSTEM, Write(row.tag_id))
    assert len(set(ids)) == 3 and ids == sorted(ids)


def test_text_is_compared_letter_by_letter_and_keys_without_case(parts: root.Parts) -> None:
    for name in ("tier", "Tier", "tiér"):
        put(parts, CustomerAttribute(customer_id=ALICE, attribute_name=name, attribute_value="x"))
    query = select(CustomerAttribute.attribute_name).where(CustomerAttribute.attribute_name == "tier")
    assert parts.db.read(lambda session: list(session.scalars(query))) == ["tier"]
    user = parts.db.read(
        lambda session: session.scalars(select(User).where(User.email_key == "admin@example.com")).one()
    )
    assert user.username == "admin"


def test_json_changed_in_place_is_stored(parts: root.Parts) -> None:
    now = datetime.now(UTC)
    key = put(parts, Job(kind="x", lane="short", args={"a": 1}, run_at=now, created=now)).job_id

    def change(session: Session) -> None:
        row = session.get_one(Job, key)
        row.args["b"] = [2]

    parts.db.write(change)
    assert parts.db.read(lambda session: session.get(Job, key)).args == {"a": 1, "b": [2]}


def test_a_reference_to_nothing_is_refused_by_both_databases(parts: root.Parts) -> None:
    site = RESOURCES["site"].model(customer_id=999_999)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        put(parts, site)


# ---- many at once


def test_sixty_actions_that_read_and_then_write_one_row_all_count(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: int) -> None:
        row = ctx.load(Customer, ALICE)
        row.tax_identifier = str(int(row.tax_identifier or 0) + 1)

    action = declare(body)
    outcomes = together(60, lambda place: parts.door.act_now(action, SYSTEM, place))
    assert [outcome for outcome in outcomes if outcome is not None] == []
    assert parts.db.read(lambda session: session.get(Customer, ALICE)).tax_identifier == "60"


def test_sixty_attributes_of_one_customer_at_once_are_all_stored(parts: root.Parts) -> None:
    create = RESOURCES["attribute"].actions["create"]

    def add(place: int) -> None:
        values = {"customer_id": ALICE, "attribute_name": f"key_{place}", "attribute_value": "x"}
        parts.door.act_now(create, SYSTEM, Write(None, values))

    assert [outcome for outcome in together(60, add) if outcome is not None] == []
    query = select(func.count()).select_from(CustomerAttribute)
    assert parts.db.read(lambda session: session.scalar(query)) == 60


async def test_handlers_and_threads_write_side_by_side(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: int) -> None:
        row = ctx.load(Customer, ALICE)
        row.tax_identifier = str(int(row.tax_identifier or 0) + 1)

    action = declare(body)
    threads = asyncio.to_thread(together, 20, lambda place: parts.door.act_now(action, SYSTEM, place))
    handlers = [parts.door.act(action, SYSTEM, place) for place in range(20)]
    outcomes, *_ = await asyncio.gather(threads, *handlers)
    assert [outcome for outcome in outcomes if outcome is not None] == []
    assert parts.db.read(lambda session: session.get(Customer, ALICE)).tax_identifier == "40"
    await parts.db.aclose()


def test_two_processes_write_side_by_side(parts: root.Parts, declare: Any) -> None:
    """Web and worker have a lock each: the database itself must let one read and write before the other."""

    def body(ctx: Ctx, cmd: int) -> None:
        row = ctx.load(Customer, ALICE)
        row.tax_identifier = str(int(row.tax_identifier or 0) + 1)

    action, other = declare(body), root.build(parts.settings)
    doors = (parts.door, other.door)
    outcomes = together(30, lambda place: doors[place % 2].act_now(action, SYSTEM, place))
    other.queue.close()
    other.db.close()
    assert [outcome for outcome in outcomes if outcome is not None] == []
    assert parts.db.read(lambda session: session.get(Customer, ALICE)).tax_identifier == "30"


def test_a_reader_is_not_held_up_by_an_open_write(parts: root.Parts, declare: Any) -> None:
    def body(ctx: Ctx, cmd: None) -> str:
        ctx.load(Customer, ALICE).customer_name = "Uncommitted"
        ctx.session.flush()
        return parts.db.read(lambda session: session.get(Customer, ALICE)).customer_name

    assert parts.door.act_now(declare(body), SYSTEM, None) == "Alice Adams"


def test_a_failing_write_leaves_the_writer_s_turn_free(parts: root.Parts) -> None:
    def fail(session: Session) -> None:
        session.execute(text("SELECT no_such_column FROM customer"))

    with pytest.raises(OperationalError):
        parts.db.write(fail)
    assert parts.db.write(lambda session: session.scalar(select(func.count()).select_from(Customer))) == 2
