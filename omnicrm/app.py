"""The composition root: the only place that knows everything. It builds the parts and the web application from them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

from litestar import Litestar
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import State
from litestar.static_files import create_static_files_router
from sqlalchemy.exc import OperationalError

from omnicrm import background, migrations, store
from omnicrm.domain.action import Door
from omnicrm.domain.actor import SYSTEM
from omnicrm.domain.billing import actions as _billing_actions  # noqa: F401 - declares its actions
from omnicrm.domain.billing import queries as billing
from omnicrm.domain.catalogue import ports as catalogue_ports
from omnicrm.domain.charging.ports import ChargingEngine
from omnicrm.domain.checking.ports import RunRemains, SubscriberRegister
from omnicrm.domain.customers import ports as customer_ports
from omnicrm.domain.identity import actions as identity
from omnicrm.domain.inventory import actions as _inventory_actions  # noqa: F401
from omnicrm.domain.messaging.ports import Letters, Mailer
from omnicrm.domain.provisioning import cancelling as _cancelling  # noqa: F401 - declares its jobs
from omnicrm.domain.provisioning import failure_mail as _failure_mail  # noqa: F401
from omnicrm.domain.provisioning import flows as _flows  # noqa: F401
from omnicrm.domain.provisioning import simple as _simple  # noqa: F401
from omnicrm.domain.provisioning import suspending as _suspending  # noqa: F401
from omnicrm.domain.provisioning import turns as _turns  # noqa: F401
from omnicrm.domain.provisioning.ports import PlaybookRunner
from omnicrm.domain.services import actions as _service_actions  # noqa: F401
from omnicrm.domain.services import queries as services
from omnicrm.integrations.ansible import AnsibleRunner
from omnicrm.integrations.cgrates import CgratesClient
from omnicrm.integrations.hss import HssRegister
from omnicrm.integrations.letters import MailTemplates
from omnicrm.integrations.mailjet import MailjetClient
from omnicrm.integrations.run_remains import MachineRemains
from omnicrm.parts import Parts as Parts
from omnicrm.paths import PLAYBOOKS, STATIC
from omnicrm.settings import Settings, SettingsError, ensure_secrets
from omnicrm.views import (
    activity,
    auth,
    customers,
    inventory,
    openapi,
    operations,
    products,
    provisions,
    records,
    simple_provision,
    site,
    transactions,
)
from omnicrm.views import services as service_views
from omnicrm.views.errors import HANDLERS
from omnicrm.views.headers import before_send
from omnicrm.views.http import guard, public
from omnicrm.views.limits import Limits
from omnicrm.views.page import environment
from omnicrm.views.usage import SharedReads
from omnicrm.worker import Queue

#: Larger bodies than any record needs; a sandboxed mail brings its own limit.
MAX_BODY = 6 * 1024 * 1024


def _wire_areas() -> None:
    """Tell lower areas what higher ones know; safe to repeat."""
    customer_ports.ARCHIVE_BLOCKERS[:] = [services.archive_blockers, billing.archive_blockers]
    customer_ports.SITE_USERS[:] = [services.users_of_site]
    catalogue_ports.PRODUCT_USES[:] = [services.uses_of_product]


def prepare(settings: Settings) -> Settings:
    """Secrets and tables: what must be there before anything runs. Raises SettingsError with the reason."""
    if settings.ocs.mode == "gateway":
        raise SettingsError(["ocs.mode: gateway is not available yet; use embedded, or direct with ocs.cgrates"])
    url = settings.database.sync_url
    settings.server.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        revision = migrations.revision_of(url)
    except OperationalError as error:
        raise SettingsError([f"database: {url.shown} cannot be reached: {error.orig}"]) from None
    settings = ensure_secrets(settings, database_has_data=revision is not None)
    if revision != migrations.HEAD:
        if not settings.database.auto_migrate:
            raise SettingsError(["The tables are not up to date and database.auto_migrate is off: omnicrm migrate"])
        migrations.upgrade(url)
    return settings


def build(settings: Settings) -> Parts:
    """The parts for prepared settings; nothing listens and no thread runs yet."""
    _wire_areas()
    if settings.security.encryption_key is not None:
        store.set_encryption_key(settings.security.encryption_key.reveal())
    database = settings.database
    db = store.Database(database.sync_url, database.async_url, database.pool_size)
    queue = Queue(settings)
    door = Door(db, settings, wake=queue.announce)
    return Parts(settings, db, door, queue, outside(settings))


def outside(settings: Settings) -> dict[type, Any]:
    """The outside systems by the port that they implement; nothing is called yet."""
    return {
        ChargingEngine: CgratesClient(settings.ocs.endpoint, settings.ocs.ocsTenant, settings.ocs.timeout_seconds),
        PlaybookRunner: AnsibleRunner(settings.server.data_dir / "runs", PLAYBOOKS),
        Mailer: MailjetClient(settings.mailjet.base_url, settings.mailjet.api_key, settings.mailjet.api_secret),
        Letters: MailTemplates(environment(settings)),
        SubscriberRegister: HssRegister(settings.hss.hss_peers),
        RunRemains: MachineRemains(settings.server.data_dir / "runs"),
    }


def create_app(parts: Parts, *, with_charging: bool = True, with_workers: bool = True) -> Litestar:
    """The web application. The process that serves alone also has the engine's socket and the workers."""
    settings = parts.settings

    @contextlib.asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(parts.db.aclose)
            await parts.door.act(identity.seed_catalogue, SYSTEM, None)
            if with_charging:
                await stack.enter_async_context(background.charging(parts))
            if with_workers:
                await stack.enter_async_context(background.working(parts))
            yield

    secret = settings.jwt_secret.reveal() if settings.jwt_secret else ""
    sandbox_handlers, sandbox = _sandboxes(settings)
    app = Litestar(
        route_handlers=[
            *site.HANDLERS,
            *auth.HANDLERS,
            *customers.HANDLERS,
            *products.HANDLERS,
            *records.HANDLERS,
            *operations.HANDLERS,
            *inventory.HANDLERS,
            *service_views.HANDLERS,
            *transactions.HANDLERS,
            *provisions.HANDLERS,
            *simple_provision.HANDLERS,
            *activity.HANDLERS,
            *openapi.HANDLERS,
            *sandbox_handlers,
            create_static_files_router("/static", [STATIC], opt=public(), include_in_schema=False),
        ],
        lifespan=[lifespan],
        guards=[guard],
        exception_handlers=HANDLERS,
        before_send=[before_send],
        state=State(
            {
                "door": parts.door,
                "ports": parts.ports,
                "queue": parts.queue,
                "jinja": environment(settings),
                "sandbox": sandbox,
                "usage_reads": SharedReads(),
                "limits": Limits(settings),
                "is_https": settings.crm.public_url.startswith("https:"),
                "trusted_proxies": tuple(ip_network(text) for text in settings.server.trusted_proxies),
            }
        ),
        csrf_config=CSRFConfig(
            secret=secret,
            cookie_name="csrftoken",
            header_name="x-csrftoken",
            cookie_secure=settings.crm.public_url.startswith("https:"),
            cookie_httponly=False,  # app.js sends it as a header
            # JSON routes never take the cookie that a foreign page could make a browser send (decision 21).
            exclude=["^/crm/", "^/auth/", "^/sandbox/[a-z]+/"],
        ),
        request_max_body_size=MAX_BODY,
        openapi_config=None,
        debug=False,
        logging_config=None,
    )
    _refuse_unguarded(app)
    return app


def _refuse_unguarded(app: Litestar) -> None:
    """A route that does not say who may call it does not start."""
    open_routes = [
        f"{sorted(handler.http_methods)} {route.path}"
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if "access" not in handler.opt and handler.http_methods != {"OPTIONS"}
    ]
    if open_routes:
        raise RuntimeError(f"routes without access rule: {', '.join(open_routes)}")


def _sandboxes(settings: Settings) -> tuple[list[Any], Any]:
    """The routes of the active sandboxes, and what their page works with; none and None while there is none."""
    from omnicrm.integrations.sandbox import SYSTEMS, Console, SandboxStore, sandbox_routes

    active = [name for name in SYSTEMS if settings.sandbox.active and name in settings.sandbox.systems]
    if not active:
        return [], None
    store = SandboxStore(settings.server.data_dir / "sandbox.db")
    return sandbox_routes(store, active, public()), Console(store, active)
