"""Parsing the text of a play or task file: safe YAML with line numbers, and the mend of unquoted templates (PC-17)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml


class Entry(dict[str, Any]):
    """A mapping that knows the line (from 1) on which it starts."""

    line: int = 1


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe types, mappings as Entry, and the tags that Ansible allows, read as plain text."""


def _mapping(loader: Any, node: yaml.MappingNode) -> Entry:
    loader.flatten_mapping(node)
    entry = Entry(loader.construct_mapping(node, deep=True))
    entry.line = node.start_mark.line + 1
    return entry


def _tagged(loader: Any, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
for _tag in ("!unsafe", "!vault", "!vault-encrypted"):
    _Loader.add_constructor(_tag, _tagged)

#: `key: {{ … }}` with nothing quoted, up to the end of the value; the expression may be wrapped over lines.
_BARE = re.compile(
    r"""(?P<lead>:[ \t]+|:[ \t]*\n[ \t]*)
        (?P<value>\{\{(?:[^{}]|\}(?!\}))*\}\}
                  (?:[^\n,{}\[\]"'\#]*\{\{(?:[^{}]|\}(?!\}))*\}\})*
                  [^\n,{}\[\]"'\#]*)
        (?=[ \t]*(?:[,}\]]|\#|\n|$))""",
    re.VERBOSE,
)


#: Keys of a task beside its module (ansible-core 2.19), and `hosts`, which only plays have.
_TASK_KEYWORDS = frozenset(
    {"action", "any_errors_fatal", "args", "async", "changed_when", "check_mode", "collections", "connection"}
    | {"become", "become_exe", "become_flags", "become_method", "become_user", "debugger", "delay", "delegate_facts"}
    | {"delegate_to", "diff", "environment", "failed_when", "hosts", "ignore_errors", "ignore_unreachable", "name"}
    | {"local_action", "loop", "loop_control", "module_defaults", "no_log", "notify", "poll", "port", "register"}
    | {"remote_user", "retries", "run_once", "tags", "throttle", "timeout", "until", "vars", "when"}
)
_GUARD_ASSERT = re.compile(r"\baction\b[^=!\n]*!=\s*[\"']deprovision[\"']")
_GUARD_FAIL = re.compile(r"\baction\b[^=!\n]*==\s*[\"']deprovision[\"']")
_BUILTIN = re.compile(r"^ansible\.(?:builtin|legacy)\.")


def module_of(task: Mapping[str, Any]) -> tuple[str | None, Any]:
    """The module of a task without its `ansible.builtin.` prefix, and its arguments; (None, None) where it has none."""
    for key, args in task.items():
        if key not in _TASK_KEYWORDS and not key.startswith("with_"):
            return _BUILTIN.sub("", key), args
    for key in ("action", "local_action"):
        if isinstance(task.get(key), str) and task[key].strip():
            name, _, rest = task[key].strip().partition(" ")
            return _BUILTIN.sub("", name), rest
    return None, None


@dataclass(frozen=True, slots=True)
class Loaded:
    document: Any
    #: The text as it was parsed: the given one, or the mended one.
    text: str
    #: Lines (from 1) where quotes were put around a bare template.
    mended: tuple[int, ...] = ()


def load_play_text(text: str) -> Loaded:
    """Parse `text`; when it is not YAML because of bare `{{ … }}` values, parse a copy that quotes them.

    Raises yaml.YAMLError, of the text as given when mending does not help.
    """
    try:
        return Loaded(_parse(text), text)
    except yaml.YAMLError:
        mended, lines = quote_bare_templates(text)
        if not lines:
            raise
        try:
            document = _parse(mended)
        except yaml.YAMLError:
            document = None
        if document is None:
            raise
        return Loaded(document, mended, lines)


def quote_bare_templates(text: str) -> tuple[str, tuple[int, ...]]:
    """`customer_id: {{ customer_id | int }}` becomes `customer_id: "{{ customer_id | int }}"`; lines stay lines."""
    lines: list[int] = []

    def quote(match: re.Match[str]) -> str:
        value = match["value"].rstrip()
        lines.append(text.count("\n", 0, match.start("value")) + 1)
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{match["lead"]}"{escaped}"{match["value"][len(value) :]}'

    return _BARE.sub(quote, text), tuple(lines)


def _parse(text: str) -> Any:
    try:
        # A subclass of PyYAML's safe loader: no type beyond YAML's own can be built.
        return yaml.load(text, Loader=_Loader)
    except (RecursionError, ValueError, TypeError) as error:
        raise yaml.YAMLError(f"cannot be read: {error}") from error


def where_wrong(error: yaml.YAMLError) -> str:
    """`, line 3, column 7: this is not valid YAML (…)`, to follow the name of a file."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{place}: this is not valid YAML ({reason})"


def is_guard(module: str, args: Any, task: Mapping[str, Any]) -> bool:
    """Whether a task fails when `action` is "deprovision", and so sends such a run to the clean-up (PC-11)."""
    if module == "assert" and isinstance(args, Mapping):
        return any(_GUARD_ASSERT.search(condition) for condition in _texts(args.get("that")))
    return module == "fail" and any(_GUARD_FAIL.search(condition) for condition in _texts(task.get("when")))


def _texts(value: Any) -> Iterator[str]:
    entries: Iterable[Any] = value if isinstance(value, list) else [value]
    return (entry for entry in entries if isinstance(entry, str))
