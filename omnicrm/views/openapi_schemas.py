"""Fields and records as JSON Schema, for the OpenAPI document (CFG-110)."""

from __future__ import annotations

from typing import Any

from omnicrm.domain import codecs
from omnicrm.domain.resource import Field, Resource
from omnicrm.settings import Settings

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def takes(*required: str, **more: Schema) -> dict[str, Schema]:
    """For `opt` of a handler with a body of its own: required texts by name, then further properties."""
    properties: Schema = {**{name: {"type": "string"} for name in required}, **more}
    return {"body": {"type": "object", "required": list(required), "properties": properties}}


def component(resource: Resource[Any], verb: str = "") -> str:
    """`Customer`, `CustomerCreate`, `CustomerUpdate`."""
    return "".join(word.capitalize() for word in resource.name.split("_")) + verb.capitalize()


def taken(field: Field, settings: Settings) -> Schema:
    """What a field takes. Numbers and flags are taken as text too, since plays template them (CRM-007)."""
    schema: Schema
    match field.codec:
        case codecs.Whole() as whole:
            schema = {"type": ["integer", "string"]}
            if abs(whole.low) < 2**53:
                schema["minimum"] = whole.low
            if whole.high < 2**53:
                schema["maximum"] = whole.high
        case codecs.Flag():
            schema = {"type": ["boolean", "string"]}
        case codecs.Amount() | codecs.Percent() | codecs.Degrees():
            schema = {"type": ["number", "string"]}
        case codecs.Text() as text:
            schema = {"type": "string", "maxLength": text.length, **({"pattern": text.pattern} if text.pattern else {})}
        case codecs.Choice() as choice:
            schema = {"type": "string"}
            schema["examples" if choice.open else "enum"] = list(choice.words(settings))
        case codecs.Moment():
            schema = {"type": "string", "description": "a date or date-time, such as 2025-01-31T10:00:00Z"}
        case codecs.ListText() | codecs.Words():
            schema = {"type": ["string", "array"]}
        case codecs.JsonObjectText():
            schema = {"type": ["string", "object"]}
        case _:
            schema = {"type": "string"}
    return _described(field, schema)


def answered(field: Field) -> Schema:
    """What a field answers."""
    match field.codec:
        case codecs.Whole():
            kinds = ["integer"]
        case codecs.Flag():
            kinds = ["boolean"]
        case codecs.Amount() | codecs.Percent():
            kinds = ["number"]
        case codecs.Degrees() as degrees:
            kinds = ["string"] if degrees.as_text else ["number"]
        case codecs.Text() | codecs.Choice() | codecs.Moment() | codecs.ListText() | codecs.Words() | codecs.Link():
            kinds = ["string"]
        case codecs.JsonObjectText() | codecs.HexColor():
            kinds = ["string"]
        case _:
            return _described(field, {})
    return _described(field, {"type": [*kinds, "null"]})


def _described(field: Field, schema: Schema) -> Schema:
    if field.nullable and not field.required and "type" in schema and "null" not in schema["type"]:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*kinds, "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    text = " ".join(part for part in (field.label, field.help) if part)
    return {**schema, "description": text} if text and "description" not in schema else schema


def record(resource: Resource[Any]) -> Schema:
    """A stored record; derived keys (a customer's contacts, `iccid` of an item) come beside the fields."""
    return {"type": "object", "properties": {field.name: answered(field) for field in resource.fields}}


def body(resource: Resource[Any], verb: str, settings: Settings) -> Schema:
    """The body of a create or update. An unknown key is refused (decision 4)."""
    creating = verb == "create"
    fields = [field for field in resource.fields if (field.on_create if creating else field.on_update)]
    schema: Schema = {"type": "object", "properties": {field.name: taken(field, settings) for field in fields}}
    required = [field.name for field in fields if field.required]
    if creating and required:
        schema["required"] = required
    return schema


PAGINATION: Schema = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("current_page", "per_page", "total_pages", "total_items")},
}
ERROR: Schema = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "message": {"type": "string"},
        "errors": {"type": "object", "description": "what is wrong, by field", "additionalProperties": True},
    },
    "examples": [{"message": "Please check the fields.", "errors": {"customer_name": "is required"}}],
}
