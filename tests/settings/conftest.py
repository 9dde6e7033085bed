"""A folder of its own as working directory, and loading with nothing but what the test gives."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from omnicrm.settings import Settings, SettingsError, load

Load = Callable[..., Settings]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """`loaded(yaml, environ, sets)`: settings from a file omnicrm.yaml with this text."""

    def run(text: str = "", environ: Mapping[str, str] | None = None, **sets: str) -> Settings:
        file = tmp_path / "omnicrm.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        file.chmod(0o600)
        given = {name.replace("__", "."): value for name, value in sets.items()}
        return load(file, sets=given, environ=environ or {})

    return run


@pytest.fixture
def problems(loaded: Load) -> Callable[..., str]:
    """The text of the refusal; the test fails where the settings load."""

    def run(*args: object, **sets: str) -> str:
        with pytest.raises(SettingsError) as caught:
            loaded(*args, **sets)
        return str(caught.value)

    return run


@pytest.fixture
def variables() -> dict[str, str]:
    """A value for each variable that the samples of omnicrm.yaml name."""
    return {
        **dict.fromkeys(("OMNICRM_DB_PASSWORD", "CGRATES_API_PASS", "CGRATES_DB_PASS", "SMSC_API_KEY"), "changed"),
        **dict.fromkeys(("SMTP_PASSWORD", "GRAFANA_API_KEY", "SOCIAL_CLIENT_SECRET", "METRICS_TOKEN"), "changed"),
        **dict.fromkeys(("MAILJET_API_KEY", "MAILJET_SECRET", "STRIPE_WEBHOOK_SECRET", "SENTRY_DSN"), "changed"),
        "STRIPE_SECRET_KEY": "sk_test_changed",
        "OMNICRM_JWT_SECRET": "j" * 64,
        "OMNICRM_ENCRYPTION_KEY": base64.urlsafe_b64encode(b"e" * 32).decode(),
        "BILLING_API_KEY": "k" * 40,
    }


@pytest.fixture
def samples(workplace: Path) -> None:
    """The files that the samples of omnicrm.yaml name."""
    for name in ("tls/cbc.crt", "tls/cbc.key", "tls/ca.crt", "map_styles.json", "branding/login.jpg"):
        (workplace / name).parent.mkdir(exist_ok=True)
        (workplace / name).touch()
    for name in ("branding/custom.css", "branding/favicon.ico"):
        (workplace / name).touch()
    (workplace / "plays").mkdir()
