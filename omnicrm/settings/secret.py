"""Values that must not show by accident: secrets, and URLs that may carry a password."""

from __future__ import annotations

import hmac
from urllib.parse import unquote, urlsplit

HIDDEN = "***"


class Secret:
    """A password or key. It prints as `***`; `reveal()` is the one way to the text, so every use can be searched."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)


class Dsn(str):
    """The URL of a database or cache. It is plain text for the drivers, but its repr hides the password."""

    __slots__ = ()

    @property
    def password(self) -> str | None:
        found = urlsplit(self).password
        return unquote(found) if found else None

    @property
    def shown(self) -> str:
        """The URL for messages and pages, without the password."""
        parts = urlsplit(self)
        if parts.password is None:
            return str(self)
        user, _, host = parts.netloc.rpartition("@")
        return str(self).replace(f"{user}@{host}", f"{user.partition(':')[0]}:{HIDDEN}@{host}", 1)

    def __repr__(self) -> str:
        return repr(self.shown)
