"""The whole check: one look at everything, and a second one at what differed. It reads only.

Records of a running product change while they are read. What open jobs work on is left out, and a difference counts
only when two looks in a row saw it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from omnicrm.domain import alerts
from omnicrm.domain.charging.planids import service_of, service_of_actions, service_of_profile
from omnicrm.domain.charging.ports import ChargingEngine, EngineUnavailable
from omnicrm.domain.checking import reading, rules_jobs, rules_stock
from omnicrm.domain.checking import rules_services as rules
from omnicrm.domain.checking.books import EmbeddedBooks, EngineBooks
from omnicrm.domain.checking.ports import ChargingBooks, HssUnavailable, RunRemains, SubscriberRegister
from omnicrm.domain.checking.values import Finding, Report, Service, Sim, Subscriber, Unchecked, Work, plain_address
from omnicrm.domain.services.models import CustomerService
from omnicrm.settings import Settings
from omnicrm.store import Database

T = TypeVar("T")


class Parts(Protocol):
    """What a check needs of the product; `app.Parts` is one."""

    settings: Settings
    db: Database
    ports: dict[type, Any]


def check(parts: Parts, pause: float = 1.0) -> Report:
    """Compare everything and tell what differs. `pause`: seconds before the second look at differences."""
    begun = time.perf_counter()
    report = _Look(parts).take()
    if report.findings:
        time.sleep(pause)
        first, report = {finding.key for finding in report.findings}, _Look(parts).take()
        report.findings = [finding for finding in report.findings if finding.key in first]
    report.seconds = round(time.perf_counter() - begun, 2)
    return report


class _Look:
    """One pass over everything."""

    def __init__(self, parts: Parts) -> None:
        self.db = parts.db
        self.now = datetime.now(UTC)
        self.report = Report()
        settings, self.engine = parts.settings, parts.ports[ChargingEngine]
        embedded = settings.ocs.mode == "embedded"
        url, tenant, fixes = str(settings.charging.url), settings.ocs.ocsTenant, settings.ocs.play_fixes
        self.books: ChargingBooks = EmbeddedBooks(url, tenant, fixes) if embedded else EngineBooks(self.engine)
        self.engine_name = "charging database" if embedded else f"charging engine {settings.ocs.endpoint}"
        self.register: SubscriberRegister = parts.ports[SubscriberRegister]
        self.runs: RunRemains = parts.ports[RunRemains]
        self.has_engine = self.has_journal = True
        self.work = Work()

    def take(self) -> Report:
        self.work = self._working()
        for part in (self._services, self._accounts, self._named, self._stock, self._jobs, self._machine):
            self.report.findings.extend(part())
        rows = self.db.read(alerts.open_alerts)
        self.report.alerts = [f"{row.title} ({row.link})" if row.link else row.title for row in rows]
        return self.report

    def _pages(self, pages: Iterable[T]) -> Iterator[T]:
        """What the engine's books answer, until the first time that they do not; one question is one page."""
        if not self.has_engine:
            return
        try:
            yield from pages
        except EngineUnavailable as error:
            self.has_engine = False
            self.report.unchecked.append(Unchecked(self.engine_name, str(error)))

    def _working(self) -> Work:
        work = self.db.read(reading.work)
        for made in self._pages(map(self.books.made_by, [sorted(work.provisions)])):
            if made is not None:
                return replace(work, made=tuple(text for texts in made.values() for text in texts))
            self.has_journal = False
            self.report.notes.append(
                "This engine keeps no journal of jobs: what failed jobs left in it is not compared."
            )
        return work

    def _services(self) -> Iterator[Finding]:
        for chunk in reading.services(self.db):
            self.report.count("services", len(chunk))
            idle = [service for service in chunk if service.service_id not in self.work.services]
            for service in idle:
                yield from rules.service_findings(service, self.now)
            for accounts in self._pages(map(self.books.find, [[service.uuid for service in idle]])):
                for service in idle:
                    yield from rules.account_findings(service, accounts.get(service.uuid))

    def _accounts(self) -> Iterator[Finding]:
        for page in self._pages(self.books.accounts()):
            self.report.count("accounts", len(page))
            known = self._by_uuid([account.name for account in page])
            lonely = [account for account in page if account.name not in known]
            if lonely and not self.has_journal and self.work.provisions:
                self.report.notes.append("Accounts without a service are not listed while orders run.")
                return
            yield from (rules.lonely_account(account) for account in lonely if not self.work.is_making(account.name))

    def _by_uuid(self, uuids: list[str]) -> dict[str, Service]:
        return reading.services_by(self.db, CustomerService.service_uuid, uuids)

    def _named(self) -> Iterator[Finding]:
        """Plans, action sets and profiles that are named after a service; plans whose actions are missing."""
        runs: dict[str, tuple[str, ...]] = {}
        sets: set[str] = set()
        for plans in self._pages(self.books.plans()):
            runs.update(plans)
            yield from self._orphans([("plan", ident, service_of(ident)) for ident, _ in plans])
        for ids in self._pages(self.books.action_sets()):
            sets.update(ids)
            yield from self._orphans([("actions", ident, service_of_actions(ident)) for ident in ids])
        for pairs in self._pages(self.books.profiles()):
            yield from self._orphans([(kind, ident, service_of_profile(ident)) for kind, ident in pairs])

        if self.has_engine:
            lost = [(plan, one) for plan, used in runs.items() for one in used if one not in sets]
            yield from (rules.plan_without_actions(*pair) for pair in lost if not self.work.is_making(pair[0]))
        for posts in self._pages(self.books.given_up() for _ in range(1)):
            yield from (rules.post_given_up(*post) for post in posts)

    def _orphans(self, named: list[tuple[str, str, str | None]]) -> Iterator[Finding]:
        self.report.count("plans, actions and profiles", len(named))
        for start in range(0, len(named), reading.CHUNK):
            chunk = named[start : start + reading.CHUNK]
            known = self._by_uuid(sorted({uuid for _, _, uuid in chunk if uuid}))
            for record, ident, uuid in chunk:
                service = known.get(uuid or "")
                busy = self.work.is_making(ident) or (service and service.service_id in self.work.services)
                finding = rules.orphan(record, ident, uuid, service) if uuid and not busy else None
                if finding is not None:
                    yield finding

    def _stock(self) -> Iterator[Finding]:
        hss = [_Peer(self.register, peer, self.report) for peer in self.register.peers]
        for items, sims in reading.items(self.db):
            self.report.count("items", len(items))
            self.report.count("SIMs", len(sims))
            for item in items:
                if item.inventory_id not in self.work.items:
                    yield from rules_stock.item_findings(item)
            for sim in sims:
                for peer in hss:
                    yield from peer.compare(sim, busy=sim.item.inventory_id in self.work.items)
        for peer in hss:
            yield from peer.strangers()
        reservations = self.db.read(reading.reservations)
        self.report.count("reservations", len(reservations))
        found = (rules_stock.reservation_finding(row, self.work, self.now) for row in reservations)
        yield from (finding for finding in found if finding)

    def _jobs(self) -> Iterator[Finding]:
        for chunk in reading.provisionings(self.db, self.work):
            self.report.count("provisioning jobs", len(chunk))
            failed = [job.provision_id for job in chunk if job.status == rules_jobs.FAILED and not job.is_open]
            made: dict[int, tuple[str, ...]] = {}
            for found in self._pages(map(self.books.made_by, [failed] if self.has_journal else [])):
                made = found or {}
            for job in chunk:
                yield from rules_jobs.provisioning_findings(replace(job, made=made.get(job.provision_id, ())))
        entries = self.db.read(reading.queue)
        self.report.count("queue entries", len(entries))
        yield from (finding for entry in entries if (finding := rules_jobs.queue_finding(entry, self.now)))

    def _machine(self) -> Iterator[Finding]:
        found = (rules_jobs.remains_finding(remains, self.work) for remains in self.runs.remains())
        yield from (finding for finding in found if finding)


class _Peer:
    """One HSS peer: all its subscribers where it lists them, else one question for each SIM of the stock."""

    def __init__(self, register: SubscriberRegister, peer: str, report: Report) -> None:
        self.register, self.peer, self.report = register, peer, report
        self.shown = plain_address(peer)
        self.answers = True
        self.listed: dict[str, Subscriber] | None = None
        try:
            everybody = register.everybody(peer)
        except HssUnavailable as error:
            self._give_up(error)
            return
        if everybody is None:
            report.notes.append(f"The HSS {self.shown} offers no list: only the SIMs of the stock were looked up.")
        else:
            report.count("subscribers", len(everybody))
            self.listed = {subscriber.imsi: subscriber for subscriber in everybody}

    def _give_up(self, error: HssUnavailable) -> None:
        self.answers = False
        self.report.unchecked.append(Unchecked(f"HSS {self.shown}", str(error)))

    def compare(self, sim: Sim, busy: bool) -> Iterator[Finding]:
        subscriber = self._find(sim.imsi)
        if self.answers and not busy:
            yield from rules_stock.sim_findings(sim, self.shown, subscriber)

    def _find(self, imsi: str) -> Subscriber | None:
        if self.listed is not None:
            return self.listed.pop(imsi, None)
        try:
            return self.register.find(self.peer, imsi) if self.answers else None
        except HssUnavailable as error:
            self._give_up(error)
            return None

    def strangers(self) -> Iterator[Finding]:
        """Whom no SIM of the stock asked for."""
        yield from (rules_stock.unknown_subscriber(self.shown, one) for one in (self.listed or {}).values())
