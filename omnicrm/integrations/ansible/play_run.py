"""One run of one play in its private folder: start ansible-runner, watch limits, end everything, tell the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_runner import Runner
from ansible_runner.interface import init_runner

from omnicrm.domain.provisioning.playfile import load_play_text
from omnicrm.domain.provisioning.plays import Play, PlayError, read_play
from omnicrm.domain.provisioning.ports import FAILED, RUNNING, RunOutcome, RunSpec, RunStatus, TaskEvent
from omnicrm.integrations.ansible import environment, folder, limits, marks
from omnicrm.integrations.ansible.events import Recorder, usable_secrets
from omnicrm.integrations.ansible.variables import as_data, split_defaults

#: Addresses that documented plays hard-code (decision 33).
_DOCUMENTED_CRM = ("http://localhost:5000", "http://127.0.0.1:5000")
_DOCUMENTED_MAILJET = "https://api.mailjet.com"
#: How often a running play is looked after, the caller is asked whether to go on, and usage is measured, in seconds.
_LOOK_EVERY = 0.1
_ASK_EVERY = 0.3
_MEASURE_EVERY = 1.0
_LOST = "the process that ran the play was lost"
_CAUSES = (
    "the play or a file that it includes has a syntax error",
    "a variable that the play uses is not defined",
    "a file that the play includes is missing",
    "Ansible is not installed beside the product",
)


@dataclass(slots=True)
class PlayRun:
    """`folder` is new and empty; `command` stands in for `ansible-playbook` (warm.shim)."""

    spec: RunSpec
    on_event: Callable[[TaskEvent], None]
    should_stop: Callable[[], bool]
    folder: Path
    playbooks: Path
    mark: str
    command: list[str]
    _recorder: Recorder = field(init=False)
    _started: float = field(init=False, default_factory=time.monotonic)
    _asked: float = field(init=False, default=0.0)
    _measured: float = field(init=False, default=0.0)
    _stopped: tuple[RunStatus, str] | None = field(init=False, default=None)
    _raised: BaseException | None = field(init=False, default=None)

    def run(self) -> RunOutcome:
        spec = self.spec
        given = (spec.variables, spec.registered, spec.crm_config)
        known = usable_secrets(spec.secrets, [spec.job_token], spec.env.values(), *given)
        self._recorder = Recorder(self.on_event, known)
        try:
            play = self._lay_out()
        except (PlayError, ValueError) as error:
            return self._could_not_run(str(error), None)
        self._asked = time.monotonic()
        runner = self._prepare()
        runner.run()
        if self._raised is not None:
            raise self._raised
        return self._outcome(play, runner.rc)

    def _lay_out(self) -> Play:
        """Fill the folder from the plays folders; what the run uses is what was read here."""
        spec = self.spec
        plays = self.folder / "Provisioners" / "plays"
        first = read_play(spec.play, spec.plays_dirs)
        extra, defaults = split_defaults({**spec.variables, "access_token": spec.job_token}, first.facts)
        folder.lay_out(
            self.folder,
            plays_dirs=spec.plays_dirs,
            crm_config=spec.crm_config,
            extra=as_data({**extra, "crm_config": spec.crm_config}),
            # As host variables, which the play's own `register` beats.
            defaults=as_data({**spec.registered, **defaults}),
            http=self._http(),
        )
        for file in first.mended:
            text = load_play_text((plays / file).read_text("utf-8")).text
            with folder.create(plays / file) as copy:
                copy.write(text.encode())
        if spec.variables.get("action") == "deprovision":
            self._recorder.guards = frozenset(first.guards)
        self._recorder.registers = first.registers
        return first

    def _http(self) -> dict[str, Any]:
        """What the `uri` action needs to know (playbooks/action_plugins/uri.py)."""
        spec = self.spec
        replaced = dict.fromkeys(_DOCUMENTED_CRM, spec.crm_url)
        crm = spec.crm_config.get("crm")
        if isinstance(crm, Mapping) and isinstance(crm.get("base_url"), str) and crm["base_url"]:
            replaced[crm["base_url"].rstrip("/")] = spec.crm_url
        if spec.mailjet_url:
            replaced[_DOCUMENTED_MAILJET] = spec.mailjet_url
        return {
            "crm_url": spec.crm_url,
            "charging_url": spec.charging_url,
            "job_token": spec.job_token,
            "replace": sorted(replaced.items(), key=lambda pair: -len(pair[0])),
        }

    def _prepare(self) -> Runner:
        spec = self.spec
        runner = init_runner(
            private_data_dir=str(self.folder),
            project_dir=str(self.folder / "Provisioners" / "plays"),
            playbook=f"{spec.play}.yaml",
            inventory=str(self.folder / "inventory" / "hosts.yaml"),
            ident="run",
            quiet=True,
            fact_cache_type="memory",
            settings={"pexpect_timeout": _LOOK_EVERY, "suppress_output_file": True},
            event_handler=self._on_runner_event,
            cancel_callback=self._look,
        )
        runner.config.env = environment.keep_only(
            runner.config.env,
            {
                **spec.env,
                **environment.fixed(self.playbooks),
                "ANSIBLE_HOME": str(self.folder / "home"),
                "ANSIBLE_REMOTE_TEMP": str(self.folder / "tmp"),
                # What a killed module leaves in its temporary folder goes with the run.
                "TMPDIR": str(self.folder / "tmp"),
                "OMNICRM_PLAY_HTTP": str(self.folder / "http.json"),
                # No single file may outgrow the folder's limit, wherever it lies (playbooks/warm/keeper.py).
                "OMNICRM_MAX_FILE": str(spec.max_folder_mb * 2**20),
                marks.VARIABLE: self.mark,
            },
        )
        runner.config.command[:1] = self.command
        return runner

    def _on_runner_event(self, event: dict[str, Any]) -> bool:
        """False: ansible-runner keeps no file of the event."""
        if self._raised is None:
            try:
                self._recorder.handle(event)
            except BaseException as error:
                # Raised here it would leave the play running; run() raises it when everything has ended.
                self._raised = error
        return False

    def _look(self) -> bool:
        """Whether the run has to end now; by then its processes are gone."""
        now = time.monotonic()
        spec = self.spec
        if now - self._started > spec.overall_timeout:
            self._stopped = ("timeout", f"stopped: the play ran longer than {spec.overall_timeout:g} seconds")
        elif now - self._recorder.progress_at > spec.silence_timeout:
            self._stopped = ("timeout", f"stopped: no task made progress for {spec.silence_timeout:g} seconds")
        elif now - self._measured > _MEASURE_EVERY and (reason := self._excess(now)):
            self._stopped = ("error", reason)
        elif self._raised is None and now - self._asked > _ASK_EVERY:
            self._asked = now
            try:
                if self.should_stop():
                    self._stopped = ("canceled", "stopped on request")
            except BaseException as error:
                self._raised = error
        if self._stopped is None and self._raised is None:
            return False
        # Before ansible-runner kills its child: an orphan that still holds the terminal would cost it five seconds.
        marks.end_marked(self.mark, self.folder)
        return True

    def _excess(self, now: float) -> str:
        self._measured = now
        processes = marks.processes_of(self.mark, self.folder)
        return limits.excess(self.spec, processes, self.folder, self._recorder.task_count)

    def _outcome(self, play: Play, code: int | None) -> RunOutcome:
        recorder = self._recorder
        if self._stopped is not None:
            status, message = self._stopped
        elif code == 0:
            status, message = "successful", ""
        else:
            status, message = "failed", recorder.failed.message if recorder.failed else ""
        if status == "failed" and not (recorder.failed and recorder.complete):
            recorder.close(False, _LOST)
            return self._could_not_run(_printed_error(recorder.output), code)
        task = recorder.close(status == "successful", message)
        if self._stopped is not None and task is None:
            self._extra_event("Stopped", message, {})
        failed = recorder.failed
        return RunOutcome(
            status=status,
            message=message,
            failed_task=failed.name if failed else None,
            facts=recorder.facts,
            task_count=recorder.task_count,
            exit_code=code,
            output=recorder.output,
            warnings=tuple(
                f"{file}: quotes were put around {{{{ … }}}} in line {', '.join(map(str, lines))}; mend the file"
                for file, lines in play.mended.items()
            ),
        )

    def _could_not_run(self, message: str, code: int | None) -> RunOutcome:
        """The fatal-error event of chapter 17, "Erreurs Fatales"."""
        recorder = self._recorder
        message = recorder.redactor.text(message)
        detail = {"exit_code": code, "output": recorder.output, "common_causes": list(_CAUSES)}
        self._extra_event("Fatal error", message, {**detail, "variables": dict(self.spec.variables)})
        return RunOutcome(
            status="error",
            message=message,
            failed_task=recorder.failed.name if recorder.failed else None,
            facts=recorder.facts,
            task_count=recorder.task_count,
            exit_code=code,
            output=recorder.output,
        )

    def _extra_event(self, name: str, message: str, result: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        number = self._recorder.task_count + 1
        event = TaskEvent(number=number, name=name, action="", status=RUNNING, started_at=now)
        self.on_event(event)
        clean = self._recorder.redactor.result({"msg": message, **result})
        self.on_event(replace(event, status=FAILED, result=clean, message=message, ended_at=now))


def _printed_error(output: str) -> str:
    """The error that Ansible printed when no task could tell it; there is none when its process was killed."""
    at = max(output.find("[ERROR]:"), output.find("ERROR! "))
    return output[at:].strip()[:2000] if at >= 0 else _LOST
