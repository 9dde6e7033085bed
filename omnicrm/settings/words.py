"""Reading YAML so that nothing is changed on the way: `0123`, `yes` and `1e3` stay as they are written."""

from __future__ import annotations

from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Word(str):
    """An unquoted scalar that YAML takes for a number or a truth value; `meant` is what YAML makes of it.

    The text serves keys of known type (a password 0123 must not become 83), `meant` serves operators' own values,
    which playbooks get as they always did.
    """

    meant: Any

    def __new__(cls, text: str, meant: Any) -> Word:
        word = super().__new__(cls, text)
        word.meant = meant
        return word


class _Loader(_Base):  # type: ignore[misc]
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        seen: set[str] = set()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", name.start_mark)
            if name.value in seen:
                text = f"the key {name.value!r} stands here twice"
                raise yaml.constructor.ConstructorError(None, None, text, name.start_mark)
            seen.add(name.value)
        self.flatten_mapping(node)
        return {name.value: self.construct_object(value, deep=deep) for name, value in node.value}


def _word(loader: Any, node: Any) -> Word:
    meant = {"int": loader.construct_yaml_int, "float": loader.construct_yaml_float, "bool": loader.construct_yaml_bool}
    return Word(node.value, meant[node.tag.rpartition(":")[2]](node))


for _tag in ("int", "float", "bool"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _word)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)


def parse(text: str) -> Any:
    """YAML text to dicts, lists, None, str and Word. Raises ValueError with line, column and reason."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def meant(value: Any) -> Any:
    """A parsed value as YAML means it, numbers and truth values included."""
    if isinstance(value, dict):
        return {name: meant(item) for name, item in value.items()}
    if isinstance(value, list):
        return [meant(item) for item in value]
    return value.meant if isinstance(value, Word) else value
