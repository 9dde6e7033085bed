"""The CRM's client against the embedded engine's socket, and against answers that are none."""

from __future__ import annotations

import socket as sockets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_httpserver import HTTPServer

from omnicrm.domain.charging.door import Door
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.ports import EngineError, EngineUnavailable
from omnicrm.integrations.cgrates import CgratesClient
from tests.charging.conftest import Socket


@pytest.fixture
def client(open_engine: Callable[..., Engine], listen: Callable[[Door], Socket]) -> Iterator[CgratesClient]:
    socket = listen(Door(open_engine(tenant="other")))
    found = CgratesClient(f"127.0.0.1:{socket.port}", "mnc001")
    yield found
    found.close()


def test_every_request_names_the_tenant(client: CgratesClient) -> None:
    client.call("ApierV2.SetAccount", {"Account": "a"})
    found = client.account("a")
    assert found is not None
    assert found["ID"] == "mnc001:a"


def test_an_unknown_account_is_none_and_has_no_plans(client: CgratesClient) -> None:
    assert client.account("nobody") is None
    assert client.action_plans("nobody") == []
    assert client.granted("nobody") == {}


def test_plans_and_sizes_of_an_account_are_read(client: CgratesClient) -> None:
    client.call("ApierV1.SetActions", {"ActionsId": "A", "Actions": [{"Identifier": "*log"}]})
    client.call("ApierV1.SetActionPlan", {"Id": "P", "ActionPlan": [{"ActionsId": "A", "Time": "*monthly"}]})
    client.call("ApierV2.SetAccount", {"Account": "a", "ActionPlanIds": ["P"]})
    client.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*data", "Balance": {"ID": "D", "Value": 9}})
    assert [plan["ActionPlanId"] for plan in client.action_plans("a")] == ["P"]
    assert list(client.granted("a").values()) == [9]


def test_a_refusal_is_an_engine_error_with_the_engines_text(client: CgratesClient) -> None:
    with pytest.raises(EngineError) as refused:
        client.call("ApierV1.AddBalance", {"Account": "a", "BalanceType": "*data", "Balance": {"Value": "abc"}})
    assert refused.value.message == 'strconv.ParseFloat: parsing "abc": invalid syntax'


def test_threads_share_a_client(client: CgratesClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: client.call("CoreSv1.Ping"), range(40))) == ["Pong"] * 40


def test_nobody_listening_is_unavailable() -> None:
    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EngineUnavailable, match="does not answer"):
        CgratesClient(f"127.0.0.1:{port}", "t").call("CoreSv1.Ping")


@pytest.mark.parametrize(("body", "status"), [("<html>", 200), ("[]", 200), ("{}", 200), ('{"error":null}', 502)])
def test_an_answer_that_is_no_json_rpc_is_unavailable(httpserver: HTTPServer, body: str, status: int) -> None:
    httpserver.expect_request("/jsonrpc").respond_with_data(body, status)
    with pytest.raises(EngineUnavailable):
        CgratesClient(httpserver.url_for("/"), "t").call("CoreSv1.Ping")


def test_an_engine_that_hangs_is_unavailable_after_the_time_out(httpserver: HTTPServer) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(EngineUnavailable):
            CgratesClient(f"127.0.0.1:{port}", "t", timeout=0.2).call("CoreSv1.Ping")


def test_an_engine_without_sizes_of_buckets_gives_none(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/jsonrpc").respond_with_json(
        {"id": 1, "result": None, "error": "rpc: can't find service OmniSv1.GetGranted"}
    )
    assert CgratesClient(httpserver.url_for("/"), "t").granted("a") == {}


@pytest.mark.parametrize("text", ["rpc: can't find service OmniSv1.GetJobJournal", "rpc: can't find method OmniSv1.X"])
def test_an_engine_without_a_journal_says_so(httpserver: HTTPServer, text: str) -> None:
    httpserver.expect_request("/jsonrpc").respond_with_json({"id": 1, "result": None, "error": text})
    assert CgratesClient(httpserver.url_for("/"), "t").made_by_job(1) is None


def test_an_engine_whose_journal_cannot_be_read_is_not_one_without(httpserver: HTTPServer) -> None:
    answer = {"id": 1, "result": None, "error": "SERVER_ERROR: internal error"}
    httpserver.expect_request("/jsonrpc").respond_with_json(answer)
    with pytest.raises(EngineError, match="internal error"):
        CgratesClient(httpserver.url_for("/"), "t").made_by_job(1)
