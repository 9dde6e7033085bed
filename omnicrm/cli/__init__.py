"""The command line (decision 25). Each command imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from omnicrm.cli import plays
from omnicrm.cli.options import load_settings, settings_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; answers the exit code."""
    options = _parser().parse_args(arguments)
    if options.command is None:
        _parser().print_help()
        return 0
    from omnicrm.settings import SettingsError

    try:
        return int(options.run(options) or 0)
    except SettingsError as error:
        print(f"omnicrm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="omnicrm", description="BSS/OSS for small telecom operators.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    demo = commands.add_parser("demo", help="fill demo data and start everything in one process")
    settings_options(demo)
    demo.add_argument("--port", type=int, default=5000, help="web port (5000)")
    demo.add_argument("--ocs-port", type=int, default=2080, help="port of the charging endpoint (2080)")
    demo.add_argument("--check", action="store_true", help="run the main job headless over HTTP; exit 0 or 1")
    demo.set_defaults(run=_demo)

    serve = commands.add_parser("serve", help="start the web server with charging endpoint and workers")
    settings_options(serve)
    serve.add_argument("--without-workers", action="store_true", help="leave background work to `omnicrm worker`")
    serve.set_defaults(run=_serve)

    worker = commands.add_parser("worker", help="run background work in a process of its own")
    settings_options(worker)
    worker.set_defaults(run=_worker)

    migrate = commands.add_parser("migrate", help="bring the tables up to date")
    settings_options(migrate)
    migrate.set_defaults(run=_migrate)

    check = commands.add_parser("check", help="compare records, charging and HSS with each other; reads only")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    settings_options(check)
    check.set_defaults(run=_check)

    config = commands.add_parser("config", help="check the configuration")
    config.add_argument("what", choices=["check"])
    settings_options(config)
    config.set_defaults(run=_config)

    plays.add_commands(commands)

    user = commands.add_parser("user", help="add a user")
    user.add_argument("what", choices=["add"])
    user.add_argument("email")
    user.add_argument("--username", help="default: the e-mail address")
    user.add_argument("--role", action="append", default=[], help="role name; may be repeated")
    user.add_argument("--admin", action="store_true", help="give the role admin")
    settings_options(user)
    user.set_defaults(run=_user)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from omnicrm import demo

    if options.check:
        from omnicrm.demo import check

        return check.run(list(options.set))
    if options.data is None:
        options.data = Path("data/demo")
    settings = load_settings(options, **demo.overrides(options.port, options.ocs_port))
    return demo.run(settings)


def _serve(options: argparse.Namespace) -> int:
    from omnicrm import serving

    return serving.serve(load_settings(options), with_workers=not options.without_workers)


def _worker(options: argparse.Namespace) -> int:
    from omnicrm import serving

    return serving.work(load_settings(options))


def _migrate(options: argparse.Namespace) -> int:
    from omnicrm import migrations
    from omnicrm.settings import ensure_secrets

    settings = load_settings(options)
    url = settings.database.sync_url
    settings.server.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    ensure_secrets(settings, database_has_data=migrations.revision_of(url) is not None)
    migrations.upgrade(url)
    print(f"The tables of {settings.database.sync_url.shown} are at {migrations.HEAD}.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from omnicrm.cli import check

    return check.run(options)


def _config(options: argparse.Namespace) -> int:
    from omnicrm.settings import check_start

    settings = load_settings(options)
    check_start(settings)
    print(f"The configuration is sound ({settings.path or 'defaults'}); {len(settings.warnings)} warnings.")
    return 0


def _user(options: argparse.Namespace) -> int:
    import getpass

    from omnicrm import app
    from omnicrm.domain.actor import SYSTEM
    from omnicrm.domain.errors import DomainError
    from omnicrm.domain.identity import actions, passwords

    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if len(password) < 8:
        print("omnicrm: the password needs at least 8 characters", file=sys.stderr)
        return 2
    parts = app.build(app.prepare(load_settings(options)))
    roles = (*options.role, *(["admin"] if options.admin else []))
    hashed = passwords.hash_password(password)
    cmd = actions.NewUser(options.username or options.email, options.email, hashed, roles)
    try:
        parts.door.act_now(actions.seed_catalogue, SYSTEM, None)
        user = parts.door.act_now(actions.create_user, SYSTEM, cmd)
    except DomainError as error:
        print(f"omnicrm: {error.message}", file=sys.stderr)
        return 2
    print(f"User {user.username} added with the roles {', '.join(roles)}.")
    return 0
