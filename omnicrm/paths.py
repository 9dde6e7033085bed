"""Where the files that are not Python modules lie: beside a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

#: The folder that holds templates/, static/, playbooks/ and the default omnicrm.yaml.
ROOT = _PACKAGE.parent if (_PACKAGE.parent / "templates").is_dir() else _PACKAGE / "_data"
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
PLAYBOOKS = ROOT / "playbooks"
MIGRATIONS = _PACKAGE / "migrations"
