"""The options that most commands share, and the settings that they lead to."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnicrm.settings import Settings


def settings_options(parser: argparse.ArgumentParser) -> None:
    """Where the configuration comes from."""
    parser.add_argument("--config", type=Path, help="configuration file (default: omnicrm.yaml here)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="data folder (server.data_dir)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="override one setting")


def load_settings(options: argparse.Namespace, **more: str) -> Settings:
    """The settings in force for a command; its warnings go to standard error. Raises SettingsError."""
    from omnicrm.settings import SettingsError, load

    sets = dict(more)
    for text in options.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError([f"--set {text}: write it as key.path=value"])
        sets[name.strip()] = value
    settings = load(options.config, sets=sets, data_dir=options.data)
    for warning in settings.warnings:
        print(f"omnicrm: warning: {warning}", file=sys.stderr)
    return settings
