"""Secrets that the product makes for itself at its first start, kept in `{data}/secrets.yaml` (decision 23)."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from omnicrm.settings.check import check_start
from omnicrm.settings.errors import SettingsError
from omnicrm.settings.secret import Secret
from omnicrm.settings.tree import Settings
from omnicrm.settings.words import parse

FILE = "secrets.yaml"

_MAKE: dict[str, Callable[[], str]] = {
    "jwt_secret": lambda: secrets.token_hex(32),
    "encryption_key": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
}
_HEAD = "# Made at the first start. Keep it with the backups: without it stored passwords cannot be read again.\n"


def ensure_secrets(settings: Settings, *, database_has_data: bool) -> Settings:
    """`settings` with jwt_secret and security.encryption_key, made and stored where neither file nor environment
    gives them. Call it before anything is written, in every process.

    Raises SettingsError when the settings must not start (check_start), when `database_has_data` although the
    stored secrets are missing (a restored or shared database: new ones could not read it), or when the file or its
    folder cannot be used.
    """
    check_start(settings)
    configured = {"jwt_secret": settings.jwt_secret, "encryption_key": settings.security.encryption_key}
    wanted = [name for name, value in configured.items() if value is None]
    if not wanted:
        return settings
    folder = settings.server.data_dir
    try:
        with _locked(folder):
            stored = _read(folder / FILE)
            missing = [name for name in wanted if name not in stored]
            if missing and database_has_data:
                raise SettingsError([_lost(folder / FILE, missing)])
            if missing:
                stored |= {name: _MAKE[name]() for name in missing}
                _write(folder / FILE, stored)
    except OSError as error:
        raise SettingsError(
            [f"{folder}: cannot be used for {FILE} ({error.strerror}); check its permissions"]
        ) from None
    filled = {name: configured[name] or Secret(stored[name]) for name in _MAKE}
    return replace(
        settings,
        jwt_secret=filled["jwt_secret"],
        security=replace(settings.security, encryption_key=filled["encryption_key"]),
    )


def _lost(file: Path, missing: list[str]) -> str:
    keys = " and ".join("security.encryption_key" if name == "encryption_key" else name for name in missing)
    return (
        f"{file}: the database holds data, but {keys} that belongs to it is missing. New secrets could not read what "
        f"is encrypted there, so nothing was started. Put the {FILE} of the same backup or machine there, or set {keys}"
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time may look for secrets and make them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(file: Path) -> dict[str, str]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        text = "not text"
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        file.chmod(0o600)
    try:
        content = parse(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise SettingsError([f"{file}: is damaged; put the {FILE} of a backup there"])
    return {name: str(value) for name, value in content.items() if name in _MAKE and value}


def _write(file: Path, stored: dict[str, str]) -> None:
    """All or nothing: a crash leaves the old file or the new one, never a part."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(_HEAD + "".join(f"{name}: {value}\n" for name, value in stored.items()))
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(new, file)
