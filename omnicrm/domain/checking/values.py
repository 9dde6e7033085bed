"""What a check works with: plain values of records, and what it answers. No sessions, no clock."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit


def plain_address(url: str) -> str:
    """An address as people may see it: without login, query and what could steer a terminal."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return "".join(char for char in f"{parts.scheme}://{host}{port}{parts.path}" if char.isprintable())


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `kind` is a fixed word such as `service-without-account`; `record` and `ident` name the record,
    `name` is what people call it, `text` says what differs and `mend` what to do about it. No secrets in any of them.
    """

    kind: str
    record: str
    ident: str
    name: str
    text: str
    mend: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.kind, self.record, self.ident, self.text

    def line(self) -> str:
        shown = f"{self.record} {self.ident}" + (f" ({self.name})" if self.name else "")
        return f"{shown}: {self.text}\n    {self.kind}. To mend: {self.mend}"


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What could not be compared, because a neighbour did not answer."""

    neighbour: str
    text: str


@dataclass(slots=True)
class Report:
    """`counts` is how many records of each sort were read; `notes` say what was left out by design; `alerts` are the
    open alerts of staff, for information."""

    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not self.findings and not self.unchecked

    def count(self, sort: str, number: int) -> None:
        self.counts[sort] = self.counts.get(sort, 0) + number

    def shown(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {"clean": self.is_clean, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Service:
    """`group` is Active, Suspended or Inactive; `maker_failed` is true for a row whose order failed."""

    service_id: int
    customer_id: int
    product_id: int | None
    name: str
    uuid: str
    group: str
    auto_renew: bool = False
    ended_at: datetime | None = None
    deleted_at: datetime | None = None
    cancel_at: datetime | None = None
    status_before: str | None = None
    made_by: int | None = None
    maker_failed: bool = False

    @property
    def is_live(self) -> bool:
        return self.group != "Inactive" and self.deleted_at is None


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the engine with the ids of its action plans."""

    name: str
    disabled: bool = False
    plans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """An item of stock and the service that it names; `service` is None where it names none."""

    inventory_id: int
    kind: str
    name: str
    state: str
    customer_id: int | None = None
    service_id: int | None = None
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Sim:
    """A SIM of the stock; `numbers` are the digits of the numbers that its service holds."""

    item: Item
    imsi: str
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscriber of an HSS. Keys of a SIM are never read."""

    imsi: str
    msisdn: str = ""
    enabled: bool = True

    @property
    def is_dormant(self) -> bool:
        """Put to sleep by a deprovision: kept for the next use of the card, without a number of its own."""
        return not self.enabled or not self.msisdn or self.msisdn == f"9999{self.imsi[-10:]}"


@dataclass(frozen=True, slots=True)
class Reservation:
    inventory_id: int
    item: str
    provision_id: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Provisioning:
    """A provisioning job. `status` is 0, 1 or 2; `is_open` tells whether the queue still works on it; `leftovers` are
    (where, what, text) of what it could not undo; `charges` are its unvoided, uninvoiced transactions."""

    provision_id: int
    name: str
    status: int
    is_open: bool = False
    tasks_done: int = 0
    task_count: int = 0
    open_events: tuple[str, ...] = ()
    leftovers: tuple[tuple[str, str, str], ...] = ()
    charges: tuple[int, ...] = ()
    made: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A row of the queue that is not over; `subject_ended` is true where its provisioning job has ended."""

    job_id: int
    kind: str
    state: str
    subject_id: int | None
    lease: int
    heartbeat_at: datetime | None
    subject_ended: bool


@dataclass(frozen=True, slots=True)
class Remains:
    """A folder or a process that belongs to the run of a play; `what` names it."""

    provision_id: int
    lease: int
    what: str


@dataclass(frozen=True, slots=True)
class Work:
    """What jobs are working on right now: it may differ for a moment without being wrong."""

    provisions: frozenset[int] = frozenset()
    services: frozenset[int] = frozenset()
    items: frozenset[int] = frozenset()
    #: (provision_id, lease) of the jobs that run.
    runs: frozenset[tuple[int, int]] = frozenset()
    #: What the open jobs have made in the engine so far, in its own words.
    made: tuple[str, ...] = ()

    def is_making(self, ident: str) -> bool:
        """Whether an open job made the engine's object of that name."""
        return any(ident in text.split() for text in self.made)
