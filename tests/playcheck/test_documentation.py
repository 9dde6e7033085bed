"""docs/playbooks.md: its example is a sound play, and it names every shipped file."""

from __future__ import annotations

from pathlib import Path

from omnicrm.domain.provisioning.playcheck import check_play
from omnicrm.integrations.ansible.expressions import read_expression
from omnicrm.paths import PLAYBOOKS

PAGE = (PLAYBOOKS.parent / "docs" / "playbooks.md").read_text("utf-8")


def test_the_worked_example_has_no_findings(tmp_path: Path) -> None:
    example = PAGE.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "play_static_address.yaml").write_text(example)
    assert check_play("play_static_address", [tmp_path, PLAYBOOKS / "plays"], read_expression) == []


def test_every_shipped_play_and_shared_task_is_described() -> None:
    shipped = {path.stem for path in (PLAYBOOKS / "plays").glob("*.yaml")}
    inner = {"task_mobile_order", "task_mobile_renew", "task_bundle_order"}
    assert [name for name in sorted(shipped - inner) if name not in PAGE] == []
