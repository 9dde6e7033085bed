"""Fires the triggers of accounts whose buckets or counters have changed or expired (cgrates.md §5.7).

A trigger's action set runs in the transaction of the change that made it fire. What it changes itself fires no other.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from omnicrm.domain.charging import balances
from omnicrm.domain.charging.account import Account, Balance
from omnicrm.domain.charging.amounts import to_units
from omnicrm.domain.charging.call import Call, decode_account
from omnicrm.domain.charging.debits import Debit, Prefixes, Usage, category_fits, precision
from omnicrm.domain.charging.executor import execute
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.storage import WATCHES
from omnicrm.domain.charging.thresholds import COUNTERS, EXPIRED, Trigger

log = logging.getLogger(__name__)


def count(account: Account, usage: Usage, paid: list[Debit], prefixes: Prefixes) -> None:
    """Adds what buckets paid for an event to the counters that its type has."""
    for trigger in account.triggers:
        if trigger.kind not in COUNTERS or trigger.balance_type != usage.tor:
            continue
        wanted = trigger.balance
        for debit in paid:
            if COUNTERS[trigger.kind] == "*event":
                fits = category_fits(wanted.categories or None, usage.category)
                fits = fits and precision(wanted.destinations or None, usage.destination, prefixes) is not None
            else:
                fits = balances.matches(debit.balance, wanted)
            trigger.counted += debit.units if fits else 0


def settle(call: Call) -> None:
    """Fires what the request has made due; to be called when its work is done. Setting back a job fires nothing."""
    for (tenant, name), (before, account) in list(call.touched.items()):
        if account.triggers and call.setting_back:
            _watch(call, tenant, name, account)
        elif account.triggers:
            _check(call, tenant, name, decode_account(before) if before else Account())


def expire(call: Call, tenant: str, name: str, watched: datetime) -> None:
    """Fires what the expiry of a bucket makes due. `watched` is the stored moment (naive UTC) that was due."""
    if call.rows.get(WATCHES, tenant, name) != watched:
        return
    account = call.account(tenant, name)
    if account is None or not account.triggers:
        call.tx.delete(WATCHES, tenant, name)
    else:
        _check(call, tenant, name, account)


def _check(call: Call, tenant: str, name: str, before: Account) -> None:
    """Fires the account's triggers, heaviest first. One whose actions fail is logged and stays as it was."""
    account = call.existing_account(tenant, name)
    old = {balance.uuid: balance for _, balance in before.every_bucket()}
    changed = {b.uuid for _, b in account.every_bucket() if b.uuid not in old or old[b.uuid].value != b.value}
    counted = {trigger.ident: trigger.counted for trigger in before.triggers}
    expired = [(kind, balance) for kind, balance in before.every_bucket() if balance.expired(call.now)]
    for trigger in sorted(account.triggers, key=lambda trigger: -trigger.weight):
        if account.disabled or trigger.rests(call.now):
            continue
        if trigger.kind == EXPIRED:
            due = any(kind == trigger.balance_type and balances.matches(b, trigger.balance) for kind, b in expired)
        elif trigger.kind in COUNTERS:
            due = trigger.counted != counted.get(trigger.ident, 0) and _reached(trigger, trigger.counted)
        else:
            due = any(_reached(trigger, b.value) for b in _watched(account, trigger) if b.uuid in changed)
        if due and _still_there(call, tenant, name, trigger):
            _fire(call, tenant, name, trigger)
    if (left := call.account(tenant, name)) is not None:
        _watch(call, tenant, name, left)


def _still_there(call: Call, tenant: str, name: str, trigger: Trigger) -> bool:
    """False when the actions of a heavier trigger have removed or disabled the account, or ended this trigger."""
    account = call.account(tenant, name)
    if account is None or account.disabled:
        return False
    chosen = (t for t in account.triggers if (t.group, t.ident) == (trigger.group, trigger.ident))
    return any(not own.rests(call.now) for own in chosen)


def _watched(account: Account, trigger: Trigger) -> list[Balance]:
    return [b for b in account.buckets(trigger.balance_type) if balances.matches(b, trigger.balance)]


def _reached(trigger: Trigger, value: int) -> bool:
    limit = to_units(trigger.threshold, trigger.balance_type)
    return value >= limit if trigger.kind.startswith("*max") else value <= limit


def _fire(call: Call, tenant: str, name: str, trigger: Trigger) -> None:
    written = len(call.tx.appended)
    try:
        actions = call.actions(trigger.actions_id)
        if actions is None:
            raise EngineError("NOT_FOUND")
        execute(call, actions, tenant, name)
    except EngineError as error:
        del call.tx.appended[written:]
        log.error(
            "Trigger %s of account %s could not run %s: %s", trigger.ident, name, trigger.actions_id, error.message
        )
        return
    log.info("Trigger %s of %s ran %s", trigger.ident, name, trigger.actions_id)
    account = call.account(tenant, name)
    for own in account.triggers if account else ():
        if (own.group, own.ident) == (trigger.group, trigger.ident):
            own.executed, own.last_run = not own.recurrent, call.now
    if account is not None:
        call.save_account(tenant, name, account)


def _watch(call: Call, tenant: str, name: str, account: Account) -> None:
    """Keeps the moment of the next expiry that a trigger waits for."""
    moments = [
        balance.expires_at
        for trigger in account.triggers
        if trigger.kind == EXPIRED and not trigger.executed
        for balance in _watched(account, trigger)
        if balance.expires_at is not None and balance.expires_at > call.now
    ]
    if moments:
        call.tx.put(WATCHES, (tenant, name), min(moments).astimezone(UTC).replace(tzinfo=None))
    elif call.rows.get(WATCHES, tenant, name) is not None:
        call.tx.delete(WATCHES, tenant, name)
