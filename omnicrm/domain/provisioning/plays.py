"""Reading play files without running them: tasks, deprovision guard, the names a play sets, what is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from omnicrm.domain.errors import Invalid
from omnicrm.domain.provisioning.playfile import Entry, is_guard, load_play_text, module_of, where_wrong

#: Names that a product or staff may give (PC-39): a file of the plays folders, never a path.
PLAY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MAX_FILES = 50

_MISPLACED = ("register", "when", "ignore_errors", "loop", "failed_when", "until")
#: Tasks that may stand before the guard: a deprovision run repeats them without harm.
_HARMLESS = frozenset({"set_fact", "include_vars", "debug", "assert", "meta"})
_ACTION_WORD = re.compile(r"\baction\b[^\n]*[\"'](deprovision|update|suspend|unsuspend)[\"']")


class PlayError(Invalid):
    """A play that is missing or cannot be read; names file, line and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__({"provisioning_play": text})


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file of the plays folders; `line` counts from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    spot: Spot
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A task as it stands in its file. `part` is "order", "undo" (inside a rescue), or "perhaps" (included or not)."""

    spot: Spot
    part: str
    module: str
    args: Any
    task: Mapping[str, Any]


@dataclass(slots=True)
class Play:
    """What a play file says of itself, static includes followed."""

    name: str
    path: Path
    #: The play's own `name` (PROV-251).
    description: str = ""
    #: Names of the tasks that a run without failures goes through, in order (PROV-155, 183); rescue is left out.
    tasks: list[str] = field(default_factory=list)
    #: Names of the tasks of `rescue` sections, in order: what an undoing or a deprovision goes through.
    undo: list[str] = field(default_factory=list)
    #: Where the guard stands that sends a deprovision run to the clean-up (PC-11); none means that it has no guard.
    guards: set[Spot] = field(default_factory=set)
    #: Names that the play gives values while it runs (set_fact, register, include_vars).
    facts: set[str] = field(default_factory=set)
    #: Names under which `uri` tasks register their results, by the place of the task.
    registers: dict[Spot, str] = field(default_factory=dict)
    #: Names of `vars:` that are computed, so that a value from outside would break the play.
    computed: set[str] = field(default_factory=set)
    #: Words of `action` that the play tests for (PC-41).
    actions: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    #: Every task with a module, in the order of the text.
    found: list[Found] = field(default_factory=list)
    #: All names that `vars:` sections give values, computed or not.
    named: set[str] = field(default_factory=set)
    #: What was read, by file.
    documents: dict[str, Any] = field(default_factory=dict)
    #: Lines that were read only after quoting a bare `{{ … }}` (PC-17), by file.
    mended: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def task_count(self) -> int:
        return len(self.tasks)

    @property
    def has_guard(self) -> bool:
        return bool(self.guards)

    @property
    def own_names(self) -> set[str]:
        """Names that a request may not carry unless the product declares them (decision 32)."""
        return self.facts | self.computed


def find_file(name: str, plays_dirs: Sequence[Path]) -> Path | None:
    """The file of that relative name in the first folder that has it; None for absent ones and for ways out."""
    for folder in plays_dirs:
        path = folder / name
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    return None


def read_play(name: str, plays_dirs: Sequence[Path]) -> Play:
    """Read `{name}.yaml` from the first of `plays_dirs` that has it. Raises PlayError.

    Reading takes some ten milliseconds, so the result is kept until a file of the folders changes.
    """
    return _read_play(name, tuple(plays_dirs), _state_of(plays_dirs))


def _state_of(plays_dirs: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of all files there: what a kept reading depends on."""
    found = []
    for folder in plays_dirs:
        if folder.is_dir():
            with os.scandir(folder) as entries:
                found += [(entry.path, (stat := entry.stat()).st_mtime_ns, stat.st_size) for entry in entries]
    return tuple(sorted(found))


def read_tasks(file: str, plays_dirs: Sequence[Path]) -> Play:
    """Read a file of tasks (`task_send_sms.yaml`) as if a play included it: it has no guard. Raises PlayError."""
    path = find_file(file, plays_dirs)
    if path is None:
        raise PlayError(f"{file} does not exist beside the play")
    reader = _Reader(Play(file, path), plays_dirs)
    reader.read_task_file(file, into=reader.play.tasks, guardable=False)
    return reader.play


@lru_cache(maxsize=128)
def _read_play(name: str, plays_dirs: tuple[Path, ...], state: tuple[tuple[str, int, int], ...]) -> Play:
    if not PLAY_NAME.fullmatch(name):
        raise PlayError(f"{name!r} is no play name; give the file name without .yaml")
    path = find_file(f"{name}.yaml", plays_dirs)
    if path is None:
        looked = " and ".join(str(folder) for folder in plays_dirs)
        raise PlayError(f"the play {name}.yaml does not exist in {looked}")
    reader = _Reader(Play(name, path), plays_dirs)
    reader.read_playbook(f"{name}.yaml")
    return reader.play


class _Reader:
    def __init__(self, play: Play, plays_dirs: Sequence[Path]) -> None:
        self.play = play
        self.plays_dirs = plays_dirs
        self.open_files: list[str] = []
        self.files = 0

    def read_playbook(self, file: str) -> None:
        document = self._load(file)
        if not isinstance(document, list) or not all(isinstance(entry, Mapping) for entry in document):
            raise PlayError(f"{file}: a play file is a list of plays, each starting with '- name: …' and 'hosts:'")
        self.open_files.append(file)
        for entry in document:
            self.play.description = self.play.description or str(entry.get("name") or "")
            module, args = module_of(entry)
            if module == "import_playbook":
                if (target := self._included(entry, args, file)) is not None:
                    self.read_playbook(target)
                continue
            if "hosts" not in entry:
                self._problem(file, entry, "a play needs 'hosts: localhost'")
            for keyword in ("rescue", "always", "block"):
                if keyword in entry:
                    self._problem(file, entry, f"'{keyword}' stands at the play; indent it into the block of a task")
            self._vars(entry)
            for section in ("pre_tasks", "tasks", "post_tasks"):
                self._tasks(entry.get(section), file, into=self.play.tasks, guardable=False)
            self._tasks(entry.get("handlers"), file, into=None, guardable=False)
        self.open_files.pop()

    def _load(self, file: str) -> Any:
        self.files += 1
        if file in self.open_files or self.files > _MAX_FILES:
            raise PlayError(f"{file} includes itself, or the play includes more than {_MAX_FILES} files")
        path = find_file(file, self.plays_dirs)
        if path is None:
            raise PlayError(f"{file} does not exist beside the play")
        try:
            text = path.read_text("utf-8")
            loaded = load_play_text(text)
        except UnicodeDecodeError as error:
            raise PlayError(f"{file} is not UTF-8 text (byte {error.start})") from error
        except yaml.YAMLError as error:
            raise PlayError(f"{file}{where_wrong(error)}") from error
        if loaded.mended:
            self.play.mended[file] = loaded.mended
        self.play.documents[file] = loaded.document
        self.play.actions.update(match[1] for match in _ACTION_WORD.finditer(text))
        return loaded.document

    def _tasks(self, tasks: Any, file: str, *, into: list[str] | None, guardable: bool) -> None:
        """Take a list of tasks in; `into` collects their names, None where a run may or may not come to them."""
        if tasks is None:
            return
        if not isinstance(tasks, list):
            self.play.problems.append(Problem(Spot(file, 1), "a list of tasks is expected here"))
            return
        for task in tasks:
            if not isinstance(task, Mapping):
                self.play.problems.append(Problem(Spot(file, 1), f"a task is a mapping, not {task!r:.60}"))
            elif "block" in task:
                self._vars(task)
                self._tasks(task["block"], file, into=into, guardable="rescue" in task)
                undo = self.play.undo if into is self.play.tasks else None
                self._tasks(task.get("rescue"), file, into=undo, guardable=False)
                self._tasks(task.get("always"), file, into=into, guardable=False)
                guardable = False
            else:
                guardable = self._task(task, file, into=into, guardable=guardable) and guardable

    def _task(self, task: Mapping[str, Any], file: str, *, into: list[str] | None, guardable: bool) -> bool:
        """Take one task in; answers whether a guard may still follow it."""
        module, args = module_of(task)
        if module is None:
            self._problem(file, task, "this task names no module")
            return False
        self._names(module, args, task)
        part = "order" if into is self.play.tasks else "undo" if into is self.play.undo else "perhaps"
        self.play.found.append(Found(Spot(file, _line(task)), part, module, args, task))
        if module == "uri" and isinstance(task.get("register"), str):
            self.play.registers[Spot(file, _line(task))] = task["register"]
        for keyword in _MISPLACED:
            if isinstance(args, Mapping) and keyword in args and module not in ("set_fact", "add_host"):
                self._problem(file, task, f"'{keyword}' is indented as an argument of {module}; move it to the task")
        if into is not None and module != "import_tasks":
            into.append(str(task.get("name") or module))
        if module in ("include_tasks", "import_tasks"):
            target = self._included(task, args, file)
            if target is not None:
                once = "loop" not in task and (module == "import_tasks" or "when" not in task)
                guardable = guardable and module == "import_tasks"
                self.read_task_file(target, into=into if once else None, guardable=guardable)
            return False
        if guardable and is_guard(module, args, task):
            self.play.guards.add(Spot(file, _line(task)))
        reads = module == "uri" and isinstance(args, Mapping) and str(args.get("method", "GET")).upper() == "GET"
        return module in _HARMLESS or reads

    def read_task_file(self, file: str, *, into: list[str] | None, guardable: bool) -> None:
        document = self._load(file)
        self.open_files.append(file)
        self._tasks(document, file, into=into, guardable=guardable)
        self.open_files.pop()

    def _included(self, task: Mapping[str, Any], args: Any, file: str) -> str | None:
        """The file that an include names literally and that exists; a missing one becomes a problem."""
        name = args.get("file") if isinstance(args, Mapping) else args
        if not isinstance(name, str) or "{{" in name:
            return None
        name = name.split()[0].removeprefix("file=") if name.strip() else name
        if find_file(name, self.plays_dirs) is None:
            self._problem(file, task, f"the included file {name} does not exist beside the play")
            return None
        return name

    def _names(self, module: str, args: Any, task: Mapping[str, Any]) -> None:
        self._vars(task)
        facts = self.play.facts
        if isinstance(task.get("register"), str):
            facts.add(task["register"])
        if module == "set_fact":
            names = args if isinstance(args, Mapping) else re.findall(r"(?:^|\s)(\w+)=", str(args or ""))
            facts.update(str(name) for name in names if name != "cacheable")
        elif module == "include_vars" and isinstance(args, Mapping) and isinstance(args.get("name"), str):
            facts.add(args["name"])

    def _vars(self, entry: Mapping[str, Any]) -> None:
        for name, value in _pairs(entry.get("vars")):
            self.play.named.add(name)
            if isinstance(value, Mapping | list) or (isinstance(value, str) and "{{" in value):
                self.play.computed.add(name)

    def _problem(self, file: str, entry: Mapping[str, Any], text: str) -> None:
        self.play.problems.append(Problem(Spot(file, _line(entry)), text))


def _pairs(variables: Any) -> Iterator[tuple[str, Any]]:
    for part in variables if isinstance(variables, list) else [variables]:
        if isinstance(part, Mapping):
            yield from ((str(name), value) for name, value in part.items())


def _line(entry: Mapping[str, Any]) -> int:
    return entry.line if isinstance(entry, Entry) else 1
