"""Which file is read, which source wins, and how mistakes in a file are told (CFG-001, 005, 007; decisions 7, 23)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from omnicrm.paths import ROOT
from omnicrm.settings import SettingsError, load


def write(path: Path, port: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"server: {{port: {port}}}")
    return path


def test_the_file_is_the_argument_then_the_variable_then_the_working_directory_then_the_shipped_one(
    workplace: Path,
) -> None:
    assert load(environ={}).path == ROOT / "omnicrm.yaml"
    write(workplace / "crm_config.yaml", 1001)
    assert load(environ={}).server.port == 1001
    write(workplace / "omnicrm.yaml", 1002)
    assert load(environ={}).server.port == 1002
    named = write(workplace / "etc" / "named.yaml", 1003)
    assert load(environ={"OMNICRM_CONFIG": str(named)}).server.port == 1003
    given = write(workplace / "given.yaml", 1004)
    assert load(given, environ={"OMNICRM_CONFIG": str(named)}).server.port == 1004


def test_relative_paths_start_from_the_folder_of_the_file(workplace: Path) -> None:
    settings = load(write(workplace / "etc" / "omnicrm.yaml", 1001), environ={})
    assert settings.server.data_dir == workplace / "etc" / "data"
    assert settings.database.sync_url == f"sqlite:///{workplace}/etc/data/omnicrm.db"
    assert load(environ={}, data_dir=Path("here")).server.data_dir == workplace / "here"


def test_a_file_that_was_named_must_exist(workplace: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.yaml: cannot be read"):
        load(Path("missing.yaml"), environ={})


def test_command_line_beats_environment_beats_file_beats_default(loaded: Callable) -> None:
    text, environ = "ui: {per_page: 20}", {"OMNICRM__UI__PER_PAGE": "30"}
    assert loaded().ui.per_page == 10
    assert loaded(text).ui.per_page == 20
    assert loaded(text, environ).ui.per_page == 30
    assert loaded(text, environ, ui__per_page="40").ui.per_page == 40


def test_an_empty_variable_leaves_the_file_alone_and_an_empty_key_is_the_default(loaded: Callable) -> None:
    assert loaded("ui: {per_page: 20}", {"OMNICRM__UI__PER_PAGE": ""}).ui.per_page == 20
    assert loaded("ui:\n  per_page:\nhss:\n").ui.per_page == 10


def test_names_in_the_environment_have_any_case(loaded: Callable) -> None:
    name = "OMNICRM__MAILJET__API_CRMCOMMUNICATIONCUSTOMERWELCOME__SUBJECT"
    settings = loaded("", {name: "Hello", "OMNICRM__OCS__OCSTENANT": "t1"})
    assert settings.mailjet.mail("api_crmCommunicationCustomerWelcome").subject == "Hello"
    assert settings.mailjet.mail("api_crmCommunicationUserWelcome").subject is None
    assert settings.ocs.ocsTenant == "t1"


def test_references_are_replaced_and_can_be_escaped(loaded: Callable) -> None:
    text = "branding: {company_name: 'A ${WORD} C', portal_name: '$${WORD}'}"
    settings = loaded(text, {"WORD": "B: #1"})
    assert settings.branding.company_name == "A B: #1 C"
    assert settings.branding.portal_name == "${WORD}"


def test_a_reference_to_an_unset_variable_is_refused(problems: Callable) -> None:
    text = problems("stripe: {secret_key: '${STRIPE_SECRET}'}")
    assert "omnicrm.yaml: stripe.secret_key: the environment variable STRIPE_SECRET is not set" in text


def test_a_value_and_its_file_exclude_one_another(problems: Callable, workplace: Path) -> None:
    (workplace / "pw").write_text("x")
    assert "are both given" in problems("database: {password: a, password_file: pw}")
    assert "database.password_file: gone cannot be read" in problems("database: {password_file: gone}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("server:\n  port: 1\n host: x\n", "line 3, column 2"),
        ("server:\n\tport: 1\n", "line 2, column 1"),
        ("server: {port: 1}\nserver: {port: 2}\n", "the key 'server' stands here twice"),
        ("server:\n  port: 1\n  port: 2\n", "line 3, column 3: the key 'port' stands here twice"),
        ("- a\n- b\n", "is not a list of `section:`"),
        ("? [a]\n: b\n", "a key must be plain text"),
        ("a: !!python/object:os.system x\n", "could not determine a constructor"),
        ("stripe: 5\n", "stripe: a value stands where a section belongs"),
        ("server: {port: http}\n", "server.port: 'http' is not a whole number"),
        ("server: {port: 70000}\n", "server.port: 70000 is out of range; write a number from 1 to 65535"),
        ("server: {port: [1]}\n", "server.port: a list stands where a single value belongs"),
        ("ocs: {mode: external}\n", "ocs.mode: 'external' is not known; write one of embedded, direct, gateway"),
        ("ocs: {listen: '2080'}\n", "ocs.listen: '2080' is not host:port"),
        ("features: {cbc_mode: maybe}\n", "features.cbc_mode: 'maybe' is neither yes nor no"),
        ("branding: {colors: {primary: blue}}\n", "branding.colors.primary: 'blue' is not a colour #RRGGBB"),
        ("branding:\n  colors:\n    primary: #ff0000\n", "write the colour in quotes"),
        ("crm: {base_url: crm.example.com}\n", "crm.base_url: this is not a web address"),
        ("provisioning: {failure_list: [ops]}\n", "provisioning.failure_list: 'ops' is not an e-mail address"),
        ("provisioning: {plays_dir: nowhere}\n", "provisioning.plays_dir: there is no folder"),
        ("regional: {timezone: Mars/Base}\n", "'Mars/Base' is not a time zone"),
        ("regional: {timezone: ../../etc/passwd}\n", "is not a time zone"),
        ("regional: {currency_code: XYZ}\n", "'XYZ' is not a currency"),
        ("security: {encryption_key: short}\n", "security.encryption_key: this is not a key of 32 bytes"),
        ("database: {url: 'postgresql://x/y'}\n", "database.url: the address must begin with sqlite:// or mysql://"),
        ("web_apps: [{name: Wiki}]\n", "web_apps: url is missing"),
        ("web_apps: [{name: Wiki, link: x}]\n", "web_apps: 'link' is not known here"),
        ("invoice: {number_format: INV-1}\n", "gives no number of its own"),
        ("invoice: {number_format: '{invoice_id.__class__}'}\n", "gives no number of its own"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_fix(problems: Callable, text: str, told: str) -> None:
    found = problems(text)
    assert told in found
    assert "/omnicrm.yaml: " in found


def test_all_mistakes_are_told_at_once_with_their_source(problems: Callable) -> None:
    found = problems("server: {port: a}\nui: {per_page: b}\n", {"OMNICRM__TOPUP__MAX_DAYS": "c"}, search__per_page="d")
    assert found.count("\n  - ") == 4
    assert "environment variable OMNICRM__TOPUP__MAX_DAYS: topup.max_days" in found
    assert "--set search.per_page: search.per_page: 'd'" in found


def test_no_mistake_repeats_a_secret(problems: Callable) -> None:
    found = problems("security: {encryption_key: hidden-text}\ncharging: {url: 'x://u:hidden-text@h'}\n")
    assert "hidden-text" not in found


def test_text_is_taken_as_it_is_written(loaded: Callable) -> None:
    settings = loaded("database: {password: 0123, name: 1e3, username: yes}\nhss: {apn_list: 1}\n")
    assert settings.database.password.reveal() == "0123"
    assert (settings.database.name, settings.database.username, settings.hss.apn_list) == ("1e3", "yes", "1")


def test_unknown_keys_are_named_with_the_nearest_known_one(loaded: Callable) -> None:
    settings = loaded("servr: {}\nserver: {prot: 1, nothing: 2}\n", {"OMNICRM__UI__PER_PAGES": "5"}, ui__foo="1")
    told = "\n".join(settings.warnings)
    assert "servr is not a known key and has no effect; did you mean server?" in told
    assert "server.prot is not a known key and has no effect; did you mean server.port?" in told
    assert "server.nothing is not a known key and has no effect" in told
    assert "OMNICRM__UI__PER_PAGES is not a known key and has no effect; did you mean ui.per_page?" in told
    assert "--set ui.foo is not a known key" in told


def test_a_file_with_secrets_that_everybody_can_read_gives_a_warning(workplace: Path) -> None:
    file = workplace / "omnicrm.yaml"
    file.write_text("smsc: {api_key: abc}\n")
    file.chmod(0o644)
    assert any("chmod 600" in warning for warning in load(file, environ={}).warnings)
    file.chmod(0o600)
    assert load(file, environ={}).warnings == ()
    file.write_text("smsc: {api_key: '${KEY}'}\n")
    file.chmod(0o644)
    assert load(file, environ={"KEY": "abc"}).warnings == ()


def test_loading_takes_less_than_50_ms(workplace: Path) -> None:
    started = time.perf_counter()
    for _ in range(5):
        load(ROOT / "omnicrm.yaml", environ={})
    assert (time.perf_counter() - started) / 5 < 0.05


def test_the_package_imports_nothing_heavy() -> None:
    code = "import sys, omnicrm.settings; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    heavy = {"sqlalchemy", "litestar", "msgspec", "babel", "jinja2", "ansible", "httpx", "pydantic", "cryptography"}
    assert not heavy & {name.split(".")[0] for name in names.split()}
