"""Where raw values come from: command line, environment, file, former names; and which of them wins (decision 23)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnicrm.settings import old
from omnicrm.settings.keys import Key, Section, parts
from omnicrm.settings.tree import Settings
from omnicrm.settings.words import meant, parse

PREFIX = "OMNICRM__"
_REFERENCE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Given:
    """A raw value and where it stands, as in `omnicrm.yaml` or `environment variable OMNICRM__SERVER__PORT`."""

    raw: Any
    source: str
    literal: bool = True  # the text itself stands there, not a reference to a variable or a file


@dataclass
class Found:
    """What the sources hold: a value per key path, operators' own keys, and what is wrong."""

    values: dict[str, Given] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    former: dict[str, Given] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is probably a slip of."""
    lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
    return lower[close[0]] if close else None


def read_file(path: Path, found: Found) -> dict[str, Any]:
    """The mapping of a YAML file ; problems go to `found`."""
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        found.problems.append(f"{path}: cannot be read ({error.strerror}); check the path and its permissions")
        return {}
    except UnicodeDecodeError:
        found.problems.append(f"{path}: is not UTF-8 text; save it in that encoding")
        return {}
    except ValueError as error:
        found.problems.append(f"{path}: {error}; check indentation, colons and quotes there")
        return {}
    if content is None:
        return {}
    if not isinstance(content, dict):
        found.problems.append(
            f"{path}: is not a list of `section:` and `key: value` lines; see omnicrm.yaml of the product"
        )
        return {}
    return content


class Reader:
    """Takes one source after the other, the strongest first, and keeps the first value of each key."""

    def __init__(self, environ: Mapping[str, str], base: Path) -> None:
        self.environ = environ
        self.base = base
        self.found = Found()

    # -- sources -------------------------------------------------------------------------------------------------

    def take_sets(self, sets: Mapping[str, str]) -> None:
        for path, text in sets.items():
            self._take(Settings, "", _nested(path.split("."), text), f"--set {path}", own=path)

    def take_environment(self) -> None:
        for name, text in sorted(self.environ.items()):
            if name.startswith(PREFIX) and text != "":
                content = _nested(name[len(PREFIX) :].split("__"), text)
                self._take(Settings, "", content, f"environment variable {name}", own=name, any_case=True)
        for path, (name, text) in old.variables(self.environ, old.VARIABLES).items():
            self.found.former[path] = Given(text, f"environment variable {name}")

    def take_file(self, content: dict[str, Any], name: str) -> None:
        content = self._filled(content, name)
        variables = old.variables(content, {**old.VARIABLES, **old.FILE_VARIABLES})
        self.found.former.update(
            {path: Given(raw, f"{name}, {old_name}") for path, (old_name, raw) in variables.items()}
        )
        content = {key: value for key, value in content.items() if not old.is_old(key)}
        self._rename(content, name)
        self._take(Settings, "", content, name)

    # -- steps ---------------------------------------------------------------------------------------------------

    def _take(
        self, cls: type[Any], prefix: str, content: Any, source: str, *, own: str = "", any_case: bool = False
    ) -> None:
        """`own` is the one name that a single value of environment or command line goes by."""
        known = parts(cls)
        for name, raw in content.items():
            match = _match(name, known, any_case)
            if match is None:
                self._unknown(cls, prefix, name, raw, source, own)
                continue
            canonical, from_file = match
            path, part = prefix + canonical, known[canonical]
            if isinstance(part, Key):
                self._keep(path, raw, source, from_file)
            elif raw is None:
                continue
            elif isinstance(raw, dict):
                self._take(part.cls, f"{path}.", raw, source, own=own, any_case=any_case)
            else:
                self.found.problems.append(
                    f"{source}: {path}: a value stands where a section belongs; write its keys below it, indented"
                )

    def _keep(self, path: str, raw: Any, source: str, from_file: bool) -> None:
        given = Given(raw, source, literal=not from_file and not isinstance(raw, _Filled))
        if from_file:
            try:
                text = (self.base / str(raw)).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "not UTF-8 text"
                self.found.problems.append(f"{source}: {path}_file: {raw} cannot be read ({reason}); check the path")
                return
            given = Given(text, f"{source}, {path}_file", literal=False)
        before = self.found.values.get(path)
        if before is None:
            self.found.values[path] = given
        elif before.source.split(",")[0] == source:
            self.found.problems.append(f"{source}: {path} and {path}_file are both given; keep one of them")

    def _unknown(self, cls: type[Any], prefix: str, name: str, raw: Any, source: str, own: str) -> None:
        slip = nearest(name, parts(cls))
        hint = f"; did you mean {prefix}{slip}?" if slip else ""
        shown = f"{source}: {prefix}{name}" if not own else source
        top = prefix == ""
        if own or (prefix.rstrip(".") not in old.SECTIONS if not top else slip is not None):
            self.found.warnings.append(f"{shown} is not a known key and has no effect{hint}")
            return
        self.found.extra.setdefault(prefix.rstrip("."), {})[name] = meant(_plain(raw))
        if slip or top:
            self.found.warnings.append(f"{shown} is not a known key; playbooks get it in crm_config{hint}")

    def _rename(self, content: dict[str, Any], source: str) -> None:
        for alias, path in old.ALIASES.items():
            section, name = alias.split(".")
            holder = content.get(section)
            if not isinstance(holder, dict) or name not in holder:
                continue
            raw = holder.pop(name)
            target, new_name = path.split(".")
            home = content.get(target)
            home = content[target] = home if isinstance(home, dict) else {}
            if home.setdefault(new_name, raw) != raw:
                self.found.warnings.append(f"{source}: {alias} differs from {path}; {path} is in force, remove {alias}")
            else:
                self.found.warnings.append(f"{source}: {alias} is an old name; write {path}")
        for section in {alias.split(".")[0] for alias in old.ALIASES} - set(parts(Settings)):
            if content.get(section) == {}:
                del content[section]

    def _filled(self, value: Any, source: str, place: str = "") -> Any:
        """`value` with `${NAME}` replaced from the environment; `$${` stands for a plain `${`."""
        if isinstance(value, dict):
            return {
                str(self._filled(name, source, place)): self._filled(item, source, f"{place}.{name}".lstrip("."))
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._filled(item, source, place) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value

        def one(match: re.Match[str]) -> str:
            if match[1]:
                return match[1]
            if match[2] not in self.environ:
                self.found.problems.append(
                    f"{source}: {place}: the environment variable {match[2]} is not set; set it or write the value"
                )
            return self.environ.get(match[2], "")

        return _Filled(_REFERENCE.sub(one, value))


class _Filled(str):
    """Text that came out of the environment: its file holds no secret."""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, _Filled) else value


def _nested(names: list[str], value: Any) -> Any:
    for name in reversed(names):
        value = {name: value}
    return value


def _match(name: str, known: Mapping[str, Key | Section], any_case: bool) -> tuple[str, bool] | None:
    """The known key that `name` stands for, and whether it names a file that holds the value."""
    names = {one.lower() if any_case else one: one for one in known}
    wanted = name.lower() if any_case else name
    if wanted in names:
        return names[wanted], False
    if wanted.endswith("_file") and isinstance(known.get(names.get(wanted[: -len("_file")], "")), Key):
        return names[wanted[: -len("_file")]], True
    return None
