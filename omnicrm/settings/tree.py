"""The typed tree of all settings. It is frozen: whoever needs other values loads other settings."""

# ruff: noqa: RUF009 - key(), section() and block() make dataclass fields
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omnicrm.settings.access import Auth, Impersonation, Mail, Mailjet, Security, Selfcare
from omnicrm.settings.callers import API_KEYS, IP_WHITELIST, ApiKey, TrustedAddress
from omnicrm.settings.keys import block_kind, derived, key, section
from omnicrm.settings.kinds import SECRET, TEXT, At, Bad, Kind, base_url, flow, list_of
from omnicrm.settings.look import Branding, Features, Google, Grafana, Regional, Search, Support, Usage, WebApp
from omnicrm.settings.network import Cbc, Cgrates, Hss, Inventory, Ocs, Provisioning, Smsc
from omnicrm.settings.payment import Billing, Invoice, Stripe, Topup
from omnicrm.settings.secret import Dsn, Secret
from omnicrm.settings.site import Cache, Charging, Crm, Database, Jobs, Logging, Monitoring, Sandbox, Server, Ui

SERVICE_TYPES = (
    *("omnicharge", "mobile", "internet", "iptv", "voip", "fixed", "fixed-voice", "hotspot", "dongle"),
    *("voice", "data"),
)


def _cbc_url(raw: Any, at: At) -> str | Mapping[str, str]:
    raw = flow(raw)
    if isinstance(raw, dict):
        return MappingProxyType({operator: base_url(address, at) for operator, address in raw.items()})
    return base_url(raw, at)


def _web_apps(raw: Any, at: At) -> tuple[WebApp, ...]:
    apps: tuple[WebApp, ...] = list_of(block_kind(WebApp)).read(raw, at)
    if len(apps) > 6:
        raise Bad(f"there are {len(apps)} links; keep at most 6")
    return apps


@dataclass(frozen=True)
class Settings:
    """Every setting in force. `sources` tells where each key came from, `extra` holds operators' own keys for plays."""

    server: Server = section(Server, "Where the web server listens and keeps its files.")
    crm: Crm = section(Crm, "Addresses of the CRM, its mode, and customer statuses.")
    database: Database = section(Database, "MySQL or MariaDB; without it a SQLite file.")
    charging: Charging = section(Charging, "Database of the embedded charging engine.")
    ocs: Ocs = section(Ocs, "Online charging: the built-in engine or a CGRateS.")
    cgrates: Cgrates = section(Cgrates, "Logins of a real CGRateS.")
    service_types: tuple[str, ...] = key(list_of(TEXT), "Types that products and services may have.", SERVICE_TYPES)
    provisioning: Provisioning = section(Provisioning, "Playbooks and how they run.")
    inventory: Inventory = section(Inventory, "Stock.")
    hss: Hss = section(Hss, "Home subscriber servers.")
    smsc: Smsc = section(Smsc, "SMS centre.")
    cbc_url: str | Mapping[str, str] | None = key(
        Kind("URL, or mapping: operator to URL", _cbc_url),
        "Cell Broadcast Centre; alerts go to its path /alerts/send.",
        otherwise="no cell broadcast",
        sample="http://10.179.1.113:8080",
    )
    cbc: Cbc = section(Cbc, "Cell broadcast.")
    mailjet: Mailjet = section(Mailjet, "Mails through Mailjet, and sender and template of each mail.")
    mail: Mail = section(Mail, "Way of mails.")
    stripe: Stripe = section(Stripe, "Card payments.")
    topup: Topup = section(Topup, "Public top-up page.")
    billing: Billing = section(Billing, "Invoices, reminders, failed payments.")
    invoice: Invoice = section(Invoice, "Invoice documents.")
    jwt_secret: Secret | None = key(
        SECRET,
        "Signs access tokens, at least 64 characters; changing it ends every session.",
        otherwise="generated at first start into `secrets.yaml` in `server.data_dir`",
        sample="${OMNICRM_JWT_SECRET}",
    )
    api_keys: tuple[ApiKey, ...] = key(
        API_KEYS,
        "API keys of other systems, at least 32 characters each; roles or permissions, and where they may come from.",
        (),
        sample='{"${BILLING_API_KEY}": {roles: [view_customer], ips: [10.0.1.0/24], description: Billing export}}',
    )
    ip_whitelist: tuple[TrustedAddress, ...] = key(
        IP_WHITELIST,
        "Addresses that call the JSON API without a login; a list gives the role provisioning.",
        (),
        sample='{"10.179.2.142": {roles: [provisioning]}}',
    )
    auth: Auth = section(Auth, "Logins and passwords.")
    impersonation: Impersonation = section(Impersonation, "Staff acting as a customer.")
    security: Security = section(Security, "Encryption and limits.")
    selfcare: Selfcare = section(Selfcare, "What customers may do in their portal.")
    branding: Branding = section(Branding, "Names, colours, fonts, logos.")
    regional: Regional = section(Regional, "Language, currency, time zone.")
    ui: Ui = section(Ui, "Pages.")
    usage: Usage = section(Usage, "How usage is shown.")
    search: Search = section(Search, "Global search.")
    google: Google = section(Google, "Google maps.")
    web_apps: tuple[WebApp, ...] = key(
        Kind("list of at most 6 blocks: name, url, icon_path", _web_apps),
        "Links to other web applications.",
        (),
        sample="[{name: Wiki, url: 'https://wiki.example.com', icon_path: resources/webapp_icons/wiki.png}]",
    )
    grafana: Grafana = section(Grafana, "Grafana dashboards.")
    support: Support = section(Support, "Support links.")
    features: Features = section(Features, "Optional features.")
    sandbox: Sandbox = section(Sandbox, "Stand-ins for outside systems, for demonstration and tests.")
    cache: Cache = section(Cache, "Shared cache.")
    jobs: Jobs = section(Jobs, "Background work.")
    logging: Logging = section(Logging, "Logs.")
    monitoring: Monitoring = section(Monitoring, "Metrics.")

    path: Path | None = derived(None)
    warnings: tuple[str, ...] = derived(())
    sources: Mapping[str, str] = derived(None)
    extra: Mapping[str, Any] = derived(None)

    def get(self, path: str) -> Any:
        """The value of a key by its path, as in `database.port`; None below a block that is not set."""
        value: Any = self
        for name in path.split("."):
            value = getattr(value, name) if value is not None else None
        return value

    def secret_values(self) -> tuple[str, ...]:
        """Every secret text in force, longest first, for the redaction of logs, events and mails."""
        return tuple(sorted({text for text in _secrets(self) if text}, key=len, reverse=True))

    def crm_config(self) -> dict[str, Any]:
        """What playbooks see as `crm_config` (plays.py)."""
        from omnicrm.settings.plays import crm_config

        return crm_config(self)


def _secrets(value: Any) -> Iterator[str | None]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Dsn):
        yield value.password
    elif isinstance(value, tuple):
        for item in value:
            yield from _secrets(item)
    elif is_dataclass(value):
        for item in fields(value):
            yield from _secrets(getattr(value, item.name))
