"""What each provisioning job made in the engine, and how it is undone (decisions 29 and 30)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select

from omnicrm.domain.charging import models
from omnicrm.domain.charging.account import Account, Balance
from omnicrm.domain.charging.call import Call

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind` is account, balance, attachment, actions, action_plan, attribute, filter, charger, destination or
    trigger_group.

    `ident` is the object's id; of a balance it is account, type and uuid, of an attachment the account. `detail` is a
    balance's change in engine integers, or an attachment's plan.
    """

    kind: str
    tenant: str
    ident: str
    detail: str
    created_at: datetime


def entries(connection: Connection, provision_id: int) -> list[Entry]:
    table = models.journal.c
    rows = connection.execute(
        select(table.kind, table.tenant, table.ident, table.detail, table.created_at)
        .where(table.provision_id == provision_id)
        .order_by(table.id)
    )
    return [Entry(row[0], row[1], row[2], row[3], row[4].replace(tzinfo=UTC)) for row in rows]


def notes(connection: Connection, provision_id: int) -> list[str]:
    table = models.note.c
    statement = select(table.text).where(table.provision_id == provision_id).order_by(table.id)
    return list(connection.execute(statement).scalars())


def write_notes(call: Call, texts: list[str]) -> None:
    """Keeps the notes with the job; without a job they go to the log."""
    for text in texts:
        if call.job is None:
            log.info("Play fix: %s", text)
        else:
            call.tx.append(
                models.note, provision_id=call.job.provision_id, text=text, created_at=call.now.replace(tzinfo=None)
            )


def standing(call: Call, provision_id: int) -> list[str]:
    """What the job made and what is still there, in words, oldest first and each thing once."""
    found = [_words(call, entry) for entry in entries(call.rows.connection, provision_id)]
    return list(dict.fromkeys(text for text in found if text))


def _words(call: Call, entry: Entry) -> str:
    """The entry as people read it, "" for what is gone."""
    kind, tenant, ident = entry.kind, entry.tenant, entry.ident
    match kind:
        case "account" if call.account(tenant, ident) is not None:
            return f"account {ident}"
        case "balance":
            _, name, balance_kind, balance = _bucket(call, entry)
            return f"balance {balance.id or balance.uuid} ({balance_kind}) of {name}" if balance else ""
        case "attachment" if entry.detail in call.plans_of(tenant, ident):
            return f"plan {entry.detail} on account {ident}"
        case "actions" if call.actions(ident) is not None:
            return f"action set {ident}"
        case "action_plan" if call.plan(ident) is not None:
            return f"plan {ident}"
        case "attribute" | "filter" | "charger" if call.profile(kind, tenant, ident) is not None:
            return f"{kind} profile {ident}"
        case "destination" | "trigger_group" if call.profile(kind, tenant, ident) is not None:
            return f"{kind.replace('_', ' ')} {ident}"
    return ""


def undo(call: Call, provision_id: int) -> list[str]:
    """Takes back the job's changes, newest first. What is gone already is passed over."""
    done = []
    for entry in reversed(entries(call.tx.connection, provision_id)):
        if text := _undo_one(call, entry):
            done.append(text)
    call.tx.later(delete(models.journal).where(models.journal.c.provision_id == provision_id))
    return done


def _undo_one(call: Call, entry: Entry) -> str:
    kind, tenant, ident = entry.kind, entry.tenant, entry.ident
    match kind:
        case "account" if call.account(tenant, ident) is not None:
            call.remove_account(tenant, ident)
        case "balance":
            return _undo_balance(call, entry)
        case "attachment" if entry.detail in call.plans_of(tenant, ident):
            call.detach(entry.detail, tenant, ident)
            return f"account {ident} detached from plan {entry.detail}"
        case "actions" if call.actions(ident) is not None:
            call.remove_actions(ident)
        case "action_plan" if call.plan(ident) is not None:
            call.remove_plan(ident)
        case "attribute" | "filter" | "charger" | "destination" | "trigger_group" if call.profile(kind, tenant, ident):
            call.remove_profile(kind, tenant, ident)
        case _:
            return ""
    return f"{kind} {ident} removed"


def _undo_balance(call: Call, entry: Entry) -> str:
    """Takes a change back from a bucket; what was granted and used since may leave it below zero, so it stops at 0."""
    account, name, kind, balance = _bucket(call, entry)
    if account is None or balance is None:
        return ""
    change = int(entry.detail)
    if balance.granted == change and change > 0:
        account.keep(kind, [b for b in account.buckets(kind) if b is not balance])
    else:
        balance.value = balance.value - change if change < 0 else max(balance.value - change, min(balance.value, 0))
        balance.granted = max(balance.granted - max(change, 0), balance.value, 0)
    call.save_account(entry.tenant, name, account)
    return f"balance {balance.id or balance.uuid} of {name} set back"


def _bucket(call: Call, entry: Entry) -> tuple[Account | None, str, str, Balance | None]:
    """Account, its name, the balance type and the bucket that a balance's entry means."""
    name, kind, uuid = entry.ident.split("\n")
    account = call.account(entry.tenant, name)
    buckets = account.buckets(kind) if account else []
    return account, name, kind, next((balance for balance in buckets if balance.uuid == uuid), None)
