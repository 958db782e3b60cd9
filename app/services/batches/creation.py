"""A batch in one go, as a notebook asks for it: everything is checked first, then all of it is kept, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.db.tables import Batch, BatchItem
from app.domain.people.permissions import Actor, require
from app.domain.sweeps import Combination
from app.services.batches import drafts as batches
from app.services.batches import rows as batch_rows
from app.services.batches import sweeps as batch_sweeps
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs.selections import refuse_unexpected
from app.services.people.quotas import require_room

SAMPLE = 20


@dataclass(frozen=True)
class SweepRequest:
    """Axes by parameter, and how they are combined; see `batch_sweeps.sweep_items`."""

    axes: Sequence[tuple[str, str]]
    how: Combination = "grid"
    tolerance: float = 0.0
    stop: bool = False


@dataclass(frozen=True)
class BatchRequest:
    """Many jobs of one template: what is common to them, and rows or a sweep."""

    template: str
    parameters: Mapping[str, Any]
    resources: Mapping[str, Any]
    cluster: str
    priority: str = "normal"
    name: str = ""
    naming: str = ""
    reuse: bool = True
    rows: Sequence[Mapping[str, Any]] = field(default_factory=list)
    sweep: SweepRequest | None = None
    submit: bool = True
    expect: int | None = None


@dataclass(frozen=True)
class BatchPreview:
    """What a batch would hold: how many rows, and the overrides of the first ones."""

    count: int
    sample: list[dict[str, Any]]


async def preview(context: Context, actor: Actor, asked: BatchRequest) -> BatchPreview:
    """What `create` would make, without making anything; raises what it would raise of the request itself."""
    _, _, listed = await _checked(context, actor, asked)
    items = [item for _, rows in listed for item in rows]
    return BatchPreview(len(items), [dict(item.given) for item in items[:SAMPLE]])


async def create(context: Context, actor: Actor, asked: BatchRequest) -> Batch:
    """A draft with its rows, or one that is being made, in one transaction.

    Raises:
        InvalidInput, NotFound: names what is wrong; nothing was kept. Conflict: not as many rows as expected.
    """
    form, sweep, listed = await _checked(context, actor, asked)
    await require_room(context, actor)
    batch = batches.new_draft(actor, asked.template, form, asked.name, reuse=asked.reuse)
    batch.naming, batch.sweep = asked.naming.strip()[:200], sweep
    async with context.database.write() as session:
        session.add(batch)
        await session.flush()
        for kind, items in listed:
            await batch_rows.put_items(session, batch, items, kind)
        if asked.submit:
            await batches.begin_making(session, batch)
    return batch


async def _checked(
    context: Context, actor: Actor, asked: BatchRequest
) -> tuple[dict[str, str], dict[str, Any], list[tuple[str, list[BatchItem]]]]:
    """The common form, the sweep, and the items with their kind."""
    require(actor, "job.create")
    await refresh(context)
    template = context.templates.get(asked.template)
    form = batches.common_form(template, asked.parameters, asked.resources)
    form |= {"cluster": asked.cluster, "priority": asked.priority}
    sweep: dict[str, Any] = {}
    listed: list[tuple[str, list[BatchItem]]] = []
    if asked.sweep is not None:
        own = asked.sweep
        sweep, points = await batch_sweeps.sweep_items(template, own.axes, own.how, own.tolerance, stop=own.stop)
        listed.append(("sweep", points))
    if asked.rows:
        listed.append(("row", await batch_rows.row_items(template, asked.rows)))
    refuse_unexpected(sum(len(items) for _, items in listed), asked.expect, "row")
    return form, sweep, listed
