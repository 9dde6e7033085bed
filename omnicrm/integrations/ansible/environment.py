"""The environment of a play: little from ours (no settings, no secrets of the product), and what Ansible needs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

#: What a play keeps of the product's own environment. OMNICRM__… stays out: settings and secrets may stand there.
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV", "PYTHONPATH"}
    | {"LD_LIBRARY_PATH", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)


def base() -> dict[str, str]:
    """The kept part of this process's environment, in a locale that Ansible accepts."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    folder = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{folder}{os.pathsep}{kept.get('PATH', os.defpath)}", "LC_ALL": "C.UTF-8"}


def fixed(playbooks: Path) -> dict[str, str]:
    """Settings that are the same for every run: the warm process reads them once, at its start."""
    # Imported late: it takes a quarter of a second, and most processes of the product run no play.
    from ansible_runner.utils import get_callback_dir

    return {
        "ANSIBLE_CONFIG": str(playbooks / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": get_callback_dir(),
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
    }


def keep_only(env: dict[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """`env` as ansible-runner made it (a copy of everything), cut to base(), runner's own names, and `ours`."""
    runners = {name: value for name, value in env.items() if name.startswith(("AWX_", "RUNNER_"))}
    return {**base(), **runners, **ours}


def plain_playbook() -> str | None:
    """Path of the ordinary `ansible-playbook`, beside the interpreter first."""
    return shutil.which("ansible-playbook", path=base()["PATH"])
