"""The values that a resource works with: its fields, the command of a write, what a list is asked for and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from omnicrm.domain.codecs import Codec

Row = TypeVar("Row")


@dataclass(frozen=True)
class Field:
    """One documented field. `attr` is its mapped attribute where that has another name (money ends in `_minor`)."""

    name: str
    codec: Codec
    attr: str = ""
    label: str = ""
    help: str = ""
    required: bool = False
    nullable: bool = True
    default: Any = None
    on_create: bool = True
    on_update: bool = True
    #: False hides it from portal users (wholesale cost, device passwords).
    own: bool = True
    #: False leaves it out of list answers (long texts).
    listed: bool = True
    #: The permission that the clear text needs; everybody else sees that there is one, masked (CRM-169).
    reveal: str = ""

    @property
    def attribute(self) -> str:
        return self.attr or self.name

    @property
    def title(self) -> str:
        text = self.label or self.name.replace("_", " ").capitalize()
        return f"{text[:-2]}ID" if text.endswith(" id") else text


@dataclass(frozen=True)
class Write:
    """The command of every create, update and delete: `key` is None for a create."""

    key: int | None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Written(Generic[Row]):
    """The stored row, and the read-only names that a PATCH sent and that were not applied (decision 4)."""

    row: Row
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListQuery:
    """What a list is asked for."""

    page: int = 1
    per_page: int = 10
    sort: str = ""
    descending: bool = False
    search: str = ""
    filters: Mapping[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Page(Generic[Row]):
    rows: list[Row]
    number: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.per_page))
