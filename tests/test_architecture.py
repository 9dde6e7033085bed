"""What the architecture promises, checked: imports, permissions, guards, audit, migrations, sizes of modules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from litestar import Litestar, get
from sqlalchemy import Engine, create_engine, inspect, text

from omnicrm import app as root
from omnicrm import migrations
from omnicrm.domain.action import ACTIONS, PUBLIC
from omnicrm.domain.identity.catalogue import JOB_PERMISSIONS, PERMISSIONS, ROLES
from omnicrm.domain.jobs import KINDS
from omnicrm.domain.resource import RESOURCES
from omnicrm.models import Base
from omnicrm.paths import MIGRATIONS, ROOT
from omnicrm.views.http import Access, public
from omnicrm.worker import LANES

#: Use cases that nobody needs a permission for: they come before or with the login itself.
OPEN_ACTIONS = {
    "identity.login_tried",
    "identity.open_session",
    "identity.touch_session",
    "identity.close_session",
    "identity.issue_refresh",
    "identity.rotate_refresh",
}
#: Routes that need no caller.
OPEN_ROUTES = {
    "/login",
    "/logout",
    "/crm/auth/login",
    "/auth/login",
    "/crm/auth/refresh",
    "/auth/refresh",
    "/crm/health",
    "/health",
    "/branding.css",
    "/crm/docs",
    "/crm/docs/openapi.json",
    "/metrics",  # lets in addresses and a token of its own (monitoring.metrics_*)
    "/static/{file_path:path}",
}
#: Tables whose rows are no activity of people: bookkeeping, events, the log itself.
UNAUDITED = {
    "alert",
    "customer_activity",
    "inventory_reservation",
    "job",
    "permission",
    "Provision_Event",
    "refresh_token",
    "user_session",
}
#: Modules that may be longer than the limit, with the reason.
LONG_MODULES = {
    "omnicrm/migrations/versions/0001_initial_tables.py": "one list of tables; splitting it would split a revision",
}
LOCK_FILES = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml"}


def test_imports_go_one_way() -> None:
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _actions() -> dict[str, Any]:
    for resource in RESOURCES.values():
        assert resource.actions.keys() == resource.verbs
    return ACTIONS


def test_every_action_needs_a_permission_of_the_catalogue() -> None:
    for name, action in _actions().items():
        assert action.permissions, name
        assert set(action.permissions) <= PERMISSIONS.keys() | {PUBLIC}, name
    assert {name for name, action in ACTIONS.items() if PUBLIC in action.permissions} == OPEN_ACTIONS


def test_every_action_says_what_it_does_or_is_a_generic_verb() -> None:
    generic = {f"{name}.{verb}" for name in RESOURCES for verb in ("create", "update", "delete")}
    undocumented = {name for name, action in _actions().items() if not action.__doc__ and name not in generic}
    assert undocumented <= {"identity.open_session", "identity.issue_refresh", "identity.create_user"} | {
        "provision.start"
    }


def test_roles_and_job_tokens_hold_permissions_of_the_catalogue() -> None:
    for role, (_, held) in ROLES.items():
        assert set(held) <= PERMISSIONS.keys(), role
    assert PERMISSIONS.keys() >= JOB_PERMISSIONS
    assert "admin" not in JOB_PERMISSIONS
    assert len(set(PERMISSIONS.values())) == len(PERMISSIONS), "two permissions share an id"


def test_the_ids_that_the_documents_print_belong_to_their_permissions() -> None:
    """Chapter 37's examples and AUTH-G19."""
    printed = {"view_customer": 1, "view_customer_service": 20, "view_provision": 30, "create_provision": 31}
    printed |= {"view_inventory": 40, "view_product": 50}
    assert {name: PERMISSIONS[name] for name in printed} == printed


def test_every_job_kind_has_a_lane_and_an_answer_that_exists() -> None:
    for name, kind in KINDS.items():
        assert kind.lane in LANES, name
        assert kind.lost is None or kind.lost in KINDS, name


# ---- routes


def _handlers(app: Litestar) -> Iterator[tuple[str, Any]]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if handler.http_methods != {"OPTIONS"}:
                yield route.path, handler


def test_every_route_says_who_may_call_it(application: Litestar) -> None:
    open_routes = set()
    for path, handler in _handlers(application):
        access: Access = handler.opt["access"]
        assert set(access.permissions) <= PERMISSIONS.keys(), path
        if access.way == "public" and not path.startswith("/sandbox/"):
            open_routes.add(path)
    assert open_routes == OPEN_ROUTES


def test_routes_of_programs_take_no_cookie_and_pages_take_no_token(application: Litestar) -> None:
    for path, handler in _handlers(application):
        way = handler.opt["access"].way
        if path.startswith("/crm/"):
            assert way in ("json", "download", "public"), path
        elif not path.startswith(("/auth/", "/2fa/", "/utilities/", "/oam/", "/invoice/", "/sandbox/")):
            assert way in ("page", "download", "public"), path


def test_a_route_without_an_access_rule_does_not_start() -> None:
    @get("/forgotten")
    async def forgotten() -> None: ...

    @get("/declared", opt=public())
    async def declared() -> None: ...

    with pytest.raises(RuntimeError, match="/forgotten"):
        root._refuse_unguarded(Litestar([forgotten, declared], openapi_config=None))
    root._refuse_unguarded(Litestar([declared], openapi_config=None))


# ---- tables


def test_every_model_declares_whether_it_is_audited() -> None:
    models = [mapper.class_ for mapper in Base.registry.mappers]
    assert all("__audit__" in vars(model) for model in models)
    assert {model.__tablename__ for model in models if model.__audit__ is None} == UNAUDITED


def test_the_head_that_the_start_compares_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


@pytest.fixture
def fresh_url(backend: str, tmp_path: Path) -> Iterator[str]:
    """An empty database of the backend."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'fresh.db'}"
        return
    server, name = os.environ["OMNICRM_TEST_MYSQL"], f"omnicrm_fresh_{os.getpid()}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    yield f"{server}/{name}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    admin.dispose()


@pytest.fixture
def fresh(fresh_url: str) -> Iterator[Engine]:
    engine = create_engine(fresh_url)
    yield engine
    engine.dispose()


def test_migrations_build_exactly_the_tables_of_the_models(fresh_url: str, fresh: Engine) -> None:
    migrations.upgrade(fresh_url)
    assert migrations.revision_of(fresh_url) == migrations.HEAD
    with fresh.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migration_can_be_taken_back_and_run_again(fresh_url: str, fresh: Engine) -> None:
    migrations.upgrade(fresh_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with fresh.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
    assert set(inspect(fresh).get_table_names()) <= {"alembic_version"}
    assert migrations.revision_of(fresh_url) is None
    migrations.upgrade(fresh_url)
    assert set(inspect(create_engine(fresh_url)).get_table_names()) >= Base.metadata.tables.keys()


# ---- files


def _too_long(folder: str, limit: int) -> dict[str, int]:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    return {path.relative_to(ROOT).as_posix(): lines for path, lines in sizes.items() if lines > limit}


def test_no_module_is_longer_than_three_hundred_lines() -> None:
    assert _too_long("omnicrm", 300).keys() == LONG_MODULES.keys()


def test_no_test_module_is_longer_than_four_hundred_lines() -> None:
    assert _too_long("tests", 400) == {}


def test_every_module_opens_with_a_sentence_on_what_it_owns() -> None:
    modules = [path for path in (ROOT / "omnicrm").rglob("*.py") if path.parent.name != "versions"]
    silent = [str(path) for path in modules if not path.read_text("utf-8").lstrip().startswith('"""')]
    assert silent == []


def test_no_lock_file_is_kept() -> None:
    found = [
        path
        for path in ROOT.rglob("*")
        if path.name in LOCK_FILES and not {".venv", "node_modules", ".git"} & set(path.parts)
    ]
    assert found == []
