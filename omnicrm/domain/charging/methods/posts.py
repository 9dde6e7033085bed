"""Posts of `*http_post` that were given up: what they were, and sending one again. CGRateS has neither method."""

from __future__ import annotations

from typing import Any

from omnicrm.domain.charging import outbox
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.goparams import INT, STR, GoStruct
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.registry import rpc


@rpc("OmniSv1.GetFailedPosts", GoStruct("TenantWithAPIOpts", Tenant=STR))
def get_failed_posts(call: Call, params: dict[str, Any]) -> Any:
    """ID, Key, URL, CreatedAt, FailedAt and Reason of each, oldest first; an empty list when there is none."""
    return outbox.failed(call.rows.connection)


@rpc("OmniSv1.RetryPost", GoStruct("AttrPost", Tenant=STR, ID=INT), writes=True)
def retry_post(call: Call, params: dict[str, Any]) -> str:
    """Sends a post again that was given up, with the key that it has. Not for provisioning jobs."""
    if call.job is not None:
        raise EngineError("UNAUTHORIZED: a job may not send posts of the engine again")
    if not outbox.again(call, params["ID"]):
        raise EngineError("NOT_FOUND")
    return "OK"
