"""Batches as pages and notebooks see them: rows, progress, cost, and the curve of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.db.repositories import batches, clusters
from app.db.repositories.batches import Cell, Row
from app.db.tables import Batch
from app.domain.batches import BatchState, ItemState
from app.domain.drawing.charts import Chart, line_chart
from app.domain.estimates import Estimate, Past, estimate
from app.domain.people.permissions import Actor, require
from app.domain.resources import read_resources
from app.domain.states import TERMINAL, JobState
from app.domain.sweeps import converged_at, label, position
from app.errors import InvalidInput, NotFound
from app.library.template_files import Template
from app.services.batches.creation import SAMPLE, BatchPreview
from app.services.batches.drafts import editable
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs.setbacks import is_set_aside


@dataclass(frozen=True)
class BatchView:
    """A batch as a page shows it: a page of its rows, the strip of all, counts by state, and what it will cost."""

    batch: Batch
    owner: str
    template: Template
    cluster: str
    rows: list[Row]
    strip: list[Cell]
    counts: dict[str, int]
    core_hours: float = 0.0
    estimated: int = 0
    """For how many of its jobs the core-hours are estimated, and from how many finished jobs."""
    similar: int = 0
    corners: list[int] = field(default_factory=list)
    """Positions of the first and last points of each axis."""
    reached: str = ""
    chart: Chart | None = None

    @property
    def is_set_aside(self) -> bool:
        """Work is left, but the service failed at it several times."""
        return is_set_aside(self.batch)

    @property
    def is_draft(self) -> bool:
        """Nothing was submitted from it yet."""
        return self.batch.state == BatchState.DRAFT

    @property
    def ended(self) -> int:
        """How many of its rows have ended, or are wrong."""
        return sum(1 for cell in self.strip if cell.state in TERMINAL or cell.state == ItemState.WRONG)

    @property
    def axes(self) -> list[dict[str, str]]:
        """The axes of its sweep as they were typed: key and text."""
        axes: list[dict[str, str]] = self.batch.sweep.get("axes", [])
        return axes


async def listing(context: Context, actor: Actor) -> list[tuple[Batch, str, dict[str, int]]]:
    """Batches of jobs with owner and jobs by state, the newest first."""
    require(actor, "job.read")
    async with context.database.read() as session:
        listed = await batches.listing(session, "jobs")
        tallies = await batches.tallies(session, [batch.id for batch, _ in listed])
    return [(batch, owner, tallies.get(batch.id, {})) for batch, owner in listed]


async def would_make(context: Context, actor: Actor, batch_id: str) -> BatchPreview:
    """How many jobs a draft would become when it is submitted, as far as its rows are checked; with the first of them.

    Raises:
        NotFound, NotAllowed, Conflict: as `batches.submit`.
    """
    async with context.database.read() as session:
        batch = await editable(session, actor, batch_id)
        states = [ItemState.NEW, ItemState.READY] + ([] if batch.reuse else [ItemState.KNOWN])
        items = await batches.items(session, batch_id, states)
    return BatchPreview(len(items), [{"name": item.name, **item.given} for item in items[:SAMPLE]])


async def view(context: Context, actor: Actor, batch_id: str, *, offset: int = 0, limit: int = 100) -> BatchView:
    """A batch with a page of its rows.

    Raises:
        NotFound
    """
    require(actor, "job.read")
    await refresh(context)
    async with context.database.read() as session:
        batch = await batches.get(session, batch_id)
        if batch is None or batch.kind != "jobs":
            raise NotFound(f"There is no batch {batch_id[:40]!r}.", hint="See the list of batches.")
        owner = (await batches.owner_name(session, batch)) or ""
        rows = await batches.rows(session, batch_id, offset=offset, limit=limit)
        strip = await batches.strip(session, batch_id)
        counts = await batches.counts(session, batch_id)
        cluster = await clusters.by_name(session, batch.form.get("cluster", ""))
        history = await batches.history(session, batch.template_id, cluster.id) if cluster else []
        sizes = await batches.sizes(session, batch_id) if batch.state == BatchState.DRAFT else []
        whole = (
            await batches.rows(session, batch_id) if batch.sweep.get("axes") and batch.state != BatchState.DRAFT else []
        )
    hours, estimated, similar = _cost(history, sizes, _cores(batch))
    return BatchView(
        batch,
        owner,
        context.templates.get(batch.template_id),
        cluster.name if cluster else "",
        rows,
        strip,
        counts,
        hours,
        estimated,
        similar,
        list(batch.sweep.get("corners", [])),
        _reached(batch, whole),
        _chart(batch, whole),
    )


def _cores(batch: Batch) -> int:
    try:
        return read_resources({key[2:]: value for key, value in batch.form.items() if key.startswith("r_")}).cores
    except InvalidInput:
        return 1


def _cost(history: Sequence[Past], sizes: Sequence[int], cores: int) -> tuple[float, int, int]:
    """Core-hours of all jobs together, for how many of them they are known, and from how many finished ones."""
    by_size: dict[int, Estimate | None] = {size: estimate(history, size, cores) for size in set(sizes)}
    sizes_known = [size_known for size in sizes if (size_known := by_size[size]) is not None]
    return (
        sum(size_known.core_hours for size_known in sizes_known),
        len(sizes_known),
        max((size_known.jobs for size_known in sizes_known), default=0),
    )


def _reached(batch: Batch, rows: Sequence[Row]) -> str:
    """In words, from which point on the energy stays within the tolerance."""
    tolerance = float(batch.sweep.get("tolerance") or 0.0)
    axes = batch.sweep.get("axes", [])
    if not tolerance or (len(axes) > 1 and batch.sweep.get("how") == "grid"):
        return ""
    first = converged_at([row.energy_total for row in rows], tolerance)
    if first is None:
        return ""
    where = ", ".join(f"{key} = {label(value)}" for key, value in rows[first].item.point.items())
    unfinished = any(row.job is None or JobState(row.job.state) not in TERMINAL for row in rows)
    return f"Converged within {tolerance:g} Ha from {where} on{' so far' if unfinished else ''}."


def _chart(batch: Batch, rows: Sequence[Row]) -> Chart | None:
    """Energy over the last axis; one line for each combination of the others."""
    axes = [axis["key"] for axis in batch.sweep.get("axes", [])]
    known = [row for row in rows if row.energy_total is not None]
    if not axes or not known:
        return None
    # Axes that go together are one: the first names the places.
    main, others = (axes[-1], axes[:-1]) if batch.sweep.get("how") == "grid" else (axes[0], [])
    places = [position(row.item.point[main]) for row in known]
    names = list(dict.fromkeys(label(row.item.point[main]) for row in rows)) if None in places else []
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for row, place in zip(known, places, strict=True):
        text = label(row.item.point[main])
        x = float(names.index(text)) if names else float(place or 0.0)
        line = ", ".join(f"{key} = {label(row.item.point[key])}" for key in others)
        lines.setdefault(line, []).append((x, row.energy_total or 0.0, f"{text}: {row.energy_total:.8f} Ha"))
    return line_chart(
        [(name, sorted(points)) for name, points in lines.items()],
        main,
        "energy / Ha",
        x_names=names,
        tolerance=float(batch.sweep.get("tolerance") or 0.0),
    )
