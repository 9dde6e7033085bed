"""Reads request parameters as Go's encoding/json reads them into a struct, with its error texts.

Field names match without case, unknown fields are ignored, null leaves the zero value, the first wrong type is the
error. Source: cgrates.md §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from omnicrm.domain.charging.ports import EngineError


@dataclass(frozen=True, slots=True)
class Kind:
    """A plain Go type: its name in error texts and the value of a field that was not sent."""

    go: str
    zero: Any = None


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Kind | GoStruct

    @property
    def go(self) -> str:
        return f"[]{self.item.go}"


class GoStruct:
    """A Go struct: `GoStruct("AttrGetAccount", Tenant=STR, Account=STR)`."""

    def __init__(self, name: str, **fields: Kind | ListOf | GoStruct) -> None:
        self.name = name
        self.fields = fields
        self.by_folded = {field.casefold(): field for field in fields}

    @property
    def go(self) -> str:
        return f"utils.{self.name}"


STR = Kind("string", "")
NUM = Kind("float64", 0)
INT = Kind("int", 0)
DURATION = Kind("time.Duration", 0)
BOOL = Kind("bool", False)
MAP = Kind("map[string]interface {}")
FLAGS = Kind("map[string]bool")
TEXTS = Kind("map[string]string")
STRS = ListOf(STR)
ANYTHING = Kind("interface {}")


def decode(shape: Kind | ListOf | GoStruct, value: Any) -> Any:
    """The parameter in canonical names with zero values filled in. Raises EngineError with Go's text."""
    return _decode(shape, value, "", "")


def first_param(params: Any) -> Any:
    """Element 0 of a request's `params`; an empty list stands for an empty object."""
    if params is None:
        raise EngineError("jsonrpc: request body missing params")
    if not isinstance(params, list):
        raise EngineError(f"json: cannot unmarshal {json_word(params)} into Go value of type [1]interface {{}}")
    return params[0] if params else {}


def zero(shape: Kind | ListOf | GoStruct) -> Any:
    if isinstance(shape, Kind):
        return shape.zero
    if isinstance(shape, ListOf):
        return None
    return {name: zero(field) for name, field in shape.fields.items()}


def _decode(shape: Kind | ListOf | GoStruct, value: Any, struct: str, path: str) -> Any:
    if value is None:
        return zero(shape)
    if isinstance(shape, GoStruct):
        if not isinstance(value, dict):
            raise _wrong(value, shape.go, struct, path)
        result = zero(shape)
        for key, item in value.items():
            name = shape.by_folded.get(key.casefold())
            if name is not None:
                result[name] = _decode(shape.fields[name], item, shape.name, f"{path}.{name}" if path else name)
        return result
    if isinstance(shape, ListOf):
        if not isinstance(value, list):
            raise _wrong(value, shape.go, struct, path)
        return [_decode(shape.item, item, struct, path) for item in value]
    return _plain(shape, value, struct, path)


def _plain(kind: Kind, value: Any, struct: str, path: str) -> Any:
    if kind is ANYTHING:
        return value
    if kind is STR and isinstance(value, str):
        return value
    if kind is BOOL and isinstance(value, bool):
        return value
    if kind in (NUM, INT, DURATION) and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        if kind is not NUM and (not isinstance(value, int) or abs(value) >= 2**63):
            raise _wrong(value, kind.go, struct, path, f"number {value}")
        if kind is NUM and value and Decimal(value).adjusted() > 308:
            raise _wrong(value, kind.go, struct, path, f"number {value}")
        return value
    if kind in (MAP, FLAGS, TEXTS) and isinstance(value, dict):
        inner = {FLAGS: BOOL, TEXTS: STR, MAP: ANYTHING}[kind]
        return {key: _plain(inner, item, struct, path) for key, item in value.items() if item is not None}
    raise _wrong(value, kind.go, struct, path)


def _wrong(value: Any, go: str, struct: str, path: str, word: str = "") -> EngineError:
    word = word or json_word(value)
    place = f"Go struct field {struct}.{path}" if path else "Go value"
    return EngineError(f"json: cannot unmarshal {word} into {place} of type {go}")


def json_word(value: Any) -> str:
    """Go's word for a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "number"


def missing(params: dict[str, Any], *names: str) -> list[str]:
    """Names of those fields that count as missing: blank text, empty list or map, integer 0."""
    return [name for name in names if _empty(params[name])]


def _empty(value: Any) -> bool:
    return not value.strip() if isinstance(value, str) else value is None or value in ([], {})


def require(params: dict[str, Any], *names: str) -> None:
    """Raises EngineError `MANDATORY_IE_MISSING: [A B]`."""
    absent = missing(params, *names)
    if absent:
        raise EngineError(f"MANDATORY_IE_MISSING: [{' '.join(absent)}]")
