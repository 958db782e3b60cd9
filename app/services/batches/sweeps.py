"""Sweeps: the rows of a draft as points along axes of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.db.repositories import batches
from app.db.tables import BatchItem
from app.domain.people.permissions import Actor
from app.domain.sweeps import Axis, Combination, corners, points, read_axis
from app.errors import FieldError, InvalidInput
from app.library.template_files import Template
from app.services.batches.drafts import editable
from app.services.batches.rows import put_items
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.workers.pauses import with_pauses


def read_sweep(
    template: Template, axes: Sequence[tuple[str, str]], how: Combination
) -> tuple[list[Axis], list[dict[str, Any]]]:
    """The axes of a sweep and its points.

    Raises:
        InvalidInput: names the axis and says why.
    """
    specs = {field.key: field for field in template.spec.sweepable}
    read, wrong = [], []
    for key, text in axes:
        if key not in specs:
            wrong.append(
                FieldError(key, f"cannot be varied; parameters of {template.spec.id} that can: {', '.join(specs)}")
            )
            continue
        try:
            read.append(read_axis(specs[key], text))
        except ValueError as error:
            wrong.append(FieldError(key, str(error), text[:80]))
    sweep_points: list[dict[str, Any]] = []
    if not wrong:
        try:
            sweep_points = points(read, how)
        except ValueError as error:
            wrong.append(FieldError("axes", str(error)))
    if wrong:
        raise InvalidInput(
            "The sweep is invalid: " + "; ".join(f"{e.field} {e.reason}" for e in wrong) + ".",
            hint="Correct the axes.",
            fields=wrong,
        )
    return read, sweep_points


async def set_sweep(
    context: Context,
    actor: Actor,
    batch_id: str,
    axes: Sequence[tuple[str, str]],
    how: Combination = "grid",
    tolerance: float = 0.0,
    *,
    stop: bool = False,
) -> int:
    """The batch's items become the points of a sweep; see `sweep_items`."""
    async with context.database.read() as session:
        batch = await editable(session, actor, batch_id)
    await refresh(context)
    sweep, items = await sweep_items(context.templates.get(batch.template_id), axes, how, tolerance, stop=stop)
    async with context.database.write() as session:
        row = await editable(session, actor, batch_id)
        await batches.remove_items(session, batch_id)
        row.sweep = sweep
        await put_items(session, row, items, "sweep")
    return len(items)


async def sweep_items(
    template: Template, axes: Sequence[tuple[str, str]], how: Combination, tolerance: float, *, stop: bool
) -> tuple[dict[str, Any], list[BatchItem]]:
    """A sweep as it is kept, and its points.

    Args:
        tolerance: change of the energy in hartree within which it has converged; 0: not looked at.
        stop: cancel what is left once it has; only along one axis.

    Raises:
        InvalidInput: names the axis and says why.
    """
    read, sweep_points = read_sweep(template, axes, how)
    if stop and (not tolerance or (len(read) > 1 and how == "grid")):
        raise InvalidInput(
            "A sweep can stop early only with one axis and a tolerance.",
            hint="Set a tolerance, or let the sweep run to its end.",
            fields=[FieldError("stop", "needs one axis and a tolerance")],
        )
    sweep: dict[str, Any] = {
        "axes": [{"key": key, "text": text} for key, text in axes],
        "how": how,
        "tolerance": tolerance,
        "stop": stop,
    }
    ends = corners(read, how)
    sweep["corners"] = [position for position, point in enumerate(sweep_points, start=1) if point in ends]
    items = [
        BatchItem(batch_id="", position=0, given=dict(point), point=dict(point))
        async for point in with_pauses(sweep_points)
    ]
    return sweep, items


def combination(text: str) -> Combination:
    """Raises: InvalidInput: neither grid nor zip."""
    if text not in ("grid", "zip"):
        raise InvalidInput(f"Axes cannot be combined as {text[:20]!r}.", hint="Choose grid or zip.")
    return "zip" if text == "zip" else "grid"
