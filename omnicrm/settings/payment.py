"""Settings of money: Stripe, billing, invoices, the public top-up."""

# ruff: noqa: RUF009 - key(), section() and block() make dataclass fields
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omnicrm.settings.currency import CODES
from omnicrm.settings.keys import key, section
from omnicrm.settings.kinds import (
    BASE_URL,
    FLAG,
    FOLDER,
    SECRET,
    At,
    Bad,
    Kind,
    integer,
    list_of,
    map_of,
    matching,
    number,
    word,
)
from omnicrm.settings.secret import Secret

DAYS = integer(0, 3650)
SUFFIX = matching(
    "text of at most 22 characters",
    r"""(?=.*[A-Za-z])[^<>\\'"*]{1,22}""",
    "shorten it, with a letter, without < > \\ ' \" *",
)
FILE_NAME = matching("a file name", r"[^/\\]+", "leave the folder away; it is `invoice.template_dir`")


def currency_code(raw: Any, at: At) -> str:
    code = word(raw).upper()
    if code not in CODES:
        raise Bad(f"{word(raw)!r} is not a currency of ISO 4217; write a code such as USD or EUR")
    return code


def _number_format(raw: Any, at: At) -> str:
    text = word(raw)
    try:
        known = text.format(year=2025, invoice_id=1234) != text.format(year=2025, invoice_id=1235)
    except (KeyError, ValueError, IndexError, AttributeError):
        known = False
    if not known:
        raise Bad(
            f"{text!r} gives no number of its own to each invoice; write it as in INV-{{year}}-{{invoice_id:06d}}"
        )
    return text


@dataclass(frozen=True)
class Stripe:
    secret_key: Secret | None = key(SECRET, "Stripe secret key, sk_…", sample="${STRIPE_SECRET_KEY}")
    publishable_key: str | None = key(
        matching("a publishable key", r"pk_\S+", "write the key that begins with pk_"),
        "Stripe publishable key, pk_…; pages show it.",
        otherwise="no card payments",
        sample="pk_test_your_key",
    )
    currency: str = key(
        Kind("currency code", lambda raw, at: currency_code(raw, at).lower()),
        "Currency of charges; it must be that of `regional.currency_code`.",
        otherwise="that of `regional.currency_code`",
        sample="usd",
    )
    statement_descriptor_suffix: str | None = key(
        SUFFIX, "Shown on card statements; begins the file names of invoices.", otherwise="none", sample="YOURCOMPANY"
    )
    webhook_secret: Secret | None = key(SECRET, "Checks Stripe's webhooks.", sample="${STRIPE_WEBHOOK_SECRET}")
    base_url: str = key(
        BASE_URL, "Address of Stripe, for proxies.", "https://api.stripe.com", sample="https://api.stripe.com"
    )


@dataclass(frozen=True)
class Topup:
    price_per_day: Decimal = key(number("0.01"), "Price of one day, in major units.", Decimal(10))
    max_days: int = key(integer(1, 365), "Most days that can be bought at once.", 30)


@dataclass(frozen=True)
class AutoInvoice:
    enabled: bool = key(FLAG, "Make invoices on schedule.", False)
    day_of_month: int = key(integer(1, 28), "On this day.", 1)
    due_days: int = key(DAYS, "Due this many days later.", 14)
    send_mail: bool = key(FLAG, "Mail them.", True)


@dataclass(frozen=True)
class Dunning:
    retry_days: tuple[int, ...] = key(
        list_of(DAYS), "Days after a failed payment on which it is tried again.", (1, 3, 4)
    )
    warn_day: int = key(DAYS, "Day of the warning.", 4)
    suspend_day: int = key(DAYS, "Day of suspension.", 8)
    terminate_day: int = key(DAYS, "Day of termination.", 15)
    suspend: bool = key(FLAG, "Suspend services then.", False)
    terminate: bool = key(FLAG, "Terminate services then.", False)


@dataclass(frozen=True)
class Billing:
    auto_invoice: AutoInvoice = section(AutoInvoice, "Invoices on schedule.")
    auto_pay: bool = key(FLAG, "Charge the default card on the due date.", False)
    reminder_days: tuple[int, ...] = key(
        list_of(DAYS), "Days overdue on which a reminder leaves.", (), sample="[3, 7, 14]"
    )
    card_expiry_notice_days: tuple[int, ...] = key(
        list_of(DAYS), "Days before expiry for card notices.", (60, 30, 7, 0)
    )
    dunning: Dunning = section(Dunning, "Course after a failed payment.")
    due_days: int = key(DAYS, "Days until an invoice made by hand is due.", 0)
    charge_suspended: bool = key(FLAG, "Charge suspended services.", False)


@dataclass(frozen=True)
class Invoice:
    template_filename: str = key(FILE_NAME, "Template of invoices.", "norfone_invoice_template.html")
    templates: Mapping[str, str] = key(
        map_of("mapping: language to file", FILE_NAME),
        "Templates of single languages.",
        MappingProxyType({}),
        sample="{fr: invoice_template_fr.html}",
    )
    number_format: str = key(Kind("format", _number_format), "Displayed invoice number.", "INV-{year}-{invoice_id:06d}")
    template_dir: Path = key(FOLDER, "Your own templates.", Path("invoice_templates"))
    keep_rendered: bool = key(FLAG, "Keep the HTML of each PDF.", True)
    invalidate_cache_on_template_change: bool = key(FLAG, "A changed template makes new PDFs.", True)
    cache_days_idle: int = key(DAYS, "Cached PDFs not fetched for so long are dropped.", 30)
    cache_days_max: int = key(DAYS, "Cached PDFs of this age are dropped.", 90)


CURRENCY = Kind("currency code", currency_code)
