"""How a field's value travels: from JSON or a form into Python (`load`), back into JSON (`dump`), into a form (`text`).

`load` raises ValueError with a text that says what is wrong and how to mend it; nothing is cut or guessed
(decision 4). Numbers, booleans and ids come as JSON values or as text, since plays template them (CRM-007).
"""

from __future__ import annotations

from omnicrm.domain.codecs.base import Codec
from omnicrm.domain.codecs.numbers import Amount, Degrees, Flag, Moment, Percent, Reference, Whole
from omnicrm.domain.codecs.texts import Choice, HexColor, JsonObjectText, Link, ListText, Text, Words, one_of

__all__ = [
    "Amount",
    "Choice",
    "Codec",
    "Degrees",
    "Flag",
    "HexColor",
    "JsonObjectText",
    "Link",
    "ListText",
    "Moment",
    "Percent",
    "Reference",
    "Text",
    "Whole",
    "Words",
    "one_of",
]
