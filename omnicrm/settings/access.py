"""Settings of people and access: logins, keys, limits, impersonation, the customers' portal, mail."""

# ruff: noqa: RUF009 - key(), section() and block() make dataclass fields
from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from omnicrm.settings.keys import block, key, section
from omnicrm.settings.kinds import BASE_URL, EMAIL, FLAG, SECRET, TEXT, At, Bad, Kind, choice, integer, list_of, word
from omnicrm.settings.secret import Secret

MINUTES = integer(1, 525_600)


def _encryption_key(raw: Any, at: At) -> Secret:
    text = word(raw)
    try:
        size = len(base64.b64decode(text, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != 32:
        raise Bad("this is not a key of 32 bytes in url-safe base64; make one with: openssl rand -base64 32 | tr +/ -_")
    return Secret(text)


@dataclass(frozen=True)
class Auth:
    access_token_minutes: int = key(MINUTES, "Life of an access token.", 30)
    refresh_token_days: int = key(integer(1, 365), "Life of a refresh token.", 30)
    session_idle_minutes: int = key(MINUTES, "Inactivity that ends a session.", 30)
    remember_me_days: int = key(integer(1, 365), "Life of a session with Remember me.", 30)
    lockout_attempts: int = key(integer(1, 1000), "Failed logins that lock an account.", 5)
    lockout_minutes: int = key(MINUTES, "How long it stays locked.", 30)
    password_history: int = key(integer(0, 100), "Former passwords that may not return.", 5)
    password_min_length: int = key(integer(8, 128), "Shortest password.", 8)
    reset_token_minutes: int = key(MINUTES, "Life of a link that resets a password.", 60)
    require_2fa_roles: tuple[str, ...] = key(
        list_of(TEXT), "Roles that must use a second factor; * is everyone but customers.", (), sample="[Admin]"
    )
    backup_code_count: int = key(integer(1, 100), "Backup codes of a second factor.", 10)


@dataclass(frozen=True)
class Impersonation:
    max_minutes: int = key(MINUTES, "Longest impersonation.", 60)
    allow_admin_targets: bool = key(FLAG, "Administrators may be impersonated.", False)


@dataclass(frozen=True)
class RateLimits:
    login: int = key(integer(1, 1_000_000), "Logins per minute and address.", 10)
    public: int = key(integer(1, 1_000_000), "Public requests per minute and address.", 60)
    api: int = key(integer(1, 1_000_000), "API requests per minute and caller.", 600)


@dataclass(frozen=True)
class Security:
    encryption_key: Secret | None = key(
        Kind("secret, 32 bytes in url-safe base64", _encryption_key, secret=True),
        "Encrypts device passwords and second factors in the database; keep a copy with the backups.",
        otherwise="generated at first start into `secrets.yaml` in `server.data_dir`",
        sample="${OMNICRM_ENCRYPTION_KEY}",
    )
    rate_limits: RateLimits = section(RateLimits, "Requests per minute.")


@dataclass(frozen=True)
class Selfcare:
    allow_registration: bool = key(FLAG, "Customers may register themselves.", True)
    allow_cancel: bool = key(FLAG, "Customers may cancel services.", False)
    allow_api_keys: bool = key(FLAG, "Customers may make API keys.", False)
    allow_guest_payment: bool = key(FLAG, "Invoices can be paid without a login.", False)
    call_history: bool = key(FLAG, "Customers see their call records.", True)
    sms_notices: bool = key(FLAG, "Notices by SMS can be chosen.", False)
    push_notices: bool = key(FLAG, "Notices in the browser can be chosen.", False)


@dataclass(frozen=True)
class MailBlock:
    from_email: str | None = key(EMAIL, "Sender.", sample="support@example.com")
    from_name: str | None = key(TEXT, "Sender's name.", sample="Your Company")
    template_id: int | None = key(
        integer(1), "Mailjet template; without it the built-in text is sent.", sample="1234567"
    )
    subject: str | None = key(TEXT, "Subject.", sample="About your service")


@dataclass(frozen=True)
class Mailjet:
    api_key: Secret | None = key(SECRET, "Mailjet key.", sample="${MAILJET_API_KEY}")
    api_secret: Secret | None = key(SECRET, "Mailjet secret.", sample="${MAILJET_SECRET}")
    base_url: str = key(
        BASE_URL, "Address of Mailjet, for proxies.", "https://api.mailjet.com", sample="https://api.mailjet.com"
    )
    sync_contacts: bool = key(
        FLAG, "Keep Mailjet's contacts in step.", False, otherwise="true when the keys are set", sample="true"
    )
    api_crmCommunicationCustomerWelcome: MailBlock | None = block(MailBlock, "Customer welcome.")
    api_crmCommunicationCustomerInvoice: MailBlock | None = block(MailBlock, "Invoice with its PDF.")
    api_crmCommunicationCustomerInvoiceReminder: MailBlock | None = block(MailBlock, "Overdue invoice.")
    api_crmCommunicationUserWelcome: MailBlock | None = block(MailBlock, "New staff user.")
    api_crmCommunicationUserPasswordReset: MailBlock | None = block(MailBlock, "Password reset asked for.")
    api_crmCommunicationUserPasswordResetSuccess: MailBlock | None = block(MailBlock, "Password reset done.")
    api_crmCommunicationUserPasswordChange: MailBlock | None = block(MailBlock, "Password changed.")
    api_crmCommunicationEmailVerification: MailBlock | None = block(MailBlock, "Check of an address.")
    api_crmCommunicationsBalanceExpired: MailBlock | None = block(MailBlock, "Balance expired.")
    api_crmCommunicationsBalanceLow: MailBlock | None = block(MailBlock, "Balance low.")
    api_crmCommunicationCardExpiring: MailBlock | None = block(MailBlock, "Card expiring.")
    api_crmCommunicationNotification: MailBlock | None = block(MailBlock, "All other notices.")

    def mail(self, name: str) -> MailBlock:
        """Sender, template and subject of a mail by its documented name; all None while it is not configured."""
        found = getattr(self, name, None)
        return found if isinstance(found, MailBlock) else MailBlock()


@dataclass(frozen=True)
class Smtp:
    host: str | None = key(TEXT, "Mail server.", sample="mail.example.com")
    port: int = key(integer(1, 65535), "Its port.", 587)
    user: str | None = key(TEXT, "Login.", otherwise="no login", sample="crm@example.com")
    password: Secret | None = key(SECRET, "Its password.", sample="${SMTP_PASSWORD}")
    tls: bool = key(FLAG, "Use STARTTLS.", True)


@dataclass(frozen=True)
class Mail:
    transport: str = key(choice("mailjet", "smtp"), "How mails leave.", "mailjet")
    smtp: Smtp = section(Smtp, "Mail server for the transport smtp.")
