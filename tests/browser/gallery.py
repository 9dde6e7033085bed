"""A small server that shows the frame and every macro with made-up data, under the strict content security policy.

The browser tests look at it. By hand: `python -m tests.browser.gallery` prints its address.
"""

from __future__ import annotations

import datetime as dt
import json
import mimetypes
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
from markupsafe import Markup

ROOT = Path(__file__).resolve().parents[2]
PAGES = Path(__file__).parent / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
BRAND = ":root { --brand-primary: #405189; --brand-primary-dark: #33416e; --brand-on-primary: #ffffff; }"
NOW = dt.datetime(2026, 11, 24, 9, 12, tzinfo=dt.UTC)
NAV = [
    {"label": None, "items": [{"label": "Dashboard", "href": "/widgets", "icon": "gauge-high", "active": True}]},
    {"label": "Customers", "items": [{"label": "Customers", "href": "/form", "icon": "users", "active": False}]},
]
TASKS = ("Get product information", "Create the account", "Send the welcome e-mail")


def environment() -> jinja2.Environment:
    """Jinja over templates/ and the sample pages, with the three filters that the macros need."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader([ROOT / "templates", PAGES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["money"] = lambda minor: f"{'-' if minor < 0 else ''}£{abs(minor) // 100:,}.{abs(minor) % 100:02d}"
    env.filters["datetime"] = lambda value: value.strftime("%d %b %Y, %H:%M")
    env.filters["date"] = lambda value: value.strftime("%d %b %Y")
    return env


class Gallery(ThreadingHTTPServer):
    """The server with what it saw: `sent` holds every posted request, `turns` counts the polls of each path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.env = environment()
        self.sent: list[dict[str, Any]] = []
        self.turns: Counter[str] = Counter()
        self.release = threading.Event()
        self.release.set()

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server_port}"

    def context(self, path: str, query: dict[str, str], **extra: Any) -> dict[str, Any]:
        anonymous = path == "/login" or "anonymous" in query
        return {
            "user": None if anonymous else {"username": "Alex", "email": "alex@example.com", "initials": "AA"},
            "can": lambda permission: True,
            "nav": NAV,
            "branding": {
                "company_name": "Demo Telecom",
                "portal_name": "OmniCRM",
                "company_tagline": "Calm and quick.",
            },
            "csrf_token": "the-token",
            "csrf_input": Markup('<input type="hidden" name="_csrf_token" value="the-token">'),
            "title": "Sample",
            "errors": {},
            "toast": [],
            "sandbox_active": True,
            "search_enabled": True,
            "version": "0",
            "path": path,
            "query": query,
            "form": {},
            "now": NOW,
            **extra,
        }

    def render(self, page: str, context: dict[str, Any], block: str | None = None) -> str:
        """A page, or one block of it, with the macros bound to the context (see templates/base.html)."""
        context["ui"] = self.env.get_template("_ui/ui.html").make_module(context)
        template = self.env.get_template(page)
        return "".join(template.blocks[block](template.new_context(context))) if block else template.render(context)


class Handler(BaseHTTPRequestHandler):
    """One request; `self.server` is the Gallery."""

    server: Gallery

    def log_message(self, *arguments: Any) -> None:
        pass

    def answer(
        self, body: str | bytes, status: int = 200, kind: str = "text/html; charset=utf-8", **headers: str
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"content-type": kind, "content-security-policy": POLICY, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        partial = "HX-Request" in self.headers and "HX-Boosted" not in self.headers
        self.server.turns[url.path] += partial
        context = self.server.context(url.path, query)
        if url.path.startswith("/static/"):
            file = ROOT / url.path[1:]
            self.answer(file.read_bytes(), kind=mimetypes.guess_type(file.name)[0] or "font/woff2")
        elif url.path == "/branding.css":
            self.answer(BRAND, kind="text/css")
        elif url.path == "/progress":
            done = min(self.server.turns[url.path], len(TASKS))
            states = [0] * done + [1] + [None] * len(TASKS)
            context["steps"] = [{"name": name, "status": state} for name, state in zip(TASKS, states, strict=False)]
            context["done"] = done
            body = self.server.render("progress.html", context, "progress" if partial else None)
            self.answer(body, 286 if partial and done == len(TASKS) else 200)
        elif url.path == "/error":
            context |= {"status": int(query["status"]), "message": None, "reference": query.get("reference")}
            self.answer(self.server.render("error.html", context), context["status"])
        else:
            name = url.path.strip("/")
            context |= {"turn": self.server.turns[url.path], "form": {}}
            context |= {"email": "", "error": query.get("error"), "remember": False, "next": "", "forgot_enabled": True}
            context["toast"] = [{"kind": "danger", "text": query["toast"]}] if "toast" in query else None
            self.answer(self.server.render(f"{name}.html", context, name if partial else None))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        body = dict(parse_qsl(raw, keep_blank_values=True))
        self.server.sent.append({"path": self.path, "body": body, "token": self.headers.get("x-csrftoken")})
        self.server.release.wait(10)
        if self.path == "/refused":
            self.answer(json.dumps({"message": "The item is taken by order 12."}), 409, "application/json")
        elif self.path == "/form" and "HX-Request" in self.headers:
            errors = {"email": "Write a complete e-mail address."}
            context = self.server.context("/form", {}, errors=errors, form=body)
            toast = self.server.env.from_string("{{ ui.toast_oob('success', 'Beside it.') }}").render(
                ui=self.server.env.get_template("_ui/ui.html").make_module(context)
            )
            event = json.dumps({"toast": [{"kind": "warning", "text": "Not saved <yet>."}]})
            self.answer(self.server.render("form.html", context, "form") + toast, 422, hx_trigger=event)
        elif "HX-Request" in self.headers:
            self.answer("<p>Gone.</p>")
        else:
            self.answer("", 303, location="/widgets")

    do_DELETE = do_POST


if __name__ == "__main__":
    gallery = Gallery()
    print(f"{gallery.address}/widgets  (also /form /progress /usage /login /error?status=404)")
    gallery.serve_forever()
