"""The errors that a use case may end with; views/errors.py is the one place that turns them into answers."""

from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """A refusal with a text that the caller may read. `extra` is added to the JSON answer."""

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class NotAuthenticated(DomainError):
    """No credential, or none that is accepted (401)."""


class NotPermitted(DomainError):
    """Known caller, missing permission (403)."""


class NotFound(DomainError):
    """No such record, or none inside the caller's scope: a stranger cannot tell the two apart (404)."""


class Conflict(DomainError):
    """The state of the record forbids it (409)."""


class Invalid(DomainError):
    """Bad values. `errors` maps each field to what is wrong with it and how to mend it (400, forms 422)."""

    def __init__(self, errors: dict[str, str], message: str | None = None) -> None:
        super().__init__(message or "; ".join(f"{field}: {text}" for field, text in errors.items()))
        self.errors = errors


class Unavailable(DomainError):
    """Something that we need is busy or out of reach; the same call may go through later (503)."""


class TooMany(DomainError):
    """The caller asks too often (429); `seconds` until the next request may come."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many requests. Try again in {seconds} {'second' if seconds == 1 else 'seconds'}.")
        self.seconds = seconds
