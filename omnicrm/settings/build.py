"""From raw values to the typed tree: each key read by its kind, every problem collected."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from omnicrm.settings.keys import Key, default_of, parts
from omnicrm.settings.kinds import At, Bad
from omnicrm.settings.source import Found, Given
from omnicrm.settings.tree import Settings


class Builder:
    """Fills the tree from `found`; afterwards `found.problems` tells whether the tree may be used."""

    def __init__(self, found: Found, base: Path) -> None:
        self.found = found
        self.base = base
        self.sources: dict[str, str] = {}

    def settings(self) -> Settings:
        tree = self._fill(Settings, "")
        assert isinstance(tree, Settings)
        return tree

    def _fill(self, cls: type[Any], prefix: str) -> Any:
        values = {}
        for item in fields(cls):
            part, path = parts(cls).get(item.name), prefix + item.name
            if isinstance(part, Key):
                values[item.name] = self._value(part, path, default_of(item))
            elif part is not None and (not part.optional or self._is_given(path)):
                values[item.name] = self._fill(part.cls, f"{path}.")
        return cls(**values)

    def _is_given(self, path: str) -> bool:
        return any(one.startswith(f"{path}.") for one in self.found.values)

    def _value(self, part: Key, path: str, default: Any) -> Any:
        if isinstance(default, Path):
            default = (self.base / default).resolve()
        given, former = self.found.values.get(path), self.found.former.get(path)
        value = self._read(part, path, given, default)
        if former is not None:
            # The shipped file spells out every default, so a default in the file does not outweigh a former variable.
            before = self._read(part, path, former, default)
            if given is None or value == default:
                given, value = former, before
            elif before != value:
                self.found.warnings.append(
                    f"{former.source} differs from {path} ({given.source}), which is in force; remove the old variable"
                )
        if given is not None and given.raw not in (None, ""):
            self.sources[path] = given.source
        return value

    def _read(self, part: Key, path: str, given: Given | None, default: Any) -> Any:
        if given is None:
            return default
        if given.raw in (None, ""):
            if part.kind.empty:
                self.found.problems.append(f"{given.source}: {path}: {part.kind.empty}")
            return default
        at = At(path, self.base, lambda text: self.found.warnings.append(f"{given.source}: {text}"))
        try:
            return part.kind.read(given.raw, at)
        except Bad as error:
            self.found.problems.append(f"{given.source}: {path}: {error}")
            return default
