"""Settings for people: the list behind the System page, the manual page, and the default omnicrm.yaml.

`python -m omnicrm.settings manual` and `… example` print the two files; a test keeps them in step.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from omnicrm.settings.keys import Key, Section, default_of, parts, walk
from omnicrm.settings.secret import Dsn, Secret
from omnicrm.settings.tree import Settings


@dataclass(frozen=True)
class KeyInfo:
    """One key: `type`, `default` and `meaning` are text for people, `value` is in force with secrets hidden."""

    path: str
    type: str
    default: str
    meaning: str
    value: str
    source: str


def describe(settings: Settings | None = None) -> list[KeyInfo]:
    """Every key in the order of the file. Without `settings` the values are empty and each source is `default`."""
    found = []
    for path, key in walk(Settings):
        value = _shown(settings.get(path)) if settings else ""
        source = settings.sources.get(path, "default") if settings else "default"
        default = key.otherwise or _shown(_default(path))
        found.append(KeyInfo(path, key.kind.name, default or "none", key.meaning, value, source))
    return found


def _default(path: str) -> Any:
    cls: type[Any] = Settings
    *outer, last = path.split(".")
    for name in outer:
        part = parts(cls)[name]
        assert isinstance(part, Section)
        cls = part.cls
    return next(default_of(item) for item in fields(cls) if item.name == last)


def _shown(value: Any) -> str:
    """A value for people, passwords hidden."""
    if value is None or value == () or value == {}:
        return ""
    return value.shown if isinstance(value, Dsn) else _yaml(value)


def _yaml(value: Any) -> str:
    """A value as it stands in a YAML line, lists and mappings in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal, Path, Secret)):
        return str(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    if is_dataclass(value):
        value = {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_yaml(item)}" for name, item in value.items()) + "}"
    text = str(value)
    return f'"{text}"' if text == "" or text[0] in "#[]{}*&!|>%@`" or ":" in text or "{" in text else text


_MANUAL = """\
# Settings

One file, `omnicrm.yaml`, holds all settings; a change takes effect after a restart. This page is made from the
declarations in `omnicrm/settings/`.

**Which file.** The one given by `--config`, else by the environment variable `OMNICRM_CONFIG`, else `omnicrm.yaml` or
`crm_config.yaml` in the working directory, else the shipped `omnicrm.yaml`, which runs everything inside the product.
A `crm_config.yaml` of the former product loads as it is, and its `REACT_APP_*` variables are understood in the
environment and at the top of the file. Relative paths start from the folder of the file.

**Which value wins.** `--set section.key=value` over the environment variable `OMNICRM__SECTION__KEY` (two underscores
between the names, any case) over the file over the default. Lists and mappings are written as YAML there, as in
`--set 'hss.hss_peers=[http://10.0.0.5:8080]'`; simple lists may be separated by commas.

**Secrets** need not be in the file: `${NAME}` in a value is replaced by that environment variable (`$${` stands for
a plain `${`), and `<key>_file` names a file that holds the value, as in `password_file: /run/secrets/db`. The secrets
that sign tokens and encrypt stored passwords are made at the first start and kept in `secrets.yaml` in the data folder.
**Keep that file with the backups**: a database that comes without it is refused at start, because new secrets could
not read what is encrypted there.

**Mistakes.** YAML errors, wrong types and impossible values stop the start and are listed all at once, each with the
file, the key and the fix. Unknown keys give a warning with the nearest known name. Below `hss`, `mailjet`,
`provisioning`, `invoice`, `crm`, `ocs` and `smsc` you may add keys of your own: playbooks read them in `crm_config`.

**Production.** With `crm.mode: production` the start is refused for sample or short secrets, active sandboxes and
demo logins. It is the default as soon as a MySQL or MariaDB database is set.

**API keys and trusted addresses.**

```yaml
api_keys:
  "${BILLING_API_KEY}":            # at least 32 characters: openssl rand -base64 48
    roles: [view_customer]         # roles or permissions
    ips: [10.0.1.0/24]             # optional: where it may come from
    description: Billing export    # optional
ip_whitelist:
  "10.179.2.142": {roles: [provisioning]}
```

Trusted addresses never reach pages, users, roles or keys. This machine's own address is accepted only with
`allow_loopback: true` beside the roles.

"""


def manual() -> str:
    """docs/configuration.md."""
    lines = [_MANUAL]
    for name, part in parts(Settings).items():
        lines.append(f"## `{name}`\n\n{part.meaning}\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
        for info in describe():
            if info.path.split(".")[0] == name:
                default = info.default if "`" in info.default or info.default == "none" else f"`{info.default}`"
                row = (f"`{info.path}`", info.type, info.default if _is_words(info) else default, info.meaning)
                lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n")
        lines.append("\n")
    return "".join(lines).rstrip() + "\n"


def _is_words(info: KeyInfo) -> bool:
    return any(key.otherwise == info.default for path, key in walk(Settings) if path == info.path)


_EXAMPLE = """\
# Settings of OmniCRM. This file as it stands runs everything inside the product: no database server, no charging
# server, no account with anybody. A key behind "#" is not set; remove the "#" to use it. docs/configuration.md has the
# same keys as a table.
#
# Secrets do not belong here: write ${NAME} for an environment variable, or <key>_file for a file with the value.
"""


def example() -> str:
    """The shipped omnicrm.yaml: each key with its meaning, commented out where unset."""
    return _EXAMPLE + "".join(_entry(name, part, Settings, 0) for name, part in parts(Settings).items())


def _entry(name: str, part: Key | Section, cls: type[Any], depth: int, bare: bool = False) -> str:
    """The lines of a key or section; `bare` leaves the comments away, for blocks that repeat one another."""
    pad, gap = "  " * depth, "" if depth else "\n"
    if isinstance(part, Section):
        inner = parts(part.cls).items()
        body = "".join(_entry(key, one, part.cls, depth + 1, bare or part.optional) for key, one in inner)
        return f"{gap}{_comment(part.meaning, pad)}{pad}{name}:\n{body}"
    default = next(default_of(item) for item in fields(cls) if item.name == name)
    line = f"{pad}#{name}: {part.sample}\n" if part.sample else f"{pad}{name}: {_yaml(default)}\n"
    otherwise = f" Default: {part.otherwise}." if part.otherwise not in ("", "none") else ""
    return gap + ("" if bare else _comment(part.meaning + otherwise, pad)) + line


def _comment(text: str, pad: str) -> str:
    return "".join(f"{pad}# {line}\n" for line in textwrap.wrap(text, 116 - len(pad)))
