"""Which variables a job gets (PROV-137–148, PC-08, PC-28, PC-38, PC-40, decision 32)."""

from __future__ import annotations

import pytest

from omnicrm.domain.errors import Invalid
from omnicrm.domain.provisioning.rules import customer_request, merge_variables, parse_json_vars, renews

SYSTEM = {"product_id": 1, "customer_id": 2, "access_token": "t", "initiating_user": 7, "service_id": None}


def merge(product=None, request=None, inventory=None, system=SYSTEM, **rest):
    return merge_variables(
        product=product or {}, request=request or {}, inventory=inventory or {}, system=system, **rest
    )


def test_request_beats_product_and_the_rest_stays() -> None:
    merged = merge({"monthly_cost": 50, "data_gb": 100}, {"monthly_cost": 45, "custom_param": "value"}).variables
    assert (merged["monthly_cost"], merged["data_gb"], merged["custom_param"]) == (45, 100, "value")


def test_inventory_comes_under_both_names_and_beats_the_request() -> None:
    merged = merge(request={"SIM Card": 1, "SIM_Card": 1}, inventory={"SIM Card": 789}).variables
    assert merged["SIM Card"] == merged["SIM_Card"] == 789


def test_system_values_win_and_reserved_names_are_dropped_and_told() -> None:
    merged = merge(
        {"ansible_connection": "ssh", "data_gb": 1},
        {"access_token": "x", "ansible_connection": "ssh", "hostvars": {}, "crm_config": {}, "customer_id": 99},
    )
    assert merged.variables == {**{k: v for k, v in SYSTEM.items() if v is not None}, "data_gb": 1}
    assert set(merged.dropped) == {"ansible_connection", "access_token", "hostvars", "crm_config"}


def test_a_standalone_job_has_no_service_id_at_all() -> None:
    assert "service_id" not in merge({"service_id": 5}, {"service_id": 6}).variables
    assert merge(system={**SYSTEM, "service_id": 8}).variables["service_id"] == 8


def test_types_are_kept() -> None:
    given = {"n": 1, "f": 1.5, "b": True, "none": None, "list": [1, {"x": "y"}], "text": "01"}
    merged = merge(given).variables
    assert {name: merged[name] for name in given} == given
    assert merged["b"] is True


def test_a_name_that_the_play_sets_is_refused_unless_the_product_declares_it() -> None:
    with pytest.raises(Invalid) as refused:
        merge(request={"imsi": "001", "note": "x"}, play_names={"imsi"})
    assert set(refused.value.errors) == {"imsi"}
    assert merge({"imsi": ""}, {"imsi": "001"}, play_names={"imsi"}).variables["imsi"] == "001"


def test_service_uuid_needs_a_service_or_a_deprovision() -> None:
    with pytest.raises(Invalid) as refused:
        merge(request={"service_uuid": "Service_1"}, play_names={"service_uuid"})
    assert set(refused.value.errors) == {"service_uuid"}
    taken = merge(request={"service_uuid": "S", "action": "deprovision"}, play_names={"service_uuid"}).variables
    assert taken["service_uuid"] == "S"
    assert merge(request={"service_uuid": "S"}, system={**SYSTEM, "service_id": 3}).variables["service_uuid"] == "S"


@pytest.mark.parametrize(
    "request_",
    [
        {"{{ x }}": 1},
        {"1st": 1},
        {"a\nb": 1},
        {"note": "nul\0"},
        {"note": "\ud800"},
        {"note": float("nan")},
        {"note": {"deep": [float("inf")]}},
        {"note": object()},
        {"note": {1: 2}},
    ],
)
def test_names_and_values_that_are_no_plain_json_are_refused_by_name(request_) -> None:
    with pytest.raises(Invalid) as refused:
        merge(request=request_)
    assert set(refused.value.errors) == set(request_)


def test_values_nested_without_end_and_jobs_without_measure_are_refused() -> None:
    deep: object = 1
    for _ in range(30):
        deep = [deep]
    with pytest.raises(Invalid):
        merge(request={"deep": deep})
    with pytest.raises(Invalid):
        merge(request={"note": "x" * 300_000})


@pytest.mark.parametrize("given", [None, "", "   ", "{}", {}])
def test_no_json_variables(given) -> None:
    assert parse_json_vars(given) == {}


def test_json_variables_may_contain_raw_line_breaks() -> None:
    assert parse_json_vars('{\n  "terms": "one\ntwo",\n  "data_gb": 20\n}') == {"terms": "one\ntwo", "data_gb": 20}


@pytest.mark.parametrize(("given", "place"), [("{bad", "line 1, column 2"), ('{"a": 1,\n "b" 2}', "line 2, column 6")])
def test_broken_json_variables_name_the_place(given, place) -> None:
    with pytest.raises(Invalid) as refused:
        parse_json_vars(given)
    assert place in refused.value.errors["provisioning_json_vars"]


@pytest.mark.parametrize("given", ["[1]", "3", '"x"', "[" * 100_000])
def test_json_that_is_no_object_is_refused(given) -> None:
    with pytest.raises(Invalid):
        parse_json_vars(given)


def test_customers_may_send_what_the_order_form_offers_and_no_more() -> None:
    order = {"product_id": 1, "customer_id": 2, "SIM Card": 5, "SIM_Card": 5, "auto_renew": True, "site_id": 3}
    assert customer_request(order, ["SIM Card"]) == order
    with pytest.raises(Invalid) as refused:
        customer_request({**order, "monthly_cost": 0, "provisioning_play": "x", "Modem": 1}, ["SIM Card"])
    assert set(refused.value.errors) == {"monthly_cost", "provisioning_play", "Modem"}


@pytest.mark.parametrize(("value", "on"), [(True, True), ("True", True), ("1", True), (1, True), ("yes", True)])
@pytest.mark.parametrize("off", ["prompt", "false", False, None, "0", ""])
def test_auto_renew_in_every_spelling(value, on, off) -> None:
    assert renews(value) is on
    assert not renews(off)
