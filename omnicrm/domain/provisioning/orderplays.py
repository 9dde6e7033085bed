"""Which plays an order runs: one, a chain of several (PROV-206), or what takes a service down again (PC-11, PC-29)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from omnicrm.domain.action import Ctx
from omnicrm.domain.catalogue.models import Product
from omnicrm.domain.errors import Conflict, Invalid
from omnicrm.domain.provisioning.plays import Play, PlayError, read_play
from omnicrm.domain.services.models import CustomerService
from omnicrm.paths import PLAYBOOKS
from omnicrm.settings import Settings

#: The shipped play that ends a service of any kind, where its own plays cannot.
GENERIC = "play_deprovision_service"
#: Words of `action` with which a play is run on a live service, if it tests for them (PC-41).
CHANGES = frozenset({"update", "suspend", "unsuspend"})
_MAX_STEPS = 20


def plays_dirs(settings: Settings) -> tuple[Path, ...]:
    """The operator's own plays first, then the shipped ones."""
    own = settings.provisioning.plays_dir
    return (*([own] if own else []), PLAYBOOKS / "plays")


def names_in(text: str) -> list[str]:
    """The plays that a `provisioning_play` names, in order: one, or a chain separated by commas (PC-27)."""
    return [name.strip() for name in text.split(",") if name.strip()]


def plays_for_order(ctx: Ctx, values: Mapping[str, Any], product: Product | None) -> list[Play]:
    """The plays of an order, all of them read and checked before the first one starts.

    `provisioning_chain` (a list of names) goes before `provisioning_play`, and both before the product's.
    """
    chain = values.get("provisioning_chain")
    if chain not in (None, ""):
        if not isinstance(chain, list) or not chain or not all(isinstance(name, str) for name in chain):
            raise Invalid({"provisioning_chain": 'must be a list of play names, such as ["play_one", "play_two"]'})
        return read_all(ctx, chain)
    asked = str(values.get("provisioning_play") or "")
    names = names_in(asked) or names_in(product.provisioning_play if product else "")
    if not names:
        raise Invalid({"provisioning_play": "neither the product nor the request names a play"})
    return read_all(ctx, names)


def plays_for_change(ctx: Ctx, word: str, service: CustomerService, product: Product | None) -> list[Play]:
    """The plays of a live service that handle `word`; a play that does not would provision it a second time."""
    names = names_in(service.provisioning_play) or names_in(product.provisioning_play if product else "")
    found = [play for play in read_all(ctx, names) if word in play.actions]
    if not found:
        text = f"no play of this service handles the action {word}"
        raise Conflict(f"Nothing to run: {text}.", errors={"action": text})
    return found


def plays_for_end(
    ctx: Ctx, values: Mapping[str, Any], service: CustomerService, product: Product | None
) -> tuple[list[Play], str]:
    """The plays that take a service down, and a remark where its own could not be used.

    In the order of PC-29: the service's `deprovisioning_play`, the request's play, the service's, the product's; then
    the generic one. A play without the deprovision guard would provision again (PC-11): it is refused when a request
    asks for it, and passed over otherwise. A chain is taken down in the opposite order. Where `product` is another
    one than the service's, an add-on leaves a service that stays: then only its own play will do.
    """
    extra = is_extra(service, product.product_id if product is not None else None)
    if service.deprovisioning_play and not extra:
        return _dedicated(ctx, service, product), ""
    asked = names_in(str(values.get("provisioning_play") or ""))
    if asked:
        plays = read_all(ctx, asked)
        if unguarded := _unguarded(plays):
            raise Conflict(
                f"The play {unguarded} has no guard for a deprovision and would provision the service again. "
                "Set deprovisioning_play on the service, or add the guard to the play.",
                errors={"provisioning_play": "has no deprovision guard"},
            )
        return plays[::-1], ""
    of_product = names_in(product.provisioning_play if product else "")
    own = of_product if extra else names_in(service.provisioning_play) or of_product
    reason = "there is no play"
    if own:
        try:
            plays = read_all(ctx, own)
            unguarded = _unguarded(plays)
            if not unguarded:
                return plays[::-1], ""
            reason = f"the play {unguarded} has no guard for a deprovision"
        except Invalid as error:
            reason = next(iter(error.errors.values()))
    if extra:
        text = f"{reason}; name a provisioning_play that takes it away"
        raise Conflict(f"The add-on cannot be taken away: {text}.", errors={"provisioning_play": text})
    try:
        return read_all(ctx, [GENERIC]), f"Ended by the generic play: {reason}"
    except Invalid as error:
        raise Conflict(
            f"The service cannot be ended: {reason}, and the generic play cannot be read "
            f"({next(iter(error.errors.values()))}). Set deprovisioning_play on the service.",
            errors={"provisioning_play": reason},
        ) from error


def is_extra(service: CustomerService, product_id: int | None) -> bool:
    """Whether that product is another one than what the service was sold as: an add-on of it."""
    return None not in (service.product_id, product_id) and product_id != service.product_id


def _dedicated(ctx: Ctx, service: CustomerService, product: Product | None) -> list[Play]:
    """A play made for ending needs no guard, unless some product provisions with it."""
    plays = read_all(ctx, names_in(service.deprovisioning_play))
    unguarded = _unguarded(plays)
    if unguarded and unguarded in _provisioning_names(ctx, service):
        raise Conflict(
            f"The play {unguarded} has no guard for a deprovision and is one that provisions: it would make the "
            "service again. Name another deprovisioning_play, or add the guard to the play.",
            errors={"deprovisioning_play": "has no deprovision guard"},
        )
    return plays


def _provisioning_names(ctx: Ctx, service: CustomerService) -> set[str]:
    texts = ctx.session.scalars(select(Product.provisioning_play).distinct())
    return {name for text in (service.provisioning_play, *texts) for name in names_in(text)}


def _unguarded(plays: Iterable[Play]) -> str:
    """The first play without the guard; empty where all have it."""
    return next((play.name for play in plays if not play.has_guard), "")


def read_all(ctx: Ctx, names: list[str]) -> list[Play]:
    """The plays of these names. Raises Invalid naming the play, file and line of the first fault."""
    if len(names) > _MAX_STEPS:
        raise Invalid({"provisioning_play": f"a chain may have {_MAX_STEPS} plays at most"})
    return list(_sound(names, plays_dirs(ctx.settings)))


def _sound(names: list[str], folders: tuple[Path, ...]) -> Iterator[Play]:
    for name in names:
        play = read_play(name, folders)
        if play.problems:
            first = play.problems[0]
            raise PlayError(f"{first.spot.file}, line {first.spot.line}: {first.text}")
        yield play
