"""What each provisioning job made and changed in the engine, and how it is set back (decisions 29 and 30)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, delete, select, update

from omnicrm.domain.charging import models
from omnicrm.domain.charging.account import Account, Balance
from omnicrm.domain.charging.call import Call, decode_account, decode_plan
from omnicrm.domain.charging.recording import Change, Key, encode, settled
from omnicrm.domain.charging.storage import ACTIONS, PROFILES
from omnicrm.domain.charging.thresholds import Trigger

log = logging.getLogger(__name__)

PROFILE_KINDS = ("attribute", "filter", "charger", "threshold", "destination", "trigger_group")
_change_of = msgspec.json.Decoder(Change).decode
_triggers_of = msgspec.json.Decoder(list[Trigger]).decode


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind` is account, setting, balance, attachment, actions, action_plan or a kind of profile (PROFILE_KINDS).

    `ident` is the object's id; of a balance it is account, type and uuid, of an attachment and a setting the account.
    `detail` is an attachment's plan, or a setting's name. `former` is what was stored before the job's first change,
    None when the job made the thing; of a balance it is a Change.
    """

    id: int
    kind: str
    tenant: str
    ident: str
    detail: str
    former: str | None
    created_at: datetime

    @property
    def key(self) -> Key:
        return Key(self.kind, self.tenant, self.ident, self.detail)


def entries(connection: Connection, provision_id: int) -> list[Entry]:
    """The job's entries, oldest first."""
    table = models.journal.c
    columns = (table.id, table.kind, table.tenant, table.ident, table.detail, table.former, table.created_at)
    rows = connection.execute(select(*columns).where(table.provision_id == provision_id).order_by(table.id))
    return [Entry(*row[:-1], row[-1].replace(tzinfo=UTC)) for row in rows]


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
    """What the job made or changed and what still is so, in words, oldest first and each thing once."""
    connection = call.rows.connection
    found = [
        _words(call, entry)
        for entry in entries(connection, provision_id)
        if entry.kind == "balance" or _above(connection, entry, provision_id) is None
    ]
    return list(dict.fromkeys(text for text in found if text))


def _above(connection: Connection, entry: Entry, provision_id: int) -> int | None:
    """The entry of another job that has changed the same thing next."""
    table = models.journal.c
    later = (table.id > entry.id, table.provision_id != provision_id)
    statement = select(table.id).where(entry.key.rows, *later).order_by(table.id).limit(1)
    return connection.execute(statement).scalar()


def _words(call: Call, entry: Entry) -> str:
    """The entry as people read it, "" for what is no longer as the job left it."""
    if entry.kind == "balance":
        _, name, kind, balance = _bucket(call, entry)
        change = _changed(entry)
        known, left = balance or change.old, balance.overwritten if balance else None
        if known is None or left != (change.new.overwritten if change.new else None):
            return ""
        return f"{'' if balance else 'removed '}balance {known.id or known.uuid} ({kind}) of {name}"
    if entry.kind == "setting":
        account = call.account(entry.tenant, entry.ident)
        same = account is None or _setting(entry, account) == getattr(account, entry.detail)
        return "" if same else f"{entry.detail.replace('_', ' ')} of account {entry.ident}"
    there = _is_there(call, entry)
    if entry.former is None:
        return _name(entry) if there else ""
    if entry.kind in ("attachment", "account"):
        return "" if there else f"removed {_name(entry)}"
    return f"{'changed' if there else 'removed'} {_name(entry)}"


def _name(entry: Entry) -> str:
    match entry.kind:
        case "attachment":
            return f"plan {entry.detail} on account {entry.ident}"
        case "actions":
            return f"action set {entry.ident}"
        case "action_plan":
            return f"plan {entry.ident}"
        case "attribute" | "filter" | "charger" | "threshold":
            return f"{entry.kind} profile {entry.ident}"
    return f"{entry.kind.replace('_', ' ')} {entry.ident}"


def _is_there(call: Call, entry: Entry) -> bool:
    match entry.kind:
        case "account":
            return call.account(entry.tenant, entry.ident) is not None
        case "attachment":
            return entry.detail in call.plans_of(entry.tenant, entry.ident)
        case "actions":
            return call.actions(entry.ident) is not None
        case "action_plan":
            return call.plan(entry.ident) is not None
    return call.profile(entry.kind, entry.tenant, entry.ident) is not None


def undo(call: Call, provision_id: int) -> list[str]:
    """Sets back what the job made and changed, newest first, and says what.

    Left as it is: what has gone since, and what somebody else has written since. What another job has written over is
    given back to how it was before both when that job is set back as well.
    """
    call.setting_back = True
    done = []
    for entry in reversed(entries(call.tx.connection, provision_id)):
        above = None if entry.kind == "balance" else _above(call.tx.connection, entry, provision_id)
        if above is not None:
            call.tx.execute(update(models.journal).where(models.journal.c.id == above).values(former=entry.former))
        elif text := _undo_one(call, entry):
            done.append(text)
    call.tx.execute(delete(models.journal).where(models.journal.c.provision_id == provision_id))
    return done


def _undo_one(call: Call, entry: Entry) -> str:
    match entry.kind:
        case "balance":
            return _undo_balance(call, entry)
        case "setting":
            return _undo_setting(call, entry)
        case "attachment":
            return _undo_attachment(call, entry)
    if entry.former is not None:
        return _put_back(call, entry, entry.former)
    if not _is_there(call, entry):
        return ""
    match entry.kind:
        case "account":
            call.remove_account(entry.tenant, entry.ident)
        case "actions":
            call.remove_actions(entry.ident)
        case "action_plan":
            call.remove_plan(entry.ident)
        case _:
            call.remove_profile(entry.kind, entry.tenant, entry.ident)
    return f"{entry.kind} {entry.ident} removed"


def _put_back(call: Call, entry: Entry, former: str) -> str:
    """Stores again what a job wrote over or removed."""
    kind, tenant, ident = entry.kind, entry.tenant, entry.ident
    match kind:
        case "account" if _is_there(call, entry):
            return ""  # made anew since, with what others have put in
        case "account":
            call.save_account(tenant, ident, decode_account(former))
        case "actions":
            call.tx.put(ACTIONS, (ident,), former)
        case "action_plan":
            call.save_plan(ident, decode_plan(former))
        case _:
            call.tx.put(PROFILES, (kind, tenant, ident), former)
    return f"{kind} {ident} put back"


def _undo_attachment(call: Call, entry: Entry) -> str:
    plan_id, tenant, name = entry.detail, entry.tenant, entry.ident
    attached = plan_id in call.plans_of(tenant, name)
    if entry.former is None and attached:
        call.detach(plan_id, tenant, name)
        return f"account {name} detached from plan {plan_id}"
    if entry.former is not None and not attached and call.plan(plan_id) and call.account(tenant, name):
        call.attach(plan_id, tenant, name)
        return f"account {name} attached to plan {plan_id} again"
    return ""


def _undo_setting(call: Call, entry: Entry) -> str:
    account = call.account(entry.tenant, entry.ident)
    if account is None:
        return ""
    former = _setting(entry, account)
    if getattr(account, entry.detail) == former:
        return ""
    setattr(account, entry.detail, former)
    call.save_account(entry.tenant, entry.ident, account)
    return f"{entry.detail.replace('_', ' ')} of account {entry.ident} set back"


def _setting(entry: Entry, account: Account) -> bool | list[Trigger]:
    """The setting as it was; triggers that have not changed keep what they have counted since."""
    assert entry.former is not None
    if entry.detail != "triggers":
        return entry.former == "true"
    current = {(trigger.group, trigger.ident): trigger for trigger in account.triggers}
    found = []
    for trigger in _triggers_of(entry.former):
        now = current.get((trigger.group, trigger.ident))
        found.append(now if now is not None and settled(now) == settled(trigger) else trigger)
    return found


def _undo_balance(call: Call, entry: Entry) -> str:
    """Takes a change back from a bucket. One that was removed since, or whose value was set anew, holds nothing of the
    job: then the change is taken back from what was lost with that, in case it is set back as well."""
    account, name, kind, balance = _bucket(call, entry)
    change = _changed(entry)
    if account is None:
        return ""
    if change.new is None:
        if balance is not None or change.old is None or change.old.expired(call.now):
            return ""
        account.add(kind, change.old)
    elif balance is None or balance.overwritten != change.new.overwritten:
        _correct_later(call, entry, change)
        return ""
    elif (left := change.taken_from(balance)) is None:
        account.keep(kind, [other for other in account.buckets(kind) if other is not balance])
    else:
        account.keep(kind, [left if other is balance else other for other in account.buckets(kind)])
    call.save_account(entry.tenant, name, account)
    known = balance or change.old
    return f"balance {known.id or known.uuid} of {name} set back" if known else ""


def _correct_later(call: Call, entry: Entry, change: Change) -> None:
    """Takes the change out of what other jobs that removed the bucket or set its value anew would put back."""
    table = models.journal.c
    later = select(table.id, table.former).where(entry.key.rows, table.id > entry.id).order_by(table.id)
    for row in call.tx.connection.execute(later).all():
        other = _change_of(row.former)
        lost = other.new is None or other.old is None or other.new.overwritten != other.old.overwritten
        if lost and change.new and other.old and other.old.overwritten == change.new.overwritten:
            other.old = change.taken_from(other.old)
            former = encode(other).decode()
            call.tx.execute(update(models.journal).where(table.id == row.id).values(former=former))


def _changed(entry: Entry) -> Change:
    assert entry.former is not None
    return _change_of(entry.former)


def _bucket(call: Call, entry: Entry) -> tuple[Account | None, str, str, Balance | None]:
    """Account, its name, the balance type and the bucket that a balance's entry means."""
    name, kind, uuid = entry.ident.split("\n")
    account = call.account(entry.tenant, name)
    buckets = account.buckets(kind) if account else []
    return account, name, kind, next((balance for balance in buckets if balance.uuid == uuid), None)
