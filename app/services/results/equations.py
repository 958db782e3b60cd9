"""Energy over volume of a job that computed several volumes, with its fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.crystal.properties.equation_of_state import birch_murnaghan, fit_eos
from app.db.repositories import jobs
from app.db.tables import JobResult
from app.domain.drawing.charts import Chart, line_chart
from app.domain.people.permissions import Actor
from app.errors import NotFound
from app.services.context import Context
from app.services.jobs.outputs import job_of

STEPS = 60
"""Parts of a drawn curve."""


@dataclass(frozen=True)
class EquationOfState:
    """Volumes (Å³) and energies (hartree) as printed; the fit is empty where there is none, `problem` says why."""

    volumes: list[float]
    energies: list[float]
    fit: dict[str, float]
    problem: str = ""
    fits: list[dict[str, Any]] = field(default_factory=list)
    """The program's own, by `form`."""

    def chart(self) -> Chart | None:
        """Energy over volume; None where there is nothing to draw."""
        points = [
            (volume, energy, f"{volume:.3f} Å³: {energy:.8f} Ha")
            for volume, energy in sorted(zip(self.volumes, self.energies, strict=True))
        ]
        return line_chart([("computed", points), *self._curve()], "volume / Å³", "energy / Ha")

    def _curve(self) -> list[tuple[str, list[tuple[float, float, str]]]]:
        """The program's fit by Birch and Murnaghan, over the volumes that were computed."""
        fit = next(
            (fit for fit in self.fits if fit["form"].startswith("BIRCH") and fit["derivative"] is not None), None
        )
        if fit is None or fit["volume"] <= 0:
            return []
        low, high = min(self.volumes), max(self.volumes)
        volumes = [low + (high - low) * step / STEPS for step in range(STEPS + 1)]
        return [("fit by CRYSTAL", [(volume, birch_murnaghan(volume, fit), f"{volume:.3f} Å³") for volume in volumes])]


async def equation_of_state(context: Context, actor: Actor, job_id: str) -> EquationOfState:
    """
    Raises:
        NotFound: no such job, or it computed no volumes.
    """
    await job_of(context, actor, job_id)
    async with context.database.read() as session:
        found = shown(await jobs.results(session, job_id))
    if found is None:
        raise NotFound(f"Job {job_id} has no energies over volumes.", hint="They come from the keyword EOS.")
    return found


async def thermal_tables(context: Context, actor: Actor, job_id: str) -> list[dict[str, Any]]:
    """The tables of the quasi-harmonic approximation, as they were printed.

    Raises:
        NotFound: no such job, or its outputs hold none.
    """
    await job_of(context, actor, job_id)
    async with context.database.read() as session:
        results = await jobs.results(session, job_id)
    tables = [table for row in results for table in row.results.get("thermal_tables") or []]
    if not tables:
        raise NotFound(f"Job {job_id} has no tables over temperature.", hint="They come from the keyword QHA.")
    return tables


def shown(results: Sequence[JobResult]) -> EquationOfState | None:
    """What the results of a job hold, fitted."""
    given: dict[str, Any] | None = next(
        (row.results.get("energy_volume") for row in results if row.results.get("energy_volume")), None
    )
    if not given or not given["volumes"]:
        return None
    volumes, energies, fits = given["volumes"], given["energies"], given.get("fits") or []
    try:
        return EquationOfState(volumes, energies, fit_eos(volumes, energies), fits=fits)
    except ValueError as error:
        return EquationOfState(volumes, energies, {}, str(error), fits)
