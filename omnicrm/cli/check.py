"""`omnicrm check`: compares all records with each other, with the charging engine and with the HSS. It reads only."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicrm.cli.options import load_settings

if TYPE_CHECKING:
    from omnicrm.domain.checking import Report
    from omnicrm.settings import Settings
    from omnicrm.store import Database

CLEAN, DIFFERENCES, NOT_CHECKED = 0, 1, 2


@dataclass
class _Parts:
    """The part of the product that a check needs: nothing that listens, runs or writes."""

    settings: Settings
    db: Database
    ports: dict[type, Any]


def run(options: argparse.Namespace) -> int:
    """Print the report; 0 without differences, 1 with some, 2 where a neighbour could not be asked."""
    report = look(load_settings(options))
    print(json.dumps(report.shown(), indent=2) if options.json else _text(report))
    if report.findings:
        return DIFFERENCES
    return NOT_CHECKED if report.unchecked else CLEAN


def look(settings: Settings) -> Report:
    """Check the product with these settings, whether it runs or not. Raises SettingsError where there is none."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import OperationalError

    from omnicrm import app, migrations, store
    from omnicrm.domain.checking import check
    from omnicrm.settings import SettingsError

    url = settings.database.sync_url
    if url.startswith("sqlite") and not Path(make_url(url).database or "").is_file():
        raise SettingsError([f"database: {url.shown} does not exist; name the product's data folder with --data"])
    try:
        revision = migrations.revision_of(url)
    except OperationalError as error:
        raise SettingsError([f"database: {url.shown} cannot be reached: {error.orig}"]) from None
    if revision != migrations.HEAD:
        raise SettingsError([f"database: {url.shown} has no tables of this version; run omnicrm migrate first"])
    db = store.Database(url, settings.database.async_url, settings.database.pool_size)
    try:
        return check(_Parts(settings, db, app.outside(settings)))
    finally:
        db.close()


def _text(report: Report) -> str:
    lines = [finding.line() for finding in report.findings]
    lines += [f"Not checked: {gap.neighbour}: {gap.text}" for gap in report.unchecked]
    lines += [f"Note: {note}" for note in report.notes]
    lines += [f"Open alert: {alert}" for alert in report.alerts]
    kinds = Counter(finding.kind for finding in report.findings)
    counted = ", ".join(f"{number} {sort}" for sort, number in sorted(report.counts.items()))
    lines.append(f"Read {counted} in {report.seconds} s.")
    listed = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    lines.append(f"{len(report.findings)} differences: {listed}." if kinds else "No differences.")
    return "\n".join(lines)
