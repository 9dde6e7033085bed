"""Values that follow from others: addresses in force, defaults taken from another key, sandboxes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from omnicrm.settings import currency
from omnicrm.settings.kinds import split_host_port
from omnicrm.settings.look import FONTS
from omnicrm.settings.secret import Dsn, Secret
from omnicrm.settings.site import BUILT_IN_STATUSES, Crm
from omnicrm.settings.tree import Settings

MYSQL_KEYS = ("username", "password", "server", "port", "name")
#: What the sandboxes take as credential, so that client code stays the same.
SANDBOX_KEY = "sandbox-only-key"
SANDBOX_STRIPE_KEY = "sk_test_sandbox"


@dataclass(frozen=True)
class Origin:
    """The key paths that are set, the folder of relative paths, and where warnings go."""

    given: Collection[str]
    base: Path
    warn: Callable[[str], None]


def complete(settings: Settings, by: Origin) -> Settings:
    """`settings` with everything filled in that its author left open."""
    for step in (_server, _database, _crm, _charging, _region, _brand, _services, _sandboxes):
        settings = step(settings, by)
    return settings


def _server(settings: Settings, by: Origin) -> Settings:
    host = settings.server.host
    if host in ("0.0.0.0", ""):
        host = "127.0.0.1"
    elif host in ("::", "::1"):
        host = "[::1]"
    return replace(settings, server=replace(settings.server, local_url=f"http://{host}:{settings.server.port}"))


def _database(settings: Settings, by: Origin) -> Settings:
    one = settings.database
    if one.url is not None:
        url = _absolute(one.url, by.base)
    elif any(f"database.{name}" in by.given for name in MYSQL_KEYS):
        password = f":{quote(one.password.reveal(), safe='')}" if one.password else ""
        url = f"mysql://{quote(one.username, safe='')}{password}@{one.server}:{one.port}/{quote(one.name, safe='')}"
    else:
        url = f"sqlite:///{settings.server.data_dir / 'omnicrm.db'}"
    return replace(
        settings,
        database=replace(
            one, sync_url=_driver(url, "sqlite", "pymysql"), async_url=_driver(url, "sqlite+aiosqlite", "asyncmy")
        ),
    )


def _absolute(url: str, base: Path) -> str:
    """A relative SQLite file lies below the folder that all relative paths start from."""
    scheme, _, rest = url.partition("://")
    if scheme.startswith("sqlite") and rest.startswith("/") and not rest.startswith("//"):
        return f"{scheme}:///{(base / rest[1:]).resolve()}"
    return url


def _driver(url: str, sqlite: str, mysql: str) -> Dsn:
    scheme, _, rest = url.partition("://")
    if scheme.startswith("sqlite"):
        return Dsn(f"{sqlite}://{rest}")
    if "charset=" not in rest:
        rest += ("&" if "?" in rest else "?") + "charset=utf8mb4"
    return Dsn(f"mysql+{mysql}://{rest}")


def _crm(settings: Settings, by: Origin) -> Settings:
    base_url = settings.crm.base_url or f"http://localhost:{settings.server.port}"
    mysql = settings.database.sync_url.startswith("mysql")
    own = {status.name: status for status in settings.crm.customer_statuses}
    statuses = {status.name: status for status in BUILT_IN_STATUSES} | own
    crm = Crm(
        base_url=base_url,
        public_url=settings.crm.public_url or base_url,
        mode=settings.crm.mode or ("production" if mysql else "development"),
        customer_statuses=tuple(statuses.values()),
    )
    return replace(settings, crm=crm)


def _charging(settings: Settings, by: Origin) -> Settings:
    main, url = settings.database.sync_url, settings.charging.url
    if url is not None:
        url = _driver(_absolute(url, by.base), "sqlite", "pymysql")
    elif main.startswith("mysql"):
        address, question, options = main.partition("?")
        url = Dsn(f"{address}_charging{question}{options}")
    else:
        url = Dsn(f"sqlite:///{settings.server.data_dir / 'charging.db'}")
    ocs = settings.ocs
    mode = ocs.mode or ("direct" if ocs.cgrates else "embedded")
    host, port = split_host_port(ocs.listen)
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    own = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    endpoint = ocs.cgrates if mode == "direct" and ocs.cgrates else own
    return replace(
        settings,
        charging=replace(settings.charging, url=url),
        ocs=replace(ocs, mode=mode, endpoint=endpoint),
    )


def _region(settings: Settings, by: Origin) -> Settings:
    region, stripe = settings.regional, settings.stripe
    code = region.currency_code or (stripe.currency or "usd").upper()
    region = replace(
        region,
        currency_code=code,
        currency_symbol=region.currency_symbol or currency.symbol(code),
        default_location=region.default_location or region.default_country,
    )
    return replace(settings, regional=region, stripe=replace(stripe, currency=stripe.currency or code.lower()))


def _brand(settings: Settings, by: Origin) -> Settings:
    brand = settings.branding
    if brand.font_family not in FONTS and not _own_font(brand.fonts_dir, brand.font_family):
        by.warn(
            f"branding.font_family: there is no font {brand.font_family!r} with the weights 400 and 700 in "
            f"{brand.fonts_dir}; Quicksand is used"
        )
        brand = replace(brand, font_family="Quicksand")
    if brand.colors.primary_dark is None:
        rgb = (int(brand.colors.primary[at : at + 2], 16) * 4 // 5 for at in (1, 3, 5))
        brand = replace(brand, colors=replace(brand.colors, primary_dark="#" + "".join(f"{part:02x}" for part in rgb)))
    return replace(settings, branding=brand)


def _own_font(folder: Path, family: str) -> bool:
    name = re.sub(r"[^a-z0-9]+", "-", family.lower()).strip("-")
    return all((folder / name / f"{name}-{weight}.woff2").is_file() for weight in (400, 700))


def _services(settings: Settings, by: Origin) -> Settings:
    smsc, mailjet, inventory = settings.smsc, settings.mailjet, settings.inventory
    if smsc.source_msisdn is None:
        smsc = replace(smsc, source_msisdn=settings.branding.company_name)
    if "mailjet.sync_contacts" not in by.given:
        mailjet = replace(mailjet, sync_contacts=bool(mailjet.api_key and mailjet.api_secret))
    if "inventory.incident_list" not in by.given:
        inventory = replace(inventory, incident_list=settings.provisioning.failure_list)
    return replace(settings, smsc=smsc, mailjet=mailjet, inventory=inventory)


def _sandboxes(settings: Settings, by: Origin) -> Settings:
    """Point each system that is not configured at its sandbox; a configured one keeps its own address (decision 17)."""
    if not settings.sandbox.enabled:
        return settings
    home = f"{settings.server.local_url}/sandbox"
    systems: set[str] = set()
    changes: dict[str, Any] = {}
    if settings.stripe.secret_key is None and "stripe.base_url" not in by.given:
        systems.add("stripe")
        key = settings.stripe.publishable_key or "pk_test_sandbox"
        changes["stripe"] = replace(
            settings.stripe, secret_key=Secret(SANDBOX_STRIPE_KEY), publishable_key=key, base_url=f"{home}/stripe"
        )
    if settings.mailjet.api_key is None and "mailjet.base_url" not in by.given and settings.mail.transport == "mailjet":
        systems.add("mailjet")
        changes["mailjet"] = replace(
            settings.mailjet, api_key=Secret(SANDBOX_KEY), api_secret=Secret(SANDBOX_KEY), base_url=f"{home}/mailjet"
        )
    if settings.smsc.smsc_url is None and settings.smsc.api_key is None:
        systems.add("smsc")
        changes["smsc"] = replace(settings.smsc, smsc_url=f"{home}/smsc", api_key=Secret(SANDBOX_KEY))
    if not settings.hss.hss_peers:
        systems.add("hss")
        changes["hss"] = replace(settings.hss, hss_peers=(f"{home}/hss/1", f"{home}/hss/2"))
    if settings.cbc_url is None:
        systems.add("cbc")
        changes["cbc_url"] = f"{home}/cbc"
    return replace(settings, **changes, sandbox=replace(settings.sandbox, systems=frozenset(systems)))
