"""Keeps the journal while a request changes things: which job made or changed a thing, and what it was before.

The entries of one thing lie on each other, the newest on top: whose entry is on top has changed it last. A change
without a job makes the thing nobody's, so its entries go. Balances are kept as differences instead, since they go up
and down with use (decisions 29 and 30).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, delete, insert, select

from omnicrm.domain.charging import models
from omnicrm.domain.charging.account import Account, Balance
from omnicrm.domain.charging.storage import Tx
from omnicrm.domain.charging.thresholds import Trigger

#: What of an account is journalled beside its balances.
SETTINGS = ("allow_negative", "disabled", "triggers")
#: Profiles that only count; nothing of a job is in them.
_COUNTERS = frozenset({"threshold_hits"})
encode = msgspec.json.Encoder(decimal_format="number").encode
_table = models.journal.c
#: Of a bucket what use does not change.
_SET_ONCE = tuple(f for f in Balance.__struct_fields__ if f not in ("uuid", "value", "granted", "overwritten"))


class Change(msgspec.Struct):
    """A bucket before and after; None where it was not there."""

    old: Balance | None
    new: Balance | None

    def taken_from(self, balance: Balance) -> Balance | None:
        """The bucket without the change; None when nothing else is in it.

        Of the value the difference is taken back; what was granted and used since may leave it below zero, so it stops
        at 0. Of everything else what the change set and nobody has set since.
        """
        old, new = self.old or Balance(balance.uuid), self.new or Balance(balance.uuid)
        if self.old is None and balance.granted <= max(new.value, 0):
            return None
        left = msgspec.structs.replace(balance)
        difference = new.value - old.value
        left.value -= difference
        if difference >= 0:
            left.value = max(left.value, min(balance.value, 0))
        untouched = self.old is not None and balance.granted == new.granted
        size = old.granted if untouched else balance.granted - max(difference, 0)
        left.granted = max(size, left.value, 0)
        if self.old is None:
            return left
        left.overwritten = old.overwritten
        for field in _SET_ONCE:
            written, former = getattr(new, field), getattr(old, field)
            if written != former and getattr(balance, field) == written:
                setattr(left, field, former)
        return left


@dataclass(frozen=True, slots=True)
class Key:
    """Names a thing in the journal; `detail` is an attachment's plan or an account's setting."""

    kind: str
    tenant: str
    ident: str
    detail: str = ""

    @property
    def rows(self) -> ColumnElement[bool]:
        same = (_table.kind == self.kind, _table.tenant == self.tenant, _table.ident == self.ident)
        return and_(*same, _table.detail == self.detail)


@dataclass(frozen=True, slots=True)
class Recorder:
    """Journals for one request; `provision_id` is that of the job that asks, None without a job."""

    tx: Tx
    provision_id: int | None
    now: datetime

    def changed(self, key: Key, former: str | None, *, gone: bool = False) -> None:
        """Takes over a thing that is written. `former` is its stored text before, None when it was not there; only a
        job's first change counts. What a job made itself and removes again needs no undoing."""
        if key.kind in _COUNTERS:
            return
        if self.provision_id is None:
            self.tx.execute(delete(models.journal).where(key.rows))
            return
        newest = select(_table.id, _table.provision_id, _table.former).where(key.rows).order_by(_table.id.desc())
        top = self.tx.connection.execute(newest.limit(1)).first()
        if top is None or top.provision_id != self.provision_id:
            self._insert(key, former)
        elif gone and top.former is None:
            self.tx.execute(delete(models.journal).where(_table.id == top.id))

    def made(self, key: Key) -> bool:
        """True when the job made this, in an earlier request or in this one."""
        own = select(_table.id).where(key.rows, _table.provision_id == self.provision_id, _table.former.is_(None))
        return self.provision_id is not None and self.tx.connection.execute(own).first() is not None

    def account_saved(
        self, tenant: str, name: str, before: Account | None, after: Account, asked: frozenset[str]
    ) -> None:
        """Takes over what changed of an account, and the settings that were asked for though they stay the same."""
        if self.provision_id is None:
            for setting in asked:
                self.changed(Key("setting", tenant, name, setting), None)
            return
        key = Key("account", tenant, name)
        if before is None:
            self.changed(key, None)
            return
        # An account that another job uses stays when the job that made it is set back.
        others = (_table.provision_id != self.provision_id, _table.former.is_(None))
        self.tx.execute(delete(models.journal).where(key.rows, *others))
        if self.made(key):
            return
        self._balances(tenant, name, before, after)
        for setting in SETTINGS:
            if setting in asked or _lasting(before, setting) != _lasting(after, setting):
                former = encode(getattr(before, setting)).decode()
                self.changed(Key("setting", tenant, name, setting), former)

    def _balances(self, tenant: str, name: str, before: Account, after: Account) -> None:
        old = {balance.uuid: (kind, balance) for kind, balance in before.every_bucket()}
        new = {balance.uuid: (kind, balance) for kind, balance in after.every_bucket()}
        for uuid, (kind, _) in (old | new).items():
            change = Change(old[uuid][1] if uuid in old else None, new[uuid][1] if uuid in new else None)
            run_out = change.new is None and change.old is not None and change.old.expired(self.now)
            if change.old != change.new and not run_out:
                self._insert(Key("balance", tenant, f"{name}\n{kind}\n{uuid}"), encode(change).decode())

    def _insert(self, key: Key, former: str | None) -> None:
        values: dict[str, Any] = {"kind": key.kind, "tenant": key.tenant, "ident": key.ident, "detail": key.detail}
        made = insert(models.journal).values(provision_id=self.provision_id, former=former, **values)
        self.tx.execute(made.values(created_at=self.now.replace(tzinfo=None)))


def _lasting(account: Account, setting: str) -> Any:
    """The setting without what use does to it: whether a trigger has fired, and what it has counted."""
    value = getattr(account, setting)
    return [settled(trigger) for trigger in value] if setting == "triggers" else value


def settled(trigger: Trigger) -> Trigger:
    """The trigger as if it had never fired or counted."""
    return msgspec.structs.replace(trigger, executed=False, last_run=None, counted=0)
