"""The end of a job in one transaction: its state and records, what is left, what follows (PROV-152, 158, 161, 226).

A failed job ends once or several times: each undoing run ends it anew. While one is still to come, or something is
left, the order's items stay reserved: no other order takes a SIM that a late answer may still change, or whose
subscriber is still there. The worker's own job ends in the same transaction: a crash after it leaves nothing to repeat
with items that are free by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, update

from omnicrm.domain.action import Ctx, action
from omnicrm.domain.alerts import clear_alert, raise_alert
from omnicrm.domain.billing.actions import void_charges_of
from omnicrm.domain.inventory import actions as stock
from omnicrm.domain.jobs import Job
from omnicrm.domain.provisioning import chains, closing, leftovers
from omnicrm.domain.provisioning.lease import Lease, finish_held, refuse_lost
from omnicrm.domain.provisioning.leftovers import Leftover
from omnicrm.domain.provisioning.models import Provision, ProvisionEvent, Status
from omnicrm.domain.services.actions import remove_made_by
from omnicrm.domain.services.models import CustomerService
from omnicrm.domain.services.setting_back import set_back


@dataclass(frozen=True)
class CleanUp:
    """An undoing run that is still to come.

    `play`: the play has not undone itself, so its clean-up runs first and the records wait for it. `engine`: only the
    charging engine could not be asked. `late`: everything was undone, and is undone once more when answers can come no
    more. `again`: a system that could not be reached is tried once more, for the `tries`th time.
    """

    kind: Literal["play", "engine", "late", "again"]
    at: datetime | None = None
    #: A request of the run may still be on its way.
    unsure: bool = False
    #: Why the play's clean-up must not run, for the events.
    without_play: str = ""
    tries: int = 0

    @property
    def args(self) -> dict[str, Any]:
        """As the job `provision.clean` carries it."""
        return {
            "kind": self.kind,
            "unsure": self.unsure,
            "without_play": self.without_play,
            "tries": self.tries,
        }

    @classmethod
    def of(cls, args: dict[str, Any]) -> CleanUp:
        unsure, without_play = bool(args.get("unsure")), str(args.get("without_play") or "")
        return cls(args.get("kind", "play"), None, unsure, without_play, int(args.get("tries") or 0))


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it or its undoing left behind."""

    provision_id: int
    succeeded: bool
    message: str = ""
    facts: str | None = None
    leftovers: tuple[Leftover, ...] = ()
    clean_up: CleanUp | None = None
    lease: Lease | None = None
    #: Of a failed job: the operator is to hear of it by mail.
    is_news: bool = True


@action("provision.end", permission="admin")
def end(ctx: Ctx, cmd: Ended) -> None:
    """Store the state of a job whose run is over. Raises Conflict for a worker that lost its lease."""
    if cmd.lease is not None:
        finish_held(ctx, cmd.lease)
    row = ctx.load(Provision, cmd.provision_id)
    row.provisioning_status = int(Status.SUCCESS if cmd.succeeded else Status.FAILED)
    row.error = cmd.message[:2000]
    row.finished_at = ctx.now if cmd.succeeded else row.finished_at or ctx.now
    row.facts = cmd.facts or row.facts
    ctx.session.execute(
        update(ProvisionEvent)
        .where(ProvisionEvent.provision_id == row.provision_id, ProvisionEvent.provisioning_status == 1)
        .values(provisioning_status=int(Status.FAILED), ended_at=ctx.now, message="interrupted")
    )
    _tell(ctx, row, list(cmd.leftovers))
    if cmd.succeeded:
        _link_service(ctx, row)
        _go_on(ctx, row)
        _come_back(ctx, row, cmd.clean_up)
    else:
        _give_up(ctx, row, cmd)
    ctx.called(row, "succeeded" if cmd.succeeded else "failed")


@dataclass(frozen=True)
class Mended:
    """What is left of a job whose state stays as it is."""

    provision_id: int
    leftovers: tuple[Leftover, ...]
    lease: Lease | None = None
    clean_up: CleanUp | None = None
    #: The clean-up that says so has come to its end.
    is_over: bool = False


@action("provision.mend", permission="admin")
def mend(ctx: Ctx, cmd: Mended) -> None:
    """Store what another clean-up left."""
    if cmd.lease is not None:
        finish_held(ctx, cmd.lease) if cmd.is_over else refuse_lost(ctx.session, cmd.lease)
    row = ctx.load(Provision, cmd.provision_id)
    note_left(ctx, row, list(cmd.leftovers))
    _come_back(ctx, row, cmd.clean_up)


def note_left(ctx: Ctx, row: Provision, left: list[Leftover]) -> None:
    """A deprovision that now leaves nothing, in any step of its chain, gives back the stock that it had kept."""
    _tell(ctx, row, left)
    if row.provisioning_status == Status.SUCCESS and chains.is_clean(ctx.session, row):
        closing.free_kept_stock(ctx, row)


def _link_service(ctx: Ctx, row: Provision) -> None:
    """The job names the service that it is about or made; none when the undoing removed it."""
    made = select(CustomerService.service_id).where(CustomerService.made_by_provision_id == row.provision_id)
    row.service_id = row.service_id or ctx.session.scalar(made.order_by(CustomerService.service_id).limit(1))
    if row.service_id is not None and ctx.session.get(CustomerService, row.service_id) is None:
        row.service_id = None


def _go_on(ctx: Ctx, row: Provision) -> None:
    stock.keep_assigned(ctx, row.provision_id)  # a later step of the chain that fails does not undo this one
    if chains.next_of(ctx, row) is None and row.action == "deprovision":
        closing.close(ctx, row, keep_stock=not chains.is_clean(ctx.session, row))
    stock.release(ctx, row.provision_id)


def _give_up(ctx: Ctx, row: Provision, cmd: Ended) -> None:
    clean_up = cmd.clean_up
    if clean_up is None or clean_up.kind != "play":
        stock.take_back(ctx, row.provision_id)
        remove_made_by(ctx, row.provision_id)
        void_charges_of(ctx, row.provision_id)
        if row.service_id is not None and row.action != "deprovision":
            _set_back(ctx, row, row.service_id)
    _link_service(ctx, row)
    _come_back(ctx, row, clean_up)
    if clean_up is not None and clean_up.kind != "again":  # that one may take long, and people are to know before
        return
    if clean_up is None:
        # The network may still know a SIM and its number; the charging engine knows accounts alone.
        outside = any(entry.where != leftovers.ENGINE for entry in cmd.leftovers)
        stock.hold(ctx, row.provision_id) if outside else stock.release(ctx, row.provision_id)
    if not cmd.is_news:
        return
    key = f"provision.failure_mail:{row.provision_id}"
    if ctx.session.scalar(select(Job.job_id).where(Job.unique_key == key)) is None:
        ctx.later("provision.failure_mail", row.provision_id, unique_key=key)


def _set_back(ctx: Ctx, row: Provision, service_id: int) -> None:
    """The services that were there before the job and that its token reaches."""
    parts = select(CustomerService.service_id).where(CustomerService.bundled_parent == service_id)
    for number in (service_id, *ctx.session.scalars(parts.order_by(CustomerService.service_id)).all()):
        set_back(ctx, number, row.provision_id)


def _come_back(ctx: Ctx, row: Provision, clean_up: CleanUp | None) -> None:
    if clean_up is not None:
        ctx.later("provision.clean", row.provision_id, args=clean_up.args, run_at=clean_up.at)


def _tell(ctx: Ctx, row: Provision, left: list[Leftover]) -> None:
    """What is left stands on the job, and an alert sends somebody there until a clean-up leaves nothing."""
    row.leftovers = leftovers.dump(left) if left else None
    key, link = f"provision:{row.provision_id}", f"/provisioning/{row.provision_id}"
    if not left:
        clear_alert(ctx.session, key, ctx.now)
        return
    title = f"Provisioning job {row.provision_id} left something behind"
    detail = "\n".join(f"{entry.where}: {entry.what}" for entry in left)
    raise_alert(ctx.session, key, title, ctx.now, detail=detail, link=link, severity="critical")
