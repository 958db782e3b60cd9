"""Jobs beside each other as pictures: courses of their SCFs, bands, densities of states, and how a value converges."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.results import HARTREE_EV
from app.db.repositories.jobs import JobRow
from app.db.tables import Job
from app.domain.band_charts import WINDOW, BandChart, overlaid_chart
from app.domain.charts import Chart, line_chart
from app.domain.sweeps import converged_at, label
from app.services import electronic
from app.services.context import Context
from app.services.outputs import output_of

Drawn = TypeVar("Drawn")
MOST = 8
"""Jobs in one picture: more lines cannot be told apart."""
MOST_POINTS = 400


@dataclass(frozen=True)
class Quantity:
    """What may converge: in words, the axis, and how far its values may lie from the last one."""

    words: str
    axis: str
    unit: str
    tolerance: float


QuantityName = Literal["energy", "gap", "volume"]
QUANTITIES: Mapping[QuantityName, Quantity] = {
    "energy": Quantity("Energy per atom", "ΔE per atom / meV", "meV per atom", 1.0),
    "gap": Quantity("Band gap", "ΔE_gap / meV", "meV", 10.0),
    "volume": Quantity("Volume per atom", "ΔV per atom / Å³", "Å³ per atom", 0.01),
}


@dataclass(frozen=True)
class Study:
    """How a quantity settles over one parameter: chart, and the first value from which it stays within the tolerance."""

    key: str
    name: QuantityName
    values: list[str]
    """Of the parameter, as they are written."""
    differences: list[float]
    """Of the quantity, to that of the last value; in its unit."""
    chart: Chart
    tolerance: float
    reached: str

    @property
    def quantity(self) -> Quantity:
        return QUANTITIES[self.name]


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


async def spectra(context: Context, rows: Sequence[JobRow]) -> Spectra:
    """Bands along the path of the first job that has any, and total densities of states."""
    shown = await asyncio.gather(*(electronic.shown(context, row.job) for row in rows[:MOST]))
    found = [one for one in shown if one is not None]
    with_bands = [one for one in found if one.bands is not None and len(one.nodes) > 1]
    same = [one for one in with_bands if one.path == with_bands[0].path]
    chart = overlaid_chart([one.band_set() for one in same]) if len(same) > 1 else None
    return Spectra(
        Overlay(chart, [one.job for one in same]) if chart else None,
        [one.job.name for one in with_bands if one.path != with_bands[0].path],
        _lines([(one.job, _density(one)) for one in found if one.dos is not None], "E − E_F / eV", "DOS / (states/eV/cell)"),
    )  # fmt: skip


def _density(found: electronic.Electronic) -> list[tuple[float, float, str]]:
    """Total density of states of both spins around the Fermi energy."""
    assert found.dos is not None
    total = found.dos.densities[:, -1, :].sum(axis=0) / HARTREE_EV
    energies = found.dos.energies * HARTREE_EV
    known = [(float(e), float(d)) for e, d in zip(energies, total, strict=True) if WINDOW[0] <= e <= WINDOW[1]]
    stride = max(1, len(known) // MOST_POINTS)
    return [(e, d, f"{e:.2f} eV: {d:.3f}") for e, d in known[::stride]]


def studied_key(rows: Sequence[JobRow], differing: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The only parameter of the calculation that differs between jobs of one template; empty where there is no such one."""
    own = [key for key, _ in differing if any(key in row.job.parameters for row in rows) and key != "title"]
    return own[0] if len(own) == 1 and len({row.job.template_id for row in rows}) == 1 else ""


def study(
    rows: Sequence[JobRow],
    key: str,
    name: QuantityName,
    values: Sequence[float | None],
    tolerance: float | None = None,
) -> Study | None:
    """A quantity over a parameter; None where fewer than three jobs tell it.

    Args:
        key: the parameter.
        values: of the quantity, by job, in its unit.
        tolerance: in the same unit; otherwise the quantity's own.
    """
    known = [
        (_order(row.job.parameters.get(key)), label(row.job.parameters.get(key)), value)
        for row, value in zip(rows, values, strict=True)
        if value is not None and row.job.parameters.get(key) is not None
    ]
    if len(known) < 3:
        return None
    known.sort(key=lambda one: one[0])
    quantity, names = QUANTITIES[name], [written for _, written, _ in known]
    tolerance = quantity.tolerance if tolerance is None else tolerance
    differences = [value - known[-1][2] for _, _, value in known]
    unit = quantity.unit.split(" ")[0]
    numeric = all(isinstance(order[0], float) for order, _, _ in known)
    points = [
        (order[0] if numeric else float(place), difference, f"{written}: {difference:+.3f} {unit}")
        for place, ((order, written, _), difference) in enumerate(zip(known, differences, strict=True))
    ]
    chart = line_chart([(key, points)], key, quantity.axis, x_names=[] if numeric else names, tolerance=tolerance)
    if chart is None:
        return None
    first = converged_at(differences, tolerance)
    return Study(key, name, names, differences, chart, tolerance, "" if first is None else names[first])


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
