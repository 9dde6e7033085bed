"""Lists that records keep as text: `"['SIM Card', 'Mobile Number']"` of a product, its feature sentences (PC-24)."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any

#: Longest text that is parsed, in characters; a product's lists are a few hundred.
MAX_TEXT = 65_536


def parse_list(value: str | Iterable[Any] | None) -> list[str]:
    """The entries of a list given as a Python-list text, a JSON-list text or a real list (PROV-011).

    Empty text, `"[]"` and None mean no entries; a text without brackets is a list of that one entry. Entries come
    back as stripped text, numbers included. Raises ValueError for brackets that do not parse or entries that are
    neither text nor whole numbers.
    """
    if value is None:
        return []
    if not isinstance(value, str):
        return _texts(value)
    text = value.strip()
    if not text:
        return []
    if text.startswith("["):
        return _texts(_literal(text))
    return [text]


def format_list(entries: Iterable[str]) -> str:
    """The form that is stored and answered: `['SIM Card', 'Mobile Number']`."""
    return str(list(entries))


def features(text: str | None) -> list[str]:
    """The bullets of a `features_list`: a list text, else sentences separated by `". "` (PROV-012).

    A text that opens a bracket and is no list is split like any other, so that a page always shows something.
    """
    text = (text or "").strip()
    if text.startswith("["):
        try:
            return parse_list(text)
        except ValueError:
            pass
    return [bullet for part in text.removesuffix(".").split(". ") if (bullet := part.strip())]


def _literal(text: str) -> list[Any]:
    if len(text) > MAX_TEXT:
        raise ValueError(f"the list is longer than {MAX_TEXT} characters")
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, list):
            return value
    raise ValueError("this is no list; write it as ['First', 'Second']")


def _texts(entries: Iterable[Any]) -> list[str]:
    texts = []
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, str | int):
            raise ValueError(f"a list holds names or whole numbers, not {type(entry).__name__}")
        if text := str(entry).strip():
            texts.append(text)
    return texts
