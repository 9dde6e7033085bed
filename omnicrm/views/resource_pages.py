"""What a regular entity declares to get its pages: columns, sections, filters, texts (resource_answers.py draws them).

What an entity needs beyond that comes as a template of its own (`cells`, `form_aside`, …) or as a handler at the same
address, never as a flag here. The pages stand alone ("/products") or in a tab of the customer page; the
difference is the `Place`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from litestar import Request

from omnicrm.domain.actor import Actor
from omnicrm.domain.resource import ListQuery, Resource
from omnicrm.settings import Settings
from omnicrm.views.resource_forms import Choices

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True)
class Column:
    """A column of the list; `name` is a field, or a key that the `cells` template knows."""

    name: str
    label: str = ""
    css: str = ""


@dataclass(frozen=True)
class Filter:
    """A select above the list. Without `choices` the field's own words; a text names a key of `more`'s result."""

    name: str
    label: str
    choices: Choices | str | None = None
    default: str = ""


@dataclass(frozen=True)
class Section:
    """Fields that stand together in form and detail; `tab` groups sections into tabs."""

    title: str
    fields: tuple[str, ...]
    tab: str = ""


@dataclass(frozen=True)
class Place:
    """Where the pages of one request stand."""

    base: str
    crumbs: tuple[tuple[str, str], ...] = ()
    #: Values that bind every row shown or made here, such as {"customer_id": 12}.
    bound: Mapping[str, Any] = field(default_factory=dict)
    #: Where a save leads; "" is the record's own page.
    back: str = ""
    #: Why nothing may be changed here.
    frozen: str = ""
    #: Part of another record's page: the parts are swapped in place.
    inside: bool = False
    #: The tab whose label counts the rows; 0 while that page is not on the screen.
    tab: int = 0
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What the reading functions of a declaration work with."""

    session: Any
    actor: Actor
    settings: Settings
    now: datetime
    place: Place
    #: The address's query, or what a refused form held.
    query: Mapping[str, str] = field(default_factory=dict)
    #: The record of a form or detail page; None for lists and new records.
    row: Any = None
    editing: bool = False


@dataclass(frozen=True)
class Shape:
    """The sections of form and detail for one record, its own labels, and texts that a new record starts with."""

    sections: tuple[Section, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Pages:
    """The declaration of one entity's pages."""

    resource: Resource[Any]
    path: str
    title: str
    icon: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    #: A template that draws a row's cells by `column.name`, in place of templates/resource_cells.html.
    cells: str = "resource_cells.html"
    #: A template that draws a value of the detail page by `name`, in place of templates/resource_value.html.
    value: str = "resource_value.html"
    #: A template above the fields of the form, one below them, and one below the facts of the detail page.
    form_head: str = ""
    form_aside: str = ""
    detail_aside: str = ""
    #: A template above the list: totals, switches, notes.
    list_head: str = ""
    filters: tuple[Filter, ...] = ()
    #: Choices of fields that select a row, or other labels for the words of a field.
    options: Mapping[str, Choices | Callable[[Reading], Choices]] = field(default_factory=dict)
    #: More names for the templates: for the rows of a list, and for form and detail of one record.
    more: Callable[[Reading, list[Any]], dict[str, Any]] = lambda reading, rows: {}
    more_of: Callable[[Reading], dict[str, Any]] = lambda reading: {}
    #: Where records of one kind differ in their fields: an item has the texts that its template names.
    shape: Callable[[Reading], Shape] | None = None
    #: Conditions of the list beside the plain filters, from the address.
    narrow: Callable[[AnyRequest, ListQuery], tuple[ListQuery, list[Any]]] = lambda request, wanted: (wanted, [])
    place: Callable[[AnyRequest], Awaitable[Place]] | None = None
    detail: bool = True
    per_page: int = 10
    #: The rows in a sentence; the title where it is empty.
    rows_called: str = ""
    add_label: str = ""
    #: What these pages offer of what the resource can do.
    verbs: frozenset[str] = frozenset({"create", "update", "delete"})
    delete_label: str = "Delete"
    #: What the confirmation adds about this row.
    warning: Callable[[Any], str] = lambda row: ""
    #: The past of `delete_label`, for the toast.
    deleted: str = "deleted"
    #: The command's values from what the form sent: what it leaves to be worked out.
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: values
    empty_text: str = ""
    name_of: Callable[[Any], str] = str
    #: Rows that cannot be changed any more (an invoiced transaction).
    locked: Callable[[Any], bool] = lambda row: False
    #: More names for every template of these pages.
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The element that htmx swaps."""
        return f"{self.resource.name.replace('_', '-')}-panel"

    @property
    def noun(self) -> str:
        return self.resource.label.lower()

    @property
    def plural(self) -> str:
        return self.rows_called or self.title.lower()

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for section in self.sections for name in section.fields)

    @property
    def tabs(self) -> list[str]:
        return list(dict.fromkeys(section.tab for section in self.sections if section.tab))

    @property
    def offered(self) -> frozenset[str]:
        return self.resource.verbs & self.verbs

    def shape_of(self, reading: Reading) -> Shape:
        return self.shape(reading) if self.shape else Shape(self.sections)

    def may(self, verb: str) -> str:
        """The permission of the verb."""
        return self.resource.actions[verb].permissions[0] if verb != "view" else f"view_{self.resource.family}"
