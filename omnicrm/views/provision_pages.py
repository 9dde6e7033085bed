"""Pages of provisioning jobs: the list, and a job with its live progress, its end and its tasks (PROV-135..189)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from omnicrm.domain.action import Action
from omnicrm.domain.catalogue import queries as catalogue
from omnicrm.domain.customers import queries as customers
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.provisioning import actions, chains, leftovers, queries
from omnicrm.domain.provisioning.models import Provision
from omnicrm.domain.provisioning.resource import provisions
from omnicrm.domain.provisioning.steps import course, end_of, known_tasks
from omnicrm.domain.resource import ListQuery
from omnicrm.views import http
from omnicrm.views.page import page, redirect
from omnicrm.views.provision_log import pretty
from omnicrm.views.resource_pages import Column, Filter, Pages, Reading
from omnicrm.views.resource_routes import pages_for

AnyRequest = Request[Any, Any, Any]
#: A job that young is asked for five times a second, so that its steps are seen turning green.
_YOUNG = timedelta(seconds=10)
_AT_ONCE = timedelta(seconds=3)
#: htmx ends the polling of an element that gets this status.
_STOP_POLLING = 286


def _narrow(request: AnyRequest, wanted: ListQuery) -> tuple[ListQuery, list[Any]]:
    return replace(wanted, search=""), queries.matching(wanted.search)


def _more(reading: Reading, rows: list[Provision]) -> dict[str, Any]:
    return {
        "customer_names": customers.names_of(reading.session, {row.customer_id for row in rows}),
        "product_names": catalogue.names_of(reading.session, {row.product_id for row in rows if row.product_id}),
        "queue_places": queries.queue_places(reading.session)
        if any(row.provisioning_status == 1 for row in rows)
        else {},
    }


PAGES = Pages(
    provisions,
    "/provisioning",
    "Provisioning Jobs",
    "list-check",
    columns=(
        Column("provision_id", "ID", "fit"),
        Column("customer_id", "Customer"),
        Column("product_id", "Product"),
        Column("playbook_description", "Description"),
        Column("provisioning_play", "Play"),
        Column("provisioning_status", "Status", "fit"),
        Column("created", "Created", "fit"),
        Column("initiating_user", "Started by"),
    ),
    sections=(),
    cells="provision_cells.html",
    list_head="provision_list_live.html",
    filters=(Filter("provisioning_status", "Status", (("1", "In progress"), ("0", "Success"), ("2", "Failed"))),),
    more=_more,
    narrow=_narrow,
    empty_text="Order a product for a customer: its job appears here.",
    name_of=lambda row: f"Job {row.provision_id}",
    context={"search_placeholder": "Customer, play or number"},
)


@get("/provisioning/{key:int}", opt=http.page("view_provision"), include_in_schema=False)
async def job(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    return await _job(request, key)


@get("/provisioning/{key:int}/progress", opt=http.page("view_provision"), include_in_schema=False)
async def progress(request: AnyRequest, key: FromPath[int]) -> Response[str]:
    """What a running job's page asks for; once the job is over, the whole content in its new state (PROV-184)."""
    return await _job(request, key, polled=True)


async def _job(request: AnyRequest, key: int, polled: bool = False) -> Response[str]:
    door, actor = http.door(request), http.actor(request)
    may_see_results = actor.is_customer is False and actor.can("view_provision_event")

    def read(session: Any) -> tuple[queries.Progress, list[chains.Link]]:
        row = provisions.get(session, actor, key)
        running = row.provisioning_status == 1
        found = queries.progress(session, row, with_results=may_see_results and not running)
        return found, chains.steps_of(session, row)

    found, chain = await door.read(read)
    row = found.provision
    tasks, undo = known_tasks(row.provision_id, row.provisioning_play, actions.plays_dirs(door.settings))
    now = door.clock()
    age = now - row.created
    poll = "200ms" if age < _YOUNG else f"{door.settings.ui.provision_poll_seconds}s"
    stopped = polled and found.is_over
    return page(
        request,
        "provision_detail.html",
        "progress" if polled and not found.is_over else "job",
        status=_STOP_POLLING if stopped else 200,
        headers={"HX-Retarget": "#job", "HX-Reswap": "outerHTML"} if stopped else {},
        always_block=polled,
        title=_title(found),
        job=row,
        found=found,
        course=course(row, found.events, tasks, undo, found.is_over),
        poll=poll,
        polled=polled,
        # A free worker takes a job at once: nothing is worth saying before that.
        waits=found.queue_state == "queued" and bool(found.waiting_before or age > _AT_ONCE),
        age=age,
        cleans_at=found.cleans_at if found.cleans_at and found.cleans_at > now else None,
        end=end_of(row, found.events, found.was_cancelled) if found.is_over else "",
        leftovers=leftovers.load(row.leftovers),
        chain=chain,
        may_see_results=may_see_results,
        pretty=pretty,
        ending=row.action == "deprovision",
    )


def _title(found: queries.Progress) -> str:
    row = found.provision
    if row.action == "deprovision":
        return f"Cancel {found.service.service_name}" if found.service is not None else "Cancel a service"
    return f"{found.product_name or row.playbook_description or row.provisioning_play} for {found.customer_name}"


@post("/provisioning/{key:int}/retry", opt=http.page("create_provision"), status_code=200, include_in_schema=False)
async def retry(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    """A new job with the same inputs; its page follows (PROV-085)."""
    try:
        row = await http.door(request).act(actions.retry, http.actor(request), actions.Started(key))
    except (Invalid, Conflict) as error:
        return redirect(f"/provisioning/{key}", f"It cannot be tried again: {error.message}", "danger")
    return redirect(f"/provisioning/{row.provision_id}")


async def _told(
    request: AnyRequest, key: int, action: Action[actions.Started, Provision], done: str, kind: str = "info"
) -> Response[Any]:
    """Run the action and show the job's page again, with what was done or why it was not."""
    try:
        await http.door(request).act(action, http.actor(request), actions.Started(key))
    except Conflict as error:
        return redirect(f"/provisioning/{key}", error.message, "warning")
    return redirect(f"/provisioning/{key}", done, kind)


@post("/provisioning/{key:int}/cancel", opt=http.page("update_provision"), status_code=200, include_in_schema=False)
async def cancel(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    return await _told(request, key, actions.cancel, "The job was asked to stop.")


@post("/provisioning/{key:int}/clean", opt=http.page("update_provision"), status_code=200, include_in_schema=False)
async def clean(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    """The clean-up of a failed job once more (PROV-168); after a deprovision it goes on ending the service."""
    return await _told(request, key, actions.clean_again, "The clean-up runs again.")


@post("/provisioning/{key:int}/mended", opt=http.page("update_provision"), status_code=200, include_in_schema=False)
async def mended(request: AnyRequest, key: FromPath[int]) -> Response[Any]:
    """What was left is seen to by hand."""
    return await _told(request, key, actions.mended_by_hand, "Noted: nothing is left.", "success")


HANDLERS = [job, progress, retry, cancel, clean, mended, *pages_for(PAGES, skip=frozenset({"detail"}))]
