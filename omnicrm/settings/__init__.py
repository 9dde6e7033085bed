"""Settings: one file, one frozen typed tree (decision 23)."""

from __future__ import annotations

from omnicrm.settings.check import check_start
from omnicrm.settings.describe import KeyInfo, describe
from omnicrm.settings.errors import SettingsError
from omnicrm.settings.firststart import ensure_secrets
from omnicrm.settings.load import load
from omnicrm.settings.secret import Dsn, Secret
from omnicrm.settings.tree import Settings

__all__ = [
    "Dsn",
    "KeyInfo",
    "Secret",
    "Settings",
    "SettingsError",
    "check_start",
    "describe",
    "ensure_secrets",
    "load",
]
