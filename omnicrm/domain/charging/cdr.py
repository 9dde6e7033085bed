"""A charging record: the stored document and its two wire forms (cgrates.md §6.4)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from omnicrm.domain.charging import models
from omnicrm.domain.charging.call import Call
from omnicrm.domain.charging.documents import wire_number
from omnicrm.domain.charging.gotime import format_duration, format_time
from omnicrm.domain.charging.ports import EngineError

_encode = msgspec.json.Encoder(decimal_format="number").encode
FAILED = Decimal(-1)


def cgrid(origin_id: str, origin_host: str) -> str:
    """Id of an event: two reports of the same call share it."""
    return hashlib.sha1((origin_id + origin_host).encode(), usedforsecurity=False).hexdigest()


class Cdr(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`usage` in ns, bytes or messages; `cost` in OCS units, -1 when the event could not be rated or debited."""

    cgrid: str
    run_id: str
    origin_id: str = ""
    origin_host: str = ""
    source: str = ""
    tor: str = ""
    request_type: str = ""
    tenant: str = ""
    category: str = ""
    account: str = ""
    subject: str = ""
    destination: str = ""
    setup_at: datetime | None = None
    answer_at: datetime | None = None
    usage: int = 0
    extra_fields: dict[str, str] = {}
    cost_source: str = ""
    cost: Decimal = Decimal(0)
    extra_info: str = ""
    pre_rated: bool = False

    def known(self, call: Call) -> bool:
        """True when this record was written before, also by an earlier request of the same transaction."""
        pending = [*call.tx.batch.appended.get(models.cdr, ())]
        pending += [row for table, row in call.tx.appended if table is models.cdr]
        if any(row["cgrid"] == self.cgrid and row["run_id"] == self.run_id for row in pending):
            return True
        found = call.tx.batch.connection.execute(_FIND, {"event": self.cgrid, "run": self.run_id})
        return found.first() is not None

    def store(self, call: Call) -> None:
        """Appends the record. Raises EngineError when a text is longer than its column."""
        texts = {name: getattr(self, name) for name in _TEXT_COLUMNS}
        for name, text in texts.items():
            if len(text) > _LIMITS[name]:
                raise EngineError(f"SERVER_ERROR: {name} is longer than {_LIMITS[name]} characters")
        call.tx.append(
            models.cdr,
            **texts,
            cgrid=self.cgrid,
            setup_at=_naive(self.setup_at),
            answer_at=_naive(self.answer_at),
            usage_units=self.usage,
            created_at=_naive(call.now),
            body=_encode(self).decode(),
        )

    def wire(self, order_id: int) -> dict[str, Any]:
        """`CDRsV1.GetCDRs`: usage as a number, cost details as an object."""
        return {
            **self._common(order_id, self.setup_at, self.answer_at),
            "Usage": self.usage,
            "Partial": False,
            "CostDetails": None,
        }

    def external_wire(self, order_id: int) -> dict[str, Any]:
        """`APIerSv2.GetCDRs`: usage and cost details as text, times in whole seconds."""
        return {
            **self._common(order_id, _whole(self.setup_at), _whole(self.answer_at)),
            "Usage": format_duration(self.usage) if self.tor == "*voice" else str(self.usage),
            "CostDetails": "null",
        }

    def _common(self, order_id: int, setup_at: datetime | None, answer_at: datetime | None) -> dict[str, Any]:
        return {
            "CGRID": self.cgrid,
            "RunID": self.run_id,
            "OrderID": order_id,
            "OriginHost": self.origin_host,
            "Source": self.source,
            "OriginID": self.origin_id,
            "ToR": self.tor,
            "RequestType": self.request_type,
            "Tenant": self.tenant,
            "Category": self.category,
            "Account": self.account,
            "Subject": self.subject,
            "Destination": self.destination,
            "SetupTime": format_time(setup_at),
            "AnswerTime": format_time(answer_at),
            "ExtraFields": self.extra_fields,
            "ExtraInfo": self.extra_info,
            "PreRated": self.pre_rated,
            "CostSource": self.cost_source,
            "Cost": wire_number(self.cost),
        }


_TEXT_COLUMNS = (
    "run_id",
    "tenant",
    "account",
    "subject",
    "category",
    "destination",
    "tor",
    "request_type",
    "source",
    "origin_id",
    "origin_host",
)
_LIMITS = {name: models.length_of(models.cdr, name) for name in _TEXT_COLUMNS}
# Statements of the busiest path are made once: making one costs more than running it.
_FIND = select(models.cdr.c.id).where(models.cdr.c.cgrid == bindparam("event"), models.cdr.c.run_id == bindparam("run"))
decode_cdr = msgspec.json.Decoder(Cdr).decode


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _whole(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)
