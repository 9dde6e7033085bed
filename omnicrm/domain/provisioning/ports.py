"""What provisioning asks of the thing that runs plays, as plain values (architecture, "ports.py")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

#: Status of an event as stored (PROV-151).
OK, RUNNING, FAILED, IGNORED = 0, 1, 2, 3

RunStatus = Literal["successful", "failed", "timeout", "canceled", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run of one play. Times are seconds, URLs carry no trailing slash."""

    provision_id: int
    #: Number of the job's lease; with `provision_id` it marks every process of the run (decision 30).
    lease: int
    #: Name of the play without `.yaml` (PROV-006).
    play: str
    #: Folders with plays, task files and templates; a file of an earlier one hides its namesake in a later one.
    plays_dirs: tuple[Path, ...]
    #: The merged variables (rules.merge_variables): JSON-like; every text is data, never a template (PC-10).
    variables: Mapping[str, Any]
    #: What `crm_config` and the two crm_config.yaml files show (PROV-172): nothing that plays may not see.
    crm_config: Mapping[str, Any]
    #: Bearer token of the job (decision 9); the play also gets it as `access_token`.
    job_token: str
    #: Where the CRM answers for plays, such as http://127.0.0.1:5000; hard-coded addresses are mapped to it.
    crm_url: str
    #: The embedded endpoint that is told the job (X-OmniCRM-Job, decision 29); None when plays talk to another engine.
    charging_url: str | None = None
    #: Where https://api.mailjet.com is answered instead; None leaves it.
    mailjet_url: str | None = None
    #: Environment of the play, such as MAILJET_API_KEY and MAILJET_SECRET (PROV-170).
    env: Mapping[str, str] = field(default_factory=dict)
    #: Known secret values; masked wherever they occur (PC-09). Token and `env` are added by the runner.
    secrets: tuple[str, ...] = ()
    #: Results that a former run had registered, for the one that undoes it: a task of this run that registers the same
    #: name replaces it.
    registered: Mapping[str, Any] = field(default_factory=dict)
    #: Longest time without an event of a task (PC-07).
    silence_timeout: float = 300
    overall_timeout: float = 3600
    #: Room in the run's folder, and memory of all its processes together.
    max_folder_mb: int = 256
    max_memory_mb: int = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """A task that started (status 1) or ended; both calls for a task carry the same number, from 1 (PROV-153, 154).

    What happened outside any task comes in the same way, as `Fatal error` or `Stopped` with an empty action.
    """

    number: int
    #: The task's name as written in the play (PROV-189), or its action where it has none.
    name: str
    action: str
    #: 0 ended well or skipped, 1 runs, 2 failed, 3 failed without harm (ignored, or a guard that fails by intent).
    status: int
    skipped: bool = False
    #: The task had ended before, and only its status changes: a failure that the play got over became 3.
    corrects: bool = False
    #: Redacted, at most 64 KB of JSON (PROV-156, 157).
    result: Mapping[str, Any] | None = None
    #: Error text for people, redacted; empty unless the task failed.
    message: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    #: Raw values of a `set_fact`, for a clean-up after a crash (decision 30); may hold secrets: encrypt or drop.
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Likewise the raw result of a `uri` task, under the name that it registers.
    registered: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended. `failed` is the play's own end; `error` means that it could not be run or outgrew a limit."""

    status: RunStatus
    #: Why it did not succeed, redacted, for people; empty on success.
    message: str = ""
    #: Name of the task that made it fail: the first one, not the clean-up that followed.
    failed_task: str | None = None
    #: Raw values of `set_fact` and `set_stats`, for clean-up and chains. In memory only.
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Tasks that started.
    task_count: int = 0
    exit_code: int | None = None
    #: What Ansible printed beside events, redacted, at most 256 KB (syntax errors, warnings).
    output: str = ""
    #: What the runner mended or left out, for the job's page (PC-17).
    warnings: tuple[str, ...] = ()


class PlaybookRunner(Protocol):
    def run(self, spec: RunSpec, on_event: Callable[[TaskEvent], None], should_stop: Callable[[], bool]) -> RunOutcome:
        """Run a play to its end in this thread.

        `on_event` is called in this thread; what it raises ends the run and is raised again after the clean-up.
        `should_stop` is asked a few times a second; true ends the run as `canceled` within a second.
        """
        ...
