"""What sending a mail asks of the provider and of the mail templates, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one reader. Subject and names may hold whatever a customer typed: the mailer makes lines of them."""

    #: Ours, unique to this mail, at most 64 characters: the provider is asked by it whether it has the mail already.
    key: str
    to: str
    subject: str
    text: str
    html: str
    sender: str
    sender_name: str


class MailRefused(Exception):
    """A final no: bad credentials, an address that is none, no provider configured. `message` may be shown to staff."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Mailer(Protocol):
    def send(self, mail: Mail) -> None:
        """Hand the mail over. Raises MailRefused, or Unavailable where it may go through later; after Unavailable the
        provider may have taken it all the same, so ask `has` before trying again (CONTRIBUTING, "A job")."""

    def has(self, key: str) -> bool:
        """Whether the provider has taken a mail of that key. Raises Unavailable and MailRefused."""


class Letters(Protocol):
    def render(self, name: str, values: Mapping[str, Any]) -> tuple[str, str]:
        """HTML and plain text of the mail template `name`."""
