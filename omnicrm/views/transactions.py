"""JSON routes of transactions; DELETE voids (BILL-026..031, BILL-060)."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from omnicrm.domain.billing.models import CustomerTransaction
from omnicrm.domain.billing.queries import not_void
from omnicrm.domain.billing.resource import transactions
from omnicrm.views import http
from omnicrm.views.resources import list_query, paged, reading, routes_for, whole_list

AnyRequest = Request[Any, Any, Any]


def _narrowing(request: AnyRequest) -> list[Any]:
    """Void transactions only when a filter names them (BILL-062)."""
    return [] if "void" in list_query(request, transactions).filters else [not_void()]


@get("/crm/transaction", opt=http.json(*reading(transactions)), summary="Transactions, void ones on request")
async def listed(request: AnyRequest) -> dict[str, Any]:
    return await paged(request, transactions, *_narrowing(request))


@get(
    "/crm/transaction/customer_id/{customer_id:int}",
    opt=http.json(*reading(transactions)),
    summary="A customer's transactions, void ones on request",
)
async def of_customer(request: AnyRequest, customer_id: FromPath[int]) -> Response[Any]:
    here = CustomerTransaction.customer_id == customer_id
    return await whole_list(request, transactions, transactions.by_customer, here, *_narrowing(request))


HANDLERS = [listed, of_customer, *routes_for(transactions, skip=frozenset({"list", "by_customer"}))]
