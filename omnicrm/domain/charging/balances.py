"""What AddBalance, DebitBalance, SetBalance and the balance actions do to an account (cgrates.md §5.2).

Pure: no clock, no storage.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from msgspec import UNSET

from omnicrm.domain.charging.account import Account, Balance
from omnicrm.domain.charging.amounts import MONETARY
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.thresholds import Wanted

DEFAULT_ID = "*default"


_EQUAL = ("expires_at", "weight", "rating_subject", "disabled", "blocker")
_INCLUDED = ("destinations", "categories", "shared_groups", "timing_ids")
_GIVEN = (*_EQUAL, *_INCLUDED, "factors")


def matches(balance: Balance, wanted: Wanted) -> bool:
    """By UUID if given, else by ID alone, else by every attribute that was given."""
    if wanted.uuid:
        return balance.uuid == wanted.uuid
    if wanted.id:
        return balance.id == wanted.id
    for name in _EQUAL:
        value = getattr(wanted, name)
        if value is not UNSET and getattr(balance, name) != value:
            return False
    for name in _INCLUDED:
        flags = getattr(wanted, name)
        if flags is not UNSET and flags and not flags.items() <= (getattr(balance, name) or {}).items():
            return False
    return True


def credit(account: Account, kind: str, wanted: Wanted, now: datetime, *, reset: bool = False) -> None:
    """AddBalance and `*topup`; with `reset` AddBalance with Overwrite and `*topup_reset`."""
    _change(account, kind, wanted, now, wanted.amount, reset)


def debit(account: Account, kind: str, wanted: Wanted, now: datetime, *, reset: bool = False) -> None:
    """DebitBalance and `*debit`, with `reset` `*debit_reset`. May leave a negative value."""
    _change(account, kind, wanted, now, -wanted.amount, reset)


def _change(account: Account, kind: str, wanted: Wanted, now: datetime, delta: int, reset: bool) -> None:
    found = False
    for balance in account.buckets(kind):
        if balance.expired(now) or not matches(balance, wanted):
            continue
        found = True
        before = 0 if reset else balance.value
        balance.overwritten += reset
        _set_value(balance, before + delta, fresh=reset or before <= 0)
    if not found:
        account.add(kind, _new_bucket(wanted, delta, maps_empty=True))
    account.clean_expired(now)


def _set_value(balance: Balance, value: int, *, fresh: bool) -> None:
    balance.value = value
    balance.granted = max(value, 0) if fresh else max(balance.granted, value)


def _new_bucket(wanted: Wanted, value: int, *, maps_empty: bool) -> Balance:
    balance = Balance(uuid=str(uuid4()), id=wanted.id, value=value, granted=max(value, 0))
    if maps_empty:
        balance.destinations, balance.categories, balance.shared_groups, balance.timing_ids = {}, {}, {}, {}
    if wanted.id != DEFAULT_ID:
        _copy_given(balance, wanted)
    return balance


def _copy_given(balance: Balance, wanted: Wanted) -> None:
    for name in _GIVEN:
        value = getattr(wanted, name)
        if value is not UNSET:
            setattr(balance, name, value)


def set_balance(account: Account, kind: str, wanted: Wanted, now: datetime) -> None:
    """SetBalance and `*set_balance`: overwrites what was given of the first match by UUID or ID, or makes a bucket."""
    for balance in account.buckets(kind):
        if not balance.expired(now) and (wanted.uuid or wanted.id) and matches(balance, wanted):
            _copy_given(balance, wanted)
            if wanted.id:
                balance.id = wanted.id
            if wanted.value is not UNSET:
                balance.overwritten += 1
                _set_value(balance, wanted.amount, fresh=True)
            break
    else:
        account.add(kind, _new_bucket(wanted, wanted.amount, maps_empty=False))
    account.clean_expired(now)


def remove_balances(account: Account, kind: str, wanted: Wanted, now: datetime) -> None:
    """RemoveBalances and `*remove_balance`. Raises EngineError when nothing matches."""
    kept = [balance for balance in account.buckets(kind) if balance.expired(now) or not matches(balance, wanted)]
    if len(kept) == len(account.buckets(kind)):
        raise EngineError("NOT_FOUND")
    account.keep(kind, kept)
    account.clean_expired(now)


def reset_account(account: Account) -> None:
    """`*reset_account`: one money bucket without a name and without money."""
    account.balances = {MONETARY: [Balance(uuid=str(uuid4()))]}


def zero_negative(account: Account, kind: str, wanted: Wanted) -> None:
    """`*topup_zero_negative`: brings matching buckets below zero to zero."""
    for balance in account.buckets(kind):
        if balance.value < 0 and matches(balance, wanted):
            _set_value(balance, 0, fresh=True)


def set_expiry(account: Account, kind: str, wanted: Wanted) -> None:
    """`*set_expiry`: a new expiry for matching buckets of the type, or of every type when none is given."""
    if wanted.expires_at is UNSET:
        return
    chosen = Wanted(uuid=wanted.uuid, id=wanted.id)
    for name, balance in account.every_bucket():
        if kind in ("", name) and matches(balance, chosen):
            balance.expires_at = wanted.expires_at
