"""Resource: one declaration per regular entity. JSON routes, pages, filters, search, scope and tests come from it.

Escape hatches, in this order: a `check` or `check_delete`; an action of your own under the same verb; a template
that overrides the generic one. Never a flag for one entity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, asc, desc, false, func, or_, select
from sqlalchemy.orm import Session, defer

from omnicrm.domain import filling
from omnicrm.domain.action import Action, Ctx
from omnicrm.domain.actor import Actor
from omnicrm.domain.errors import Invalid, NotFound
from omnicrm.domain.fields import Field, ListQuery, Page, Write, Written
from omnicrm.settings import Settings

__all__ = ["MASKED", "MAX_PER_PAGE", "RESOURCES", "Field", "ListQuery", "Page", "Resource", "Write", "Written"]

Row = TypeVar("Row")

#: Every resource by name; routes, pages and the generic tests walk it.
RESOURCES: dict[str, Resource[Any]] = {}

MAX_PER_PAGE = 500
MASKED = "********"


Scope = Callable[[Actor, Any, str], list[ColumnElement[bool]]]


def customer_owned(actor: Actor, resource: Resource[Any], verb: str) -> list[ColumnElement[bool]]:
    """Rows of the caller's own customer, or all for staff."""
    bound = actor.bound_to(resource.family, verb)
    return [] if bound is None else [resource.model.customer_id == bound]


@dataclass(frozen=True, eq=False)
class Resource(Generic[Row]):
    model: type[Row]
    name: str
    family: str
    key: str
    fields: tuple[Field, ...]
    title: str = ""
    scope: Scope = customer_owned
    search: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    newest_first: bool = True
    #: Keys that a chapter's own example sends although they are no fields.
    tolerated: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset({"create", "update", "delete"})
    check: Callable[[Ctx, Row, frozenset[str]], None] | None = None
    check_delete: Callable[[Ctx, Row], None] | None = None
    #: More keys of a single answer (a customer's contacts, an item's named texts).
    extend: Callable[[Session, Row, Actor], dict[str, Any]] | None = None
    #: Puts MASKED on loaded rows in the place of what this caller must not read (the keys of a SIM card).
    veil: Callable[[Session, Sequence[Row], Actor], None] | None = None
    #: Shape of `/crm/{name}/customer_id/{id}`: "array", "data", or "" for no such route; and of `/crm/{name}/`.
    by_customer: str = ""
    list_shape: str = "data"

    def __post_init__(self) -> None:
        if RESOURCES.setdefault(self.name, self) is not self:
            raise RuntimeError(f"two resources are called {self.name}")

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {item.name: item for item in self.fields}

    @cached_property
    def key_column(self) -> Any:
        return getattr(self.model, self.key)

    @cached_property
    def actions(self) -> dict[str, Action[Write, Written[Row]]]:
        """The writing use cases by verb; `verb` puts a named action in the place of a generic one."""
        bodies = {"create": self._create, "update": self._update, "delete": self._delete}
        return {
            verb: Action(f"{self.name}.{verb}", (f"{verb}_{self.family}",), bodies[verb], False)
            for verb in sorted(self.verbs)
        }

    def verb(
        self, verb: str, *permissions: str
    ) -> Callable[[Callable[[Ctx, Write], Written[Row]]], Action[Write, Written[Row]]]:
        """Declare a named action that stands for `create`, `update` or `delete` of this resource."""

        def declare(body: Callable[[Ctx, Write], Written[Row]]) -> Action[Write, Written[Row]]:
            held = permissions or (f"{verb}_{self.family}",)
            made = Action(f"{self.name}.{verb}", held, body, False, replaces=self.actions.get(verb))
            self.actions[verb] = made
            return made

        return declare

    # Reading

    def query(self, actor: Actor, verb: str = "view") -> Select[Row]:
        return select(self.model).where(*self.scope(actor, self, verb))

    def get(self, session: Session, actor: Actor, key: int, verb: str = "view") -> Row:
        row = session.scalars(self.query(actor, verb).where(self.key_column == key)).one_or_none()
        if row is None:
            raise NotFound(f"{self.label} {key} does not exist.")
        if verb == "view":
            self.readable(session, actor, [row])
        return row

    def readable(self, session: Session, actor: Actor, rows: list[Row]) -> list[Row]:
        """The loaded rows as this caller may read them; they are for showing then, not for changing."""
        if self.veil is not None:
            self.veil(session, rows, actor)
        return rows

    def one(self, session: Session, actor: Actor, settings: Settings, key: int) -> dict[str, Any]:
        """The single answer, with what `extend` adds; a derived key never replaces a real one (CRM-172)."""
        return self.answer(session, actor, settings, self.get(session, actor, key))

    def answer(self, session: Session, actor: Actor, settings: Settings, row: Row) -> dict[str, Any]:
        shown = self.dump(row, settings, actor)
        return {**self.extend(session, row, actor), **shown} if self.extend else shown

    def page(self, session: Session, actor: Actor, settings: Settings, wanted: ListQuery, *where: Any) -> Page[Row]:
        query = self._narrowed(self.query(actor).where(*where), wanted, settings, actor).options(*self.long_texts())
        ordered = self._sorted(query, wanted, actor)
        total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
        found = session.scalars(ordered.limit(wanted.per_page).offset((wanted.page - 1) * wanted.per_page))
        return Page(self.readable(session, actor, list(found)), wanted.page, wanted.per_page, total)

    def batch(self, session: Session, actor: Actor, settings: Settings, wanted: ListQuery, *where: Any) -> list[Row]:
        """`per_page` rows in key order without counting: for lists that are streamed whole."""
        query = self._narrowed(self.query(actor).where(*where), wanted, settings, actor).options(*self.long_texts())
        rows = session.scalars(query.order_by(self.key_column).limit(wanted.per_page))
        return self.readable(session, actor, list(rows))

    def long_texts(self) -> list[Any]:
        """Query options that leave out what no list shows."""
        return [defer(getattr(self.model, item.attribute)) for item in self.fields if not item.listed]

    def dump(self, row: Row, settings: Settings, actor: Actor, listed: bool = False) -> dict[str, Any]:
        return {
            item.name: self._shown(item, row, settings, actor)
            for item in self.fields
            if self._shows(item, actor) and (item.listed or not listed)
        }

    def _shows(self, item: Field, actor: Actor) -> bool:
        return item.own or not actor.is_customer

    def _known(self, names: tuple[str, ...], actor: Actor) -> tuple[str, ...]:
        """Those of the fields that the caller may see: filtering or sorting by a hidden one would tell it."""
        return tuple(name for name in names if self._shows(self.by_name[name], actor))

    def _shown(self, item: Field, row: Row, settings: Settings, actor: Actor) -> Any:
        value = getattr(row, item.attribute)
        if item.reveal and value and not actor.can(item.reveal):
            return MASKED
        return item.codec.dump(value, settings)

    def _narrowed(self, query: Select[Any], wanted: ListQuery, settings: Settings, actor: Actor) -> Select[Any]:
        known = self._known(self.filters, actor)
        for name, values in wanted.filters.items():
            if name not in known:
                raise Invalid({"filters": f"{name!r} is not a filter; known: {', '.join(known) or 'none'}"})
            column = getattr(self.model, self.by_name[name].attribute)
            wants_null = None in values
            try:
                loaded = [self.by_name[name].codec.load(value, settings) for value in values if value is not None]
            except ValueError as error:
                raise Invalid({name: str(error)}) from None
            matches = [column.in_(loaded)] if loaded or not wants_null else []
            query = query.where(or_(*matches, *([column.is_(None)] if wants_null else [])))
        term = wanted.search.strip()
        if term:
            query = query.where(or_(false(), *self._matches(term, actor)))
        return query

    def _matches(self, term: str, actor: Actor) -> list[ColumnElement[bool]]:
        columns = [getattr(self.model, self.by_name[name].attribute) for name in self._known(self.search, actor)]
        found: list[ColumnElement[bool]] = [column.icontains(term, autoescape=True) for column in columns]
        if term.isdecimal() and len(term) < 16:
            found.append(self.key_column == int(term))
        return found

    def _sorted(self, query: Select[Any], wanted: ListQuery, actor: Actor) -> Select[Any]:
        known = (self.key, *self._known(self.sort, actor))
        if wanted.sort and wanted.sort not in known:
            raise Invalid({"sort": f"{wanted.sort!r} is not sortable; known: {', '.join(known)}"})
        way = desc if (wanted.descending if wanted.sort else self.newest_first) else asc
        if wanted.sort and wanted.sort != self.key:
            column = getattr(self.model, f"{wanted.sort}_key", None)
            if column is None:
                column = getattr(self.model, self.by_name[wanted.sort].attribute)
            query = query.order_by(way(column))
        return query.order_by(way(self.key_column))

    # Writing

    @property
    def label(self) -> str:
        return self.title or self.name.replace("_", " ").capitalize()

    def fill(
        self, ctx: Ctx, row: Row, values: Mapping[str, Any], creating: bool, preset: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        """Put the values on the row after checking every one (filling.fill)."""
        return filling.fill(self, ctx, row, values, creating, preset)

    def _create(self, ctx: Ctx, cmd: Write) -> Written[Row]:
        row = self.model()
        with ctx.session.no_autoflush:
            self.fill(ctx, row, cmd.values, creating=True)
        self.stay_in_scope(ctx, row, "create")
        ctx.session.add(row)
        ctx.session.flush()
        return Written(row)

    def _update(self, ctx: Ctx, cmd: Write) -> Written[Row]:
        row: Row = ctx.load(self.model, cmd.key, *self.scope(ctx.actor, self, "update"), name=self.label)
        with ctx.session.no_autoflush:
            ignored = self.fill(ctx, row, cmd.values, creating=False)
        ctx.session.flush()
        return Written(row, ignored)

    def _delete(self, ctx: Ctx, cmd: Write) -> Written[Row]:
        row: Row = ctx.load(self.model, cmd.key, *self.scope(ctx.actor, self, "delete"), name=self.label)
        if self.check_delete is not None:
            self.check_delete(ctx, row)
        ctx.session.delete(row)
        ctx.session.flush()
        return Written(row)

    def stay_in_scope(self, ctx: Ctx, row: Row, verb: str) -> None:
        """A caller bound to one customer creates rows of that customer only."""
        if not (ctx.actor.is_customer or ctx.actor.job):
            return
        bound = ctx.actor.bound_to(self.family, verb)
        if bound is not None and getattr(row, "customer_id", bound) != bound:
            raise NotFound("Customer does not exist.", errors={"customer_id": "does not exist"})
