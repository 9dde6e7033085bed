"""The stored documents of actions and action plans, and their wire forms (cgrates.md §4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from omnicrm.domain.charging.account import flags_text
from omnicrm.domain.charging.amounts import number_text, plain_number
from omnicrm.domain.charging.thresholds import Flags
from omnicrm.domain.charging.timing import Timing


class Action(msgspec.Struct, omit_defaults=True):
    """One step of an action set. `units` is the wire number as text, None when it was not given; `expiry` is read when
    the action runs."""

    identifier: str
    balance_id: str = ""
    balance_uuid: str = ""
    balance_type: str = ""
    units: str | None = None
    expiry: str = ""
    filters: list[str] = []
    timing_tags: str = ""
    destinations: Flags = {}
    rating_subject: str = ""
    categories: Flags = {}
    shared_groups: Flags = {}
    balance_weight: float | None = None
    extra: str = ""
    blocker: bool | None = None
    disabled: bool | None = None
    weight: float = 0

    def wire(self) -> dict[str, Any]:
        """A row of `ApierV1.GetActions`."""
        return {
            "Identifier": self.identifier,
            "BalanceId": self.balance_id,
            "BalanceUuid": self.balance_uuid,
            "BalanceType": self.balance_type,
            "Units": self.units or "0",
            "ExpiryTime": self.expiry,
            "Filters": ";".join(self.filters),
            "TimingTags": self.timing_tags,
            "DestinationIds": flags_text(self.destinations),
            "RatingSubject": self.rating_subject,
            "Categories": flags_text(self.categories),
            "SharedGroups": flags_text(self.shared_groups),
            "BalanceWeight": str(plain_number(self.balance_weight or 0)),
            "ExtraParameters": self.extra,
            "BalanceBlocker": "true" if self.blocker else "false",
            "BalanceDisabled": "true" if self.disabled else "false",
            "Weight": plain_number(self.weight),
        }

    def full_wire(self, actions_id: str) -> dict[str, Any]:
        """An entry of `ApierV2.GetActions`."""
        units = None if self.units is None else Decimal(self.units)
        return {
            "Id": actions_id,
            "ActionType": self.identifier,
            "ExtraParameters": self.extra,
            "Filters": self.filters or None,
            "ExpirationString": self.expiry,
            "Weight": plain_number(self.weight),
            "Balance": {
                "Uuid": self.balance_uuid,
                "ID": self.balance_id,
                "Type": self.balance_type,
                "Value": None if units is None else {"Method": "", "Params": None, "Static": wire_number(units)},
                "ExpirationDate": None,
                "Weight": None if self.balance_weight is None else plain_number(self.balance_weight),
                "DestinationIDs": self.destinations,
                "RatingSubject": self.rating_subject,
                "Categories": self.categories,
                "SharedGroups": self.shared_groups,
                "TimingIDs": {tag: True for tag in self.timing_tags.split(";") if tag},
                "Timings": None,
                "Disabled": self.disabled,
                "Factors": None,
                "Blocker": self.blocker,
            },
        }


class ActionSet(msgspec.Struct):
    """Actions under one id, in the order in which they were given."""

    actions: list[Action]


class PlanEntry(msgspec.Struct, omit_defaults=True):
    """One timing of a plan and the action set that it runs."""

    uuid: str
    actions_id: str
    timing: Timing
    weight: float = 0

    def wire(self) -> dict[str, Any]:
        return {
            "Uuid": self.uuid,
            "Timing": {"Timing": self.timing.wire(), "Rating": None, "Weight": 0},
            "ActionsID": self.actions_id,
            "ExtraData": None,
            "Weight": plain_number(self.weight),
        }


class Plan(msgspec.Struct, omit_defaults=True):
    """An action plan. `triggers` came with it in the second documented shape (OC-10)."""

    entries: list[PlanEntry]
    triggers: list[dict[str, Any]] = []

    def same_as(self, other: Plan) -> bool:
        """True when both do the same at the same times; the entries' uuids do not count."""
        return [(e.actions_id, e.timing, e.weight) for e in self.entries] == [
            (e.actions_id, e.timing, e.weight) for e in other.entries
        ]


def wire_number(number: Decimal) -> int | Decimal:
    """2048 for Decimal("2048"), exact otherwise."""
    return int(number) if number == number.to_integral_value() else Decimal(number_text(number))
