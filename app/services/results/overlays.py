"""Jobs over each other as pictures: courses of their SCFs, bands, densities of states."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.crystal.outputs.reader import OutputReader
from app.db.repositories.jobs import JobRow
from app.db.tables import Job
from app.domain.drawing.bands import BandChart
from app.domain.drawing.charts import Chart, line_chart
from app.library.spectral import MOST_POINTS, overlay
from app.services.context import Context
from app.services.jobs.outputs import output_of
from app.services.results import electronic

Drawn = TypeVar("Drawn")
MOST = 8
"""Jobs in one picture: more lines cannot be told apart."""


@dataclass(frozen=True)
class Overlay(Generic[Drawn]):
    """A picture of several jobs, in the order of its lines."""

    chart: Drawn
    jobs: list[Job]


async def scf_courses(context: Context, rows: Sequence[JobRow]) -> Overlay[Chart] | None:
    """log₁₀ |ΔE| over the cycle, for each job's last SCF."""
    found = await asyncio.gather(*(_course(context, row.job) for row in rows[:MOST]))
    return _lines([(job, points) for job, points in found if len(points) > 1], "SCF cycle", "log₁₀ |ΔE / Ha|")


def _lines(
    found: Sequence[tuple[Job, Sequence[tuple[float, float, str]]]], x_label: str, y_label: str
) -> Overlay[Chart] | None:
    chart = line_chart([(job.name, points) for job, points in found], x_label, y_label) if len(found) > 1 else None
    return Overlay(chart, [job for job, _ in found]) if chart else None


async def _course(context: Context, job: Job) -> tuple[Job, list[tuple[float, float, str]]]:
    output = output_of(context, job)
    if output is None:
        return job, []
    try:
        return job, await context.readings.ask(output.path, _points)
    except OSError:
        return job, []


def _points(reader: OutputReader) -> list[tuple[float, float, str]]:
    if not reader.series.scf:
        return []
    run = reader.series.scf[-1]
    known = [(cycle, delta) for cycle, delta in zip(run.cycles, run.deltas, strict=True) if delta == delta and delta]
    stride = max(1, len(known) // MOST_POINTS)
    return [
        (float(cycle), math.log10(abs(delta)), f"cycle {cycle}: ΔE {delta:.2e} Ha") for cycle, delta in known[::stride]
    ]


@dataclass(frozen=True)
class Spectra:
    """Electrons of several jobs over each other, each from its own Fermi energy."""

    bands: Overlay[BandChart] | None
    elsewhere: list[str]
    """Names of jobs that are left out, since their bands run along other points."""
    densities: Overlay[Chart] | None


async def spectra(context: Context, user: int, rows: Sequence[JobRow]) -> Spectra:
    """Bands along the path of the first job that has any, and total densities of states."""
    sources = list((await electronic.sources_of(context, [row.job for row in rows[:MOST]])).values())
    overlaid = await context.workers.run(user, overlay, sources)
    by_id = {row.job.id: row.job for row in rows}
    bands = Overlay(overlaid.bands, [by_id[job] for job in overlaid.along]) if overlaid.bands else None
    densities = (
        Overlay(overlaid.densities, [by_id[job] for job in overlaid.with_densities]) if overlaid.densities else None
    )
    return Spectra(bands, overlaid.elsewhere, densities)
