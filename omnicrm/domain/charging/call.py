"""One request at work: typed access to the documents, and the journal of what a provisioning job changes.

`Call` is what every method gets. It is made anew when a transaction is tried again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from omnicrm.domain.charging import seeds
from omnicrm.domain.charging.account import Account
from omnicrm.domain.charging.documents import ActionSet, Plan
from omnicrm.domain.charging.ports import EngineError, JobRef, Trouble
from omnicrm.domain.charging.recording import Key, Recorder
from omnicrm.domain.charging.storage import ACCOUNTS, ACTIONS, LINKS, PLAN_RUNS, PLANS, PROFILES, Reader, Sheet, Tx
from omnicrm.domain.charging.timing import next_run

_encode = msgspec.json.Encoder(decimal_format="number").encode
decode_account = msgspec.json.Decoder(Account).decode
_decode_actions = msgspec.json.Decoder(ActionSet).decode
decode_plan = msgspec.json.Decoder(Plan).decode
_decode_profile = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Call:
    """A request's surroundings: the moment, the defaults, the job that asks, and the rows."""

    rows: Tx | Reader
    now: datetime
    tenant: str
    zone: tzinfo = UTC
    fixes: bool = False
    job: JobRef | None = None
    # The request sets back a job: it is not journalled, and fires no triggers.
    setting_back: bool = False
    notes: list[str] = field(default_factory=list)
    # What staff are told of after the commit.
    troubles: list[Trouble] = field(default_factory=list)
    # Accounts that the request saved: their stored text before, and what they are now.
    touched: dict[tuple[str, str], tuple[str | None, Account]] = field(default_factory=dict)

    @property
    def tx(self) -> Tx:
        """The rows of a request that writes."""
        assert isinstance(self.rows, Tx)
        return self.rows

    @property
    def local_now(self) -> datetime:
        """Now in the engine's time zone, which times of day and month days are meant in."""
        return self.now.astimezone(self.zone)

    def tenant_of(self, params: dict[str, Any]) -> str:
        return params["Tenant"] or self.tenant

    # Accounts

    def account(self, tenant: str, name: str) -> Account | None:
        body = self.rows.get(ACCOUNTS, tenant, name)
        return None if body is None else decode_account(body)

    def existing_account(self, tenant: str, name: str) -> Account:
        account = self.account(tenant, name)
        if account is None:
            raise EngineError("NOT_FOUND")
        return account

    def save_account(self, tenant: str, name: str, account: Account, *, asked: frozenset[str] = frozenset()) -> None:
        """Stores the account; `asked` are those of its settings (recording.SETTINGS) that the request names."""
        if not self.setting_back and (self.job is not None or asked):
            self.recorder.account_saved(tenant, name, self.account(tenant, name), account, asked)
        before = self.touched.get((tenant, name), (self.rows.get(ACCOUNTS, tenant, name), account))[0]
        self.touched[tenant, name] = before, account
        self.tx.put(ACCOUNTS, (tenant, name), _encode(account).decode())

    def remove_account(self, tenant: str, name: str) -> None:
        """Removes the account and takes it from its plans."""
        for plan_id in self.plans_of(tenant, name):
            self.detach(plan_id, tenant, name)
        self._remove("account", tenant, name, ACCOUNTS, (tenant, name))
        self.touched.pop((tenant, name), None)

    # Actions and plans

    def actions(self, actions_id: str) -> ActionSet | None:
        body = self._seeded(ACTIONS, actions_id)
        return None if body is None else _decode_actions(body)

    def save_actions(self, actions_id: str, actions: ActionSet) -> None:
        self._save("actions", "", actions_id, ACTIONS, (actions_id,), actions)

    def remove_actions(self, actions_id: str) -> None:
        self._remove("actions", "", actions_id, ACTIONS, (actions_id,))

    def plan(self, plan_id: str) -> Plan | None:
        body = self.rows.get(PLANS, plan_id)
        return None if body is None else decode_plan(body)

    def save_plan(self, plan_id: str, plan: Plan) -> None:
        """Stores the plan, and the next run of its timings that are new."""
        self._save("action_plan", "", plan_id, PLANS, (plan_id,), plan)
        known = self.next_runs(plan_id)
        for timing in known.keys() - {entry.uuid for entry in plan.entries}:
            self.tx.delete(PLAN_RUNS, plan_id, timing)
        for entry in plan.entries:
            if entry.uuid not in known:
                self.schedule(plan_id, entry.uuid, next_run(entry.timing, self.now, self.zone))

    def remove_plan(self, plan_id: str) -> None:
        for tenant, name in self.accounts_of(plan_id):
            self.detach(plan_id, tenant, name)
        for timing in self.next_runs(plan_id):
            self.tx.delete(PLAN_RUNS, plan_id, timing)
        self._remove("action_plan", "", plan_id, PLANS, (plan_id,))

    def next_runs(self, plan_id: str) -> dict[str, datetime]:
        """Next run of each timing of a plan by the timing's uuid; those that never run again are left out."""
        return {key[1]: moment.replace(tzinfo=UTC) for key, moment in self.rows.rows(PLAN_RUNS, plan_id=plan_id)}

    def schedule(self, plan_id: str, timing: str, moment: datetime | None) -> None:
        """Sets the next run of a plan's timing; None when there is none."""
        if moment is None:
            self.tx.delete(PLAN_RUNS, plan_id, timing)
        else:
            self.tx.put(PLAN_RUNS, (plan_id, timing), moment.replace(tzinfo=None))

    def plan_ids(self) -> list[str]:
        return [key[0] for key, _ in self.rows.rows(PLANS)]

    def plans_of(self, tenant: str, name: str) -> list[str]:
        """Ids of the account's plans in the order of attachment."""
        rows = self.rows.rows(LINKS, tenant=tenant, account=name)
        return [key[0] for key, _ in sorted(rows, key=lambda row: (row[1], row[0]))]

    def accounts_of(self, plan_id: str) -> list[tuple[str, str]]:
        """(tenant, account) of every account of the plan."""
        return [(key[1], key[2]) for key, _ in self.rows.rows(LINKS, plan_id=plan_id)]

    def attach(self, plan_id: str, tenant: str, name: str) -> None:
        """Attaches the account to the plan; one that is attached keeps its place."""
        known = self.rows.get(LINKS, plan_id, tenant, name)
        if known is None:
            self.tx.put(LINKS, (plan_id, tenant, name), time.time_ns())
        self._changed(Key("attachment", tenant, name, plan_id), None if known is None else str(known))

    def detach(self, plan_id: str, tenant: str, name: str) -> None:
        known = self.rows.get(LINKS, plan_id, tenant, name)
        if known is not None:
            self.tx.delete(LINKS, plan_id, tenant, name)
            self._changed(Key("attachment", tenant, name, plan_id), str(known), gone=True)

    # Profiles: attribute, filter, charger, destination

    def profile(self, kind: str, tenant: str, ident: str) -> Any | None:
        body = self._seeded(PROFILES, kind, tenant, ident)
        return None if body is None else _decode_profile(body)

    def save_profile(self, kind: str, tenant: str, ident: str, document: Any) -> None:
        self._save(kind, tenant, ident, PROFILES, (kind, tenant, ident), document)

    def remove_profile(self, kind: str, tenant: str, ident: str) -> None:
        self._remove(kind, tenant, ident, PROFILES, (kind, tenant, ident))

    def profiles(self, kind: str, tenant: str) -> dict[str, Any]:
        """Documents of a kind by id."""
        return {key[2]: _decode_profile(body) for key, body in self.rows.rows(PROFILES, kind=kind, tenant=tenant)}

    # The journal (decision 29)

    def note(self, text: str) -> None:
        """A play fix acted; the job's page shows the text."""
        self.notes.append(text)

    @property
    def recorder(self) -> Recorder:
        return Recorder(self.tx, self.job.provision_id if self.job else None, self.now)

    def made_by_job(self, kind: str, tenant: str, ident: str) -> bool:
        """True when the asking job made this, in an earlier request or in this one."""
        return self.recorder.made(Key(kind, tenant, ident))

    def _changed(self, key: Key, former: str | None, *, gone: bool = False) -> None:
        if not self.setting_back:
            self.recorder.changed(key, former, gone=gone)

    def _save(self, kind: str, tenant: str, ident: str, sheet: Sheet, key: tuple[str, ...], document: Any) -> None:
        former = self.rows.get(sheet, *key)
        self.tx.put(sheet, key, _encode(document).decode())
        self._changed(Key(kind, tenant, ident), former)

    def _remove(self, kind: str, tenant: str, ident: str, sheet: Sheet, key: tuple[str, ...]) -> None:
        former = self.rows.get(sheet, *key)
        if former is not None:
            self.tx.delete(sheet, *key)
            self._changed(Key(kind, tenant, ident), former, gone=True)

    def _seeded(self, sheet: Sheet, *key: str) -> Any | None:
        body = self.rows.get(sheet, *key)
        if body is None and self.fixes:
            return seeds.BODIES.get((sheet.table.name, key))
        return body
