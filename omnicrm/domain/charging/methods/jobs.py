"""What a provisioning job made in the engine, and taking it back (decisions 29 and 30). CGRateS has neither method."""

from __future__ import annotations

from typing import Any

from omnicrm.domain.charging import journal
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.goparams import INT, STR, GoStruct
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import rpc

_JOB = GoStruct("AttrJob", Tenant=STR, ProvisionID=INT)


@rpc("OmniSv1.GetJobJournal", _JOB)
def get_job_journal(call: Call, params: dict[str, Any]) -> list[str]:
    """What the job made and what is still there, in words, oldest first."""
    return journal.standing(call, _provision_id(params))


@rpc("OmniSv1.UndoJob", _JOB, writes=True)
def undo_job(call: Call, params: dict[str, Any]) -> list[str]:
    """Takes it back, newest first, and says what. A second time finds nothing. A job undoes only itself."""
    provision_id = _provision_id(params)
    if call.job is not None and call.job.provision_id != provision_id:
        raise EngineError("UNAUTHORIZED: a job undoes only what it made itself")
    return journal.undo(call, provision_id)


def _provision_id(params: dict[str, Any]) -> int:
    provision_id: int = params["ProvisionID"]
    if provision_id <= 0:
        raise EngineError("MANDATORY_IE_MISSING: [ProvisionID]")
    return provision_id
