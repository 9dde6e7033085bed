"""A CRM and a charging engine just large enough for the shipped plays; every call is kept in `calls`.

It checks what plays get wrong most easily: the token, the fields of a body, and references between records.
"""

from __future__ import annotations

import json
import re
import threading
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "the-token-of-this-job"
Json = dict[str, Any]

_SERVICE_FIELDS = {
    "customer_id", "product_id", "service_name", "service_type", "service_uuid", "service_billed", "service_taxable",
    "service_provisioned_date", "service_status", "wholesale_cost", "retail_cost", "icon", "site_id",
    "service_deactivate_date", "auto_renew", "bundled_parent", "service_notes",
}  # fmt: skip
_TRANSACTION_FIELDS = {
    "customer_id", "service_id", "product_id", "title", "description", "invoice_id", "retail_cost", "wholesale_cost",
}  # fmt: skip
_INVENTORY_FIELDS = {
    "customer_id", "service_id", "item_state", "itemtext3", "itemtext4", "management_url", "management_username",
    "management_password", "config_content", "inventory_notes", "address_line_1", "city", "state", "latitude",
    "longitude",
}  # fmt: skip


class StubCrm:
    """State, record of calls, and the server.

    `fail` names what to refuse: engine methods, and parts of "VERB /path title".
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.fail: set[str] = set()
        self.products: dict[int, Json] = {}
        self.customers: dict[int, Json] = {}
        self.inventory: dict[int, Json] = {}
        self.sites: list[Json] = []
        self.services: dict[int, Json] = {}
        self.transactions: dict[int, Json] = {}
        self.accounts: dict[str, Json] = {}
        self.profiles: set[str] = set()
        self.actions: dict[str, Any] = {}
        self.plans: dict[str, Json] = {}
        #: Lines that the OLT has lit, by the serial number of their ONT.
        self.lines: dict[str, Json] = {}
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = stub.answer(self.command, self.path, json.loads(raw) if raw else None, self.headers)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def state(self) -> Json:
        """Everything that must be as before after a failed order."""
        kept = ("inventory", "services", "accounts", "profiles", "plans", "lines")
        live = [row for row in self.transactions.values() if not row.get("void")]
        return deepcopy({name: getattr(self, name) for name in kept} | {"charges": live})

    def answer(self, verb: str, path: str, body: Any, headers: Any) -> tuple[int, Any]:
        if path == "/jsonrpc":
            method = body["method"].partition(".")[2]
            self.calls.append((method, "", body["params"][0]))
            if method in self.fail:
                return 200, {"id": None, "result": None, "error": "SERVER_ERROR: told to fail"}
            result, error = self.charge(method, body["params"][0])
            return 200, {"id": None, "result": result, "error": error}
        self.calls.append((verb, path, body))
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "no token"}
        if any(part in f"{verb} {path} {(body or {}).get('title')}" for part in self.fail):
            return 500, {"message": "told to fail"}
        return self.crm(verb, path, body)

    def crm(self, verb: str, path: str, body: Any) -> tuple[int, Any]:
        if path.startswith("/olt/ont/"):
            serial = path.rpartition("/")[2]
            known = serial in self.lines
            if verb == "PUT":
                self.lines[serial] = body
            else:
                self.lines.pop(serial, None)
            return 200 if known or verb == "PUT" else 404, {}
        match = re.fullmatch(r"/crm/(\w+)(?:/(\w+_id|service_uuid))?/([\w-]*)", path)
        if not match:
            return 404, {"message": f"no route {path}"}
        name, field, key = match.groups()
        if verb == "PUT" and name == "service":
            return self._create(self.services, "service_id", body, _SERVICE_FIELDS)
        if verb == "PUT" and name == "transaction":
            return self._create(self.transactions, "transaction_id", body, _TRANSACTION_FIELDS)
        if name == "service" and field == "customer_id":
            return 200, {"data": [row for row in self.services.values() if row["customer_id"] == int(key)]}
        if name == "site":
            return 200, self.sites
        if name == "inventory" and field == "service_id":
            return 200, {"data": [item for item in self.inventory.values() if item["service_id"] == int(key)]}
        tables = {"product": self.products, "customer": self.customers, "inventory": self.inventory,
                  "service": self.services, "transaction": self.transactions}  # fmt: skip
        rows = tables.get(name, {})
        if field == "service_uuid":
            row = next((row for row in rows.values() if row["service_uuid"] == key), None)
        else:
            row = rows.get(int(key))
        if row is None:
            return 404, {"message": "not found"}
        return self._on_row(verb, name, row, rows, body)

    def _on_row(self, verb: str, name: str, row: Json, rows: dict[int, Json], body: Any) -> tuple[int, Any]:
        if verb == "PATCH":
            unknown = set(body) - (_INVENTORY_FIELDS if name == "inventory" else _SERVICE_FIELDS)
            if unknown:
                return 400, {"message": f"unknown {unknown}"}
            row.update(body)
        elif verb == "DELETE" and name == "transaction":
            row["void"] = True
        elif verb == "DELETE":
            held = [item for item in self.inventory.values() if item["service_id"] == row["service_id"]]
            if held:
                return 409, {"message": "items still belong to it"}
            del rows[row["service_id"]]
        return 200, row

    def _create(self, rows: dict[int, Json], key: str, body: Json, fields: set[str]) -> tuple[int, Any]:
        unknown = set(body) - fields
        if unknown:
            return 400, {"message": f"unknown {unknown}"}
        for name in ("customer_id", "product_id", "service_id", "bundled_parent"):
            if name in body and type(body[name]) is not int:
                return 400, {"message": f"{name} is not a number"}
        new = max(rows, default=100) + 1
        rows[new] = {key: new, **({"bundled_parent": None} if key == "service_id" else {}), **body}
        return 200, rows[new]

    def charge(self, method: str, params: Json) -> tuple[Any, str | None]:
        account = params.get("Account", "")
        match method:
            case "SetAccount":
                self.accounts.setdefault(account, {"balances": {}})
                for plan in params["ActionPlanIds"]:
                    self.plans[plan]["accounts"].append(account)
            case "AddBalance" | "SetBalance":
                balance = params["Balance"]
                self.accounts.setdefault(account, {"balances": {}})["balances"][balance["ID"]] = {
                    "type": params["BalanceType"],
                    **balance,
                }
            case "RemoveAccount":
                self.accounts.pop(account, None)
            case "ExecuteAction" if account in self.accounts and params["ActionsId"] in self.actions:
                for action in self.actions[params["ActionsId"]]:
                    self.accounts[account]["balances"][action["BalanceId"]] = action
            case "ExecuteAction":
                return None, "NOT_FOUND"
            case "SetActions":
                self.actions[params["ActionsId"]] = params["Actions"]
            case "SetActionPlan":
                self.plans[params["Id"]] = {"timing": params["ActionPlan"][0], "accounts": []}
            case "GetAccountActionPlan":
                return [
                    {"ActionPlanId": id_, "ActionsId": plan["timing"]["ActionsId"]}
                    for id_, plan in self.plans.items()
                    if account in plan["accounts"]
                ], None
            case "RemoveActionPlan":
                self.plans.pop(params["Id"], None)
            case "RemoveActions":
                for id_ in params["ActionIDs"]:
                    self.actions.pop(id_)
            case "SetFilter" | "SetAttributeProfile":
                self.profiles.add(params["ID"])
            case "RemoveFilter" | "RemoveAttributeProfile":
                if params["ID"] not in self.profiles:
                    return None, "NOT_FOUND"
                self.profiles.remove(params["ID"])
            case "ReloadCache" | "ResetAccountActionTriggers":
                pass
            case _:
                return None, f"rpc: can't find method {method}"
        return "OK", None
