"""Mail bodies from templates/mail: `NAME.html` with inline styles, and `NAME.txt` for readers without HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


class MailTemplates:
    """Implements `Letters` with the pages' own Jinja environment: dates and money read as they do there."""

    def __init__(self, jinja: Environment) -> None:
        self._jinja = jinja

    def render(self, name: str, values: Mapping[str, Any]) -> tuple[str, str]:
        html, text = (self._jinja.get_template(f"mail/{name}.{kind}").render(values) for kind in ("html", "txt"))
        return html, text
