"""The pages of regular entities: list, form, detail, save and delete, as resource_pages.py declares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from litestar import Response
from markupsafe import Markup

from omnicrm.domain import listtext
from omnicrm.domain.codecs import Choice
from omnicrm.domain.errors import Conflict, Invalid, NotFound
from omnicrm.domain.resource import ListQuery, Page, Write
from omnicrm.settings import Settings
from omnicrm.views import http, resource_forms
from omnicrm.views.page import page, redirect, toast_oob, wants_block
from omnicrm.views.resource_forms import YES_NO, Choices, Control
from omnicrm.views.resource_pages import AnyRequest, Filter, Pages, Place, Reading, Section, Shape
from omnicrm.views.resources import list_query, pagination

Result = TypeVar("Result")


async def place_of(request: AnyRequest, pages: Pages) -> Place:
    return await pages.place(request) if pages.place else Place(pages.path)


async def _read(
    request: AnyRequest,
    place: Place,
    function: Callable[[Reading], Result],
    query: Mapping[str, str] | None = None,
    row: Any = None,
    editing: bool = False,
) -> Result:
    door, actor = http.door(request), http.actor(request)
    given = dict(request.query_params) if query is None else query
    return await door.read(
        lambda session: function(Reading(session, actor, door.settings, door.clock(), place, given, row, editing))
    )


def _common(pages: Pages, place: Place) -> dict[str, Any]:
    return {
        "pages": pages,
        "place": place,
        "resource": pages.resource,
        "name_of": pages.name_of,
        "add_label": _add_label(pages),
        "columns": pages.columns,
        "sections": pages.sections,
        "kind_of": resource_forms.kind_of,
        "list_of": listtext.parse_list,
        "word": resource_forms.word,
        **pages.context,
        **place.context,
    }


async def list_page(request: AnyRequest, pages: Pages, place: Place | None = None, saved: str = "") -> Response[str]:
    """The list with its filters; `saved` is the toast after a change in place."""
    place = place or await place_of(request, pages)
    settings = http.settings(request)
    given = {} if saved else dict(request.query_params)
    wanted = ListQuery(per_page=pages.per_page) if saved else _wanted(request, pages)
    wanted, where = pages.narrow(request, wanted)
    where += [getattr(pages.resource.model, name) == value for name, value in place.bound.items()]

    def read(reading: Reading) -> tuple[Page[Any], dict[str, Any]]:
        found = pages.resource.page(reading.session, reading.actor, reading.settings, wanted, *where)
        return found, pages.more(reading, found.rows)

    found, more = await _read(request, place, read, given)
    return page(
        request,
        "resource_list.html",
        "panel",
        title=pages.title,
        path=place.base,
        query=given,
        rows=found.rows,
        pagination=pagination(found),
        sort=wanted.sort,
        order="desc" if wanted.descending else "asc",
        filters=[_filter(one, pages, more, given, settings) for one in pages.filters],
        narrowed=any(value for name, value in given.items() if name not in ("page", "per_page", "sort", "order")),
        saved=toast_oob(request, "success", saved) if saved else Markup(""),
        always_block=bool(saved),
        **{**_common(pages, place), **more},
    )


def _wanted(request: AnyRequest, pages: Pages) -> ListQuery:
    wanted = list_query(request, pages.resource)
    return wanted if request.query_params.get("per_page") else replace(wanted, per_page=pages.per_page)


def _filter(one: Filter, pages: Pages, more: dict[str, Any], given: Mapping[str, str], settings: Settings) -> Any:
    choices = more[one.choices] if isinstance(one.choices, str) else one.choices
    if choices is None:
        codec = pages.resource.by_name[one.name].codec
        words = codec.words(settings) if isinstance(codec, Choice) else ()
        choices = [(text, resource_forms.word(text)) for text in words] or YES_NO
    return {
        "name": one.name,
        "label": one.label,
        "choices": choices,
        "value": given.get(one.name) or one.default,
        "all": "" if one.default else "All",
    }


# ---- form


async def form_page(
    request: AnyRequest,
    pages: Pages,
    place: Place,
    row: Any | None,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    problem: str = "",
) -> Response[str]:
    """The form of a new record (`row` None) or of an existing one; after a refusal with what was typed."""
    settings = http.settings(request)

    def read(reading: Reading) -> tuple[Shape, dict[str, Choices], dict[str, Any]]:
        chosen = {name: option(reading) if callable(option) else option for name, option in pages.options.items()}
        return pages.shape_of(reading), chosen, pages.more_of(reading)

    shape, options, more = await _read(request, place, read, typed, row, editing=True)
    names = pages.fields
    if row is None:
        current = resource_forms.defaults(pages.resource, names, settings, http.door(request).clock())
        current |= shape.texts | {name: text for name, text in request.query_params.items() if name in names}
    else:
        current = resource_forms.texts(pages.resource, names, row, settings) | dict(shape.texts)
    shown = {**current, **(typed or {})}
    groups = [(section, _controls(section, pages, row, shown, settings, options, shape)) for section in shape.sections]
    failed = bool(errors or problem)
    label = pages.name_of(row) if row is not None else ""
    return page(
        request,
        "resource_form.html",
        "panel",
        status=422 if failed else 200,
        title=f"Edit {label}" if row is not None else _add_label(pages),
        groups=[(section, controls) for section, controls in groups if controls],
        row=row,
        typed=shown,
        errors=dict(errors or {}),
        problem=problem,
        action=f"{place.base}/{_key(pages, row)}/edit" if row is not None else f"{place.base}/new",
        cancel=place.back or (f"{place.base}/{_key(pages, row)}" if row is not None and pages.detail else place.base),
        submit=("Update" if place.inside else "Save Changes") if row is not None else f"Create {pages.noun.title()}",
        **{**_common(pages, place), **more},
    )


def _controls(
    section: Section,
    pages: Pages,
    row: Any | None,
    typed: Mapping[str, str],
    settings: Settings,
    options: Mapping[str, Choices],
    shape: Shape,
) -> list[Control]:
    items = [pages.resource.by_name[name] for name in section.fields]
    return [
        resource_forms.control(item, typed, settings, options.get(item.name), label=shape.labels.get(item.name, ""))
        for item in items
        if (item.on_create if row is None else item.on_update)
    ]


def _add_label(pages: Pages) -> str:
    return pages.add_label or f"Add {pages.noun.title()}"


def _key(pages: Pages, row: Any) -> int:
    return int(getattr(row, pages.resource.key))


async def row_of(request: AnyRequest, pages: Pages, place: Place, verb: str = "view") -> Any:
    """The record of the address, if it belongs to this place."""
    key = request.path_params["key"]
    row = await http.door(request).read(pages.resource.get, http.actor(request), key, verb)
    if any(getattr(row, name) != value for name, value in place.bound.items()):
        raise NotFound(f"{pages.resource.label} {key} does not exist.")
    return row


async def save(request: AnyRequest, pages: Pages, row: Any | None, place: Place) -> Response[Any]:
    """Create or change the record from the form; the same form again where the use case refuses."""
    door, actor = http.door(request), http.actor(request)
    refuse_frozen(place)
    typed = resource_forms.typed_texts(await request.form(), pages.fields)
    if row is None:
        values = resource_forms.values(pages.resource, typed, door.settings)
        cmd = Write(None, {**pages.prepare(values), **place.bound})
    else:
        shape = await _read(request, place, pages.shape_of, typed, row, editing=True)
        before = resource_forms.texts(pages.resource, typed, row, door.settings) | dict(shape.texts)
        values = resource_forms.values(pages.resource, typed, door.settings, before)
        cmd = Write(_key(pages, row), pages.prepare(values))
    try:
        written = await door.act(pages.resource.actions["update" if row is not None else "create"], actor, cmd)
    except Invalid as error:
        return await form_page(request, pages, place, row, typed, error.errors)
    except Conflict as error:
        return await form_page(request, pages, place, row, typed, problem=error.message)
    text = f"{pages.resource.label} {'saved' if row is not None else 'created'}."
    own = f"{place.base}/{_key(pages, written.row)}" if pages.detail else place.base
    return await after(request, pages, place, text, place.back or own)


async def after(request: AnyRequest, pages: Pages, place: Place, text: str, where: str) -> Response[Any]:
    """After a change: the fresh list in place of the form, or the page that shows the result."""
    if place.inside and wants_block(request):
        return await list_page(request, pages, place, saved=text)
    return redirect(where, text)


def refuse_frozen(place: Place) -> None:
    if place.frozen:
        raise Conflict(place.frozen)


async def detail_page(request: AnyRequest, pages: Pages) -> Response[str]:
    place = await place_of(request, pages)
    row = await row_of(request, pages, place)

    def read(reading: Reading) -> tuple[Shape, dict[str, Any]]:
        return pages.shape_of(reading), pages.more_of(reading)

    def filled(section: Section) -> bool:
        items = [pages.resource.by_name[name] for name in section.fields]
        return any(getattr(row, item.attribute) not in (None, "", "[]") for item in items)

    shape, more = await _read(request, place, read, row=row)
    first, *others = shape.sections
    sections = shape.sections if pages.tabs else [first, *filter(filled, others)]
    return page(
        request,
        "resource_detail.html",
        "panel",
        title=pages.name_of(row),
        row=row,
        key=_key(pages, row),
        fields=pages.resource.by_name,
        **{**_common(pages, place), "sections": sections, "labels": shape.labels, **more},
    )


async def delete_row(request: AnyRequest, pages: Pages) -> Response[Any]:
    """Delete (or void) the record; a refusal stays on the page that the user came from."""
    place = await place_of(request, pages)
    refuse_frozen(place)
    row = await row_of(request, pages, place)
    try:
        await http.door(request).act(pages.resource.actions["delete"], http.actor(request), Write(_key(pages, row)))
    except Conflict as error:
        if wants_block(request):
            raise
        return redirect(place.back or place.base, error.message, "danger")
    return await after(request, pages, place, f"{pages.resource.label} {pages.deleted}.", place.back or place.base)
