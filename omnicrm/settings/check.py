"""Rules between keys: what cannot work (problems), what must not start (refusals), what deserves a look (warnings)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from omnicrm.settings.derive import SANDBOX_KEY
from omnicrm.settings.errors import SettingsError
from omnicrm.settings.kinds import split_host_port
from omnicrm.settings.secret import Secret
from omnicrm.settings.tree import Settings

#: SHA-256 of the signing key that the manuals print.
SAMPLE_JWT = "167580986efbecaa9ef0b1805f297cac788bfabf5a5c0bd0670f13e00f9bdd25"
LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})


def problems(settings: Settings) -> Iterator[str]:
    """What cannot work: loading ends with these."""
    yield from _database(settings)
    yield from _charging(settings)
    yield from _payment(settings)
    if settings.jobs.backend == "redis" and settings.cache.url is None:
        yield "jobs.backend: redis needs cache.url; set it as in redis://localhost:6379/0"
    urls, labels = settings.grafana.urls, settings.grafana.labels
    if len(urls) != len(labels):
        yield f"grafana.labels: there are {len(labels)} labels for {len(urls)} dashboards; write one for each"
    if settings.mail.transport == "smtp" and not settings.mail.smtp.host:
        yield "mail.smtp.host: the transport smtp needs it; name the mail server"
    if (settings.cbc.tls.cert is None) != (settings.cbc.tls.key is None):
        yield "cbc.tls: certificate and key belong together; set both cbc.tls.cert and cbc.tls.key"
    limits = settings.usage.colour_limits
    if len(limits) != 2 or limits[0] < limits[1]:
        yield "usage.colour_limits: two percentages are needed, the higher first, as in [50, 20]"
    if settings.provisioning.max_seconds < settings.provisioning.timeout_seconds:
        yield "provisioning.max_seconds: it is shorter than provisioning.timeout_seconds; raise it"
    for play, seconds in settings.provisioning.timeout_by_play.items():
        if settings.provisioning.max_seconds < seconds:
            yield f"provisioning.max_seconds: it is shorter than provisioning.timeout_by_play for {play}; raise it"
    yield from _sandbox(settings)


def _database(settings: Settings) -> Iterator[str]:
    url = settings.database.sync_url
    if url.startswith("sqlite") and (url.rstrip("/") == "sqlite:" or ":memory:" in url):
        yield "database.url: a database in memory cannot be shared by the product's threads; name a file"
    if url.startswith("mysql") and not urlsplit(url).path.strip("/"):
        yield "database.url: it names no database; end it as in …:3306/omnicrm"
    if url == settings.charging.url:
        yield "charging.url: the engine needs a database of its own; name another file or schema"


def _same_socket(one: str, other: str) -> bool:
    (host, port), (other_host, other_port) = split_host_port(one), split_host_port(other)
    return port == other_port and (host == other_host or {host, other_host} <= LOCAL)


def _charging(settings: Settings) -> Iterator[str]:
    ocs = settings.ocs
    if ocs.mode == "direct" and ocs.cgrates is None:
        yield "ocs.cgrates: the mode direct needs it; write host:port of CGRateS, or ocs.mode: embedded"
    if ocs.mode == "gateway" and ocs.upstream is None:
        yield "ocs.upstream: the mode gateway needs it; write host:port of the CGRateS behind it"
    if ocs.mode == "gateway" and ocs.upstream and _same_socket(ocs.listen, ocs.upstream):
        yield f"ocs.upstream: {ocs.upstream} is our own listener, so calls would go in circles; change it or ocs.listen"
    web = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    if ocs.listener and _same_socket(ocs.listen, f"{web or '0.0.0.0'}:{settings.server.port}"):
        yield f"ocs.listen: port {settings.server.port} is that of server.port too; give them different ports"


def _kind_of_key(key: str) -> str | None:
    match = re.match(r"(?:sk|pk|rk)_(live|test)_", key)
    return match[1] if match else None


def _payment(settings: Settings) -> Iterator[str]:
    stripe = settings.stripe
    secret = stripe.secret_key.reveal() if stripe.secret_key else None
    if secret is not None and not re.match(r"(sk|rk)_", secret):
        what = "a publishable key stands here" if secret.startswith("pk_") else "this is not a secret key"
        yield f"stripe.secret_key: {what}; write the key that begins with sk_"
    elif secret is not None and stripe.publishable_key is not None:
        kinds = {_kind_of_key(secret), _kind_of_key(stripe.publishable_key)}
        if kinds == {"live", "test"}:
            yield "stripe.publishable_key: one key is for tests, the other is live; take a pair"
    if stripe.currency.upper() != settings.regional.currency_code:
        yield (
            f"stripe.currency: {stripe.currency} is not regional.currency_code, {settings.regional.currency_code}; "
            "a deployment has one currency, write the same in both"
        )


def _is_sandbox(url: str | None, name: str) -> bool:
    return url is not None and f"/sandbox/{name}" in url


def _real(secret: Secret | None) -> bool:
    return secret is not None and secret.reveal() != SANDBOX_KEY


def _sandbox(settings: Settings) -> Iterator[str]:
    fix = "remove the key, or the address of the sandbox"
    stripe = settings.stripe
    if (
        _is_sandbox(stripe.base_url, "stripe")
        and stripe.secret_key
        and _kind_of_key(stripe.secret_key.reveal()) == "live"
    ):
        yield f"stripe.base_url: a live key must not reach a sandbox; {fix}"
    if _is_sandbox(settings.mailjet.base_url, "mailjet") and _real(settings.mailjet.api_key):
        yield f"mailjet.base_url: a real key must not reach a sandbox; {fix}"
    if _is_sandbox(settings.smsc.smsc_url, "smsc") and _real(settings.smsc.api_key):
        yield f"smsc.smsc_url: a real key must not reach a sandbox; {fix}"


# -- starting ----------------------------------------------------------------------------------------------------


def refusals(settings: Settings) -> Iterator[str]:
    """What may be loaded and looked at, but must not serve: unsafe secrets."""
    production = settings.crm.mode == "production"
    for key in settings.api_keys:
        text = key.key.reveal()
        if len(text) < 32:
            yield f"api_keys, key {text[:4]}…: it is shorter than 32 characters; make one with: openssl rand -base64 48"
    if production and (fault := jwt_fault(settings)):
        yield fault
    if production and settings.sandbox.active:
        yield "sandbox.enabled: a sandbox must not answer in production; remove the key or set crm.mode: development"


def check_start(settings: Settings) -> None:
    """Raise SettingsError unless a server may start with these settings; the reasons are safety, not form."""
    if found := list(refusals(settings)):
        where = f"{settings.path}: " if settings.path else ""
        raise SettingsError([where + text for text in found])


def jwt_fault(settings: Settings) -> str | None:
    secret = settings.jwt_secret.reveal() if settings.jwt_secret else None
    fix = "make one with: openssl rand -hex 32"
    if secret is None:
        return None  # generated at first start
    if hashlib.sha256(secret.encode()).hexdigest() == SAMPLE_JWT:
        return f"jwt_secret: this is the sample of the manual, which everybody knows; {fix}"
    if len(secret) < 64:
        return f"jwt_secret: it is shorter than 64 characters; {fix}"
    return None


# -- warnings ----------------------------------------------------------------------------------------------------


def look(settings: Settings, warn: Callable[[str], None]) -> None:
    """Warnings about settings that work but are probably not meant."""
    production = settings.crm.mode == "production"
    if not production and (fault := jwt_fault(settings)):
        warn(fault)
    password = (
        settings.database.password.reveal() if settings.database.password else settings.database.sync_url.password
    )
    if production and password is not None and not _strong(password):
        warn("database.password: it is short or simple; use at least 16 characters of several kinds")
    if production and settings.cgrates.api_pass and not _strong(settings.cgrates.api_pass.reveal()):
        warn("cgrates.api_pass: it is short or simple; use at least 16 characters of several kinds")
    stripe = settings.stripe
    kind = _kind_of_key(stripe.secret_key.reveal()) if stripe.secret_key else None
    if kind == "live" and not production:
        warn("stripe.secret_key: a live key outside production charges real cards")
    if kind == "test" and production and "stripe" not in settings.sandbox.systems:
        warn("stripe.secret_key: a test key in production charges nobody")
    ocs = settings.ocs
    if ocs.upstream and ocs.mode != "gateway":
        warn("ocs.upstream: it is used only with ocs.mode: gateway")
    if ocs.cgrates and ocs.mode != "direct":
        warn(f"ocs.cgrates: it is not used with ocs.mode: {ocs.mode}; plays get {ocs.endpoint}")
    if ocs.listener and not _loopback(ocs.listener[0]):
        warn("ocs.listen: whoever reaches this address can change balances; keep it behind a firewall")
    addresses = [settings.cbc_url] if isinstance(settings.cbc_url, str) else list((settings.cbc_url or {}).values())
    if "cbc" not in settings.sandbox.systems and any(address.startswith("http:") for address in addresses):
        warn("cbc_url: alerts travel unencrypted over http; use https where the CBC offers it")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _strong(password: str) -> bool:
    kinds = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
    return len(password) >= 16 and sum(bool(re.search(kind, password)) for kind in kinds) >= 3
