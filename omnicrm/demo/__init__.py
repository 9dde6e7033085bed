"""The demo: realistic data on first start, every outside system a sandbox, everything in one process."""

from __future__ import annotations

import sys
import threading
import time

from omnicrm.settings import Settings, SettingsError

PASSWORD = "Demo-1234!"
LOGINS = (("admin@example.com", "admin"), ("support@example.com", "Support"), ("customer@example.com", "customer"))


def overrides(port: int, ocs_port: int) -> dict[str, str]:
    """What the demo sets over the configuration file."""
    return {
        "server.port": str(port),
        "ocs.listen": f"127.0.0.1:{ocs_port}",
        "sandbox.enabled": "true",
        "regional.currency_code": "GBP",
    }


def run(settings: Settings) -> int:
    """Fill what is missing, serve, and say where; a second start keeps the data."""
    if settings.crm.mode == "production":
        raise SettingsError(
            ["crm.mode: production refuses the demo's logins; start the demo with a data folder of its own"]
        )
    from omnicrm import app, serving
    from omnicrm.demo import fill

    begun = time.perf_counter()
    serving.configure_logs(settings)
    parts = app.build(app.prepare(settings))
    first = fill.records(parts.door) or fill.lacks_services(parts.door)
    live = threading.Event()

    def ready(parts: app.Parts) -> None:
        _print_welcome(parts.settings, time.perf_counter() - begun)
        if first:
            threading.Thread(target=fill.services, args=(parts, live), name="omnicrm-demo", daemon=True).start()

    return serving.run_app(parts, app.create_app(parts), ready)


def _print_welcome(settings: Settings, seconds: float) -> None:
    lines = [
        "",
        f"  OmniCRM demo is ready after {seconds:.1f} s:  http://localhost:{settings.server.port}",
        "",
        *(f"    {email:<24}{PASSWORD}    {role}" for email, role in LOGINS),
        "",
        f"  Charging endpoint  http://{settings.ocs.endpoint}/jsonrpc",
        f"  Data               {settings.server.data_dir}",
        "  Stop with Ctrl+C.",
        "",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
