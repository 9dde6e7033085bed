"""omnicrm.yaml and docs/configuration.md say what the tree says (CFG-009, 157; decision 23)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import yaml

from omnicrm.paths import ROOT
from omnicrm.settings import Settings, describe, load
from omnicrm.settings.describe import example, manual
from omnicrm.settings.keys import walk

SHIPPED = ROOT / "omnicrm.yaml"
OUTDATED = "run: python -m omnicrm.settings {} > {}"


def test_the_shipped_file_is_in_step() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == example(), OUTDATED.format("example", "omnicrm.yaml")


def test_the_manual_is_in_step() -> None:
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == manual(), OUTDATED.format("manual", "docs/configuration.md")


def test_the_shipped_file_holds_the_defaults_and_nothing_else(workplace: Path, loaded: Callable) -> None:
    (workplace / "omnicrm.yaml").write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    shipped, bare = load(environ={}), loaded()
    assert {path: shipped.get(path) for path, _ in walk(Settings)} == {
        path: bare.get(path) for path, _ in walk(Settings)
    }
    assert shipped.warnings == () and shipped.secret_values() == ()


def uncommented() -> str:
    return re.sub(r"(?m)^( *)#(\w+:)", r"\1\2", SHIPPED.read_text(encoding="utf-8"))


def test_the_shipped_file_shows_every_key() -> None:
    content = yaml.safe_load(uncommented())
    for path, _ in walk(Settings):
        place = content
        for name in path.split("."):
            assert name in place, path
            place = place[name]


def test_every_sample_of_the_shipped_file_is_a_valid_value(
    workplace: Path, variables: dict[str, str], samples: None
) -> None:
    file = workplace / "omnicrm.yaml"
    file.write_text(uncommented(), encoding="utf-8")
    settings = load(file, environ=variables)
    assert settings.database.replica_url is not None and settings.grafana.labels == ("Network",)
    assert set(settings.sources) == {path for path, _ in walk(Settings)}


def test_no_sample_of_the_shipped_file_is_a_secret() -> None:
    for path, key in walk(Settings):
        if key.kind.name.startswith("secret"):
            assert re.fullmatch(r"\$\{\w+\}", key.sample), path


def test_every_key_is_described_with_its_value_and_source(loaded: Callable) -> None:
    settings = loaded(
        "smsc: {api_key: hidden-1}\ndatabase: {url: 'mysql://u:hidden-2@db/crm'}\nui: {per_page: 20}\n",
        {"OMNICRM__TOPUP__MAX_DAYS": "9"},
        api_keys="{hidden-3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {roles: [admin]}}",
    )
    infos = {info.path: info for info in describe(settings)}
    assert list(infos) == [path for path, _ in walk(Settings)]
    assert all(info.meaning and info.type and info.default for info in infos.values())
    assert (infos["ui.per_page"].value, infos["ui.per_page"].source) == ("20", str(settings.path))
    assert infos["topup.max_days"].source == "environment variable OMNICRM__TOPUP__MAX_DAYS"
    assert infos["search.per_page"].source == "default" and infos["smsc.api_key"].value == "***"
    assert infos["database.url"].value == "mysql://u:***@db/crm"
    assert "hidden" not in repr(infos)
