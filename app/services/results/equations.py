"""Energy over volume of a job that computed several volumes, with its fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.crystal.properties.equation_of_state import fit_eos
from app.db.repositories import jobs
from app.db.tables import JobResult
from app.domain.drawing.charts import Chart, line_chart
from app.domain.people.permissions import Actor
from app.errors import NotFound
from app.services.context import Context
from app.services.jobs.outputs import job_of


@dataclass(frozen=True)
class EquationOfState:
    """Volumes (Å³) and energies (hartree) as printed; the fit is empty where there is none, `problem` says why."""

    volumes: list[float]
    energies: list[float]
    fit: dict[str, float]
    problem: str = ""

    def chart(self) -> Chart | None:
        """Energy over volume; None where there is nothing to draw."""
        points = [
            (volume, energy, f"{volume:.3f} Å³: {energy:.8f} Ha")
            for volume, energy in sorted(zip(self.volumes, self.energies, strict=True))
        ]
        return line_chart([("computed", points)], "volume / Å³", "energy / Ha")


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


def shown(results: Sequence[JobResult]) -> EquationOfState | None:
    """What the results of a job hold, fitted."""
    given: dict[str, Any] | None = next(
        (row.results.get("energy_volume") for row in results if row.results.get("energy_volume")), None
    )
    if not given or not given["volumes"]:
        return None
    try:
        return EquationOfState(given["volumes"], given["energies"], fit_eos(given["volumes"], given["energies"]))
    except ValueError as error:
        return EquationOfState(given["volumes"], given["energies"], {}, str(error))
