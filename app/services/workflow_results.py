"""What a run shows for its results beside numbers: the bands of a step that computed some."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.crystal.bands import BandError, Bands, read_bands
from app.crystal.results import HARTREE_EV
from app.db.tables import Job
from app.domain.band_charts import BandChart, band_chart
from app.domain.permissions import Actor, require
from app.services.context import Context
from app.services.workflow_views import RunView

MOST = 4
"""Pictures on one page."""
BAND_FILE = "BAND.DAT"


@dataclass(frozen=True)
class Figure:
    """A picture of a job's results: which step and job, in words, and what is drawn."""

    step: str
    job_id: str
    words: str
    bands: BandChart


async def figures(context: Context, actor: Actor, view: RunView) -> list[Figure]:
    """Band structures of the run's completed jobs, the first few."""
    require(actor, "job.read")
    found: list[Figure] = []
    for one in view.steps:
        for task in one.tasks:
            if task.job is None or task.task.state != "completed" or len(found) >= MOST:
                continue
            figure = await bands_of(context, task.job)
            if figure is not None:
                chart, words = figure
                name = one.spec.heading if len(one.tasks) == 1 else f"{one.spec.heading} {task.task.number + 1}"
                found.append(Figure(name, task.job.id, words, chart))
    return found


async def bands_of(context: Context, job: Job) -> tuple[BandChart, str] | None:
    """The band structure that a job left here, and its edges in words."""
    path = context.job_folder(job.id) / "files" / BAND_FILE
    if not path.is_file():
        return None
    return await asyncio.to_thread(_drawn, path, _labels(job.decks))


def _labels(decks: Mapping[str, str]) -> list[str]:
    """Names of the path's nodes, as the title of BAND has them: `G-X-U|K-G`."""
    text = next((text for name, text in decks.items() if name.endswith(".d3")), "")
    lines = text.split("\n")
    place = next((index for index, line in enumerate(lines) if line.strip() == "BAND"), len(lines))
    title = (lines[place + 1].split() or [""])[0] if place + 1 < len(lines) else ""
    return [{"G": "Γ"}.get(part, part) for part in title.split("-")]


def _drawn(path: Path, labels: Sequence[str]) -> tuple[BandChart, str] | None:
    try:
        bands = read_bands(path.read_text(encoding="utf-8", errors="replace"))
    except (BandError, OSError):
        return None
    nodes = bands.nodes
    if len(labels) == len(nodes):
        nodes = [(at, label) for (at, _), label in zip(nodes, labels, strict=True)]
    chart = band_chart(bands.distances.tolist(), (bands.energies * HARTREE_EV).tolist(), nodes)
    return (chart, _words(bands)) if chart is not None else None


def _words(bands: Bands) -> str:
    found = bands.summary()
    if found.valence_top is None or found.conduction_bottom is None:
        gap = "the bands cross the Fermi energy" if found.count > 1 else ""
    else:
        gap = f"gap along the path {(found.conduction_bottom - found.valence_top) * HARTREE_EV:.3f} eV"
    spins = ", two spins" if found.spins == 2 else ""
    return f"{found.count} bands{spins} at {found.points} points; {gap}".rstrip("; ")
