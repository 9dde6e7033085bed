"""The exchanges that the chapters print for the records, replayed in order against the application.

Each line of exchanges.jsonl names its chapter. `$name` stands for an id that an earlier line saved, `$text:name` for
the same as text; in an expectation `?int`, `?text`, `?list`, `?spaced` stand for a value of that form. Where our
answer must differ from the chapter, `differs` says why.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy import select

from omnicrm import app as root
from omnicrm.domain import jobs
from omnicrm.domain.identity import tokens
from omnicrm.domain.jobs import Job
from tests.conftest import Client

EXCHANGES = [json.loads(line) for line in (Path(__file__).parent / "exchanges.jsonl").read_text("utf-8").splitlines()]
FORMS = {
    "?int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "?text": lambda value: isinstance(value, str) and value != "",
    "?list": lambda value: isinstance(value, list) and len(value) > 0,
    "?spaced": lambda value: (
        isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value) is not None
    ),
}


def filled(value: Any, saved: dict[str, Any]) -> Any:
    """`value` with the saved ids in the place of their names."""
    if isinstance(value, dict):
        return {key: filled(item, saved) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, saved) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        kind, _, name = value[1:].rpartition(":")
        return str(saved[name]) if kind == "text" else saved[name]
    return value


def mismatch(expected: Any, found: Any, where: str = "answer") -> str:
    """Where `found` lacks something of `expected`; empty when it holds all of it."""
    if isinstance(expected, str) and expected in FORMS:
        return "" if FORMS[expected](found) else f"{where}: {found!r} is no {expected}"
    if isinstance(expected, dict) and isinstance(found, dict):
        missing = [f"{where}.{key} is missing" for key in expected if key not in found]
        return (
            missing[0] if missing else _first(mismatch(expected[key], found[key], f"{where}.{key}") for key in expected)
        )
    if isinstance(expected, list) and isinstance(found, list):
        if bool(expected) != bool(found) or len(expected) > len(found):
            return f"{where} has {len(found)} entries, {len(expected)} expected"
        return _first(mismatch(item, found[place], f"{where}.{place}") for place, item in enumerate(expected))
    same = expected == found and isinstance(found, bool) == isinstance(expected, bool)
    return "" if same else f"{where} is {found!r}, not {expected!r}"


def _first(texts: Any) -> str:
    return next((text for text in texts if text), "")


def as_job(parts: root.Parts, web: Any, provision_id: int) -> Client:
    """The caller that a running play is: a worker took the job."""
    query = select(Job.job_id).where(Job.kind == "provision.run", Job.subject_id == provision_id)
    job_id = parts.db.read(lambda session: session.scalars(query).one())
    now = parts.door.clock()
    parts.db.write(lambda session: jobs.claim(session, job_id, now))
    assert parts.settings.jwt_secret is not None
    token = tokens.job_token(parts.settings.jwt_secret.reveal(), provision_id, job_id, 1, now, 600)
    return Client(web, {"Authorization": f"Bearer {token}"})


async def test_every_printed_exchange_is_answered_as_its_chapter_says(
    parts: root.Parts, web: Any, as_user: Any
) -> None:
    callers = {"nobody": as_user(""), "admin": as_user("admin")}
    saved: dict[str, Any] = {}
    for line, exchange in enumerate(EXCHANGES, 1):
        name, expect = exchange["as"], exchange["expect"]
        if name == "job" and name not in callers:
            callers[name] = as_job(parts, web, saved["provision"])
        path = re.sub(r"\$(\w+)", lambda match: str(saved[match[1]]), exchange["path"])
        answer = await callers[name].request(exchange["method"], path, filled(exchange.get("body"), saved))
        what = f"line {line}, chapter {exchange['chapter']}: {exchange['what']}\n{answer.text[:600]}"
        assert answer.status_code == expect["status"], what
        body = answer.json()
        assert answer.headers["content-type"].startswith("application/json"), what
        assert isinstance(body, list) == expect.get("array", False), what
        if "keys" in expect:
            rows = body if isinstance(body, list) else [body]
            assert all(set(expect["keys"]) <= row.keys() for row in rows), what
        problem = mismatch(filled(expect.get("json", {} if isinstance(body, dict) else body), saved), body)
        assert not problem, f"{problem}\n{what}"
        for key, field in exchange.get("save", {}).items():
            saved[key] = body[field]


def test_every_exchange_names_its_chapter_and_what_it_shows() -> None:
    assert len(EXCHANGES) > 70
    for exchange in EXCHANGES:
        assert re.fullmatch(r"\d\d", exchange["chapter"]) and exchange["what"], exchange
        assert exchange["expect"]["status"] in (200, 401, 404, 409)
    chapters = {exchange["chapter"] for exchange in EXCHANGES}
    assert chapters >= {"03", "06", "07", "11", "14", "15", "16", "17", "29"}


def test_the_comparison_finds_what_differs() -> None:
    assert mismatch({"a": 1}, {"a": 1, "b": 2}) == ""
    assert mismatch({"a": 1}, {"a": True}) and mismatch({"a": 1}, {}) and mismatch([], [1]) and mismatch("?int", "1")
    assert mismatch([{"a": "?text"}], [{"a": "x"}, {}]) == ""
