# Part of OmniCRM. Copyright the OmniCRM authors. SPDX-License-Identifier: GPL-3.0-or-later
#
# This file imports ansible-core; it may be used under the GNU General Public License, version 3 or any later version.
"""The `json_query` filter, which documented plays use and ansible-core does not bring (PC-17)."""

from __future__ import annotations

from typing import Any

import jmespath
from ansible.errors import AnsibleFilterError
from jmespath.exceptions import JMESPathError


def json_query(data: Any, expression: str) -> Any:
    """What the JMESPath `expression` selects in `data`; None where it selects nothing."""
    try:
        return jmespath.search(str(expression), _plain(data))
    except JMESPathError as error:
        raise AnsibleFilterError(f"json_query: {error}") from error


def _plain(value: Any) -> Any:
    """Plain types: JMESPath looks at exact type names, and Ansible's values are subclasses of the built-in ones."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    return value


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"json_query": json_query}
