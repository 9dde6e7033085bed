"""The one error of settings: everything that is wrong, at once."""

from __future__ import annotations

from collections.abc import Sequence


class SettingsError(Exception):
    """`problems` holds one line each: file or other source, key path, what is wrong, the fix."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(["the settings cannot be used:", *(f"  - {line}" for line in self.problems)]))
