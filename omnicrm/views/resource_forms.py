"""Between a resource's fields and a form: controls with their current texts, and what was typed, as values.

A form sends only what was changed, so that two people who edit different fields of one record do not undo each
other. Times are shown and typed in the deployment's zone, amounts in major units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from litestar.datastructures import MultiDict

from omnicrm.domain import listtext, money
from omnicrm.domain.codecs import (
    Amount,
    Choice,
    Codec,
    Degrees,
    Flag,
    HexColor,
    ListText,
    Moment,
    Percent,
    Reference,
    Text,
    Whole,
)
from omnicrm.domain.resource import Field, Resource
from omnicrm.settings import Settings

#: (value, label) pairs of a select.
Choices = Sequence[tuple[str, str]]

YES_NO: Choices = (("true", "Yes"), ("false", "No"))
#: How a value of each codec is shown (templates/resource_show.html); what is missing here is text.
_KINDS: dict[type, str] = {
    Amount: "money",
    Moment: "moment",
    Percent: "percent",
    Flag: "flag",
    Choice: "choice",
    ListText: "list",
    HexColor: "color",
    Reference: "reference",
}
_TYPES = {"money": "text", "choice": "select", "flag": "select", "moment": "datetime-local", "color": "color"}
#: Codecs for which an empty text is a value; of the others it means that nothing was given.
_NO_EMPTY_TEXT = (Amount, Choice, Degrees, Flag, HexColor, Moment, Percent, Whole)
#: Suggests customers while typing (views/customer_pages.pick); the form has the datalist.
_CUSTOMER_PICKER = {
    "list": "customer-options",
    "autocomplete": "off",
    "hx-get": "/customers/pick",
    "hx-trigger": "input changed delay:250ms",
    "hx-target": "#customer-options",
    "hx-swap": "innerHTML",
    "hx-params": "customer_id",
}


@dataclass(frozen=True)
class Control:
    """One control of a form, as templates/resource_fields.html draws it. `type` "checks" is a list of check boxes."""

    name: str
    label: str
    type: str
    value: Any = ""
    required: bool = False
    help: str = ""
    choices: Choices = ()
    placeholder: str = ""
    prefix: str = ""
    suffix: str = ""
    wide: bool = False
    attrs: Mapping[str, Any] = field(default_factory=dict)


def kind_of(codec: Codec) -> str:
    return _KINDS.get(type(codec), codec.widget if codec.widget in ("textarea", "password") else "text")


def word(text: str) -> str:
    """A documented word for people: `bank_transfer` is "Bank transfer"; words with capitals stay."""
    return text if text != text.lower() else text.replace("_", " ").capitalize()


def text_of(item: Field, row: Any, settings: Settings) -> str:
    """The stored value as the control's text; "" for none. A secret is never sent back to the browser."""
    value = getattr(row, item.attribute, None)
    kind = kind_of(item.codec)
    if value is None or kind == "password":
        return ""
    if kind == "money":
        return money.to_text(value, settings.regional.currency_code)
    if kind == "moment":
        local: datetime = value.astimezone(ZoneInfo(settings.regional.timezone))
        return local.strftime("%Y-%m-%dT%H:%M")
    if kind == "percent":
        return f"{value / 1000:g}"
    if kind == "flag":
        return "true" if value else "false"
    if kind == "list":
        return "\n".join(listtext.parse_list(value))
    if kind == "color":
        return f"#{value}"
    return str(value)


def control(
    item: Field,
    typed: Mapping[str, str],
    settings: Settings,
    choices: Choices | None = None,
    prefix: str = "",
    label: str = "",
) -> Control:
    """The control of a field with its text from `typed`; `prefix` stands before its name where several records meet."""
    codec, kind = item.codec, kind_of(item.codec)
    name = f"{prefix}{item.name}"
    value = typed.get(name, "")
    shape, attrs = _TYPES.get(kind, "textarea" if kind == "textarea" else codec.widget), {}
    placeholder = ""
    if choices is not None:
        shape = "checks" if kind == "list" else "select"
        placeholder = "–" if item.nullable and kind != "list" else ""
    elif isinstance(codec, Choice):
        words = codec.words(settings)
        choices = [(one, word(one)) for one in (*words, *([value] if value and value not in words else []))]
        placeholder = "–" if item.nullable else ""
    elif kind == "flag":
        choices = YES_NO
    elif kind == "list":
        shape, attrs = "textarea", {"spellcheck": "false"}
    elif kind == "money":
        attrs = {"inputmode": "decimal", "autocomplete": "off"}
    elif kind == "percent":
        attrs = {"step": "any", "min": 0, "max": 100}
    elif isinstance(codec, Reference) and codec.table == "customer":
        shape, attrs = "text", dict(_CUSTOMER_PICKER)
        placeholder = "Name, ID, e-mail or phone"
    if isinstance(codec, Text) and codec.length < 10_000 and shape != "textarea":
        attrs = {**attrs, "maxlength": codec.length}
    return Control(
        name,
        label or item.title,
        shape,
        value.splitlines() if shape == "checks" else value,
        item.required,
        item.help,
        choices or (),
        placeholder,
        settings.regional.currency_code if kind == "money" else "",
        "%" if kind == "percent" else "",
        shape in ("textarea", "checks"),
        attrs,
    )


def texts(resource: Resource[Any], names: Iterable[str], row: Any, settings: Settings) -> dict[str, str]:
    """The current texts of a record's controls."""
    return {name: text_of(resource.by_name[name], row, settings) for name in names}


def defaults(resource: Resource[Any], names: Iterable[str], settings: Settings, now: datetime) -> dict[str, str]:
    """The texts of an empty form: the fields' defaults."""
    found: dict[str, str] = {}
    for name in names:
        item = resource.by_name[name]
        default = item.default
        if isinstance(item.codec, Moment) and callable(default):
            default = now  # the one computed default of the product is the moment of the action
        if isinstance(default, (str, bool, int, datetime)) and not callable(default):
            blank = resource.model()
            setattr(blank, item.attribute, default)
            found[name] = text_of(item, blank, settings)
    return found


def typed_texts(form: MultiDict[Any], names: Iterable[str]) -> dict[str, str]:
    """What the form sent for these controls, ticked boxes as lines; a control that is not in the form is left out."""
    sent: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            sent.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return {name: "\n".join(part for part in sent[name] if part) for name in names if name in sent}


def values(
    resource: Resource[Any],
    typed: Mapping[str, str],
    settings: Settings,
    before: Mapping[str, str] | None = None,
    prefix: str = "",
) -> dict[str, Any]:
    """The command's values. `before` are the record's texts of an edit; what equals them is left out."""
    found: dict[str, Any] = {}
    for name, text in typed.items():
        item = resource.by_name[name.removeprefix(prefix)]
        if isinstance(item.codec, Reference):
            text = id_in(text)
        if before is not None and text.strip() == before.get(item.name, "").strip():
            continue
        if not text.strip() and isinstance(item.codec, _NO_EMPTY_TEXT):
            if before is None and not item.required:
                continue  # the field's default
            if before is not None and item.nullable:
                found[item.name] = None
                continue
        found[item.name] = _value(item, text, settings)
    return found


def _value(item: Field, text: str, settings: Settings) -> Any:
    if isinstance(item.codec, ListText):
        return text.splitlines()
    if isinstance(item.codec, Moment):
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return text  # the codec says what is wrong with it
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(settings.regional.timezone))).isoformat()
    return text


def id_in(text: str) -> str:
    """The id of a picked `Name (ID: 123)`; other texts stay."""
    head, mark, tail = text.strip().rpartition("(ID: ")
    return tail.removesuffix(")") if mark and head else text
