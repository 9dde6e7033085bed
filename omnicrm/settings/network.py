"""Settings of network elements and of provisioning: charging, HSS, SMSC, cell broadcast, plays, inventory."""

# ruff: noqa: RUF009 - key(), section() and block() make dataclass fields
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from omnicrm.settings.keys import derived, key, section
from omnicrm.settings.kinds import (
    EMAIL,
    EXISTING_FILE,
    EXISTING_FOLDER,
    FLAG,
    HOST_PORT,
    NEW_FILE,
    SECRET,
    TEXT,
    URL,
    choice,
    integer,
    list_of,
    map_of,
    matching,
    number,
    split_host_port,
)
from omnicrm.settings.secret import Secret


@dataclass(frozen=True)
class Ocs:
    mode: str = key(
        choice("embedded", "direct", "gateway"),
        "embedded: the built-in engine; direct: plays talk to `ocs.cgrates`; gateway: we stand before `ocs.upstream`.",
        otherwise="`direct` when `ocs.cgrates` is set, else `embedded`",
        sample="embedded",
    )
    listen: str = key(HOST_PORT, "Socket of our own JSON-RPC endpoint; keep it off public networks.", "127.0.0.1:2080")
    cgrates: str | None = key(
        HOST_PORT, "JSON-RPC endpoint of a real CGRateS.", otherwise="our own", sample="localhost:2080"
    )
    upstream: str | None = key(HOST_PORT, "CGRateS behind the gateway.", otherwise="none", sample="10.0.0.7:2080")
    ocsTenant: str = key(TEXT, "Tenant of all charging calls.", "cgrates.org")
    ocsApi: str | None = key(
        URL, "REST endpoint of an OCS, handed to plays.", otherwise="none", sample="http://10.179.2.142:8080/api"
    )
    play_fixes: bool = key(
        FLAG, "Correct requests of documented plays that CGRateS would misread; false gives the bare engine.", True
    )
    cache_seconds: int = key(integer(0, 3600), "Age up to which balances are shown from memory; 0 asks each time.", 0)
    timeout_seconds: int = key(integer(1, 300), "Time limit of a charging call.", 10)
    #: host:port that the CRM and the plays call, whichever engine is in force.
    endpoint: str = derived("127.0.0.1:2080")

    @property
    def listener(self) -> tuple[str, int] | None:
        """Host and port that our endpoint opens; None in direct mode."""
        return None if self.mode == "direct" else split_host_port(self.listen)


@dataclass(frozen=True)
class CgratesDb:
    """Only for deployment files of a real CGRateS; the product never opens this database."""

    user: str = key(TEXT, "Its user.", "cgrates")
    password: Secret | None = key(SECRET, "Its password.", sample="${CGRATES_DB_PASS}")
    name: str = key(TEXT, "Its database.", "cgrates_db")
    port: int = key(integer(1, 65535), "Its port.", 5432)


@dataclass(frozen=True)
class Cgrates:
    api_user: str | None = key(TEXT, "User of the JSON-RPC endpoint.", otherwise="no login", sample="admin")
    api_pass: Secret | None = key(SECRET, "Its password.", sample="${CGRATES_API_PASS}")
    db: CgratesDb = section(CgratesDb, "Database of a real CGRateS, for deployment files only.")


@dataclass(frozen=True)
class Hss:
    hss_peers: tuple[str, ...] = key(
        list_of(URL), "HSS addresses for plays.", (), sample="['http://10.179.2.140:8080']"
    )
    apn_list: str = key(TEXT, "APN ids for plays, separated by commas.", "", sample='"1,2,3,4,5,6"')


@dataclass(frozen=True)
class Smsc:
    source_msisdn: str = key(
        TEXT, "Sender of SMS, text or number.", otherwise="value of `branding.company_name`", sample="YourCompany"
    )
    smsc_url: str | None = key(
        URL, "Address of the SMS centre.", otherwise="SMS are skipped", sample="http://10.179.2.216/SMSc/"
    )
    api_key: Secret | None = key(SECRET, "Its key.", sample="${SMSC_API_KEY}")


@dataclass(frozen=True)
class CbcTls:
    cert: Path | None = key(EXISTING_FILE, "Our certificate.", sample="tls/cbc.crt")
    ca: Path | None = key(EXISTING_FILE, "Authority of the CBCs.", sample="tls/ca.crt")
    key: Path | None = key(EXISTING_FILE, "Private key of our certificate.", sample="tls/cbc.key")


@dataclass(frozen=True)
class Cbc:
    approval: str = key(choice("none", "approver", "two_person"), "Who releases an alert.", "none")
    require_totp: bool = key(FLAG, "Sending needs a code of the second factor.", False)
    max_chars: int = key(integer(1, 100_000), "Operator's text limit over all languages.", 500)
    enforce_max_chars: bool = key(FLAG, "Refuse longer texts instead of warning.", False)
    identifiers: Mapping[int, str] = key(
        map_of("mapping: number to name", TEXT, integer(0, 65535)),
        "Names of message identifiers besides the built-in ones.",
        MappingProxyType({}),
        sample="{4370: Presidential alert}",
    )
    cancel_path: str = key(
        matching("a path", r"/\S*", "begin it with a slash"), "Path of the CBC that cancels an alert.", "/alerts/cancel"
    )
    tls: CbcTls = section(CbcTls, "Certificates for TLS on both sides.")
    cell_sites_file: Path = key(NEW_FILE, "Tower positions of the map.", Path("cellSites.txt"))
    areas_file: Path = key(NEW_FILE, "Predefined areas.", Path("site_data.json"))
    map_styles_file: Path | None = key(
        EXISTING_FILE, "Styles of the map.", otherwise="built-in", sample="map_styles.json"
    )


@dataclass(frozen=True)
class Provisioning:
    failure_list: tuple[str, ...] = key(list_of(EMAIL), "Told about failed plays.", (), sample="[ops@example.com]")
    plays_dir: Path | None = key(
        EXISTING_FOLDER,
        "Your own plays, searched before the shipped ones.",
        otherwise="shipped plays only",
        sample="plays",
    )
    workers: int = key(integer(1, 64), "Plays that run at the same time.", 2)
    timeout_seconds: int = key(integer(5, 86_400), "Longest time without a sign of life from a play.", 300)
    timeout_by_play: Mapping[str, int] = key(
        map_of("mapping: play to seconds", integer(5, 86_400)),
        "The same for single plays, where one silent task takes longer.",
        MappingProxyType({}),
        sample="{play_prov_cpe_mikrotik: 900}",
    )
    max_seconds: int = key(integer(10, 86_400), "Longest run of a play.", 3600)
    late_answer_seconds: int = key(
        integer(0, 3600),
        "After a request without an answer, a failed order is undone once more this much later; 0: only once.",
        30,
    )
    max_folder_mb: int = key(integer(16, 100_000), "Room that a running play may fill in its folder.", 256)
    max_memory_mb: int = key(integer(512, 100_000), "Memory that the processes of one play may take together.", 2048)
    token_minutes: int = key(integer(1, 1440), "Life of tokens for callers with a key or trusted address.", 120)
    cancel_grace_days: int = key(
        integer(0, 365), "Days that a cancelled service stays usable and can be reinstated; 0 ends it at once.", 0
    )
    deprovision_expired_days: int | None = key(
        integer(0, 3650),
        "Days after its end date (`service_deactivate_date`) at which a service is deprovisioned.",
        otherwise="never by itself",
        sample="7",
    )
    deprovision_at_contract_end: bool = key(
        FLAG, "Deprovision services at the end of their contract, unless they renew by themselves.", False
    )
    return_days: int = key(integer(0, 365), "Days to return equipment after a cancellation.", 14)
    return_fee: Decimal | None = key(
        number(), "Charged when it is not returned, in major units.", otherwise="off", sample="150"
    )

    def silence_of(self, play: str) -> int:
        """Longest silence of a play, in seconds (PC-07)."""
        return self.timeout_by_play.get(play, self.timeout_seconds)


@dataclass(frozen=True)
class Inventory:
    selectable_states: tuple[str, ...] = key(list_of(TEXT), "States that an order may pick from.", ("New", "In Stock"))
    extra_states: tuple[str, ...] = key(list_of(TEXT), "Your own item states.", (), sample="[Refurbished]")
    reservation_minutes: int = key(integer(1, 1440), "How long an order holds its items.", 30)
    incident_list: tuple[str, ...] = key(
        list_of(EMAIL),
        "Told about lost and stolen items.",
        (),
        otherwise="value of `provisioning.failure_list`",
        sample="[security@example.com]",
    )
