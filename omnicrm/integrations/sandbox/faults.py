"""The fault switches: how a sandbox is told to misbehave, for the next call or until it is told to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from omnicrm.domain.errors import Invalid

Mode = Literal["off", "refuse", "timeout", "500", "late", "garbage"]
MODES: tuple[Mode, ...] = get_args(Mode)
_METHODS = ("", "GET", "POST", "PUT", "PATCH", "DELETE")
_DEFAULT_SECONDS = 60.0
_MAX_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A switch position.

    refuse   the connection is closed without an answer and nothing is done. An in-process route cannot keep a client
             from connecting, so this is the nearest thing to a refused connection.
    timeout  nothing is done and no answer comes for `seconds`, unless the client leaves earlier.
    500      nothing is done; the answer is an internal server error.
    late     the work is done at once, the answer comes after `seconds`: the caller cannot know what happened.
    garbage  the work is done; the answer is 200 with text that is not JSON.

    `method` and `path_part` narrow it to matching calls, empty means any. `once` switches it off after one hit.
    """

    mode: Mode = "off"
    once: bool = False
    seconds: float = _DEFAULT_SECONDS
    method: str = ""
    path_part: str = ""

    def matches(self, method: str, path: str) -> bool:
        """Whether a call is hit."""
        return self.mode != "off" and self.method in ("", method) and self.path_part in path


def parse_fault(values: Mapping[str, Any]) -> Fault:
    """A fault from JSON or from a form. Invalid names every key that is unknown or wrong."""
    errors = {key: "is not a fault setting" for key in values if key not in Fault.__dataclass_fields__}
    mode, method = str(values.get("mode", "off")), str(values.get("method") or "").upper()
    if mode not in MODES:
        errors["mode"] = f"must be one of {', '.join(MODES)}"
    if method not in _METHODS:
        errors["method"] = f"must be empty or one of {', '.join(_METHODS[1:])}"
    try:
        seconds = float(values.get("seconds") or _DEFAULT_SECONDS)
        if not 0 < seconds <= _MAX_SECONDS:
            raise ValueError
    except (TypeError, ValueError):
        errors["seconds"] = f"must be a number above 0, at most {_MAX_SECONDS:g}"
        seconds = 0.0
    if errors:
        raise Invalid(errors)
    once = values.get("once", False)
    return Fault(
        mode=mode,  # type: ignore[arg-type]
        once=once if isinstance(once, bool) else str(once).lower() in ("1", "true", "on", "yes"),
        seconds=seconds,
        method=method,
        path_part=str(values.get("path_part") or "")[:200],
    )


def fault_of_form(form: Mapping[str, Any]) -> Fault:
    """A fault from the page's form, which also carries the system and the CSRF token."""
    return parse_fault({name: form[name] for name in Fault.__dataclass_fields__ if name in form})
