"""One request at work: typed access to the documents, and the journal of what a provisioning job changes.

`Call` is what every method gets. It is made anew when a transaction is tried again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec
from sqlalchemy import delete, select

from omnicrm.domain.charging import models, seeds
from omnicrm.domain.charging.account import Account
from omnicrm.domain.charging.documents import ActionSet, Plan
from omnicrm.domain.charging.ports import EngineError, JobRef
from omnicrm.domain.charging.storage import ACCOUNTS, ACTIONS, LINKS, PLAN_RUNS, PLANS, PROFILES, Reader, Sheet, Tx
from omnicrm.domain.charging.timing import next_run

_encode = msgspec.json.Encoder(decimal_format="number").encode
decode_account = msgspec.json.Decoder(Account).decode
_decode_actions = msgspec.json.Decoder(ActionSet).decode
_decode_plan = msgspec.json.Decoder(Plan).decode
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
    notes: list[str] = field(default_factory=list)
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

    def save_account(self, tenant: str, name: str, account: Account) -> None:
        if self.job is not None:
            self._journal_account(tenant, name, account)
        before = self.touched.get((tenant, name), (self.rows.get(ACCOUNTS, tenant, name), account))[0]
        self.touched[tenant, name] = before, account
        self.tx.put(ACCOUNTS, (tenant, name), _encode(account).decode())

    def remove_account(self, tenant: str, name: str) -> None:
        """Removes the account and takes it from its plans."""
        self.tx.delete(ACCOUNTS, tenant, name)
        self.touched.pop((tenant, name), None)
        for plan_id in self.plans_of(tenant, name):
            self.detach(plan_id, tenant, name)
        self.forget("account", tenant, name)

    # Actions and plans

    def actions(self, actions_id: str) -> ActionSet | None:
        body = self._seeded(ACTIONS, actions_id)
        return None if body is None else _decode_actions(body)

    def save_actions(self, actions_id: str, actions: ActionSet) -> None:
        self._save("actions", "", actions_id, ACTIONS, (actions_id,), actions)

    def remove_actions(self, actions_id: str) -> None:
        self.tx.delete(ACTIONS, actions_id)
        self.forget("actions", "", actions_id)

    def plan(self, plan_id: str) -> Plan | None:
        body = self.rows.get(PLANS, plan_id)
        return None if body is None else _decode_plan(body)

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
        self.tx.delete(PLANS, plan_id)
        for timing in self.next_runs(plan_id):
            self.tx.delete(PLAN_RUNS, plan_id, timing)
        for tenant, name in self.accounts_of(plan_id):
            self.detach(plan_id, tenant, name)
        self.forget("action_plan", "", plan_id)

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
        self.tx.put(LINKS, (plan_id, tenant, name), time.time_ns())
        self.record("attachment", tenant, name, plan_id)

    def detach(self, plan_id: str, tenant: str, name: str) -> None:
        self.tx.delete(LINKS, plan_id, tenant, name)
        self.forget("attachment", tenant, name, plan_id)

    # Profiles: attribute, filter, charger, destination

    def profile(self, kind: str, tenant: str, ident: str) -> Any | None:
        body = self._seeded(PROFILES, kind, tenant, ident)
        return None if body is None else _decode_profile(body)

    def save_profile(self, kind: str, tenant: str, ident: str, document: Any) -> None:
        self._save(kind, tenant, ident, PROFILES, (kind, tenant, ident), document)

    def remove_profile(self, kind: str, tenant: str, ident: str) -> None:
        self.tx.delete(PROFILES, kind, tenant, ident)
        self.forget(kind, tenant, ident)

    def profiles(self, kind: str, tenant: str) -> dict[str, Any]:
        """Documents of a kind by id."""
        return {key[2]: _decode_profile(body) for key, body in self.rows.rows(PROFILES, kind=kind, tenant=tenant)}

    # The journal (decision 29)

    def note(self, text: str) -> None:
        """A play fix acted; the job's page shows the text."""
        self.notes.append(text)

    def record(self, kind: str, tenant: str, ident: str, detail: str = "") -> None:
        """Journals what a job made."""
        if self.job is not None:
            self.tx.append(
                models.journal,
                provision_id=self.job.provision_id,
                kind=kind,
                tenant=tenant,
                ident=ident,
                detail=detail,
                created_at=self.now.replace(tzinfo=None),
            )

    def made_by_job(self, kind: str, tenant: str, ident: str) -> bool:
        """True when the asking job made this, in an earlier request or in this one."""
        if self.job is None:
            return False
        for where, row in self.tx.appended:
            if where is models.journal and (row["kind"], row["tenant"], row["ident"]) == (kind, tenant, ident):
                return True
        table = models.journal.c
        found = select(table.id).where(
            table.kind == kind,
            table.tenant == tenant,
            table.ident == ident,
            table.provision_id == self.job.provision_id,
        )
        return self.tx.connection.execute(found).first() is not None

    def forget(self, kind: str, tenant: str, ident: str, detail: str = "") -> None:
        """What is removed needs no undoing. Of an attachment the plan is named by `detail`."""
        table = models.journal.c
        statement = delete(models.journal).where(table.kind == kind, table.tenant == tenant, table.ident == ident)
        self.tx.later(statement.where(table.detail == detail) if detail else statement)

    def _journal_account(self, tenant: str, name: str, account: Account) -> None:
        before = self.account(tenant, name)
        if before is None:
            self.record("account", tenant, name)
        elif not self.made_by_job("account", tenant, name):
            old = {balance.uuid: balance.value for _, balance in before.every_bucket()}
            for kind, balance in account.every_bucket():
                change = balance.value - old.get(balance.uuid, 0)
                if change or balance.uuid not in old:
                    self.record("balance", tenant, f"{name}\n{kind}\n{balance.uuid}", str(change))

    def _save(self, kind: str, tenant: str, ident: str, sheet: Sheet, key: tuple[str, ...], document: Any) -> None:
        if self.job is not None and self.rows.get(sheet, *key) is None:
            self.record(kind, tenant, ident)
        self.tx.put(sheet, key, _encode(document).decode())

    def _seeded(self, sheet: Sheet, *key: str) -> Any | None:
        body = self.rows.get(sheet, *key)
        if body is None and self.fixes:
            return seeds.BODIES.get((sheet.table.name, key))
        return body
