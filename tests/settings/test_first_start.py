"""Secrets that the product makes at its first start (decision 23, CFG-010)."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from omnicrm.paths import ROOT
from omnicrm.settings import SettingsError, ensure_secrets


def test_the_first_start_makes_both_secrets_and_later_starts_find_them(loaded: Callable, workplace: Path) -> None:
    settings = loaded()
    assert settings.jwt_secret is None and not settings.server.data_dir.exists()
    first = ensure_secrets(settings, database_has_data=False)
    assert len(first.jwt_secret.reveal()) == 64
    Fernet(first.security.encryption_key.reveal())
    file = workplace / "data" / "secrets.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    again = ensure_secrets(loaded(), database_has_data=True)
    assert again.jwt_secret == first.jwt_secret
    assert again.security.encryption_key == first.security.encryption_key
    assert first.jwt_secret.reveal() not in repr(first)


def test_configured_secrets_are_not_made_or_stored(loaded: Callable) -> None:
    key = Fernet.generate_key().decode()
    given = ensure_secrets(loaded(jwt_secret="j" * 64, security__encryption_key=key), database_has_data=True)
    assert given.jwt_secret.reveal() == "j" * 64
    assert not given.server.data_dir.exists()
    half = ensure_secrets(loaded(jwt_secret="j" * 64), database_has_data=False)
    assert half.jwt_secret.reveal() == "j" * 64
    assert "jwt_secret" not in (half.server.data_dir / "secrets.yaml").read_text()


def test_data_without_its_secrets_is_refused_with_the_reason(loaded: Callable) -> None:
    with pytest.raises(SettingsError) as caught:
        ensure_secrets(loaded(), database_has_data=True)
    text = str(caught.value)
    assert "data/secrets.yaml: the database holds data, but jwt_secret and security.encryption_key" in text
    assert "Put the secrets.yaml of the same backup or machine there" in text
    assert not (loaded().server.data_dir / "secrets.yaml").exists()


def test_a_secret_that_left_the_configuration_is_not_replaced_under_existing_data(loaded: Callable) -> None:
    key = Fernet.generate_key().decode()
    ensure_secrets(loaded(security__encryption_key=key), database_has_data=False)
    with pytest.raises(SettingsError, match=r"but security\.encryption_key that belongs to it is missing"):
        ensure_secrets(loaded(), database_has_data=True)


def test_a_damaged_file_is_refused_and_kept(loaded: Callable) -> None:
    file = loaded().server.data_dir / "secrets.yaml"
    file.parent.mkdir()
    for content in (b"jwt_secret: [", b"\xff\xfe", b"just text"):
        file.write_bytes(content)
        with pytest.raises(SettingsError, match="is damaged"):
            ensure_secrets(loaded(), database_has_data=False)
        assert file.read_bytes() == content


def test_a_file_that_others_may_read_is_closed(loaded: Callable) -> None:
    ensure_secrets(loaded(), database_has_data=False)
    file = loaded().server.data_dir / "secrets.yaml"
    file.chmod(0o644)
    ensure_secrets(loaded(), database_has_data=False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_data_folder_that_cannot_be_used_is_told(loaded: Callable, workplace: Path) -> None:
    (workplace / "data").write_text("a file")
    with pytest.raises(SettingsError, match=r"data: cannot be used for secrets\.yaml"):
        ensure_secrets(loaded(), database_has_data=False)


def test_unsafe_settings_do_not_start(loaded: Callable) -> None:
    with pytest.raises(SettingsError, match="jwt_secret: it is shorter"):
        ensure_secrets(loaded("crm: {mode: production}\njwt_secret: short"), database_has_data=False)


def test_processes_that_start_together_agree(workplace: Path) -> None:
    code = (
        "from omnicrm.settings import ensure_secrets, load\n"
        "s = ensure_secrets(load(environ={}), database_has_data=False)\n"
        "print(s.jwt_secret.reveal(), s.security.encryption_key.reveal())"
    )
    (workplace / "omnicrm.yaml").touch()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    starts = [
        subprocess.Popen([sys.executable, "-c", code], cwd=workplace, env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    printed = {start.communicate(timeout=30)[0] for start in starts}
    assert len(printed) == 1 and len(printed.pop().split()) == 2
