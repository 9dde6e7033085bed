"""What is wrong with a play before anybody orders it: findings with place and mend (PROV-254, PC-17, PC-37)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omnicrm.domain.provisioning.playfile import Entry
from omnicrm.domain.provisioning.playnames import Reader, names_of
from omnicrm.domain.provisioning.plays import Found, Play, PlayError, Spot, read_play, read_tasks
from omnicrm.domain.provisioning.redact import is_secret_key

#: "error" will fail or do harm, "warning" may, "mended" is put right by the product in each run.
Level = Literal["error", "warning", "mended"]


@dataclass(frozen=True, slots=True)
class Finding:
    spot: Spot
    level: Level
    text: str
    #: What to write instead.
    mend: str = ""


_CRM_URL = re.compile(r"crm_config\.crm\.base_url|https?://(?:localhost|127\.0\.0\.1):5000\b")
_HARD_CODED = re.compile(r"https?://(?:localhost|127\.0\.0\.1):5000\b")
#: An object written inside `{{ }}`, as in `{{ "Category": "activation" }}`.
_OBJECT = re.compile(r"\{\{\s*\\?[\"'][^\"'{}]*\\?[\"']\s*:")
_PLACE = re.compile(r"(?P<file>[\w.-]+)(?:, line (?P<line>\d+), column \d+)?:? ?(?P<text>.*)", re.DOTALL)
#: What to read instead of names that examples use without defining them (PC-37).
_INSTEAD = {
    "customer_phone": "the contact_phone of a contact in GET /crm/customer/customer_id/{{ customer_id }}",
    "phone_number": "itemtext1 of the Mobile Number, from GET /crm/inventory/inventory_id/…",
    "sim_card_id": "hostvars[inventory_hostname]['SIM Card'], or the item of GET /crm/inventory/service_id/…",
    "hss_server": "a peer of crm_config.hss.hss_peers",
    "hss_subscriber_data": "the answers of GET {peer}/subscriber/{imsi} for each of crm_config.hss.hss_peers",
    "ocs_api_url": "http://{{ crm_config.ocs.cgrates }}/jsonrpc",
    "api_key": "crm_config.smsc.api_key",
    "mailjet_api_key": "lookup('env', 'MAILJET_API_KEY')",
    "mailjet_api_secret": "lookup('env', 'MAILJET_SECRET')",
    "current_datetime": "now(utc=true, fmt='%Y-%m-%dT%H:%M:%SZ')",
    "provision_datetime": "now(utc=true, fmt='%Y-%m-%dT%H:%M:%SZ')",
    "customer_stripe_id": "the default card of GET /crm/stripe/customer_id/{{ customer_id }}",
}


def check_play(name: str, plays_dirs: Sequence[Path], read: Reader, given: Sequence[str] = ()) -> list[Finding]:
    """Findings about `{name}.yaml` and what it includes, by place. `given` are names that the product declares."""
    try:
        play = read_play(name, plays_dirs)
    except PlayError as error:
        return [_unreadable(f"{name}.yaml", error)]
    return _sorted([*_structure(play), *_of_tasks(play), *_of_names(play, read, given)])


def check_tasks(file: str, plays_dirs: Sequence[Path], read: Reader) -> list[Finding]:
    """Findings about a file of tasks: its names and its structure are the business of the plays that include it."""
    try:
        play = read_tasks(file, plays_dirs)
    except PlayError as error:
        return [_unreadable(file, error)]
    return _sorted([*_problems(play), *_of_tasks(play), *_template_faults(play, read)])


def _sorted(findings: list[Finding]) -> list[Finding]:
    return sorted(dict.fromkeys(findings), key=lambda each: (each.spot.file, each.spot.line, each.level))


def _unreadable(file: str, error: PlayError) -> Finding:
    text = next(iter(error.errors.values()))
    place = _PLACE.match(text)
    if place is None or place["line"] is None:
        return Finding(Spot(file, 1), "error", text)
    mend = "look at this line and the ones above it: indentation, quotes, and a colon inside an unquoted text"
    return Finding(Spot(place["file"], int(place["line"])), "error", place["text"], mend)


def _problems(play: Play) -> Iterator[Finding]:
    for problem in play.problems:
        yield Finding(problem.spot, "error", problem.text)
    for file, lines in play.mended.items():
        for line in lines:
            text = "a bare {{ … }} is no valid YAML; quotes are put around it"
            yield Finding(Spot(file, line), "mended", text, 'write the value in quotes: "{{ … }}"')


def _structure(play: Play) -> Iterator[Finding]:
    yield from _problems(play)
    top = Spot(f"{play.name}.yaml", 1)
    undo = [found for found in play.found if found.part == "undo"]
    if not undo:
        text = "the play has no block with a rescue: what a failed order made is left to the product to undo"
        yield Finding(top, "warning", text, "put the tasks into a block, and into its rescue the tasks that undo them")
    elif undo[-1].module not in ("assert", "fail"):
        text = "the rescue does not end with a failing task: a failed order would be reported as a success"
        mend = "end it with assert: {that: action | default('order') == 'deprovision'}"
        yield Finding(undo[-1].spot, "error", text, mend)
    if not play.has_guard:
        text = "no deprovision guard: the play cannot be used to deprovision, nor to clean up after a crash"
        mend = "start the block with assert: {that: action != 'deprovision'} and when: action is defined"
        yield Finding(top, "warning", text, mend)
    for document in play.documents.values():
        for entry in document if isinstance(document, list) else []:
            hosts = entry.get("hosts", "localhost") if isinstance(entry, Mapping) else "localhost"
            if hosts != "localhost":
                yield Finding(top, "error", f"hosts is {hosts!r}; jobs run on localhost only", "write hosts: localhost")


def _of_tasks(play: Play) -> Iterator[Finding]:
    checked = {word for found in play.found if found.module in ("assert", "fail") for word in _words(found)}
    for found in play.found:
        if found.module == "uri" and isinstance(found.args, Mapping):
            yield from _of_request(found, checked)
            yield from _of_mail(found)
        if found.part == "undo" and found.module in ("uri", "command", "shell", "template") and not found.task.get(
            "ignore_errors"
        ):  # fmt: skip
            text = "when this clean-up task fails, those behind it are not tried"
            yield Finding(found.spot, "warning", text, "add ignore_errors: true to the task")
    for file, document in play.documents.items():
        yield from _literal_secrets(document, Spot(file, 1))


def _of_request(found: Found, checked: set[str]) -> Iterator[Finding]:
    args, url = found.args, str(found.args.get("url", ""))
    if isinstance(args.get("body"), Mapping | list) and "body_format" not in args:
        yield Finding(found.spot, "mended", "a mapping as body is sent as JSON", "add body_format: json")
    if _HARD_CODED.search(url):
        text = "a hard-coded address of the CRM goes to the configured one"
        yield Finding(found.spot, "mended", text, "write {{ crm_config.crm.base_url }}")
    if "://sms-gateway/" in url:
        text = "sms-gateway is a placeholder of the documentation, no host"
        yield Finding(
            found.spot, "warning", text, "write {{ crm_config.smsc.smsc_url }}, or include task_send_sms.yaml"
        )
    headers = args.get("headers")
    named = {str(name).lower() for name in headers} if isinstance(headers, Mapping) else set()
    templated = isinstance(headers, str)
    open_route = "/crm/health" in url
    if _CRM_URL.search(url) and not (templated or open_route or {"authorization"} & named or "user" in args):
        text = "a call to the CRM without Authorization carries the job's token"
        yield Finding(found.spot, "mended", text, 'add headers: {Authorization: "Bearer {{ access_token }}"}')
    registered = found.task.get("register")
    unread = "failed_when" not in found.task and registered not in checked
    if url.endswith("/jsonrpc") and unread and not (found.task.get("ignore_errors") and found.part != "undo"):
        text = "the charging engine answers errors with HTTP 200 too; nothing looks at its answer here"
        mend = 'register the answer and add failed_when: answer.json.result | default("") != "OK"'
        yield Finding(found.spot, "warning", text, mend)


def _of_mail(found: Found) -> Iterator[Finding]:
    """Mailjet refuses a message without a text, as one example sends it."""
    body = found.args.get("body")
    messages = body.get("Messages") if isinstance(body, Mapping) else None
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, Mapping) and not {"TextPart", "HTMLPart", "TemplateID"} & set(message):
            yield Finding(found.spot, "warning", "Mailjet refuses a message without a text", "add a TextPart")


def _words(found: Found) -> set[str]:
    return set(re.findall(r"\w+", f"{found.args} {found.task.get('when')}"))


def _literal_secrets(value: Any, spot: Spot) -> Iterator[Finding]:
    """Texts without a template under a name of a secret (PROV-289)."""
    if isinstance(value, list):
        for item in value:
            yield from _literal_secrets(item, spot)
    if not isinstance(value, Mapping):
        return
    here = Spot(spot.file, value.line) if isinstance(value, Entry) else spot
    for key, item in value.items():
        literal = isinstance(item, str) and len(item) >= 4 and "{{" not in item
        if literal and is_secret_key(str(key)) and key != "key":
            mend = "take it from the configuration (crm_config) or the environment (lookup('env', …))"
            yield Finding(here, "error", f"{key} is a literal secret; it would be in every copy of the play", mend)
        else:
            yield from _literal_secrets(item, here)


def _template_faults(play: Play, read: Reader) -> Iterator[Finding]:
    for spot, text, reason in names_of(play, read).faults:
        if _OBJECT.search(text):
            said = "an object inside {{ }} is no valid template"
            yield Finding(spot, "error", said, "write it as a quoted text without the outer braces: '{\"a\": 1}'")
        else:
            yield Finding(spot, "error", f"no valid template ({reason}): {text[:60]!r}")


def _of_names(play: Play, read: Reader, given: Sequence[str]) -> Iterator[Finding]:
    yield from _template_faults(play, read)
    for name, spots in names_of(play, read).undefined.items():
        if name in given:
            continue
        text = f"{name} is read but never given a value here: the product or the order must carry it"
        mend = f"read it from {_INSTEAD[name]}" if name in _INSTEAD else "name it in the comment “Product variables:”"
        yield Finding(spots[0], "warning", text, f"{mend}, or write {{{{ {name} | default(…) }}}}")
