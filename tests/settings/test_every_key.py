"""Each key of the tree is changed by file, environment and command line, and the tree shows it (CFG-157)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnicrm.settings import Secret, Settings, load
from omnicrm.settings.describe import _default
from omnicrm.settings.keys import Key, walk

KEYS = dict(walk(Settings))

#: Samples that equal the default, and keys without one whose next value is no guess.
OTHER = {
    "server.host": "0.0.0.0",
    "crm.base_url": "https://crm.example.com",
    "crm.mode": "production",
    "database.username": "changed",
    "database.server": "db",
    "database.port": "3307",
    "database.name": "changed",
    "database.auto_migrate": "false",
    "ocs.mode": "gateway",
    "ocs.listen": "127.0.0.1:2081",
    "ocs.ocsTenant": "changed",
    "cbc.approval": "two_person",
    "cbc.cancel_path": "/changed",
    "mail.transport": "smtp",
    "mailjet.base_url": "https://mail.example.com",
    "stripe.base_url": "https://stripe.example.com",
    "stripe.currency": "eur",
    "invoice.number_format": '"{invoice_id}"',
    "branding.font_family": "Lato",
    "regional.default_language": "fr",
    "regional.locale": "en-US",
    "regional.currency_code": "EUR",
    "regional.currency_symbol": "US$",
    "regional.timezone": "Australia/Sydney",
    "usage.colour_limits": "[60, 10]",
    "jobs.backend": "redis",
    "logging.level": "DEBUG",
    "sandbox.enabled": "true",
}

#: What some values need beside them.
BESIDE = {
    "ocs.mode": {"ocs.upstream": "10.0.0.7:2080"},
    "mail.transport": {"mail.smtp.host": "mail.example.com"},
    "jobs.backend": {"cache.url": "redis://localhost"},
    "grafana.urls": {"grafana.labels": "[Network]"},
    "grafana.labels": {"grafana.urls": "['http://grafana.example.com']"},
    "cbc.tls.cert": {"cbc.tls.key": "tls/cbc.key"},
    "cbc.tls.key": {"cbc.tls.cert": "tls/cbc.crt"},
}


def other(path: str, key: Key) -> str:
    """YAML text of a value that is not the default."""
    if path in OTHER:
        return OTHER[path]
    default = _default(path)
    if key.sample:
        return key.sample
    if isinstance(default, bool):
        return str(not default).lower()
    if isinstance(default, int):
        return str(default + 1)
    if key.kind.name == "a colour #RRGGBB":
        return '"#123456"'
    if isinstance(default, tuple):
        return f"[{default[0]}]"
    return str(default + 1) if key.kind.name.startswith("number") else "changed"


def nested(values: dict[str, str]) -> str:
    content: dict[str, Any] = {}
    for path, text in values.items():
        *outer, last = path.split(".")
        place = content
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = yaml.safe_load(text)
    return yaml.safe_dump(content)


def bare(text: str, variables: dict[str, str]) -> str:
    """The value as a shell hands it over: YAML's quotes gone, variables filled in."""
    plain = yaml.safe_load(text)
    plain = plain if isinstance(plain, str) else text
    for name, value in variables.items():
        plain = plain.replace(f"${{{name}}}", value)
    return plain


@pytest.mark.parametrize("path", KEYS)
def test_a_key_takes_effect_from_each_source(
    path: str, workplace: Path, variables: dict[str, str], samples: None
) -> None:
    text = other(path, KEYS[path])
    beside = BESIDE.get(path, {})
    untouched = load(None, environ={"OMNICRM_CONFIG": str(empty(workplace))}).get(path)
    file = workplace / "omnicrm.yaml"
    file.write_text(nested({path: text, **beside}))
    from_file = load(file, environ=variables)
    assert from_file.get(path) != untouched
    assert from_file.sources[path] == str(file)

    named = {
        f"OMNICRM__{name.upper().replace('.', '__')}": bare(value, variables)
        for name, value in {path: text, **beside}.items()
    }
    assert load(empty(workplace), environ=named).get(path) == from_file.get(path)
    given = {name: bare(value, variables) for name, value in {path: text, **beside}.items()}
    by_command = load(empty(workplace), sets=given, environ={})
    assert by_command.get(path) == from_file.get(path)
    assert by_command.sources[path] == f"--set {path}"


def empty(folder: Path) -> Path:
    file = folder / "empty.yaml"
    file.touch()
    return file


@pytest.mark.parametrize("path", [path for path, key in KEYS.items() if key.kind.name.startswith("secret")])
def test_a_secret_can_be_read_from_a_file_and_never_prints(
    path: str, workplace: Path, variables: dict[str, str]
) -> None:
    text = bare(other(path, KEYS[path]), variables)
    (workplace / "held").write_text(text + "\n")
    *outer, last = path.split(".")
    content: Any = {f"{last}_file": "held"}
    for name in reversed(outer):
        content = {name: content}
    file = workplace / "omnicrm.yaml"
    file.write_text(yaml.safe_dump(content))
    os.chmod(file, 0o644)
    settings = load(file, environ={})
    found = settings.get(path)
    assert isinstance(found, Secret) and found.reveal() == text
    assert text not in f"{settings} {settings!r} {settings.warnings} {settings.sources}"
    assert text in settings.secret_values()
    assert not any("chmod" in warning for warning in settings.warnings)


def test_settings_cannot_be_changed() -> None:
    settings = load(environ={})
    with pytest.raises(AttributeError):
        settings.server.port = 1  # type: ignore[misc]
