"""Loading: find the file, read every source, build the tree, check it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from omnicrm.paths import ROOT
from omnicrm.settings import check
from omnicrm.settings.build import Builder
from omnicrm.settings.derive import Origin, complete
from omnicrm.settings.errors import SettingsError
from omnicrm.settings.keys import walk
from omnicrm.settings.source import Given, Reader, read_file
from omnicrm.settings.tree import Settings

NAMES = ("omnicrm.yaml", "crm_config.yaml")


def load(
    path: Path | None = None,
    *,
    sets: Mapping[str, str] = MappingProxyType({}),
    environ: Mapping[str, str] = os.environ,
    data_dir: Path | None = None,
) -> Settings:
    """The settings in force: `sets` (--set) over the environment over the file over the defaults (decision 23).

    The file is `path`, else the one that OMNICRM_CONFIG names, else omnicrm.yaml or crm_config.yaml in the working
    directory, else the shipped omnicrm.yaml. Relative paths in it start from its own folder. `data_dir` replaces
    `server.data_dir`. Raises SettingsError with every problem; warnings come back in `Settings.warnings`.
    """
    file = _find(path, environ)
    base = file.parent if file is not None and file.parent != _INSTALLED else Path.cwd()
    reader = Reader(environ, base)
    if data_dir is not None:
        reader.found.values["server.data_dir"] = Given(str(data_dir.absolute()), "--data")
    reader.take_sets(sets)
    reader.take_environment()
    if file is not None:
        reader.take_file(read_file(file, reader.found), str(file))
    found = reader.found
    if file is not None and (warning := _readable_by_all(file, found.values)):
        found.warnings.append(warning)

    builder = Builder(found, base)
    settings = builder.settings()
    origin = Origin(builder.sources, base, found.warnings.append)
    settings = complete(settings, origin)
    check.look(settings, found.warnings.append)
    where = f"{file}: " if file is not None else ""
    found.problems.extend(where + text for text in check.problems(settings))
    if found.problems:
        raise SettingsError(found.problems)
    return replace(
        settings,
        path=file,
        warnings=tuple(found.warnings),
        sources=MappingProxyType(builder.sources),
        extra=MappingProxyType(found.extra),
    )


#: Beside the modules of an installed package lies the shipped file, but no data may.
_INSTALLED = ROOT if ROOT.name == "_data" else None


def _find(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = path or (Path(environ["OMNICRM_CONFIG"]) if environ.get("OMNICRM_CONFIG") else None)
    if named is not None:
        return named.absolute()
    places = [*(Path.cwd() / name for name in NAMES), ROOT / NAMES[0]]
    return next((place for place in places if place.is_file()), None)


def _readable_by_all(file: Path, values: Mapping[str, Given]) -> str | None:
    secret = {path for path, key in walk(Settings) if key.kind.secret}
    holds = any(given.literal and given.source == str(file) for path, given in values.items() if path in secret)
    try:
        mode = file.stat().st_mode
    except OSError:
        return None
    if holds and mode & stat.S_IROTH:
        return f"{file}: it holds secrets and everybody on this machine can read it; run: chmod 600 {file}"
    return None
