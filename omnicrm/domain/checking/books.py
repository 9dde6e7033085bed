"""The engine's records for a check: straight from the embedded engine's database, or over JSON-RPC from any engine.

The embedded engine's tables are read directly: a check of 100,000 accounts then takes a few seconds, it also works
while the product is stopped, and it cannot write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from omnicrm.domain.charging import journal, models, outbox
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.ports import ChargingEngine, EngineError, EngineUnavailable
from omnicrm.domain.charging.storage import Reader
from omnicrm.domain.checking.values import Account

PAGE = 1000


class _Body(msgspec.Struct):
    """The part of an account's document that a check reads."""

    disabled: bool = False


class _Entry(msgspec.Struct):
    actions_id: str


class _Plan(msgspec.Struct):
    """The part of a plan's document that a check reads."""

    entries: list[_Entry]


_decode = msgspec.json.Decoder(_Body).decode
_decode_plan = msgspec.json.Decoder(_Plan).decode


class EmbeddedBooks:
    """Implements ChargingBooks on the embedded engine's own tables. Reads only, and keeps no connection open."""

    def __init__(self, url: str, tenant: str, play_fixes: bool) -> None:
        self.url, self.tenant, self.fixes = make_url(url), tenant, play_fixes

    @cached_property
    def _engine(self) -> Engine:
        if self.url.get_backend_name() != "sqlite":
            address = self.url.set(drivername="mysql+pymysql")
            return create_engine(address, isolation_level="READ COMMITTED", poolclass=NullPool)
        path = Path(self.url.database or "").absolute()
        if not path.is_file():
            raise EngineUnavailable(f"There is no charging database {path}")
        address = URL.create("sqlite", database=path.as_uri(), query={"mode": "ro", "uri": "true"})
        return create_engine(address, poolclass=NullPool)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise EngineUnavailable(f"The charging database cannot be read: {error.orig}") from None

    def _read(self, statement: Any) -> list[Any]:
        with self._connected() as connection:
            return list(connection.execute(statement))

    def _with_plans(self, rows: list[Any]) -> list[Account]:
        links = models.plan_account.c
        names = [name for name, _ in rows]
        attached: dict[str, list[str]] = {}
        query = select(links.account, links.plan_id).where(links.tenant == self.tenant, links.account.in_(names))
        for name, plan_id in self._read(query.order_by(links.account, links.seq)) if names else []:
            attached.setdefault(name, []).append(plan_id)
        return [Account(name, _decode(body).disabled, tuple(attached.get(name, ()))) for name, body in rows]

    def find(self, names: Sequence[str]) -> dict[str, Account]:
        table = models.account.c
        found: dict[str, Account] = {}
        for start in range(0, len(names), PAGE):
            chunk = names[start : start + PAGE]
            rows = self._read(select(table.name, table.body).where(table.tenant == self.tenant, table.name.in_(chunk)))
            found.update((account.name, account) for account in self._with_plans(rows))
        return found

    def accounts(self) -> Iterator[list[Account]]:
        table = models.account.c
        query = select(table.name, table.body).where(table.tenant == self.tenant).order_by(table.name).limit(PAGE)
        rows = self._read(query)
        while rows:
            yield self._with_plans(rows)
            rows = self._read(query.where(table.name > rows[-1][0]))

    def plans(self) -> Iterator[list[tuple[str, tuple[str, ...]]]]:
        table = models.action_plan.c
        query = select(table.id, table.body).order_by(table.id).limit(PAGE)
        rows = self._read(query)
        while rows:
            yield [(ident, tuple(entry.actions_id for entry in _decode_plan(body).entries)) for ident, body in rows]
            rows = self._read(query.where(table.id > rows[-1][0]))

    def action_sets(self) -> Iterator[list[str]]:
        return self._ids(models.action_set.c.id)

    def _ids(self, column: Any, *where: Any) -> Iterator[list[str]]:
        query = select(column).where(*where).order_by(column).limit(PAGE)
        rows = self._read(query)
        while rows:
            yield [row[0] for row in rows]
            rows = self._read(query.where(column > rows[-1][0]))

    def profiles(self) -> Iterator[list[tuple[str, str]]]:
        table = models.profile.c
        for kind in ("attribute", "filter"):
            for ids in self._ids(table.id, table.kind == kind, table.tenant == self.tenant):
                yield [(kind, ident) for ident in ids]

    def given_up(self) -> list[tuple[int, str, str]]:
        with self._connected() as connection:
            return [(row["ID"], row["URL"], row["Reason"]) for row in outbox.failed(connection)]

    def made_by(self, provision_ids: Sequence[int]) -> dict[int, tuple[str, ...]] | None:
        made: dict[int, tuple[str, ...]] = {}
        table = models.journal.c
        query = select(table.provision_id).where(table.provision_id.in_(provision_ids)).distinct()
        known = [row[0] for row in self._read(query)] if provision_ids else []
        if known:
            with self._connected() as connection:
                made = {provision_id: self._standing(connection, provision_id) for provision_id in known}
        return made

    def _standing(self, connection: Connection, provision_id: int) -> tuple[str, ...]:
        call = Call(Reader(connection), datetime.now(UTC), self.tenant, UTC, self.fixes)
        return tuple(journal.standing(call, provision_id))


class EngineBooks:
    """Implements ChargingBooks with the calls that every engine answers; for `ocs.mode: direct`."""

    def __init__(self, engine: ChargingEngine) -> None:
        self.engine = engine

    @cached_property
    def _plans(self) -> dict[str, dict[str, Any]]:
        """Plans by id, with their accounts: CGRateS has no call that answers these for many accounts at once."""
        return {row["Id"]: row for row in self._list("ApierV1.GetActionPlan", {"ID": ""})}

    @cached_property
    def _attached(self) -> dict[str, tuple[str, ...]]:
        attached: dict[str, tuple[str, ...]] = {}
        for plan_id, plan in self._plans.items():
            for name in (account.partition(":")[2] for account in plan["AccountIDs"] or ()):
                attached[name] = (*attached.get(name, ()), plan_id)
        return attached

    def _list(self, method: str, params: dict[str, Any]) -> Any:
        try:
            return self.engine.call(method, params) or []
        except EngineError as error:
            if error.message.endswith("NOT_FOUND"):
                return []
            raise EngineUnavailable(f"The charging engine refuses {method}: {error.message}") from None

    def _pages(self, method: str, params: dict[str, Any]) -> Iterator[Any]:
        for start in range(0, 10**9, PAGE):
            found = self._list(method, {**params, "Offset": start, "Limit": PAGE})
            if found:
                yield found
            if len(found) < PAGE:
                return

    def _account(self, row: dict[str, Any]) -> Account:
        name = str(row["ID"]).partition(":")[2]
        return Account(name, bool(row["Disabled"]), self._attached.get(name, ()))

    def find(self, names: Sequence[str]) -> dict[str, Account]:
        rows = self._list("ApierV2.GetAccounts", {"AccountIDs": list(names)}) if names else []
        return {account.name: account for account in map(self._account, rows)}

    def accounts(self) -> Iterator[list[Account]]:
        for rows in self._pages("ApierV2.GetAccounts", {}):
            yield [self._account(row) for row in rows]

    def plans(self) -> Iterator[list[tuple[str, tuple[str, ...]]]]:
        yield [
            (plan_id, tuple(str(timing["ActionsID"]) for timing in plan["ActionTimings"] or ()))
            for plan_id, plan in sorted(self._plans.items())
        ]

    def action_sets(self) -> Iterator[list[str]]:
        for found in self._pages("ApierV2.GetActions", {}):
            yield sorted(found)

    def profiles(self) -> Iterator[list[tuple[str, str]]]:
        for kind, method in (("attribute", "GetAttributeProfileIDs"), ("filter", "GetFilterIDs")):
            for ids in self._pages(f"APIerSv1.{method}", {}):
                yield [(kind, ident) for ident in ids]

    def given_up(self) -> list[tuple[int, str, str]]:
        try:
            found = self.engine.call("OmniSv1.GetFailedPosts") or []
        except EngineError:
            return []
        return [(row["ID"], row["URL"], row["Reason"]) for row in found]

    def made_by(self, provision_ids: Sequence[int]) -> dict[int, tuple[str, ...]] | None:
        made = {}
        for provision_id in provision_ids:
            try:
                texts = self.engine.made_by_job(provision_id)
            except EngineError as error:
                raise EngineUnavailable(f"The charging engine refuses its journal: {error.message}") from None
            if texts is None:
                return None
            if texts:
                made[provision_id] = tuple(texts)
        return made
