"""The private folder of a run: owner-only, held by a lock while its process lives, then removed (PC-04, PC-31)."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from omnicrm.domain.provisioning.plays import PlayError

#: One documented play includes `../..../crm_config.yaml` (PC-04).
_MISPRINTED = "...."
#: Beyond this a plays folder is taken for a mistake such as `/` or a home directory.
MAX_PLAY_FILES = 2000


@dataclass(slots=True)
class Held:
    """A folder under the run root whose lock this process holds; the kernel frees it if the process dies."""

    path: Path
    _lock: int

    def remove(self) -> None:
        """Remove the folder with everything in it, also what a play made unreadable, and let go of its lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.path.exists():
            self.path.chmod(0o700)
            for folder, folders, _ in os.walk(self.path):
                for name in folders:  # before the walk enters them; it enters no links
                    if not os.path.islink(path := os.path.join(folder, name)):
                        os.chmod(path, 0o700)
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def hold(run_root: Path, prefix: str) -> Held:
    """Make and lock a new folder `{prefix}-{random}` of mode 0700 under `run_root`, which is made too."""
    run_root.mkdir(mode=0o700, parents=True, exist_ok=True)
    # abandoned() passes over hidden names, so nobody takes the folder between its making and its locking.
    made = Path(tempfile.mkdtemp(prefix=f".{prefix}-", dir=run_root))
    lock = os.open(made / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return Held(made.rename(run_root / made.name[1:]), lock)


def abandoned(run_root: Path) -> list[Held]:
    """The folders whose process is gone, now held by us. Folders of living processes are never among them."""
    found = []
    for path in sorted(run_root.glob("[!.]*-*")) if run_root.is_dir() else []:
        try:
            # Made anew where its process died while it removed the folder, and the lock was gone first.
            lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        found.append(Held(path, lock))
    return found


def create(path: Path, mode: int = 0o600) -> BinaryIO:
    """Open a new or emptied file for writing that only its owner may read, from the first moment on."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb")


def write_json(path: Path, value: Any) -> None:
    with create(path) as file:
        file.write(json.dumps(value).encode())


def lay_out(
    run: Path,
    *,
    plays_dirs: Sequence[Path],
    crm_config: Mapping[str, Any],
    extra: Mapping[str, Any],
    defaults: Mapping[str, Any],
    http: Mapping[str, Any],
) -> Path:
    """Fill the folder of a run; answers the folder of the plays, `{run}/Provisioners/plays`.

    `extra` (which beat everything in a play) and `defaults` (which a play's own facts beat) are values as
    variables.as_data gives them; `http` is what the `uri` action reads (playbooks/action_plugins/uri.py).
    """
    plays = run / "Provisioners" / "plays"
    for name in ("Provisioners", "Provisioners/plays", "artifacts", "env", "inventory", "home", "home/tmp", "tmp"):
        (run / name).mkdir(mode=0o700)
    (run / "Provisioners" / _MISPRINTED).mkdir(mode=0o700)
    for source in reversed(plays_dirs):
        _copy(source, plays)
    config = yaml.dump(dict(crm_config), Dumper=_ConfigDumper, allow_unicode=True).encode()
    for place in (run, run / "Provisioners", run / "Provisioners" / _MISPRINTED):
        with create(place / "crm_config.yaml") as file:
            file.write(config)
    write_json(run / "env" / "extravars", extra)
    write_json(run / "http.json", http)
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **defaults}
    write_json(run / "inventory" / "hosts.yaml", {"all": {"hosts": {"localhost": host}}})
    return plays


def _copy(source: Path, target: Path) -> None:
    copied = 0
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        into = target / Path(folder).relative_to(source)
        into.mkdir(mode=0o700, exist_ok=True)
        for name in files:
            path = Path(folder) / name
            if name.startswith(".") or not path.is_file():
                continue
            copied += 1
            if copied > MAX_PLAY_FILES:
                raise PlayError(f"{source} holds more than {MAX_PLAY_FILES} files; name a folder of plays only")
            with path.open("rb") as old, create(into / name, 0o700 if os.access(path, os.X_OK) else 0o600) as new:
                shutil.copyfileobj(old, new)


class _ConfigDumper(yaml.SafeDumper):  # type: ignore[misc]
    """Marks texts that look like templates `!unsafe`: a configured value is data for a play as well."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if any(mark in text for mark in ("{{", "{%", "{#")):
        return dumper.represent_scalar("!unsafe", text, style='"')
    return dumper.represent_str(text)


_ConfigDumper.add_representer(str, _text)
