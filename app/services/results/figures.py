"""Everything that the page of a job draws, gathered: bands, densities of states, vibrations, equation of state, structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.crystal.files import CUBE_FILES
from app.crystal.outputs.stability import final_imaginary
from app.crystal.outputs.stored import with_all_fields
from app.db.tables import Job
from app.domain.drawing.bands import BandChart
from app.domain.drawing.charts import Chart
from app.domain.drawing.spectra import Shape
from app.domain.drawing.thermal import thermal_charts
from app.domain.people.permissions import Actor
from app.errors import FieldError, InvalidInput
from app.library.spectral import Electronic
from app.services.context import Context
from app.services.jobs.outputs import output_of, record_of
from app.services.results import analyses, electronic, equations, vibrations
from app.services.results.analyses import Analyses
from app.services.results.equations import EquationOfState
from app.services.results.vibrations import WIDTH, Vibrations, checked_width


@dataclass(frozen=True)
class Wanted:
    """How figures are drawn: the window of energies in eV, the broadening of spectra."""

    low: float | None = None
    high: float | None = None
    width: float = WIDTH
    shape: Shape = "lorentzian"

    def window(self) -> tuple[float, float] | None:
        """
        Raises:
            InvalidInput: the upper end is not above the lower one.
        """
        if self.low is None or self.high is None:
            return None
        if not -1e5 < self.low < self.high < 1e5:
            raise InvalidInput(
                f"Energies from {self.low:g} to {self.high:g} eV cannot be drawn.", hint="Enter the lower limit first.",
                fields=[FieldError("e_high", "must be above the lower limit", f"{self.high:g}")],
            )  # fmt: skip
        return self.low, self.high


@dataclass(frozen=True)
class ElectronicFigure:
    """Bands and densities of states, and the picture of them."""

    found: Electronic
    chart: BandChart


@dataclass(frozen=True)
class Figures:
    """What can be drawn of a job."""

    job: Job
    electronic: ElectronicFigure | None
    vibrations: Vibrations | None
    equation: EquationOfState | None
    thermal: list[tuple[str, Chart]]
    """Of the quasi-harmonic approximation, by title."""
    analyses: Analyses | None
    has_structure: bool
    structure_words: str
    cubes: list[str]
    imaginary: int

    @property
    def any(self) -> bool:
        """Whether there is anything to draw."""
        drawn = self.electronic or self.vibrations or self.equation or self.thermal or self.analyses
        return bool(drawn or self.has_structure)


async def figures(context: Context, actor: Actor, job_id: str, wanted: Wanted) -> Figures:
    """
    Raises:
        NotFound: no such job. InvalidInput: how it is to be drawn.
    """
    record = await record_of(context, actor, job_id)
    job, results = record.job, record.results
    window, width = wanted.window(), checked_width(wanted.width)
    found = await electronic.of_record(context, actor, record)
    chart = await electronic.chart(context, actor.user_id, found, window) if found is not None else None
    modes: list[dict[str, Any]] = next((row.results["modes"] for row in results if row.results.get("modes")), [])
    tables = [table for row in results for table in row.results.get("thermal_tables") or []]
    geometry = next((one for row in results if (one := row.results.get("geometry"))), None)
    return Figures(
        job,
        ElectronicFigure(found, chart) if found is not None and chart is not None else None,
        await vibrations.shown(context, actor.user_id, job, record.names, modes, width, wanted.shape),
        equations.shown(results), thermal_charts(tables), await analyses.shown(context, actor.user_id, record),
        geometry is not None or output_of(context, job) is not None,
        _structure_words(geometry), [name for name in record.names if name.endswith(CUBE_FILES)],
        sum(final_imaginary(with_all_fields(row.results)) for row in results),
    )  # fmt: skip


def _structure_words(geometry: dict[str, Any] | None) -> str:
    """The geometry in a sentence, for those who do not see the picture."""
    if not geometry or not geometry.get("atoms"):
        return ""
    counts: dict[str, int] = {}
    for atom in geometry["atoms"]:
        counts[atom["symbol"]] = counts.get(atom["symbol"], 0) + 1
    formula = "".join(f"{symbol}{_below(count)}" for symbol, count in sorted(counts.items()))
    cell = geometry.get("conventional_cell") or geometry.get("primitive_cell")
    words = f"{formula} in the primitive cell"
    if not cell:
        return f"{words}."
    lengths, angles = (" ".join(f"{value:g}" for value in part) for part in (cell[:3], cell[3:]))
    return f"{words}; cell {lengths} Å, {angles}°."


def _below(count: int) -> str:
    """A number of atoms as a subscript; none for a single atom."""
    return str(count).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) if count > 1 else ""
