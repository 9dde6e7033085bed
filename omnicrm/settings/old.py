"""Names of the former configuration files, and the keys that took their place (requirements CFG-003, 028, 039)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Sections of the former file: playbooks read them, so operators' own keys below them are kept for plays.
SECTIONS = frozenset({"hss", "mailjet", "provisioning", "invoice", "crm", "ocs", "smsc"})

#: Older spellings inside the file.
ALIASES = {
    "smc.source_msidn": "smsc.source_msisdn",
    "smc.source_msisdn": "smsc.source_msisdn",
    "smsc.source_msidn": "smsc.source_msisdn",
    "smc.smc_url": "smsc.smsc_url",
    "smc.smsc_url": "smsc.smsc_url",
    "smc.api_key": "smsc.api_key",
    "email.api_key": "mailjet.api_key",
    "email.api_secret": "mailjet.api_secret",
    "ocs.OCS": "ocs.cgrates",
}

#: Variables of the former user interface, accepted in the environment and at the top of the file.
VARIABLES = {
    "MAILJET_API_KEY": "mailjet.api_key",
    "MAILJET_SECRET": "mailjet.api_secret",
    **{
        f"REACT_APP_{name}": path
        for name, path in {
            "STRIPE_PUBLISHABLE_KEY": "stripe.publishable_key",
            "TOPUP_PRICE_PER_DAY": "topup.price_per_day",
            "COMPANY_NAME": "branding.company_name",
            "PORTAL_NAME": "branding.portal_name",
            "SELF_CARE_NAME": "branding.self_care_name",
            "COMPANY_TAGLINE": "branding.company_tagline",
            "PRIMARY_COLOR": "branding.colors.primary",
            "SECONDARY_COLOR": "branding.colors.secondary",
            "TERTIARY_COLOR": "branding.colors.tertiary",
            "SUCCESS_COLOR": "branding.colors.success",
            "INFO_COLOR": "branding.colors.info",
            "WARNING_COLOR": "branding.colors.warning",
            "DANGER_COLOR": "branding.colors.danger",
            "LIGHT_COLOR": "branding.colors.light",
            "DARK_COLOR": "branding.colors.dark",
            "PRIMARY_DARK_COLOR": "branding.colors.primary_dark",
            "FONT_FAMILY": "branding.font_family",
            "DEFAULT_LOCATION": "regional.default_location",
            "DEFAULT_COUNTRY": "regional.default_country",
            "DEFAULT_LANGUAGE": "regional.default_language",
            "LOCALE": "regional.locale",
            "CURRENCY_CODE": "regional.currency_code",
            "CURRENCY_SYMBOL": "regional.currency_symbol",
            "GOOGLE_API_KEY": "google.api_key",
            "GRAFANA_URLS": "grafana.urls",
            "GRAFANA_LABELS": "grafana.labels",
            "GRAFANA_API_KEY": "grafana.api_key",
            "FAQS_URL": "support.faqs_url",
            "SUPPORT_URL": "support.support_url",
            "ALLOW_SOCIAL_LOGINS": "features.allow_social_logins",
        }.items()
    },
}

#: Variables of the former server. They are common names, so only the file may hold them, never the environment.
FILE_VARIABLES = {
    "MYSQL_USER": "database.username",
    "MYSQL_PASSWORD": "database.password",
    "MYSQL_DATABASE": "database.name",
    "DB_SERVER": "database.server",
    "CGRATES_API_USER": "cgrates.api_user",
    "CGRATES_API_PASS": "cgrates.api_pass",
    "POSTGRES_USER": "cgrates.db.user",
    "POSTGRES_PASSWORD": "cgrates.db.password",
    "POSTGRES_DB": "cgrates.db.name",
    "CGRATES_DB_USER": "cgrates.db.user",
    "CGRATES_DB_PASS": "cgrates.db.password",
    "CGRATES_DB_NAME": "cgrates.db.name",
    "CGRATES_DB_PORT": "cgrates.db.port",
}

#: Read by tools of the former product alone.
IGNORED = frozenset({"BROWSER", "MYSQL_ROOT_PASSWORD"})

_WEB_APP = re.compile(r"REACT_APP_WEB_APP_([1-6])_(NAME|URL|ICON_PATH)")


def variables(found: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Key path to (old name, value) for the old variables in `found`; the six numbered links become one list."""
    taken = {known[name]: (name, found[name]) for name in known if found.get(name) not in (None, "")}
    links: dict[str, dict[str, Any]] = {}
    for name in sorted(found):
        if match := _WEB_APP.fullmatch(name):
            links.setdefault(match[1], {})[match[2].lower()] = found[name]
    if links:
        taken["web_apps"] = ("REACT_APP_WEB_APP_*", [links[number] for number in sorted(links)])
    return taken


def is_old(name: str) -> bool:
    return name in VARIABLES or name in FILE_VARIABLES or name in IGNORED or _WEB_APP.fullmatch(name) is not None
