"""The API describes itself: the OpenAPI document, made from the routes in force, and its page (CFG-110)."""

from __future__ import annotations

import inspect
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from omnicrm import __version__
from omnicrm.domain.resource import RESOURCES, Resource
from omnicrm.settings import Settings
from omnicrm.views import http
from omnicrm.views import openapi_schemas as schemas
from omnicrm.views.page import page

Operation = dict[str, Any]
#: Paths of the document are below this one, as the chapters write them (AUTH-G01).
BASE = "/crm"
_FREE_BODY = {"type": "object", "additionalProperties": True}
_ERRORS = {
    "400": "A value is wrong; `errors` names the field and the mend",
    "401": "No caller, or one whose token or key is not valid",
    "403": "The caller lacks the permission",
    "404": "There is no such record, or it is another customer's",
    "429": "Too many requests; `Retry-After` says how many seconds to wait",
    "409": "The record is in the way of this: taken, in use, or changed meanwhile",
}
_INTRO = """\
Send `Authorization: Bearer <token>` with the token of `POST /auth/login`, or `X-API-Key`, or call from a trusted
address. Bodies and answers are JSON; amounts are in major units, times in UTC. PUT and POST both create, with status
200 (OK). Wrong input is answered with the field and the mend; a key that is not known is refused.
"""


def describe(app: Litestar, settings: Settings) -> dict[str, Any]:
    """The whole document. A record's second address (`/customer/7` beside `/customer/customer_id/7`) is left out."""
    paths: dict[str, dict[str, Operation]] = {}
    named: set[str] = set()
    for route in sorted((route for route in app.routes if isinstance(route, HTTPRoute)), key=lambda one: one.path):
        if not route.path.startswith(f"{BASE}/") or route.path.startswith(f"{BASE}/docs"):
            continue
        path = route.path_format.removeprefix(BASE)
        resource = _resource_of(path)
        if resource is not None and path == f"/{resource.name}/{{key}}":
            continue
        for handler in route.route_handlers:
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                operation = _operation(handler, method, route, path, resource, settings)
                while operation["operationId"] in named:
                    operation["operationId"] += "_"
                named.add(operation["operationId"])
                paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{settings.branding.portal_name} API", "version": __version__, "description": _INTRO},
        "servers": [{"url": BASE}],
        "paths": paths,
        "components": {"schemas": _components(settings), "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "bearer": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "Value: `Bearer` and the token of POST /auth/login, such as `Bearer eyJ…`",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "Value: an API key"},
}


def _components(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {"Error": schemas.ERROR, "Pagination": schemas.PAGINATION}
    for resource in RESOURCES.values():
        found[schemas.component(resource)] = schemas.record(resource)
        for verb in sorted(resource.verbs & {"create", "update"}):
            found[schemas.component(resource, verb)] = schemas.body(resource, verb, settings)
    return found


def _resource_of(path: str) -> Resource[Any] | None:
    return RESOURCES.get(path.split("/")[1])


def _operation(
    handler: HTTPRouteHandler,
    method: str,
    route: HTTPRoute,
    path: str,
    resource: Resource[Any] | None,
    settings: Settings,
) -> Operation:
    access: http.Access = handler.opt["access"]
    said = inspect.getdoc(handler.fn) or ""
    needs = " or ".join(f"`{name}`" for name in access.permissions)
    is_open = access.way == "public"
    text = [said, f"Permission: {needs}." if needs else "" if is_open else "Any caller who is logged in."]
    operation: Operation = {
        "tags": [path.split("/")[1]],
        "summary": handler.summary or said.partition("\n")[0].rstrip(".") or handler.handler_name.replace("_", " "),
        "description": "\n\n".join(part for part in text if part),
        "operationId": "_".join(part.strip("{}") for part in [method.lower(), *path.split("/")] if part),
        # A trusted address needs neither: that is the empty alternative.
        "security": [] if is_open else [{"bearer": []}, {"key": []}, {}],
        "parameters": _parameters(route, method, path, resource),
        "responses": _responses(method, path, resource, is_open),
    }
    if method in ("POST", "PUT", "PATCH"):
        schema = handler.opt.get("body") or _body_of(method, path, resource)
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _parameters(route: HTTPRoute, method: str, path: str, resource: Resource[Any] | None) -> list[Operation]:
    found: list[Operation] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1} if part.type is int else {"type": "string"},
        }
        for name, part in route.path_parameters.items()
    ]
    if method != "GET" or resource is None or not _is_list(path, resource):
        return found
    whole = {"type": "integer", "minimum": 1}
    steering: dict[str, Any] = {
        "page": whole,
        "per_page": {**whole, "maximum": 500},
        "sort": {"type": "string", "enum": [resource.key, *resource.sort]},
        "order": {"type": "string", "enum": ["asc", "desc"]},
        "search": {"type": "string", "maxLength": 200},
        "filters": {"type": "string", "description": 'JSON, such as {"name": ["value"]}'},
        **{name: {"type": "string"} for name in resource.filters if name not in route.path_parameters},
    }
    return found + [{"name": name, "in": "query", "schema": schema} for name, schema in steering.items()]


def _is_list(path: str, resource: Resource[Any]) -> bool:
    return path in (f"/{resource.name}", f"/{resource.name}/customer_id/{{customer_id}}") and "{key}" not in path


def _is_single(path: str, resource: Resource[Any]) -> bool:
    return path == f"/{resource.name}/{resource.key}/{{key}}"


def _body_of(method: str, path: str, resource: Resource[Any] | None) -> dict[str, Any]:
    """The record's own body at its own address; elsewhere the handler's text says what it takes."""
    if resource is not None and method != "PATCH" and path == f"/{resource.name}" and "create" in resource.verbs:
        return schemas.ref(schemas.component(resource, "create"))
    if resource is not None and method == "PATCH" and _is_single(path, resource) and "update" in resource.verbs:
        return schemas.ref(schemas.component(resource, "update"))
    return _FREE_BODY


def _responses(method: str, path: str, resource: Resource[Any] | None, is_open: bool) -> Operation:
    schema: dict[str, Any] = {}
    if resource is not None and method == "GET" and _is_single(path, resource):
        schema = schemas.ref(schemas.component(resource))
    elif resource is not None and method == "GET" and _is_list(path, resource):
        rows = {"type": "array", "items": schemas.ref(schemas.component(resource))}
        paged = {"type": "object", "properties": {"data": rows, "pagination": schemas.ref("Pagination")}}
        schema = {"anyOf": [rows, paged]}
    error = {"application/json": {"schema": schemas.ref("Error")}}
    left_out = {"401", "403"} if is_open else set()
    refusals = {code: {"description": text, "content": error} for code, text in _ERRORS.items() if code not in left_out}
    return {"200": {"description": "Done", "content": {"application/json": {"schema": schema}}}, **refusals}


@get(f"{BASE}/docs/openapi.json", opt=http.public("public"), include_in_schema=False)
async def document(request: Request[Any, Any, Any]) -> Response[Any]:
    """Made once a process: routes do not change while it lives."""
    state = request.app.state
    if "openapi" not in state:
        state.openapi = describe(request.app, http.settings(request))
    return Response(state.openapi, headers={"Cache-Control": "no-cache"})


@get(f"{BASE}/docs", opt=http.public("public"), include_in_schema=False)
async def docs(request: Request[Any, Any, Any]) -> Response[str]:
    return page(request, "api_docs.html", title="API")


HANDLERS = [document, docs]
