"""`omnicrm plays list|check|show|run`: what plays there are, what is wrong with them, what they do, and a trial run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicrm.cli.options import load_settings, settings_options

if TYPE_CHECKING:
    from omnicrm.domain.provisioning.playcheck import Finding


def add_commands(commands: Any) -> None:
    """The command `plays` with its own sub-commands."""
    plays = commands.add_parser("plays", help="list, check, show and try plays")
    what = plays.add_subparsers(dest="what", metavar="WHAT", required=True)

    listed = what.add_parser("list", help="all plays, their guards and where they lie")
    listed.set_defaults(run=_list)

    check = what.add_parser("check", help="find faults in plays; exit 1 when one is an error")
    check.add_argument("play", nargs="*", metavar="FILE|NAME", help="default: every play and task file")
    check.add_argument("--var", action="append", default=[], metavar="NAME", help="a variable that the product gives")
    check.set_defaults(run=_check)

    show = what.add_parser("show", help="what a play reads, sets, calls and undoes")
    show.add_argument("play", metavar="FILE|NAME")
    show.set_defaults(run=_show)

    run = what.add_parser("run", help="try a play against sandboxes only")
    run.add_argument("play", metavar="FILE|NAME")
    run.add_argument("--dry-run", action="store_true", help="needed: a real run is an order of a product")
    run.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="product variable; JSON or text")
    run.add_argument("--deprovision", action="store_true", help="also take away again what the order made")
    run.set_defaults(run=_run)
    for parser in (listed, check, show, run):
        settings_options(parser)


def _folders(options: argparse.Namespace, name: str = "") -> tuple[str, tuple[Path, ...]]:
    """(name of the play, folders to search): a path stands for its own folder before the configured ones."""
    from omnicrm.domain.provisioning.actions import plays_dirs

    folders = plays_dirs(load_settings(options))
    path = Path(name)
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return path.stem, (path.resolve().parent, *folders)
    return name, folders


def _list(options: argparse.Namespace) -> int:
    from omnicrm.domain.provisioning.plays import PlayError, read_play

    _, folders = _folders(options)
    seen: set[str] = set()
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        if path.name in seen or _is_task_file(path):
            continue
        seen.add(path.name)
        try:
            play = read_play(path.stem, folders)
        except PlayError as error:
            print(f"{path.stem:<34} {'broken':<10} {next(iter(error.errors.values()))}")
            continue
        guard = "guard" if play.has_guard else "no guard"
        print(f"{path.stem:<34} {guard:<10} {play.description:<36} {path.parent}")
    return 0


def _is_task_file(path: Path) -> bool:
    """Whether a file holds tasks for plays to include. A file that cannot be read is taken for a play."""
    import yaml

    from omnicrm.domain.provisioning.playfile import load_play_text

    try:
        document = load_play_text(path.read_text("utf-8")).document
    except (yaml.YAMLError, UnicodeDecodeError):
        return path.name.startswith("task_")
    entries = document if isinstance(document, list) else []
    plays = [entry for entry in entries if isinstance(entry, dict) and {"hosts", "import_playbook", "tasks"} & {*entry}]
    return not plays


def _check(options: argparse.Namespace) -> int:
    _, folders = _folders(options)
    given = [text.partition("=")[0] for text in options.var]
    asked = options.play or sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    counts = {"error": 0, "warning": 0, "mended": 0}
    for text in asked:
        for finding in _findings(*_folders(options, text), given):
            counts[finding.level] += 1
            _print_finding(finding)
    print(
        f"{len(asked)} files checked: {counts['error']} errors, {counts['warning']} warnings, "
        f"{counts['mended']} places that the product mends by itself in each run."
    )
    return 1 if counts["error"] else 0


def _findings(name: str, folders: tuple[Path, ...], given: list[str]) -> list[Finding]:
    from omnicrm.domain.provisioning.playcheck import check_play, check_tasks
    from omnicrm.domain.provisioning.plays import find_file
    from omnicrm.integrations.ansible.expressions import read_expression

    path = find_file(f"{name}.yaml", folders)
    if path is not None and _is_task_file(path):
        return check_tasks(f"{name}.yaml", folders, read_expression)
    return check_play(name, folders, read_expression, given)


def _print_finding(finding: Finding) -> None:
    print(f"{finding.spot.file}:{finding.spot.line}: {finding.level}: {finding.text}")
    if finding.mend:
        print(f"    mend: {finding.mend}")


def _show(options: argparse.Namespace) -> int:
    from omnicrm.domain.provisioning.plays import PlayError, read_play
    from omnicrm.domain.provisioning.playshow import describe
    from omnicrm.integrations.ansible.expressions import read_expression

    try:
        play = read_play(*_folders(options, options.play))
    except PlayError as error:
        print(f"omnicrm: {next(iter(error.errors.values()))}", file=sys.stderr)
        return 1
    print("\n".join(describe(play, read_expression)))
    return 0


def _run(options: argparse.Namespace) -> int:
    if not options.dry_run:
        print(
            "omnicrm: a real run is an order: sell a product that names this play, so that items are reserved and the\n"
            "job can be undone. To try the play against sandboxes, add --dry-run.",
            file=sys.stderr,
        )
        return 2
    from omnicrm.demo.trial import try_play

    name, folders = _folders(options, options.play)
    return try_play(name, folders, options.var, deprovision=options.deprovision)
