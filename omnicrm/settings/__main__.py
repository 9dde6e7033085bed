"""Prints the files that are made from the declarations: `python -m omnicrm.settings manual`, or `example`."""

from __future__ import annotations

import sys

from omnicrm.settings.describe import example, manual

if __name__ == "__main__":
    sys.stdout.write({"manual": manual, "example": example}[sys.argv[1]]())
