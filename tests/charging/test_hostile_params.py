"""Every method answers whatever it is given: with a result or with an error text, never with a defect of ours."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnicrm.domain.charging import registry
from omnicrm.domain.charging.engine import Engine
from omnicrm.domain.charging.goparams import ANYTHING, BOOL, DURATION, FLAGS, INT, MAP, NUM, STR, GoStruct, ListOf
from omnicrm.domain.charging.goparams import TEXTS as TEXTS_MAP
from omnicrm.domain.charging.methods import find
from omnicrm.domain.charging.ports import EngineError
from omnicrm.domain.charging.thresholds import KINDS

NAMES = sorted({f"ApierV{version}.{name}" for version, name in registry._api} | set(registry._other))
TEXTS = [
    "a",
    "*any",
    "*voice",
    "*monetary",
    "*topup",
    "*cdrlog",
    "ServiceID_u__*",
    "1;2",
    "+1h",
    "*asap",
    "2030-01-01T00:00:00Z",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal("1e400"), Decimal("1e-400")]),
    st.sampled_from(TEXTS),
    st.text(st.characters(codec="utf-8"), max_size=200),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
NUMBERS = SCALARS.filter(lambda value: isinstance(value, (int, Decimal)) and not isinstance(value, bool))
WORDS = st.sampled_from(TEXTS) | st.text(st.characters(codec="utf-8"), max_size=200)
BALANCE = st.fixed_dictionaries(
    {"ID": WORDS, "Value": NUMBERS | WORDS},
    optional=dict.fromkeys(("UUID", "Weight", "ExpiryTime", "DestinationIDs", "Factors", "Blocker", "Disabled"), JSON),
)
TRIGGER = st.fixed_dictionaries(
    {"ThresholdType": st.sampled_from(KINDS) | WORDS, "ThresholdValue": NUMBERS | WORDS},
    optional={
        "BalanceType": st.sampled_from(["*voice", "*monetary"]),
        "ActionsID": st.just("a"),
        **dict.fromkeys(
            ("Recurrent", "MinSleep", "ActivationDate", "ExpirationDate", "Weight", "BalanceID", "BalanceWeight"), JSON
        ),
        **dict.fromkeys(
            ("BalanceDestinationIds", "BalanceCategories", "BalanceBlocker", "BalanceExpirationDate"), JSON
        ),
    },
)
OBJECTS = {"Balance": BALANCE, "ActionTrigger": TRIGGER}
BY_KIND = {
    STR: WORDS,
    NUM: NUMBERS,
    INT: st.integers(-(2**63) + 1, 2**63 - 1),
    DURATION: st.integers(-(2**63) + 1, 2**63 - 1),
    BOOL: st.booleans(),
    MAP: st.dictionaries(WORDS, JSON, max_size=3),
    FLAGS: st.dictionaries(WORDS, st.booleans(), max_size=3),
    TEXTS_MAP: st.dictionaries(WORDS, WORDS, max_size=3),
    ANYTHING: JSON,
}


def fields(shape: GoStruct) -> st.SearchStrategy[Any]:
    """Objects with the method's own fields and values of the right types, and now and then anything at all."""

    def value(kind: Any) -> st.SearchStrategy[Any]:
        if isinstance(kind, GoStruct):
            return fields(kind)
        return st.lists(value(kind.item), max_size=2) if isinstance(kind, ListOf) else BY_KIND[kind]

    known = {name: OBJECTS[name] if name in OBJECTS else value(kind) for name, kind in shape.fields.items()}
    return st.fixed_dictionaries(known) | st.fixed_dictionaries({}, optional=known) | JSON


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("hostile")
    engines = [Engine.open(f"sqlite:///{folder}/{fixes}.db", play_fixes=fixes) for fixes in (True, False)]
    for engine in engines:
        rows = [{"Identifier": "*topup", "BalanceType": "*voice", "Units": 5}, {"Identifier": "*cdrlog"}]
        engine.call("ApierV1.SetActions", {"ActionsId": "a", "Actions": rows})
        engine.call("APIerSv1.SetChargerProfile", {"ID": "DEFAULT", "RunID": "*default"})
    yield engines
    for engine in engines:
        engine.close()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_parameter_breaks_a_method(name: str, shared: list[Engine], data: st.DataObject) -> None:
    shape = find(name).shape
    params = data.draw(fields(shape) if isinstance(shape, GoStruct) else WORDS | JSON)
    for engine in shared:
        try:
            engine.submit(engine.prepare(name, [params])).result(20)
        except EngineError as error:
            assert "internal error" not in error.message
            assert "did not take it" not in error.message
