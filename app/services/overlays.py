"""Jobs beside each other as pictures: courses of their SCFs, bands, densities of states, and how a value converges."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.results import HARTREE_EV
from app.db.repositories.jobs import JobRow
from app.db.tables import Job
from app.domain.band_charts import BandChart, overlaid_chart
from app.domain.charts import Chart, line_chart
from app.domain.sweeps import converged_at, label
from app.services import electronic
from app.services.context import Context
from app.services.outputs import output_of

MOST = 8
"""Jobs in one picture: more lines cannot be told apart."""
MOST_POINTS = 400


@dataclass(frozen=True)
class Study:
    """How the energy settles over one parameter: chart, and the first value from which it stays within the tolerance."""

    key: str
    chart: Chart
    tolerance: float
    """meV per atom."""
    reached: str


async def scf_courses(context: Context, rows: Sequence[JobRow]) -> Chart | None:
    """log₁₀ |ΔE| over the cycle, for each job's last SCF."""
    found = await asyncio.gather(*(_course(context, row.job) for row in rows[:MOST]))
    lines = [(name, points) for name, points in found if len(points) > 1]
    return line_chart(lines, "SCF cycle", "log₁₀ |ΔE / Ha|") if len(lines) > 1 else None


async def _course(context: Context, job: Job) -> tuple[str, list[tuple[float, float, str]]]:
    output = output_of(context, job)
    if output is None:
        return job.name, []
    try:
        return job.name, await context.readings.ask(output.path, _points)
    except OSError:
        return job.name, []


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
    """Electrons of several jobs over each other, each from its own Fermi energy; names in the order of the lines."""

    bands: BandChart | None
    names: list[str]
    """Of the jobs whose bands are drawn."""
    elsewhere: list[str]
    """Names of jobs that are left out, since their bands run along other points."""
    densities: Chart | None


async def spectra(context: Context, rows: Sequence[JobRow]) -> Spectra:
    """Bands along the path of the first job that has any, and total densities of states."""
    found = [
        one
        for one in await asyncio.gather(*(electronic.shown(context, row.job) for row in rows[:MOST]))
        if one is not None
    ]
    with_bands = [one for one in found if one.bands is not None and len(one.nodes) > 1]
    same = [one for one in with_bands if one.path == with_bands[0].path]
    chart = overlaid_chart([one.band_set() for one in same]) if len(same) > 1 else None
    return Spectra(
        chart, [one.job.name for one in same] if chart else [],
        [one.job.name for one in with_bands if one.path != with_bands[0].path], _densities(found),
    )  # fmt: skip


def _densities(found: Sequence[electronic.Electronic]) -> Chart | None:
    lines = []
    for one in found:
        if one.dos is None:
            continue
        total = one.dos.densities[:, -1, :].sum(axis=0) / HARTREE_EV
        energies = one.dos.energies * HARTREE_EV
        points = [
            (float(e), float(d), f"{e:.2f} eV: {d:.3f}") for e, d in zip(energies, total, strict=True) if -15 <= e <= 10
        ]
        if len(points) > 1:
            lines.append((one.job.name, points))
    return line_chart(lines, "E − E_F / eV", "DOS / (states/eV/cell)") if len(lines) > 1 else None


def study(
    rows: Sequence[JobRow],
    differing: Sequence[tuple[str, Sequence[str]]],
    per_atom: Sequence[float | None],
    tolerance: float,
) -> Study | None:
    """Energy per atom over the only parameter of the calculation that differs; None where there is no such one.

    Args:
        tolerance: meV per atom.
    """
    own = [key for key, _ in differing if any(key in row.job.parameters for row in rows) and key != "title"]
    if len(own) != 1 or len({row.job.template_id for row in rows}) > 1:
        return None
    key = own[0]
    known = [
        (_order(row.job.parameters.get(key)), label(row.job.parameters.get(key)), energy)
        for row, energy in zip(rows, per_atom, strict=True)
        if energy is not None and row.job.parameters.get(key) is not None
    ]
    if len(known) < 3:
        return None
    known.sort(key=lambda one: one[0])
    energies = [energy * HARTREE_EV * 1000 for _, _, energy in known]
    lowest = energies[-1]
    numeric = all(isinstance(order[0], float) for order, _, _ in known)
    points = [
        (order[0] if numeric else float(place), energy - lowest, f"{name}: {energy - lowest:+.3f} meV")
        for place, ((order, name, _), energy) in enumerate(zip(known, energies, strict=True))
    ]
    names = [] if numeric else [name for _, name, _ in known]
    chart = line_chart([(key, points)], key, "ΔE per atom / meV", x_names=names, tolerance=tolerance)
    if chart is None:
        return None
    first = converged_at(energies, tolerance)
    return Study(key, chart, tolerance, "" if first is None else known[first][1])


def _order(value: Any) -> tuple[Any, ...]:
    """Numbers by size, lists by their members, words as they are."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (float(value),)
    if isinstance(value, list):
        return tuple(str(part).rjust(12) for part in value)
    try:
        parts = [float(part) for part in str(value).split()]
        return tuple(parts) if len(parts) == 1 else (sum(parts), *parts)
    except ValueError:
        return (str(value),)
