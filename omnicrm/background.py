"""What runs beside the web application: the engine's socket, and the workers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from zoneinfo import ZoneInfo

from omnicrm.domain.charging.ports import JobRef, Trouble
from omnicrm.domain.errors import NotAuthenticated
from omnicrm.domain.identity import tokens
from omnicrm.domain.provisioning import charging_alerts
from omnicrm.domain.provisioning.ports import PlaybookRunner
from omnicrm.domain.provisioning.queries import actor_of_job
from omnicrm.domain.services import queries as services
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.integrations.engine_post import EnginePost
from omnicrm.parts import Parts
from omnicrm.worker import Workers


@contextlib.asynccontextmanager
async def charging(parts: Parts) -> AsyncIterator[None]:
    """The embedded engine with its socket, while the block runs; nothing in direct mode."""
    listener = parts.settings.ocs.listener
    if listener is None:
        yield
        return
    from omnicrm.domain.charging.door import Door as ChargingDoor
    from omnicrm.domain.charging.engine import Engine
    from omnicrm.domain.provisioning.simple import start_from_plan
    from omnicrm.views.jsonrpc import serve

    crm = parts.settings.crm
    post = EnginePost(partial(start_from_plan, parts.door), (crm.base_url, crm.public_url), parts.settings.server.port)
    engine = await asyncio.to_thread(
        Engine.open,
        parts.settings.charging.url,
        tenant=parts.settings.ocs.ocsTenant,
        play_fixes=parts.settings.ocs.play_fixes,
        zone=ZoneInfo(parts.settings.regional.timezone),
        post=post,
        alarm=lambda trouble: _tell_staff(parts, post, trouble),
    )
    door = ChargingDoor(
        engine,
        job_of=lambda token: _job_of(parts, token),
        owner_of=lambda account: parts.door.read_now(services.owner_of_account, account),
    )
    server = await serve(door, *listener)
    try:
        yield
    finally:
        await server.close()
        await asyncio.to_thread(engine.close)


def _job_of(parts: Parts, token: str) -> JobRef | None:
    """The live provisioning job behind a token that came to the charging door (decision 29)."""
    secret = parts.settings.jwt_secret
    try:
        claims = tokens.read_token(secret.reveal() if secret else "", token)
        actor = parts.door.read_now(actor_of_job, int(claims["job_id"]), int(claims["lease"]))
    except (NotAuthenticated, KeyError, ValueError):
        return None
    if actor is None or actor.job is None:
        return None
    return JobRef(actor.job.provision_id, actor.job.customer_id, actor.job.service_uuids)


def _tell_staff(parts: Parts, post: EnginePost, trouble: Trouble) -> None:
    """What the engine gave up: a charge of a service, or anything else."""
    charge = post.charge(trouble.url)
    charged = (charge.service_id, charge.product_id) if charge else None
    parts.db.write(lambda session: charging_alerts.tell_staff(session, trouble, charged, parts.door.clock()))


@contextlib.asynccontextmanager
async def working(parts: Parts) -> AsyncIterator[None]:
    """Workers, heartbeat, sweep and the warm play process, while the block runs."""
    runner: AnsibleRunner = parts.ports[PlaybookRunner]
    await asyncio.to_thread(runner.clean_leftovers)
    runner.start()
    workers = Workers(parts.queue, parts.runtime)
    await asyncio.to_thread(workers.start)
    try:
        yield
    finally:
        await asyncio.to_thread(workers.stop)
        await asyncio.to_thread(runner.close)
