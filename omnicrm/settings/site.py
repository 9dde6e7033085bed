"""Settings of the installation itself: server, databases, jobs, logs, base addresses, the sandbox."""

# ruff: noqa: RUF009 - key(), section() and block() make dataclass fields
from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from omnicrm.settings.keys import block_kind, derived, key
from omnicrm.settings.kinds import (
    BASE_URL,
    FLAG,
    FOLDER,
    NETWORK,
    NEW_FILE,
    SECRET,
    TEXT,
    choice,
    dsn,
    integer,
    list_of,
    number,
)
from omnicrm.settings.secret import Dsn, Secret

PORT = integer(1, 65535)
SQL = dsn("sqlite", "mysql", "mariadb")


@dataclass(frozen=True)
class Server:
    host: str = key(TEXT, "Address the web server listens on.", "127.0.0.1")
    port: int = key(PORT, "Port of pages and JSON API.", 5000)
    data_dir: Path = key(FOLDER, "Folder of database files, generated secrets and job folders.", Path("data"))
    trusted_proxies: tuple[str, ...] = key(
        list_of(NETWORK), "Reverse proxies whose X-Forwarded-For is believed.", (), sample="[10.0.0.2]"
    )
    cors_origins: tuple[str, ...] = key(
        list_of(BASE_URL),
        "Origins whose pages may call the JSON API with a token.",
        (),
        sample="[https://app.example.com]",
    )
    #: Where this product reaches its own web port: the sandboxes' address, and what plays call as localhost:5000.
    local_url: str = derived("http://127.0.0.1:5000")


@dataclass(frozen=True)
class Database:
    """MySQL or MariaDB as soon as one of username, password, server, port or name is given; else a SQLite file."""

    username: str = key(TEXT, "MySQL user.", "omnitouch", sample="omnitouch")
    password: Secret | None = key(SECRET, "MySQL password.", sample="${OMNICRM_DB_PASSWORD}")
    server: str = key(TEXT, "MySQL host; `db` in containers.", "localhost", sample="localhost")
    port: int = key(PORT, "MySQL port.", 3306, sample="3306")
    name: str = key(TEXT, "MySQL database.", "omnicrm", sample="omnicrm")
    url: Dsn | None = key(
        SQL,
        "Whole address of the database; it wins over the keys above.",
        otherwise="SQLite file `omnicrm.db` in `server.data_dir`",
        sample="mysql://omnitouch:${OMNICRM_DB_PASSWORD}@localhost:3306/omnicrm",
    )
    replica_url: Dsn | None = key(
        SQL,
        "Read replica for reports.",
        otherwise="none",
        sample="mysql://report:${OMNICRM_DB_PASSWORD}@replica:3306/omnicrm",
    )
    pool_size: int = key(integer(1, 1000), "Connections per process.", 10)
    auto_migrate: bool = key(FLAG, "Bring the tables up to date at start.", True)
    #: The address in force, for the sync drivers of workers and the async drivers of the web server.
    sync_url: Dsn = derived(Dsn("sqlite:///omnicrm.db"))
    async_url: Dsn = derived(Dsn("sqlite+aiosqlite:///omnicrm.db"))


@dataclass(frozen=True)
class Charging:
    url: Dsn = key(
        SQL,
        "A file or schema of its own.",
        otherwise="`charging.db` in `server.data_dir`; with MySQL the database `<name>_charging`",
        sample="mysql://omnitouch:${OMNICRM_DB_PASSWORD}@localhost:3306/omnicrm_charging",
    )


@dataclass(frozen=True)
class CustomerStatus:
    name: str = key(TEXT, "The word.")
    may_order: bool = key(FLAG, "New services can be ordered.", True)
    is_billed: bool = key(FLAG, "Recurring charges are made.", True)
    may_log_in: bool = key(FLAG, "The customer's users can log in.", True)
    in_search: bool = key(FLAG, "Found by a search that does not ask for other accounts.", True)


BUILT_IN_STATUSES = (
    CustomerStatus("Open"),
    CustomerStatus("Closed", may_order=False, is_billed=False, in_search=False),
    CustomerStatus("Suspended", may_order=False, in_search=False),
    CustomerStatus("Archived", may_order=False, is_billed=False, may_log_in=False, in_search=False),
)


@dataclass(frozen=True)
class Crm:
    base_url: str = key(
        BASE_URL,
        "Address that playbooks call; it must be reachable from where they run.",
        otherwise="`http://localhost:` and `server.port`",
        sample="http://localhost:5000",
    )
    public_url: str = key(
        BASE_URL,
        "Address in mails and links; https here makes cookies Secure.",
        otherwise="value of `crm.base_url`",
        sample="https://crm.example.com",
    )
    mode: str = key(
        choice("development", "production"),
        "Strictness: production refuses sample secrets and demo logins.",
        otherwise="`production` with MySQL, else `development`",
        sample="development",
    )
    customer_statuses: tuple[CustomerStatus, ...] = key(
        list_of(block_kind(CustomerStatus, first="name")),
        "Further customer statuses, or other rules for the built-in Open, Closed, Suspended and Archived.",
        BUILT_IN_STATUSES,
        otherwise="Open, Closed, Suspended, Archived",
        sample="[{name: Pending, may_order: false}]",
    )


@dataclass(frozen=True)
class Sandbox:
    """Stand-ins for outside systems, inside the product. One never takes over a system that is configured."""

    enabled: bool = key(
        FLAG,
        "Let the built-in stand-ins answer for outside systems that are not configured.",
        False,
        otherwise="false; `omnicrm demo` switches it on",
        sample="false",
    )
    #: Those of stripe, mailjet, smsc, hss and cbc for which the sandbox answers.
    systems: frozenset[str] = derived(frozenset())

    @property
    def active(self) -> bool:
        return bool(self.systems)


@dataclass(frozen=True)
class Cache:
    url: Dsn | None = key(
        dsn("redis", "rediss"),
        "Redis shared by several processes.",
        otherwise="the database",
        sample="redis://localhost:6379/0",
    )


@dataclass(frozen=True)
class Jobs:
    backend: str = key(choice("sqlite", "redis"), "Where the job queue lives; redis needs `cache.url`.", "sqlite")
    workers: int = key(integer(1, 64), "Threads for short jobs such as mails.", 4)


@dataclass(frozen=True)
class Logging:
    level: str = key(choice("DEBUG", "INFO", "WARNING", "ERROR"), "Least level that is logged.", "INFO")
    file: Path | None = key(NEW_FILE, "Log file, rotated.", otherwise="standard output only", sample="omnicrm.log")
    json: bool = key(FLAG, "One JSON object a line.", True)
    sentry_dsn: Secret | None = key(SECRET, "Error tracker.", otherwise="none", sample="${SENTRY_DSN}")


@dataclass(frozen=True)
class Monitoring:
    metrics_enabled: bool = key(FLAG, "Serve /metrics for Prometheus.", True)
    metrics_allow: tuple[str, ...] = key(list_of(NETWORK), "Addresses that may read /metrics.", ("127.0.0.0/8", "::1"))
    metrics_token: Secret | None = key(SECRET, "Bearer token that may read /metrics too.", sample="${METRICS_TOKEN}")


@dataclass(frozen=True)
class Ui:
    usage_refresh_seconds: int = key(integer(1, 3600), "Refresh of usage on service pages.", 3)
    provision_poll_seconds: Decimal = key(number("0.2"), "Refresh of a running job's progress.", Decimal(1))
    per_page: int = key(integer(1, 100), "Rows on a page of a list.", 10)
