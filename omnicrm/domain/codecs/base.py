"""What every codec can do."""

from __future__ import annotations

from typing import Any, Protocol

from omnicrm.settings import Settings


class Codec(Protocol):
    @property
    def widget(self) -> str:
        """The form control: text, textarea, number, checkbox, select, datetime-local, email, tel, url, color …"""

    def load(self, value: Any, settings: Settings) -> Any: ...

    def dump(self, value: Any, settings: Settings) -> Any: ...
