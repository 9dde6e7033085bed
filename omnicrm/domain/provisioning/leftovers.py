"""What an undone job may have left behind, read from the results of its tasks (PROV-225, PROV-226).

Clean-up tasks go on after an error, so that one dead system does not keep the others from being cleaned; their failures
would be silent otherwise. A thing that is gone already ("not found") is no leftover.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from omnicrm.domain.provisioning.plays import Found, Play
from omnicrm.domain.provisioning.ports import FAILED, IGNORED, RUNNING
from omnicrm.settings import Settings

CRM = "CRM"
ENGINE = "Charging engine"
HSS = "HSS"
#: What was sent there was read by people; nobody takes it back.
_MESSAGES = frozenset({"SMS centre", "Mailjet"})
#: A result with these keys alone is of a task that speaks with nobody.
_TELLS_ALL = frozenset({"changed", "msg", "ansible_facts", "included_file", "failed", "skip_reason", "skipped"})
_HARMLESS = frozenset(
    {"pause", "debug", "assert", "fail", "set_fact", "set_stats", "meta", "wait_for", "include_vars", "setup", "stat"}
    | {"include_tasks", "import_tasks", "include_role", "import_role"}
)
#: Statuses of a request that did not get to its system, or whose system is away for now; -1 is no answer at all.
_AWAY = frozenset({-1, 502, 503, 504})
#: Records that the CRM sets back by itself when a job fails (ending.end).
_OWN = re.compile(r"/crm/(service|transaction|inventory)/")
#: How plays write the address of a system.
_WRITTEN = {
    ENGINE: re.compile(r"crm_config\W+ocs\W+cgrates\b"),
    CRM: re.compile(r"crm_config\W+crm\W+base_url\b"),
    "SMS centre": re.compile(r"crm_config\W+smsc\W+smsc_url\b"),
    "Mailjet": re.compile(r"crm_config\W+mailjet\b"),
}
_MAX_TEXT = 500
#: More than this helps nobody; the events have the rest.
_MAX_LEFTOVERS = 50


@dataclass(frozen=True, slots=True)
class Leftover:
    """`where` names the system, `what` the step that would have undone it, `text` why it did not; all redacted."""

    where: str
    what: str
    text: str
    #: The system could not be reached: a later try may help.
    away: bool = False
    #: A record that the CRM sets back by itself.
    own: bool = False


def dump(leftovers: Iterable[Leftover]) -> str:
    """The form of `Provision.leftovers`; each entry once."""
    return json.dumps([told(entry) for entry in dict.fromkeys(leftovers)][:_MAX_LEFTOVERS])


def told(entry: Leftover) -> dict[str, Any]:
    """As the job keeps and shows it."""
    return {"where": entry.where, "what": entry.what, "text": entry.text, "away": entry.away}


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

    def of_task(self, url: str) -> str | None:
        """The system behind an address as a play writes it; None where only a run can tell."""
        written = next((name for name, pattern in _WRITTEN.items() if pattern.search(url)), None)
        return written or (None if "{{" in url else self.name(url))


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
        harmless = _changes_nothing(task.event_name, play)
        if cut and not harmless:
            entry = _cut(task.event_name, play, systems)
            found.unsure.append(entry)
            found._touch(entry.where if entry.where != name else None)
        parts = _parts(task.provisioning_result_json)
        found.undid |= found.turned and play is not None and task.event_name in play.undo
        told = any(part.get("failed") for part in parts)
        for part in parts:
            where = systems.name(part["url"]) if isinstance(part.get("url"), str) else name
            away, own = part.get("status") in _AWAY, where == CRM and _OWN.search(str(part["url"])) is not None
            entry = Leftover(where, task.event_name, _reason(part, task.message), away, own)
            if may_have_arrived(part):
                found.unsure.append(entry)
                found._touch(where)
            silent = "url" not in part and (harmless or _speaks_with_nobody(part))
            if failed and not silent and not _was_refused(part):
                found._touch(where if "url" in part else None)
            if failed and (part.get("failed") or not told) and not _is_gone(part):
                # An assertion that fails after the turn only says how the play ends.
                said_only = task.provisioning_status == FAILED and not {"url", "rc", "cmd"} & part.keys()
                if found.turned and task.event_name not in optional and not said_only:
                    found.left.append(entry)
            elif not task.skipped and "url" in part:
                found.answered.add(where)
                found._touch(where)
            elif not task.skipped and not silent:
                found._touch(None)
        if task.provisioning_status == FAILED or (undoing and failed):
            found.turned = True
    return found


def _changes_nothing(name: str, play: Play | None) -> bool:
    """Whether every task of that name only reads, waits or works out values."""
    reads = [
        task.module in _HARMLESS
        or (task.module == "uri" and isinstance(task.args, Mapping) and _reads_only(task.args.get("method", "GET")))
        for task in _named(name, play)
    ]
    return bool(reads) and all(reads)


def _named(name: str, play: Play | None) -> list[Found]:
    """The tasks of that name; one without a name is called by its module."""
    wanted = name.removeprefix("ansible.builtin.")
    found = play.found if play is not None else []
    return [task for task in found if wanted == task.task.get("name", task.module)]


def _cut(name: str, play: Play | None, systems: Systems) -> Leftover:
    """A task in the midst of which the run ended: its system is known where all tasks of its name speak with one."""
    tasks = _named(name, play)
    urls = [str(t.args.get("url")) if t.module == "uri" and isinstance(t.args, Mapping) else "{{" for t in tasks]
    wheres = {systems.of_task(url) for url in urls}
    where = wheres.pop() if len(wheres) == 1 else None
    own = where == CRM and all(_OWN.search(url) for url in urls)
    where = where or (f"Play {play.name}" if play is not None else "Play")
    return Leftover(where, name, "The run was cut here.", own=own)


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
    """The request did not arrive, or its answer says that nothing was done."""
    status = part.get("status")
    return isinstance(status, int) and (status == -1 or 400 <= status < 500)


def _speaks_with_nobody(part: Mapping[str, Any]) -> bool:
    keys = {key for key in part if not key.startswith("_ansible_")}
    return "assertion" in keys or keys <= _TELLS_ALL


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
        replace(entry, text=f"{entry.text.rstrip('.')}; please check whether it was done.", away=False)
        for entry in traces.unsure
        if entry.where not in covered and entry.where not in _MESSAGES and not entry.own
    ]
    asked = traces.answered - {CRM, *covered, *_MESSAGES} - {entry.where for entry in unsure}
    return [*unsure, *(Leftover(where, "Undo what the job did there", reason) for where in sorted(asked))]
