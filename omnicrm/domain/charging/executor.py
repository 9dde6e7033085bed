"""Runs action sets on accounts: for ExecuteAction, for plans and for triggers (cgrates.md §5.4 to §5.6)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import msgspec

from omnicrm.domain.charging import balances, outbox
from omnicrm.domain.charging.account import Account
from omnicrm.domain.charging.amounts import to_units, to_wire
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.cdr import Cdr, cgrid
from omnicrm.domain.charging.documents import Action, ActionSet
from omnicrm.domain.charging.gotime import parse_time
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.thresholds import Wanted

log = logging.getLogger(__name__)

PARTIALLY = "PARTIALLY_EXECUTED"
_LOGGED = ("*debit", "*debit_reset", "*topup", "*topup_reset", "*set_balance", "*remove_balance")
_encode = msgspec.json.Encoder(decimal_format="number").encode


def execute(call: Call, actions: ActionSet, tenant: str, name: str, key: str = "") -> None:
    """Runs the actions, heaviest first, and saves the account. Raises EngineError when one fails; nothing is kept then.

    An account that does not exist is made; without an account only the actions that need none can run. `key` names the
    event that the actions run for, so that what they post can be told from a repetition.
    """
    account = (call.account(tenant, name) or Account()) if name else None
    run = _Run(call, actions, tenant, name, account, key)
    for action in sorted(actions.actions, key=lambda action: -action.weight):
        step = _STEPS.get(action.identifier)
        if step is None:
            log.warning("Action %s is not known; the action set stops there", action.identifier)
            raise EngineError(PARTIALLY)
        try:
            step(run, action)
        except EngineError as error:
            log.warning("Action %s failed: %s", action.identifier, error.message)
            raise EngineError(PARTIALLY) from error
    if run.removed:
        call.remove_account(tenant, name)
    elif account is not None:
        call.save_account(tenant, name, account)


class _Run:
    """One execution of an action set."""

    def __init__(
        self, call: Call, actions: ActionSet, tenant: str, name: str, account: Account | None, key: str
    ) -> None:
        self.call = call
        self.actions = actions
        self.tenant = tenant
        self.name = name
        self._account = account
        self._key = key
        self._posts = 0
        self.removed = False

    @property
    def account(self) -> Account:
        if self._account is None:
            raise EngineError("NOT_FOUND")
        return self._account

    def post_key(self) -> str:
        """A key for the next post: the event's own, with a number before it from the second post on; without an event
        a new one."""
        if not self._key:
            return str(uuid4())
        self._posts += 1
        return self._key if self._posts == 1 else f"{self._posts}|{self._key}"

    def wanted(self, action: Action) -> Wanted:
        wanted = Wanted(uuid=action.balance_uuid, id=action.balance_id, value=self.units(action))
        if action.expiry:
            wanted.expires_at = parse_time(action.expiry, self.call.now, self.call.zone)
        for name, value in {
            "weight": action.balance_weight,
            "blocker": action.blocker,
            "disabled": action.disabled,
            "rating_subject": action.rating_subject or None,
            "destinations": action.destinations or None,
            "categories": action.categories or None,
            "shared_groups": action.shared_groups or None,
        }.items():
            if value is not None:
                setattr(wanted, name, value)
        if action.timing_tags:
            wanted.timing_ids = {tag: True for tag in action.timing_tags.split(";") if tag}
        return wanted

    def units(self, action: Action) -> int:
        return abs(to_units(Decimal(action.units or "0"), action.balance_type))


def _change(change: Callable[..., None], **options: bool) -> Callable[[_Run, Action], None]:
    def step(run: _Run, action: Action) -> None:
        change(run.account, action.balance_type, run.wanted(action), run.call.now, **options)

    return step


def _flag(name: str, value: bool) -> Callable[[_Run, Action], None]:
    def step(run: _Run, action: Action) -> None:
        setattr(run.account, name, value)

    return step


def _triggers(name: str, value: bool | int) -> Callable[[_Run, Action], None]:
    def step(run: _Run, action: Action) -> None:
        for trigger in run.account.triggers:
            setattr(trigger, name, value)

    return step


def _log(run: _Run, action: Action) -> None:
    log.info("Action *log for account %s: %s", run.name, action.extra)


def _set_balance(run: _Run, action: Action) -> None:
    wanted = run.wanted(action)
    if action.units is None:
        wanted.value = msgspec.UNSET
    balances.set_balance(run.account, action.balance_type, wanted, run.call.now)


def _remove_account(run: _Run, action: Action) -> None:
    run.removed = run.account is not None


def _http_post(run: _Run, action: Action) -> None:
    body = run.account.wire(run.tenant, run.name) if run.name else None
    outbox.put(run.call, action.extra, _encode(body).decode(), run.post_key())


def _cdrlog(run: _Run, action: Action) -> None:
    fields: dict[str, str] = {}
    if action.extra:
        try:
            fields = {str(key): str(value) for key, value in json.loads(action.extra).items()}
        except (ValueError, AttributeError):
            raise EngineError("invalid ExtraParameters") from None
    for other in run.actions.actions:
        if other.identifier in _LOGGED:
            log_cdr(run.call, run.tenant, run.name, other, run.units(other), fields)


def log_cdr(call: Call, tenant: str, name: str, action: Action, units: int, fields: dict[str, str]) -> None:
    """Writes the record of one balance change; `units` is an engine integer of the action's balance type."""
    origin_id = str(uuid4())
    cost = to_wire(units, action.balance_type)
    Cdr(
        cgrid=cgrid(origin_id, "127.0.0.1"),
        run_id=action.identifier,
        origin_id=origin_id,
        origin_host="127.0.0.1",
        source="*cdrlog",
        tor=fields.get("ToR", action.balance_type),
        request_type="*none",
        tenant=fields.get("Tenant", tenant),
        category=fields.get("Category", ""),
        account=fields.get("Account", name),
        subject=fields.get("Subject", name),
        destination=fields.get("Destination", ""),
        setup_at=call.now,
        answer_at=call.now,
        usage=1,
        cost=Decimal(cost),
        pre_rated=True,
    ).store(call)


_STEPS: dict[str, Callable[[_Run, Action], None]] = {
    "*log": _log,
    "*cdrlog": _cdrlog,
    "*topup": _change(balances.credit),
    "*topup_reset": _change(balances.credit, reset=True),
    "*debit": _change(balances.debit),
    "*debit_reset": _change(balances.debit, reset=True),
    "*set_balance": _set_balance,
    "*remove_balance": _change(balances.remove_balances),
    "*reset_account": lambda run, action: balances.reset_account(run.account),
    "*remove_expired": lambda run, action: run.account.clean_expired(run.call.now),
    "*topup_zero_negative": lambda run, action: balances.zero_negative(
        run.account, action.balance_type, run.wanted(action)
    ),
    "*set_expiry": lambda run, action: balances.set_expiry(run.account, action.balance_type, run.wanted(action)),
    "*allow_negative": _flag("allow_negative", True),
    "*deny_negative": _flag("allow_negative", False),
    "*enable_account": _flag("disabled", False),
    "*disable_account": _flag("disabled", True),
    "*remove_account": _remove_account,
    "*reset_triggers": _triggers("executed", False),
    "*set_recurrent": _triggers("recurrent", True),
    "*unset_recurrent": _triggers("recurrent", False),
    "*reset_counters": _triggers("counted", 0),
    "*http_post": _http_post,
    "*http_post_async": _http_post,
}
