"""What an undone job may have left behind, read from the results of its tasks (PROV-225, PROV-226).

Clean-up tasks go on after an error, so that one dead system does not keep the others from being cleaned; their failures
would be silent otherwise. A thing that is gone already ("not found") is no leftover.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from omnicrm.domain.provisioning.plays import Play
from omnicrm.domain.provisioning.ports import FAILED, IGNORED, RUNNING
from omnicrm.settings import Settings

CRM = "CRM"
ENGINE = "Charging engine"
HSS = "HSS"
#: What was sent there was read by people; nobody takes it back.
_MESSAGES = frozenset({"SMS centre", "Mailjet"})
#: A result with these keys alone is of a task that speaks with nobody.
_TELLS_ALL = frozenset({"changed", "msg", "ansible_facts", "included_file", "failed", "skip_reason", "skipped"})
_HARMLESS = frozenset({"pause", "debug", "assert", "fail", "set_fact", "meta", "wait_for", "include_vars"})
_MAX_TEXT = 500
#: More than this helps nobody; the events have the rest.
_MAX_LEFTOVERS = 50


@dataclass(frozen=True, slots=True)
class Leftover:
    """`where` names the system, `what` the step that would have undone it, `text` why it did not; all redacted."""

    where: str
    what: str
    text: str


def dump(leftovers: Iterable[Leftover]) -> str:
    """The form of `Provision.leftovers`; each entry once."""
    return json.dumps([asdict(entry) for entry in dict.fromkeys(leftovers)][:_MAX_LEFTOVERS])


def load(text: str | None) -> list[Leftover]:
    return [Leftover(**entry) for entry in json.loads(text or "[]")]


class Systems:
    """Names the system behind an address, without users, passwords, paths and queries."""

    def __init__(self, settings: Settings) -> None:
        crm = {settings.server.local_url, settings.crm.base_url, "http://localhost:5000"}
        named = [(address, CRM) for address in crm]
        named += [(f"http://{settings.ocs.endpoint}", ENGINE)]
        named += [(peer, f"{HSS} {_plain(peer)}") for peer in settings.hss.hss_peers]
        named += [(settings.smsc.smsc_url or "", "SMS centre"), (settings.mailjet.base_url, "Mailjet")]
        # The longest first: sandboxes lie below the CRM's own address.
        self._named = sorted(((_plain(a), name) for a, name in named if a), key=lambda pair: -len(pair[0]))

    def name(self, url: str) -> str:
        plain = _plain(url)
        for address, name in self._named:
            if plain == address or plain.startswith(f"{address}/"):
                return name
        return _host(url)


def _plain(url: str) -> str:
    """Without what stands before the host and behind the path: results show passwords masked."""
    try:
        return f"{_host(url)}{urlsplit(url).path}".rstrip("/")
    except ValueError:
        return ""


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"[:200]


class Task(Protocol):
    """A stored event, as far as it matters here."""

    event_number: int
    event_name: str
    provisioning_status: int
    skipped: bool
    provisioning_result_json: str
    message: str


@dataclass
class Traces:
    """What the tasks of one run tell."""

    #: Steps of its undoing that failed.
    left: list[Leftover] = field(default_factory=list)
    #: Steps that may have been done although no answer came, or that were cut.
    unsure: list[Leftover] = field(default_factory=list)
    #: Systems that did what they were told, or that had nothing to undo.
    answered: set[str] = field(default_factory=set)
    #: A task failed that should not have, or the guard of a deprovision did.
    turned: bool = False
    #: After that a task of the play's clean-up ran.
    undid: bool = False
    #: Systems that answered before it, or that may have done what they were told; None when tasks do not tell.
    touched: set[str] | None = field(default_factory=set)

    def may_have_changed(self, where: str) -> bool:
        return self.touched is None or where in self.touched

    def _touch(self, where: str | None) -> None:
        if not self.turned and self.touched is not None:
            self.touched = None if where is None else {*self.touched, where}


def read_traces(tasks: Iterable[Task], systems: Systems, play: Play | None, *, undoing: bool = False) -> Traces:
    """Read a run's events in order. In an undoing run (action "deprovision") the guard's failure begins the clean-up,
    else the first failure that is not ignored does."""
    found = Traces()
    optional = set(play.tasks) - set(play.undo) if play is not None else set()
    name = f"Play {play.name}" if play is not None else "Play"
    for task in tasks:
        failed = task.provisioning_status in (FAILED, IGNORED)
        cut = task.provisioning_status in (FAILED, RUNNING) and task.provisioning_result_json == "{}"
        if cut and not _changes_nothing(task.event_name, play):
            found.unsure.append(Leftover(name, task.event_name, "The run was cut here."))
            found._touch(None)
        parts = _parts(task.provisioning_result_json)
        found.undid |= found.turned and play is not None and task.event_name in play.undo
        told = any(part.get("failed") for part in parts)
        for part in parts:
            where = systems.name(part["url"]) if isinstance(part.get("url"), str) else name
            entry = Leftover(where, task.event_name, _reason(part, task.message))
            if may_have_arrived(part):
                found.unsure.append(entry)
                found._touch(where)
            if failed and not _was_refused(part):
                found._touch(where if "url" in part else None)
            if failed and (part.get("failed") or not told) and not _is_gone(part):
                # An assertion that fails after the turn only says how the play ends.
                said_only = task.provisioning_status == FAILED and not {"url", "rc", "cmd"} & part.keys()
                if found.turned and task.event_name not in optional and not said_only:
                    found.left.append(entry)
            elif not task.skipped and "url" in part:
                found.answered.add(where)
                found._touch(where)
            elif not task.skipped and not part.keys() <= _TELLS_ALL:
                found._touch(None)
        if task.provisioning_status == FAILED or (undoing and failed):
            found.turned = True
    return found


def _changes_nothing(name: str, play: Play | None) -> bool:
    """Whether every task of that name only reads, waits or works out values."""
    tasks = [task for task in play.found if task.task.get("name") == name] if play is not None else []
    reads = [
        task.module in _HARMLESS
        or (task.module == "uri" and isinstance(task.args, Mapping) and _reads_only(task.args.get("method", "GET")))
        for task in tasks
    ]
    return bool(reads) and all(reads)


def _reads_only(method: Any) -> bool:
    return isinstance(method, str) and method.upper() in ("GET", "HEAD", "OPTIONS")


def _parts(text: str) -> list[dict[str, Any]]:
    """A task's result, or those of its loop."""
    try:
        result = json.loads(text)
    except ValueError:
        return [{}]
    if not isinstance(result, Mapping):
        return [{}]
    items = result.get("results")
    if isinstance(items, list) and items:
        return [dict(item) if isinstance(item, Mapping) else {} for item in items]
    return [dict(result)]


def may_have_arrived(part: Mapping[str, Any]) -> bool:
    """Our `uri` marks such requests; of the stock module's, the method tells whether it could have changed anything."""
    if part.get("no_answer") is True:
        return True
    invocation = part.get("invocation")
    arguments = invocation.get("module_args") if isinstance(invocation, Mapping) else None
    method = arguments.get("method") if isinstance(arguments, Mapping) else None
    changing = isinstance(method, str) and not _reads_only(method)
    return changing and part.get("status") == -1 and "refused" not in str(part.get("msg")).lower()


def _was_refused(part: Mapping[str, Any]) -> bool:
    """The request did not arrive, or its answer says that nothing was done; or the task sends none."""
    status = part.get("status")
    if isinstance(status, int):
        return status == -1 or 400 <= status < 500
    return part.keys() <= _TELLS_ALL


def _is_gone(part: Mapping[str, Any]) -> bool:
    """What was to be removed is not there any more: HTTP 404, or JSON-RPC's NOT_FOUND."""
    answer = part.get("json")
    if isinstance(answer, Mapping) and "NOT_FOUND" in str(answer.get("error")):
        return True
    return part.get("status") in (404, 410) and not str(part.get("url")).rstrip("/").endswith("/jsonrpc")


def _reason(part: Mapping[str, Any], message: str) -> str:
    answer = part.get("json")
    refused = answer.get("error") if isinstance(answer, Mapping) else None
    if refused and not isinstance(refused, bool) and part.get("status") == 200:
        return str(refused)[:_MAX_TEXT]
    return str(part.get("msg") or message or "failed without saying why")[:_MAX_TEXT]


def still_left(before: Iterable[Leftover], now: Traces) -> list[Leftover]:
    """What is left after another clean-up: its own failures, and what was left at systems that it did not get to."""
    again = {(entry.where, entry.what) for entry in now.left}
    kept = [e for e in before if e.where not in now.answered and (e.where, e.what) not in again]
    return [*kept, *now.left]


def to_be_checked(traces: Traces, covered: Collection[str], reason: str) -> list[Leftover]:
    """For a run without a clean-up: the systems that it may have changed and that nothing else sets back.

    What it did in the CRM is known there, so of the CRM only steps without an answer count.
    """
    unsure = [
        replace(entry, text=f"{entry.text.rstrip('.')}; please check whether it was done.")
        for entry in traces.unsure
        if entry.where not in covered and entry.where not in _MESSAGES
    ]
    asked = traces.answered - {CRM, *covered, *_MESSAGES} - {entry.where for entry in unsure}
    return [*unsure, *(Leftover(where, "Undo what the job did there", reason) for where in sorted(asked))]
