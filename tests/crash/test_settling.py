"""What follows a dead worker does not wait longer than it must, and leaves nothing on the disk."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from omnicrm import app as root
from omnicrm.domain import jobs
from omnicrm.domain.jobs import Job, job_row
from omnicrm.integrations.ansible import folder
from omnicrm.worker import Workers


def add(parts: root.Parts, kind: str, **values: Any) -> int:
    def write(session: Any) -> int:
        row = job_row(kind, 7, parts.door.clock())
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        return row.job_id

    return parts.db.write(write)


def test_the_answer_for_a_dead_worker_is_announced_at_once(parts: root.Parts, backend: str) -> None:
    """Not at the next sweep, five seconds later."""
    gone = {"state": "running", "attempts": 1, "lease": 1, "boot_id": "elsewhere:1:1"}
    lost = add(parts, "provision.run", **gone, heartbeat_at=parts.door.clock() - 2 * jobs.LEASE)
    announced: list[str] = []
    parts.queue.announce = lambda waiting: announced.extend(job.kind for job in waiting)  # type: ignore[method-assign]
    Workers(parts.queue, parts.runtime).sweep()
    assert "provision.lost" in announced
    assert parts.db.read(lambda session: session.get(Job, lost)).state == "failed"


def test_a_job_that_was_put_off_is_announced_when_it_is_due(parts: root.Parts) -> None:
    """Nobody announced it before, so it needs no time of grace."""
    now = parts.door.clock()
    late = add(parts, "provision.clean", run_at=now + timedelta(seconds=30))

    def waiting(at: Any) -> list[int]:
        return [row.job_id for row in parts.db.read(lambda session: jobs.unheard(session, at))]

    assert waiting(now + timedelta(seconds=29)) == []
    assert waiting(now + timedelta(seconds=30)) == [late]


def test_a_folder_whose_process_died_while_it_removed_it_is_removed_at_the_next_start(tmp_path: Path) -> None:
    half = tmp_path / "run-6-1-abc"
    (half / "Provisioners").mkdir(parents=True)
    (half / "Provisioners" / "crm_config.yaml").write_text("secret: x")
    living = folder.hold(tmp_path, "run-7-1")
    for held in folder.abandoned(tmp_path):
        held.remove()
    assert [path.name for path in tmp_path.iterdir()] == [living.path.name]
    living.remove()
