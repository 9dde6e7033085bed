"""An account and its balances: the stored document and its two wire forms.

Stored values are integers (amounts.py), times are UTC-aware. Source: cgrates.md §4 "Account object".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from omnicrm.domain.charging.amounts import plain_number, to_wire
from omnicrm.domain.charging.gotime import ZERO_TIME, format_time
from omnicrm.domain.charging.thresholds import Flags, Trigger, counters_wire


class Balance(msgspec.Struct, omit_defaults=True):
    """One bucket. The maps are None on buckets that SetBalance made and {} on those of AddBalance, as the wire shows.

    `granted` is the bucket's size: the highest value since it was last empty (OC-23); it is not on the CGRateS wire,
    and neither is `overwritten`: how often the value was set anew, instead of changed.
    """

    uuid: str
    id: str = ""
    value: int = 0
    granted: int = 0
    overwritten: int = 0
    expires_at: datetime | None = None
    weight: float = 0
    destinations: Flags | None = None
    rating_subject: str = ""
    categories: Flags | None = None
    shared_groups: Flags | None = None
    timing_ids: Flags | None = None
    disabled: bool = False
    factors: dict[str, Any] | None = None
    blocker: bool = False

    def expired(self, moment: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= moment

    def wire(self, balance_type: str) -> dict[str, Any]:
        return {
            "Uuid": self.uuid,
            "ID": self.id,
            "Value": to_wire(self.value, balance_type),
            "ExpirationDate": format_time(self.expires_at),
            "Weight": plain_number(self.weight),
            "DestinationIDs": self.destinations,
            "RatingSubject": self.rating_subject,
            "Categories": self.categories,
            "SharedGroups": self.shared_groups,
            "Timings": None,
            "TimingIDs": self.timing_ids,
            "Disabled": self.disabled,
            "Factors": self.factors,
            "Blocker": self.blocker,
        }

    def old_wire(self, balance_type: str) -> dict[str, Any]:
        return {
            "Uuid": self.uuid,
            "Id": self.id,
            "Value": to_wire(self.value, balance_type),
            "ExpirationDate": format_time(self.expires_at),
            "Weight": plain_number(self.weight),
            "DestinationIds": flags_text(self.destinations),
            "RatingSubject": self.rating_subject,
            "Category": flags_text(self.categories),
            "SharedGroup": flags_text(self.shared_groups),
            "Timings": None,
            "TimingIDs": flags_text(self.timing_ids),
            "Disabled": self.disabled,
        }


class Account(msgspec.Struct, omit_defaults=True):
    """Balances by type in the order in which they were made. A type whose last bucket went stays with None."""

    balances: dict[str, list[Balance] | None] | None = None
    triggers: list[Trigger] = []
    allow_negative: bool = False
    disabled: bool = False

    def buckets(self, balance_type: str) -> list[Balance]:
        return (self.balances or {}).get(balance_type) or []

    def every_bucket(self) -> Iterator[tuple[str, Balance]]:
        for balance_type, buckets in (self.balances or {}).items():
            for balance in buckets or ():
                yield balance_type, balance

    def add(self, balance_type: str, balance: Balance) -> None:
        if self.balances is None:
            self.balances = {}
        self.balances[balance_type] = [*self.buckets(balance_type), balance]

    def keep(self, balance_type: str, buckets: list[Balance]) -> None:
        """Replaces the buckets of a type; an empty list leaves the type with None."""
        if self.balances is None:
            self.balances = {}
        self.balances[balance_type] = buckets or None

    def clean_expired(self, now: datetime) -> None:
        """Drops buckets that have expired by the wall clock."""
        for balance_type, buckets in (self.balances or {}).items():
            if buckets and any(balance.expired(now) for balance in buckets):
                self.keep(balance_type, [balance for balance in buckets if not balance.expired(now)])

    def wire(self, tenant: str, name: str) -> dict[str, Any]:
        """`ApierV2.GetAccount`."""
        balances = None
        if self.balances is not None:
            balances = {
                kind: None if buckets is None else [balance.wire(kind) for balance in buckets]
                for kind, buckets in sorted(self.balances.items())
            }
        return {
            "ID": f"{tenant}:{name}",
            "BalanceMap": balances,
            "UnitCounters": counters_wire(self.triggers),
            "ActionTriggers": [trigger.wire() for trigger in self.triggers] or None,
            "AllowNegative": self.allow_negative,
            "Disabled": self.disabled,
            "UpdateTime": ZERO_TIME,
        }

    def old_wire(self, tenant: str, name: str) -> dict[str, Any]:
        """`ApierV1.GetAccount`."""
        return {
            "Id": f"*out:{tenant}:{name}",
            "BalanceMap": {
                f"{kind}*out": [balance.old_wire(kind) for balance in buckets or ()]
                for kind, buckets in sorted((self.balances or {}).items())
            },
            "UnitCounters": [],
            "ActionTriggers": [trigger.wire() for trigger in self.triggers],
            "AllowNegative": self.allow_negative,
            "Disabled": self.disabled,
        }

    def granted(self) -> dict[str, int | Decimal]:
        """Wire size of every bucket by uuid."""
        return {balance.uuid: to_wire(balance.granted, kind) for kind, balance in self.every_bucket()}


def flags_text(flags: Flags | None) -> str:
    """`A;!B` of {"A": true, "B": false}."""
    return ";".join(key if wanted else f"!{key}" for key, wanted in sorted((flags or {}).items()))


def flags_of(value: Any) -> Flags:
    """Flags of `"A;!B"`, of a list of names, or of a map (OC-04)."""
    if isinstance(value, dict):
        return {str(key): bool(wanted) for key, wanted in value.items() if key}
    names = [str(item) for item in value] if isinstance(value, list) else str("" if value is None else value).split(";")
    return {name.removeprefix("!"): not name.startswith("!") for name in names if name.strip("!")}
