"""One run of a job's play: its token, what the runner is told, and when it has to stop."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from omnicrm.domain.identity import tokens
from omnicrm.domain.jobs import Held, Job, Runtime
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.orderplays import plays_dirs
from omnicrm.domain.provisioning.ports import PlaybookRunner, RunOutcome, RunSpec
from omnicrm.domain.provisioning.recorder import Recorder
from omnicrm.settings import Settings


def values_of(row: Provision) -> dict[str, Any]:
    """The merged variables of a job (PROV-137)."""
    found: dict[str, Any] = json.loads(row.variables or "{}").get("values", {})
    return found


def run_play(
    runtime: Runtime,
    held: Held,
    row: Provision,
    recorder: Recorder,
    more: Mapping[str, Any] | None = None,
    registered: Mapping[str, Any] | None = None,
) -> RunOutcome:
    """Run the job's play with `more` over its variables, as the worker of `held`; the recorder stores what it tells."""
    settings = runtime.settings
    secret = settings.jwt_secret.reveal() if settings.jwt_secret else ""
    limit = settings.provisioning.max_seconds
    token = tokens.job_token(secret, row.provision_id, held.job_id, held.lease, runtime.door.clock(), limit + 600)
    spec = RunSpec(
        provision_id=row.provision_id,
        lease=held.lease,
        play=row.provisioning_play,
        plays_dirs=plays_dirs(settings),
        variables={
            **values_of(row),
            **(more or {}),
            "provision_id": row.provision_id,
            "initiating_user": row.initiating_user,
            "access_token": token,
        },
        registered=registered or {},
        crm_config=settings.crm_config(),
        job_token=token,
        crm_url=settings.server.local_url,
        charging_url=None if settings.ocs.mode == "direct" else f"http://{settings.ocs.endpoint}",
        mailjet_url=settings.mailjet.base_url,
        env=_environment(settings),
        secrets=settings.secret_values(),
        silence_timeout=settings.provisioning.silence_of(row.provisioning_play),
        overall_timeout=limit,
        max_folder_mb=settings.provisioning.max_folder_mb,
        max_memory_mb=settings.provisioning.max_memory_mb,
    )
    outcome = runtime.port(PlaybookRunner).run(spec, recorder, _Stop(runtime, held))
    recorder.close(outcome)
    return outcome


def _environment(settings: Settings) -> dict[str, str]:
    """What `lookup('env', …)` of the documented plays reads (PROV-170)."""
    mailjet = settings.mailjet
    pairs = {"MAILJET_API_KEY": mailjet.api_key, "MAILJET_SECRET": mailjet.api_secret}
    return {name: value.reveal() for name, value in pairs.items() if value is not None}


class _Stop:
    """Whether the run must end: its lease is lost, or somebody pressed Cancel. Asks the database twice a second."""

    def __init__(self, runtime: Runtime, held: Held) -> None:
        self.runtime, self.held = runtime, held
        self.next_look = 0.0
        self.asked = False

    def __call__(self) -> bool:
        if not self.asked and not self.held.stopping() and time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + 0.5
            query = select(Job.cancel_requested).where(Job.job_id == self.held.job_id)
            self.asked = bool(self.runtime.door.read_now(lambda session: session.scalar(query)))
        return self.asked or self.held.stopping()
