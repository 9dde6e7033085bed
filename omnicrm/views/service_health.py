"""Why a provisioned service may not work: no charging account, or tasks that its job passed over (PROV-294)."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from omnicrm.domain.provisioning import queries as jobs
from omnicrm.domain.services.resource import services
from omnicrm.views import http
from omnicrm.views.page import page
from omnicrm.views.usage import SharedReads

AnyRequest = Request[Any, Any, Any]


@get("/services/{key:int}/health", opt=http.page("view_provision"), include_in_schema=False)
async def health(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    """A part of the service's page that it asks for when it is there: the engine may take its time."""
    door, actor = http.door(request), http.actor(request)

    def read(session: Any) -> Any:
        return services.get(session, actor, key), jobs.last_job(session, actor, key)

    service, last = await door.read(read)
    reads: SharedReads = request.app.state.usage_reads
    found, _ = await reads.account_of(request, service.service_uuid)
    return page(
        request,
        "service_health.html",
        "health",
        always_block=True,
        service=service,
        last=last,
        # Whether the engine is in reach is said by the usage itself.
        no_account=found is not None and not found["BalanceMap"] and service.group != "Inactive",
    )


HANDLERS = [health]
