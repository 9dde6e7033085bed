"""The engine's records read from its own tables and over JSON-RPC: both ways tell the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineUnavailable, JobRef
from omnicrm.domain.checking import books as module
from omnicrm.domain.checking.books import EmbeddedBooks, EngineBooks
from omnicrm.domain.checking.values import Account
from omnicrm.integrations.cgrates import CgratesClient
from tests.charging.conftest import TENANT, Socket, clock, database_url, listen, open_engine

__all__ = ["clock", "database_url", "listen", "open_engine"]

RULES = [{"Type": "*string", "Element": "~*req.Account", "Values": ["A1"]}]
ACTIONS = ("Action_AutoTopup_A1_5",)
PLANS = ("ServiceID_A1__ProductID_5", "ServiceID_A1__ProductID_9")


@pytest.fixture
def both(
    open_engine: Callable[..., Engine],
    listen: Callable[[Door], Socket],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, Any]]:
    """The books by their way, over an engine with five accounts; pages are of two, so that there are several."""
    monkeypatch.setattr(module, "PAGE", 2)
    engine = open_engine(database_url)
    job = JobRef(17, None, frozenset())
    for number in range(5):
        disabled = {"ExtraOptions": {"Disabled": number == 3}}
        engine.call("ApierV2.SetAccount", {"Account": f"A{number}", **disabled}, job if number == 4 else None)
    engine.call("ApierV2.SetAccount", {"Tenant": "another", "Account": "B"})
    engine.call("ApierV1.SetActions", {"ActionsId": "Action_AutoTopup_A1_5", "Actions": [{"Identifier": "*log"}]})
    for plan in PLANS:
        entry = {"ActionsId": "Action_AutoTopup_A1_5", "Time": "*monthly"}
        engine.call("ApierV1.SetActionPlan", {"Id": plan, "ActionPlan": [entry]})
        attach = {"ActionPlanIDs": [plan], "ActionPlansOverwrite": False}
        engine.call("ApierV2.SetAccount", {"Account": "A1", **attach})
    engine.call("APIerSv1.SetFilter", {"ID": "FLTR_ACCOUNT_A1", "Rules": RULES})
    engine.call("APIerSv1.SetAttributeProfile", {"ID": "ATTR_ACCOUNT_A1", "Attributes": [{"Path": "*req.X"}]})
    client = CgratesClient(f"127.0.0.1:{listen(Door(engine)).port}", TENANT)
    yield {"tables": EmbeddedBooks(database_url, TENANT, True), "JSON-RPC": EngineBooks(client)}
    client.close()


ACCOUNTS = [
    Account("A0"),
    Account("A1", plans=PLANS),
    Account("A2"),
    Account("A3", disabled=True),
    Account("A4"),
]


@pytest.mark.parametrize("way", ["tables", "JSON-RPC"])
def test_all_records_are_read(both: dict[str, Any], way: str) -> None:
    books = both[way]
    assert [account for page in books.accounts() for account in page] == ACCOUNTS
    assert books.find(["A1", "A3", "nobody", "B"]) == {"A1": ACCOUNTS[1], "A3": ACCOUNTS[3]}
    assert [plan for page in books.plans() for plan in page] == [(plan, ACTIONS) for plan in PLANS]
    assert books.given_up() == []
    assert "Action_AutoTopup_A1_5" in [ident for page in books.action_sets() for ident in page]
    profiles = [pair for page in books.profiles() for pair in page]
    assert profiles == [("attribute", "ATTR_ACCOUNT_A1"), ("filter", "FLTR_ACCOUNT_A1")]
    assert books.made_by([16, 17]) == {17: ("account A4",)}


def test_no_database_is_no_answer_and_none_is_made(tmp_path: Path) -> None:
    books = EmbeddedBooks(f"sqlite:///{tmp_path}/charging.db", TENANT, True)
    with pytest.raises(EngineUnavailable, match=r"charging\.db"):
        list(books.accounts())
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_does_not_answer_is_named() -> None:
    books = EngineBooks(CgratesClient("127.0.0.1:9", TENANT))
    with pytest.raises(EngineUnavailable, match=r"127\.0\.0\.1:9"):
        books.find(["A1"])
