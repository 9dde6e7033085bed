"""Which buckets pay for an event, and how much each (cgrates.md §5.3). Pure: no clock, no storage.

Steps: candidates, order, consumption step by step of each unit bucket. What unit buckets do not cover is money, which
needs a tariff.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from omnicrm.domain.charging.account import Account, Balance
from omnicrm.domain.charging.amounts import MONETARY
from omnicrm.domain.charging.gotime import NS_PER_SECOND, parse_duration
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.thresholds import Flags

ANY = "*any"
GENERIC = "*generic"
BLOCKED = "INSUFFICIENT_CREDIT_BALANCE_BLOCKER"
ZERO = "*zero"

Prefixes = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Usage:
    """What is paid for: `amount` in ns, bytes or messages, from `started_at` on."""

    tor: str
    category: str
    destination: str
    started_at: datetime
    amount: int


@dataclass(frozen=True, slots=True)
class Debit:
    """Units that one bucket pays."""

    balance: Balance
    units: int


def precision(destinations: Flags | None, destination: str, prefixes: Prefixes) -> int | None:
    """Length of the longest prefix that fits, 0 where every destination fits, None where the bucket may not be used."""
    if not destinations or destinations.get(ANY):
        return 0
    wanted = [name for name, included in destinations.items() if included]
    excluded = [name for name, included in destinations.items() if not included]
    if any(_longest(destination, prefixes(name)) is not None for name in excluded):
        return None
    if not wanted:
        return 0
    lengths = [length for name in wanted if (length := _longest(destination, prefixes(name))) is not None]
    return max(lengths) if lengths else None


def _longest(destination: str, prefixes: list[str]) -> int | None:
    return max((len(prefix) for prefix in prefixes if destination.startswith(prefix)), default=None)


def category_fits(categories: Flags | None, category: str) -> bool:
    """True when the bucket may be used for events of this category."""
    if not categories:
        return True
    if category in categories:
        return categories[category]
    return not any(categories.values())


def candidates(account: Account, kinds: tuple[str, ...], usage: Usage, prefixes: Prefixes) -> list[Balance]:
    """Usable buckets of these types: longest destination match first, then weight, then in order of their making."""
    found: list[tuple[int, float, Balance]] = []
    for kind in kinds:
        for balance in account.buckets(kind):
            if balance.disabled or balance.expired(usage.started_at) or (balance.value <= 0 and not balance.blocker):
                continue
            if not category_fits(balance.categories, usage.category):
                continue
            length = precision(balance.destinations, usage.destination, prefixes)
            if length is not None:
                found.append((length, balance.weight, balance))
    found.sort(key=lambda entry: (-entry[0], -entry[1]))
    return [balance for _, _, balance in found]


def free_step(rating_subject: str, tor: str) -> int | None:
    """Size of the steps in which a unit bucket is consumed; None when a tariff decides about it."""
    if not rating_subject:
        return NS_PER_SECOND if tor == "*voice" else 1
    if not rating_subject.startswith(ZERO):
        return None
    text = rating_subject.removeprefix(ZERO)
    step = int(text) if re.fullmatch(r"\d{1,18}", text) else parse_duration(text)
    return max(step, 1)


def unit_debits(account: Account, usage: Usage, prefixes: Prefixes) -> tuple[list[Debit], int]:
    """Debits of unit buckets and the usage that is left for money.

    Each bucket gives whole steps; the last step may reach beyond the usage. Raises EngineError with BLOCKED when a
    blocking bucket cannot cover the rest; nothing may be debited then.
    """
    debits: list[Debit] = []
    rest = usage.amount
    for balance in candidates(account, (usage.tor, GENERIC), usage, prefixes):
        if rest <= 0:
            break
        step = free_step(balance.rating_subject, usage.tor)
        if step is None:
            continue
        steps = min(max(balance.value, 0) // step, -(-rest // step))
        if steps:
            debits.append(Debit(balance, steps * step))
            rest -= steps * step
        if rest > 0 and balance.blocker:
            raise EngineError(BLOCKED)
    return debits, max(rest, 0)


def check_money(account: Account, usage: Usage, prefixes: Prefixes) -> None:
    """Raises EngineError with BLOCKED when the first money bucket is empty and blocks (OCS-035)."""
    for balance in candidates(account, (MONETARY,), usage, prefixes):
        if balance.value > 0:
            return
        if balance.blocker:
            raise EngineError(BLOCKED)


def apply(debits: list[Debit]) -> None:
    """Takes the units from the buckets."""
    for entry in debits:
        entry.balance.value -= entry.units
