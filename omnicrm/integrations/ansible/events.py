"""From ansible-runner's events to the job's task events: numbers, statuses, redacted results, messages, facts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from omnicrm.domain.provisioning.plays import Spot
from omnicrm.domain.provisioning.ports import FAILED, IGNORED, OK, RUNNING, TaskEvent
from omnicrm.domain.provisioning.redact import MIN_SECRET_LENGTH, Redactor
from omnicrm.integrations.ansible.variables import secret_values

MAX_OUTPUT = 256 * 1024
MAX_MESSAGE = 2000
#: A value under a secret's name that a play reads is remembered from this length on: shorter ones are words.
_MIN_LEARNED = 8
_SET_FACT = ("set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact")
_ENDINGS = ("runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable", "playbook_on_include")


@dataclass(slots=True)
class Recorder:
    """Takes ansible-runner's events of one run and emits TaskEvents; all it keeps is redacted, except `facts`."""

    emit: Callable[[TaskEvent], None]
    #: Known secret values; grows by what the play reads.
    secrets: set[str]
    #: Where deprovision guards stand, when this run is a deprovision: failing there is their purpose (PROV-222).
    guards: frozenset[Spot] = frozenset()
    #: The names under which `uri` tasks register their results.
    registers: Mapping[Spot, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    task_count: int = 0
    #: The first task that failed and was not meant to.
    failed: TaskEvent | None = None
    #: Whether Ansible came to the play's end and said so; a play that was lost on the way has not undone itself.
    complete: bool = False
    output: str = ""
    #: time.monotonic() of the last sign of progress.
    progress_at: float = field(default_factory=time.monotonic)
    redactor: Redactor = field(init=False)
    _open: TaskEvent | None = None
    _failures: list[TaskEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.redactor = Redactor(self.secrets)

    def handle(self, event: Mapping[str, Any]) -> None:
        """One event of ansible-runner, in order."""
        kind = str(event.get("event", ""))
        data = event.get("event_data") or {}
        if text := event.get("stdout"):
            self._print(str(text))
        if kind.startswith(("playbook_on_", "runner_")):
            self.progress_at = time.monotonic()
        if kind == "playbook_on_task_start":
            self._start(event, data)
        elif kind in _ENDINGS and self._open is not None:
            self._end(kind, event, data)
        elif kind == "playbook_on_stats":
            self.complete = True
            self.facts.update(data.get("artifact_data") or {})

    def close(self, succeeded: bool, message: str) -> TaskEvent | None:
        """After the run: no event stays running (PROV-152), and failures that a play got over are no failures.

        Answers the task that was running, which is closed with `message`.
        """
        running = self._open
        if running is not None:
            now = datetime.now(UTC)
            self._finish(replace(running, status=FAILED, message=message or "the play ended here", ended_at=now))
        if succeeded:
            for failure in self._failures:
                self.emit(replace(failure, status=IGNORED, corrects=True))
            self.failed = None
        return running

    def _start(self, event: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        if self._open is not None:
            # A task without a result of its own, such as one whose host list is empty.
            self._finish(replace(self._open, status=OK, ended_at=_when(event)))
        self.task_count += 1
        self._open = TaskEvent(
            number=self.task_count,
            name=self.redactor.text(str(data.get("task") or data.get("name") or "")),
            action=str(data.get("task_action") or ""),
            status=RUNNING,
            started_at=_when(event),
        )
        self.emit(self._open)

    def _end(self, kind: str, event: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        assert self._open is not None
        raw = data.get("res")
        result: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        self._learn(result)
        status, message = OK, ""
        if kind in ("runner_on_failed", "runner_on_unreachable"):
            meant = data.get("ignore_errors") or self._is_guard(data)
            status, message = (IGNORED if meant else FAILED), self._message(result)
        clean = self.redactor.result(result)
        if kind == "runner_on_ok" and not result:
            # ansible-runner leaves out what is above 700,000 characters.
            clean = {"truncated": True, "msg": "the result is too large to be kept"}
        if kind == "playbook_on_include":
            clean = {"included_file": PurePath(str(data.get("included_file") or "")).name}
        facts = _facts(result) if data.get("task_action") in _SET_FACT else {}
        self.facts.update(facts)
        name = self.registers.get(_spot(data))
        self._finish(
            replace(
                self._open,
                status=status,
                skipped=kind == "runner_on_skipped",
                result=clean,
                message=message,
                ended_at=_when(event),
                facts=facts,
                registered={name: result} if name and kind != "runner_on_skipped" else {},
            )
        )

    def _finish(self, ended: TaskEvent) -> None:
        self._open = None
        if ended.status == FAILED:
            self.failed = self.failed or ended
            self._failures.append(ended)
        self.emit(ended)

    def _is_guard(self, data: Mapping[str, Any]) -> bool:
        return _spot(data) in self.guards

    def _learn(self, result: Mapping[str, Any]) -> None:
        new = {text for text in secret_values(result) if len(text) >= _MIN_LEARNED} - self.secrets
        if new:
            self.secrets |= new
            self.redactor = Redactor(self.secrets)

    def _message(self, result: Mapping[str, Any]) -> str:
        text = _reason(result)
        for item in result.get("results") or []:
            if isinstance(item, Mapping) and item.get("failed"):
                text = _reason(item) or text
                break
        return self.redactor.text(text)[:MAX_MESSAGE]

    def _print(self, text: str) -> None:
        if len(self.output) < MAX_OUTPUT:
            self.output = (self.output + self.redactor.text(text[:MAX_OUTPUT]) + "\n")[:MAX_OUTPUT]


def _spot(data: Mapping[str, Any]) -> Spot:
    """Where the task of an event stands; line 0 where the event does not tell."""
    path, _, line = str(data.get("task_path") or "").rpartition(":")
    return Spot(PurePath(path).name, int(line) if line.isdecimal() else 0)


def _reason(result: Mapping[str, Any]) -> str:
    """Ansible's text and, where an HTTP answer explains itself, its text too."""
    text = str(result.get("msg") or result.get("stderr") or result.get("module_stderr") or "the task failed")
    answer = result.get("json")
    if isinstance(answer, Mapping):
        for key in ("message", "error", "detail", "ErrorMessage"):
            if isinstance(answer.get(key), str) and answer[key] not in text:
                return f"{text.rstrip(' :')}: {answer[key]}"
    return text


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = dict(result.get("ansible_facts") or {})
    for item in result.get("results") or []:
        if isinstance(item, Mapping):
            facts.update(item.get("ansible_facts") or {})
    return facts


def _when(event: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(event["created"])).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


def usable_secrets(*sources: Any) -> set[str]:
    """Every text of the plain collections given, and every text under a secret's name in the mappings."""
    found: set[str] = set()
    for source in sources:
        found |= secret_values(source) if isinstance(source, Mapping) else set(source)
    return {text for text in found if len(text) >= MIN_SECRET_LENGTH}
