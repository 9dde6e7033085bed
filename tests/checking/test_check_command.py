"""`omnicrm check`: its exit codes and what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from omnicrm import app as root
from omnicrm.cli import main
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.resource import RESOURCES, Write


@pytest.fixture
def check(parts: root.Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on this test's product, which has an engine's database and no HSS."""
    Engine.open(str(parts.settings.charging.url)).close()
    monkeypatch.chdir(tmp_path)
    sets = ["--set", f"database.url={parts.settings.database.url}"] if not parts.db.is_sqlite else []
    sets += ["--set", f"charging.url={parts.settings.charging.url}"]
    return lambda *more: main(["check", "--data", str(tmp_path), *sets, *more])


def lone_item(parts: root.Parts) -> None:
    def add(name: str, **values: Any) -> Any:
        return parts.door.act_now(RESOURCES[name].actions["create"], SYSTEM, Write(None, values)).row

    add("inventory_template", item="SIM Card", wholesale_cost=0, retail_cost=0)
    row = add("inventory", item="SIM Card", itemtext1="8944")
    table = type(row).__table__
    parts.db.write(lambda session: session.execute(update(table).values(item_state="Assigned")))


def test_a_sound_product_gives_0(check: Any, backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check() == 0
    assert "No differences." in capsys.readouterr().out


def test_a_difference_gives_1_and_is_named_with_its_mend(
    check: Any, parts: root.Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    lone_item(parts)
    assert check() == 1
    shown = capsys.readouterr().out
    assert "item 1 (SIM Card 8944): its state is Assigned, but it has neither service nor customer" in shown
    assert "assigned-to-nobody. To mend: correct it on /inventory-items-list/1" in shown


def test_json_holds_the_whole_report(check: Any, parts: root.Parts, capsys: pytest.CaptureFixture[str]) -> None:
    lone_item(parts)
    assert check("--json") == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["clean"] is False and shown["counts"]["items"] == 1
    (finding,) = shown["findings"]
    assert finding.keys() == {"kind", "record", "ident", "name", "text", "mend"}


def test_a_neighbour_that_does_not_answer_gives_2_unless_something_differs(
    check: Any, parts: root.Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = ("--set", "hss.hss_peers=['http://127.0.0.1:9']")
    assert check(*silent) == 2
    assert "Not checked: HSS http://127.0.0.1:9" in capsys.readouterr().out
    lone_item(parts)
    assert check(*silent) == 1


def test_a_folder_without_a_product_gives_2_and_stays_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_it_changes_nothing(check: Any, parts: root.Parts, tmp_path: Path) -> None:
    def stored() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".db"}

    before = stored()
    assert check() == 0
    assert stored() == before
    assert not (tmp_path / "secrets.yaml").exists()
