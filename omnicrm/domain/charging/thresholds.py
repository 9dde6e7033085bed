"""Action triggers of an account and the counters that they need: stored documents and wire forms (cgrates.md §5.7)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from omnicrm.domain.charging.amounts import plain_number, to_wire
from omnicrm.domain.charging.gotime import format_time

Flags = dict[str, bool]
MIN_BALANCE, MAX_BALANCE, EXPIRED = "*min_balance", "*max_balance", "*balance_expired"
COUNTERS = {
    "*min_event_counter": "*event",
    "*max_event_counter": "*event",
    "*min_balance_counter": "*balance",
    "*max_balance_counter": "*balance",
}
KINDS = (MIN_BALANCE, MAX_BALANCE, EXPIRED, *COUNTERS)


class Wanted(msgspec.Struct, omit_defaults=True):
    """A bucket as a request or a trigger describes it; `value` is an engine integer, already positive.

    What was left out (UNSET) matches anything, and takes the default on a new bucket.
    """

    uuid: str = ""
    id: str = ""
    value: int | UnsetType = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    weight: float | UnsetType = UNSET
    destinations: Flags | UnsetType = UNSET
    rating_subject: str | UnsetType = UNSET
    categories: Flags | UnsetType = UNSET
    shared_groups: Flags | UnsetType = UNSET
    timing_ids: Flags | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    factors: dict[str, float] | UnsetType = UNSET
    blocker: bool | UnsetType = UNSET

    @property
    def amount(self) -> int:
        return 0 if self.value is UNSET else self.value


class Trigger(msgspec.Struct, omit_defaults=True):
    """Runs an action set when a bucket or a counter of its type reaches the threshold (a wire number).

    `balance` chooses the buckets. A trigger that has fired rests until its flag `executed` is reset; a recurrent one
    rests for `min_sleep` ns. `counted` is the counter of the four counter types, an engine integer.
    """

    group: str
    ident: str
    kind: str = ""
    threshold: Decimal = Decimal(0)
    recurrent: bool = False
    min_sleep: int = 0
    active_at: datetime | None = None
    expires_at: datetime | None = None
    balance_type: str = ""
    balance: Wanted = msgspec.field(default_factory=Wanted)
    weight: float = 0
    actions_id: str = ""
    executed: bool = False
    last_run: datetime | None = None
    counted: int = 0

    def rests(self, now: datetime) -> bool:
        """True while the trigger may not fire, whatever the balances are."""
        if self.executed or (self.expires_at is not None and self.expires_at <= now):
            return True
        if self.active_at is not None and self.active_at > now:
            return True
        slept = None if self.last_run is None else (now - self.last_run).total_seconds() * 1e9
        return self.recurrent and slept is not None and 0 <= slept < self.min_sleep

    def wire(self) -> dict[str, Any]:
        return {
            "ID": self.group,
            "UniqueID": self.ident,
            "ThresholdType": self.kind,
            "ThresholdValue": self.threshold,
            "Recurrent": self.recurrent,
            "MinSleep": self.min_sleep,
            "ExpirationDate": format_time(self.expires_at),
            "ActivationDate": format_time(self.active_at),
            "Balance": filter_wire(self.balance_type, self.balance),
            "Weight": plain_number(self.weight),
            "ActionsID": self.actions_id,
            "Executed": self.executed,
            "LastExecutionTime": format_time(self.last_run),
        }


def filter_wire(balance_type: str, wanted: Wanted) -> dict[str, Any]:
    """A bucket filter; what it does not ask for is null."""

    def given(name: str) -> Any:
        value = getattr(wanted, name)
        return None if value is UNSET or value == "" else value

    return {
        "Uuid": given("uuid"),
        "ID": given("id"),
        "Type": balance_type or None,
        "Value": None,
        "ExpirationDate": None if wanted.expires_at is UNSET else format_time(wanted.expires_at),
        "Weight": None if wanted.weight is UNSET else plain_number(wanted.weight),
        "DestinationIDs": given("destinations"),
        "RatingSubject": given("rating_subject"),
        "Categories": given("categories"),
        "SharedGroups": given("shared_groups"),
        "TimingIDs": given("timing_ids"),
        "Timings": [],
        "Disabled": given("disabled"),
        "Factors": None,
        "Blocker": given("blocker"),
    }


def counters_wire(triggers: list[Trigger]) -> dict[str, Any] | None:
    """`UnitCounters` of an account: by balance type, then by type of counter; null when no trigger counts."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for trigger in triggers:
        if trigger.kind in COUNTERS and trigger.balance_type:
            counters = found.setdefault(trigger.balance_type, {}).setdefault(COUNTERS[trigger.kind], [])
            value = to_wire(trigger.counted, trigger.balance_type)
            counters.append({"Value": value, "Filter": filter_wire(trigger.balance_type, trigger.balance)})
    return {
        kind: [{"CounterType": name, "Counters": counters} for name, counters in by_type.items()]
        for kind, by_type in sorted(found.items())
    } or None
