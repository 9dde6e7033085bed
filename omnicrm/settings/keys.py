"""How the tree declares its keys: kind, default and meaning stand beside each field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from omnicrm.settings.kinds import At, Bad, Kind, flow


@dataclass(frozen=True)
class Key:
    """One setting. `otherwise` says what holds while it is unset, `sample` is the commented line of omnicrm.yaml."""

    kind: Kind
    meaning: str
    otherwise: str = ""
    sample: str = ""


@dataclass(frozen=True)
class Section:
    """Keys under a common name. An optional one is None until one of its keys is set."""

    cls: type[Any]
    meaning: str
    optional: bool


def key(kind: Kind, meaning: str, default: Any = None, *, otherwise: str = "", sample: str = "") -> Any:
    metadata = {"key": Key(kind, meaning, otherwise, sample)}
    if isinstance(default, Mapping):  # dataclasses refuse it as a shared default, read-only or not
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


def section(cls: type[Any], meaning: str) -> Any:
    return field(default_factory=cls, metadata={"section": Section(cls, meaning, optional=False)})


def block(cls: type[Any], meaning: str) -> Any:
    return field(default=None, metadata={"section": Section(cls, meaning, optional=True)})


def derived(default: Any) -> Any:
    """A field that derive.py fills in; nobody can set it."""
    return field(default=default)


def parts(cls: Any) -> dict[str, Key | Section]:
    """What may stand in a section, by name, in the order of the file."""
    found = {item.name: item.metadata.get("key") or item.metadata.get("section") for item in fields(cls)}
    return {name: part for name, part in found.items() if part is not None}


def walk(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Every key below a section with its path, as in `database.port`."""
    for name, part in parts(cls).items():
        if isinstance(part, Section):
            yield from walk(part.cls, f"{prefix}{name}.")
        else:
            yield prefix + name, part


def default_of(item: Field[Any]) -> Any:
    factory = item.default_factory
    return item.default if factory is MISSING else factory()


def block_kind(cls: type[Any], first: str | None = None) -> Kind:
    """A small record of named keys; `first` is the key that a plain text stands for."""

    def read(raw: Any, at: At) -> Any:
        raw = flow(raw)
        if isinstance(raw, str) and first:
            raw = {first: raw}
        if not isinstance(raw, dict):
            raise Bad(f"this must be a section with the keys {', '.join(parts(cls))}")
        values = {}
        for name, value in raw.items():
            part = parts(cls).get(name)
            if not isinstance(part, Key):
                raise Bad(f"{name!r} is not known here; the keys are {', '.join(parts(cls))}")
            if value not in (None, ""):
                values[name] = part.kind.read(value, at)
        missing = [item.name for item in fields(cls) if default_of(item) is None and item.name not in values]
        if missing:
            raise Bad(f"{', '.join(missing)} is missing; write it beside the others")
        return cls(**values)

    return Kind("block: " + ", ".join(parts(cls)), read, secret=any(part.kind.secret for _, part in walk(cls)))
