# Part of OmniCRM. Copyright the OmniCRM authors. SPDX-License-Identifier: GPL-3.0-or-later
#
# This file imports ansible-core; it may be used under the GNU General Public License, version 3 or any later version.
"""`uri` for plays: the same arguments and results as the stock module, done in the controller's own process.

The stock module costs a Python process and a module upload for each request, about half a second; this costs some
milliseconds. What it does not do itself (files, client certificates, async, other connections …) it hands to the stock
one, which `ansible.builtin.uri` always means. Besides, it helps documented plays (decision 33, PC-05, PC-17):

- addresses that they hard-code go to the configured ones;
- a mapping or list as body means `body_format: json`;
- a call to the CRM without an Authorization header carries the job's token;
- a call to the embedded charging endpoint carries the job in X-OmniCRM-Job (decision 29);
- a changing request that may have arrived although no answer came is marked `no_answer: true`, so that the product
  looks once more, later, at what it had undone.

These settings are a JSON file that the environment variable OMNICRM_PLAY_HTTP names; without it none of them applies.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import time
import urllib.error
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from ansible.module_utils import urls
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import to_native, to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

SETTINGS = "OMNICRM_PLAY_HTTP"
JOB_HEADER = "X-OmniCRM-Job"
_ALIASES = {"user": "url_username", "password": "url_password"}
_BOOLEANS = {
    "return_content": False,
    "validate_certs": True,
    "force_basic_auth": False,
    "force": False,
    "use_proxy": True,
    "use_netrc": True,
    "decompress": True,
}
_HANDLED = frozenset(_BOOLEANS) | {
    *("url", "method", "headers", "body", "body_format", "status_code", "timeout", "url_username", "url_password"),
    *("follow_redirects", "http_agent"),
}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
#: A gateway's words for "whoever I asked has not told me what it did".
_UNANSWERED = frozenset({502, 504})
#: Failures before the first byte of a request was sent.
_UNSENT = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: Made once, where the plugin is loaded: reading the trusted certificates takes longer than a local request.
_TRUSTED = urls.make_context()


class Unusual(Exception):
    """Arguments that the stock module is to deal with, if only to refuse them in its own words."""


class NotSent(Exception):
    """The request could not be made at all; the text tells why."""


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = False
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = {_ALIASES.get(name, name): value for name, value in self._task.args.items() if value is not None}
        ours = _apply_settings(arguments, _settings())
        try:
            if self._task.async_val or any(self._task.environment or ()) or self._connection.transport != "local":
                raise Unusual
            request = _parse(arguments)
        except Unusual:
            return self._stock(arguments, ours, task_vars)
        result = super().run(tmp, task_vars)
        result.update(_answer(request, ours))
        return result

    def _stock(
        self, arguments: dict[str, Any], ours: dict[str, str], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        task = self._task.copy()
        task.args = {**arguments, **({"headers": {**_headers(arguments), **ours}} if ours else {})}
        action = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.uri",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return action.run(task_vars=task_vars)


def _settings() -> dict[str, Any]:
    path = os.environ.get(SETTINGS)
    if not path:
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _apply_settings(arguments: dict[str, Any], settings: dict[str, Any]) -> dict[str, str]:
    """Change `arguments` in place as the module's docstring says; answers the headers that are ours to add."""
    if isinstance(arguments.get("body"), Mapping | list) and "body_format" not in arguments:
        arguments["body_format"] = "json"
    url = arguments.get("url")
    if not settings or not isinstance(url, str):
        return {}
    for old, new in settings["replace"]:
        if url[: len(old)].lower() == old.lower() and url[len(old) : len(old) + 1] in ("", "/", "?", "#"):
            arguments["url"] = url = new + url[len(old) :]
            break
    ours = {}
    named = {str(name).lower() for name in _headers(arguments)}
    if _within(url, settings["crm_url"]) and "authorization" not in named and "url_username" not in arguments:
        ours["Authorization"] = f"Bearer {settings['job_token']}"
    if settings["charging_url"] and _within(url, settings["charging_url"]):
        ours[JOB_HEADER] = settings["job_token"]
    return ours


def _headers(arguments: dict[str, Any]) -> dict[str, Any]:
    headers = arguments.get("headers", {})
    return dict(headers) if isinstance(headers, Mapping) else {}


def _within(url: str, base: str) -> bool:
    """Whether `url` is `base` or lies below it; the names of this machine are equal."""
    try:
        one, two = urlsplit(url), urlsplit(base)
        if (one.scheme, _host(one)) != (two.scheme, _host(two)):
            return False
    except ValueError:
        return False
    path = two.path.rstrip("/")
    return one.path == path or one.path.startswith(f"{path}/")


def _host(url: SplitResult) -> tuple[str | None, int | None]:
    host = "localhost" if url.hostname in _LOOPBACK else url.hostname
    return host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _parse(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with their types and defaults, body and content type made up. Raises Unusual."""
    if not set(arguments) <= _HANDLED or not isinstance(arguments.get("url"), str):
        raise Unusual
    if not isinstance(arguments.get("headers", {}), Mapping):
        raise Unusual
    request = {**arguments, "headers": _headers(arguments)}
    try:
        for name, default in _BOOLEANS.items():
            request[name] = boolean(arguments.get(name, default))
        request["timeout"] = int(arguments.get("timeout", 30))
        request["status_code"] = _codes(arguments.get("status_code", [200]))
        request["method"] = str(arguments.get("method", "GET")).upper()
        request["body"] = _body(request, str(arguments.get("body_format", "raw")).lower())
    except (TypeError, ValueError) as error:
        raise Unusual from error
    redirects = request["follow_redirects"] = arguments.get("follow_redirects", "safe")
    scheme = urlsplit(request["url"]).scheme
    if scheme not in ("http", "https") or redirects not in ("all", "none", "safe", "urllib2"):
        raise Unusual
    if not (request["method"].isascii() and request["method"].isalpha()):
        raise Unusual
    return request


def _codes(value: Any) -> list[int]:
    if isinstance(value, str):
        value = value.split(",")
    return [int(code) for code in (value if isinstance(value, list | tuple) else [value])]


def _body(request: dict[str, Any], body_format: str) -> str | bytes | None:
    body = request.get("body")
    if body_format == "json":
        content_type = "application/json"
        body = body if isinstance(body, str) else json.dumps(body)
    elif body_format == "form-urlencoded":
        content_type = "application/x-www-form-urlencoded"
        body = body if isinstance(body, str) or body is None else _form(body)
    elif body_format == "raw":
        if body is not None and not isinstance(body, str | bytes):
            raise Unusual
        return body
    else:
        raise Unusual
    if "content-type" not in {str(name).lower() for name in request["headers"]}:
        request["headers"]["Content-Type"] = content_type
    return body


def _form(body: Any) -> str:
    pairs = []
    for name, values in body.items() if isinstance(body, Mapping) else body:
        several = values if isinstance(values, list | tuple) else [values]
        pairs += [(to_text(name), to_text(value)) for value in several if value is not None]
    return urlencode(pairs)


def _answer(request: dict[str, Any], ours: dict[str, str]) -> dict[str, Any]:
    """Send the request and tell what came back, in the words of the stock module."""
    started = time.monotonic()
    asked = urls.mask_url(request["url"])
    try:
        info, content_type, charset, raw = _fetch(request, ours)
    except NotSent as error:
        told = {"failed": True, "changed": False, "url": asked, "status": -1, "msg": str(error)}
        return told | _sent(request)
    may_have_arrived = info.pop("sent") if info["status"] == -1 else info["status"] in _UNANSWERED
    wanted = request["status_code"]
    info["redirected"] = info["url"] != asked
    result = {name.replace("-", "_").lower(): value for name, value in info.items()}
    if "location" in result:
        result["location"] = urljoin(asked, result["location"])
    result |= {"elapsed": int(time.monotonic() - started), "changed": False}
    text = _decode(raw, charset)
    if _is_json(content_type):
        with contextlib.suppress(ValueError):
            result["json"] = json.loads(text)
    if request["return_content"]:
        result["content"] = text
    result.pop("no_answer", None)  # a header of that name
    if may_have_arrived and request["method"] not in _READING:
        result["no_answer"] = True
    if info["status"] not in wanted:
        result |= {"failed": True, "msg": f"Status code was {info['status']} and not {wanted}: {info.get('msg', '')}"}
        result |= _sent(request)
    secret = request.get("url_password")
    return remove_values(result, {str(secret)}) if secret else result


def _sent(request: dict[str, Any]) -> dict[str, Any]:
    """What a failed request had asked: whoever reads of the failure wants to see it (chapter 17)."""
    body = request["body"]
    return {"request": {"method": request["method"], **({"body": to_text(body, errors="replace")} if body else {})}}


def _decode(raw: bytes, charset: str) -> str:
    """The stock module fails at bytes that are no text; a page in a wrong encoding is no reason to undo an order."""
    try:
        return raw.decode(charset, "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _is_json(content_type: str) -> bool:
    subtype = content_type.partition("/")[2].lower()
    return subtype.rpartition("+")[2] in ("json", "javascript")


def _fetch(request: dict[str, Any], ours: dict[str, str]) -> tuple[dict[str, Any], str, str, bytes]:
    """(facts of the answer, content type, charset, body). Status -1 means that there was no answer; `sent` among the
    facts then tells whether the request may have arrived."""
    info: dict[str, Any] = {"url": urls.mask_url(request["url"]), "status": -1}
    cookies = CookieJar()
    try:
        with _open(request, ours, cookies) as response:
            return _facts(response, info, cookies), *_type(response), response.read()
    except (urls.ConnectionError, ValueError) as error:
        raise NotSent(to_native(error)) from error
    except urllib.error.HTTPError as error:
        info |= {name.lower(): value for name, value in error.headers.items()}
        info |= {"msg": to_native(error), "status": error.code}
        return info, *_type(error), error.read()
    except urllib.error.URLError as error:
        info |= {"msg": f"Request failed: {to_native(error)}", "sent": not isinstance(error.reason, _UNSENT)}
    except OSError as error:
        info |= {"msg": f"Connection failure: {error}", "sent": True}
    except http.client.BadStatusLine as error:
        reason = "connection was closed before a valid response was received"
        info |= {"msg": f"Connection failure: {reason}: {to_native(error.line)}", "sent": True}
    except http.client.HTTPException as error:
        info |= {"msg": f"An unknown error occurred: {to_native(error)}", "sent": True}
    return info, "application/octet-stream", "utf-8", b""


def _open(request: dict[str, Any], ours: dict[str, str], cookies: CookieJar) -> Any:
    names = ("use_proxy", "use_netrc", "force", "force_basic_auth", "decompress", "follow_redirects", "timeout")
    return urls.Request().open(
        request["method"],
        request["url"],
        data=request["body"],
        headers={**request["headers"], **ours},
        # What we add ourselves stays with the address that it was added for.
        unredirected_headers=list(ours),
        cookies=cookies,
        context=_TRUSTED if request["validate_certs"] else urls.make_context(validate_certs=False),
        url_username=request.get("url_username"),
        url_password=request.get("url_password"),
        http_agent=request.get("http_agent", "ansible-httpget"),
        **{name: request[name] for name in names},
    )


def _facts(response: Any, info: dict[str, Any], cookies: CookieJar) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for name, value in response.headers.items():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    size = response.headers.get("Content-Length", "unknown")
    return {
        **info,
        **headers,
        "cookies": {cookie.name: cookie.value for cookie in cookies},
        "cookies_string": "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies),
        "msg": f"OK ({size} bytes)",
        "url": urls.mask_url(response.geturl()),
        "status": response.code,
    }


def _type(response: Any) -> tuple[str, str]:
    content_type, _, _, charset = urls.parse_content_type(response)
    return content_type, charset
