"""Putting values of a request on a row: every field checked, every error named, nothing half done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from omnicrm.domain.codecs import Reference
from omnicrm.domain.errors import Invalid, NotFound
from omnicrm.store import Base

if TYPE_CHECKING:
    from omnicrm.domain.action import Ctx
    from omnicrm.domain.fields import Field
    from omnicrm.domain.resource import Resource


def fill(
    resource: Resource[Any],
    ctx: Ctx,
    row: Any,
    values: Mapping[str, Any],
    creating: bool,
    preset: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Put the values on the row after checking every one; answers the names that were not applied.

    `preset` names what the caller puts on the row itself.
    """
    errors: dict[str, str] = {}
    ignored: list[str] = []
    changed: set[str] = set()
    for name, value in values.items():
        item = resource.by_name.get(name)
        if item is None:
            if name not in resource.tolerated:
                errors[name] = f"is not a field of this record; known: {', '.join(resource.by_name)}"
        elif not (item.on_create if creating else item.on_update):
            ignored.append(name)
        elif value is None and not item.nullable:
            errors[name] = "must not be null"
        else:
            _set(ctx, row, item, value, errors)
            changed.add(name)
    if creating:
        for item in resource.fields:
            if item.name in changed or item.name in errors or item.name in preset:
                continue
            if item.required:
                errors[item.name] = "is required"
            elif item.default is not None:
                default = item.default(ctx) if callable(item.default) else item.default
                setattr(row, item.attribute, default)
    if errors:
        raise Invalid(errors)
    _check_references(resource, ctx, row, changed)
    if resource.check is not None:
        resource.check(ctx, row, frozenset(changed))
    return tuple(ignored)


def _set(ctx: Ctx, row: Any, item: Field, value: Any, errors: dict[str, str]) -> None:
    if isinstance(value, str) and not value.strip() and item.nullable and isinstance(item.codec, Reference):
        value = None  # an empty form field or a play's empty text
    try:
        loaded = None if value is None else item.codec.load(value, ctx.settings)
    except ValueError as error:
        errors[item.name] = str(error)
        return
    if item.required and loaded in (None, ""):
        errors[item.name] = "is required"
        return
    setattr(row, item.attribute, loaded)


def _check_references(resource: Resource[Any], ctx: Ctx, row: Any, changed: set[str]) -> None:
    """A referenced row exists and belongs to the same customer; a stranger's row does not exist for the caller."""
    owner = getattr(row, "customer_id", None)
    bound = ctx.actor.job.customer_id if ctx.actor.job is not None else ctx.actor.customer_id
    for item in resource.fields:
        target = getattr(row, item.attribute) if isinstance(item.codec, Reference) and item.name in changed else None
        if target is None:
            continue
        table = Base.metadata.tables[item.codec.table]  # type: ignore[attr-defined]
        owned = "customer_id" in table.columns
        columns = [table.columns["customer_id"]] if owned else [next(iter(table.primary_key.columns))]
        with ctx.session.no_autoflush:
            found = ctx.session.execute(select(*columns).where(next(iter(table.primary_key)) == target)).first()
        what = item.codec.table.rpartition("customer_")[2].replace("_", " ").lower()  # type: ignore[attr-defined]
        if found is None or (owned and bound is not None and found[0] not in (None, bound)):
            text = f"{what} {target} does not exist"
            if item.name == "customer_id" and item.codec.absent_is_404:  # type: ignore[attr-defined]
                raise NotFound(text.capitalize() + ".", errors={item.name: text})
            raise Invalid({item.name: text})
        if owned and owner is not None and found[0] is not None and found[0] != owner:
            raise Invalid({item.name: f"{what} {target} belongs to another customer"})
