"""Jobs beside each other: only what differs between them, and their energies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.crystal.constants import HARTREE_EV
from app.crystal.outputs.results import WAVE_FUNCTION
from app.db.repositories import jobs
from app.db.repositories.jobs import JobRow
from app.db.tables import JobResult
from app.domain.drawing.charts import Chart
from app.domain.jobs import JobFilter
from app.domain.people.permissions import Actor, require
from app.domain.studies import QuantityName, Study, study
from app.errors import InvalidInput
from app.services.context import Context
from app.services.results import overlays
from app.services.results.overlays import Overlay, Spectra

MAX_JOBS = 50
HARTREE_MEV = HARTREE_EV * 1000


@dataclass(frozen=True)
class Comparison:
    """Jobs, and for each parameter that differs its label and one value per job. Energies in hartree."""

    rows: list[JobRow]
    differing: list[tuple[str, list[str]]]
    energies: list[float | None]
    per_atom: list[float | None]
    relative: list[float | None]
    """To the lowest one of the same formula: per cell where all cells hold equally many atoms, else per atom."""
    relative_per_atom: bool
    formulas: list[str]
    """Of each job, such as MgO; empty where its output tells no geometry."""
    per_formula: list[float | None]
    """Energies per formula unit, hartree."""
    gaps: list[float | None]
    """Band gaps in eV."""
    volumes: list[float | None]
    """Of the primitive cell, per atom, in Å³; None for what is not a crystal in three dimensions."""
    scf: Overlay[Chart] | None
    spectra: Spectra
    study: Study | None
    studies: list[QuantityName]
    """Of what there are studies for these jobs."""

    def columns(self) -> dict[str, list[Any]]:
        """The table by column, for a spreadsheet: one row for each job."""
        found: dict[str, list[Any]] = {
            "id": [row.job.id for row in self.rows], "name": [row.job.name for row in self.rows],
            "state": [row.job.state for row in self.rows], "formula": list(self.formulas),
        }  # fmt: skip
        found |= {key: list(values) for key, values in self.differing}
        return found | {
            "energy_ha": list(self.energies), "energy_per_formula_ha": list(self.per_formula),
            "energy_per_atom_ha": list(self.per_atom),
            "relative_mev": [None if value is None else value * HARTREE_MEV for value in self.relative],
            "gap_ev": list(self.gaps), "volume_per_atom_a3": list(self.volumes),
        }  # fmt: skip


async def compare(
    context: Context,
    actor: Actor,
    ids: Sequence[str],
    *,
    of: QuantityName = "energy",
    tolerance: float | None = None,
) -> Comparison:
    """What differs between jobs.

    Args:
        of: the quantity of a convergence study; tolerance: in its unit.

    Raises:
        InvalidInput: fewer than two jobs exist, or too many were named.
    """
    require(actor, "job.read")
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MAX_JOBS:
        raise InvalidInput(f"{len(wanted)} jobs were selected.", hint=f"Select at most {MAX_JOBS}.")
    async with context.database.read() as session:
        found = [
            row
            for job_id in wanted
            if (row := next(iter(await jobs.listing(session, JobFilter(id=job_id), whole=True)), None))
        ]
    if len(found) < 2:
        raise InvalidInput("A comparison needs at least two jobs.", hint="Select them in the list of jobs.")
    facts = [_facts(row) for row in found]
    keys = list(dict.fromkeys(key for one in facts for key in one))
    differing = [
        (key, values) for key in keys if len(set(values := [_text(one.get(key)) for one in facts])) > 1
    ]  # fmt: skip
    energies = [row.energy_total for row in found]
    atoms = [row.job.atoms for row in found]
    per_atom = [
        energy / number if energy is not None and number else None
        for energy, number in zip(energies, atoms, strict=True)
    ]
    same = len(set(atoms)) == 1
    basis = energies if same else per_atom
    async with context.database.read() as session:
        held = await jobs.results_of(session, [row.job.id for row in found])
    results = [_of(held, row) for row in found]
    units = [_formula(one) for one in results]
    relative = _relative(basis, [formula for formula, _ in units])
    per_formula = [
        energy / count if energy is not None and count else None
        for energy, (_, count) in zip(energies, units, strict=True)
    ]
    gaps, volumes = [one.get("gap_ev") for one in results], [_volume(one) for one in results]
    quantities: dict[QuantityName, list[float | None]] = {
        "energy": [None if value is None else value * HARTREE_MEV for value in per_atom],
        "gap": [None if gap is None else gap * 1000 for gap in gaps],
        "volume": volumes,
    }
    # Energies of different substances converge to nothing.
    key = _studied_key(found, differing) if len({formula for formula, _ in units}) == 1 else ""
    given = [row.job.parameters.get(key) for row in found]
    studies = {
        name: one
        for name, values in quantities.items()
        if key and (one := study(key, given, name, values, tolerance if name == of else None))
    }
    return Comparison(
        found, differing, energies, per_atom, relative, not same, [formula for formula, _ in units], per_formula, gaps,
        volumes, await overlays.scf_courses(context, found), await overlays.spectra(context, actor.user_id, found), studies.get(of),
        list(studies),
    )  # fmt: skip


def _studied_key(rows: Sequence[JobRow], differing: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The only parameter of the calculation that differs between jobs of one template; empty where none or several do."""
    own = [key for key, _ in differing if any(key in row.job.parameters for row in rows) and key != "title"]
    return own[0] if len(own) == 1 and len({row.job.template_id for row in rows}) == 1 else ""


def _relative(energies: Sequence[float | None], formulas: Sequence[str]) -> list[float | None]:
    """To the lowest energy of the same substance: differences between substances say nothing."""
    lowest: dict[str, float] = {}
    for energy, formula in zip(energies, formulas, strict=True):
        if energy is not None:
            lowest[formula] = min(energy, lowest.get(formula, energy))
    return [
        None if energy is None else energy - lowest[formula] for energy, formula in zip(energies, formulas, strict=True)
    ]


def _volume(results: Mapping[str, Any]) -> float | None:
    geometry = results.get("geometry") or {}
    if results.get("dimensionality") != 3 or not geometry.get("volume") or not geometry.get("atoms"):
        return None
    return float(geometry["volume"]) / len(geometry["atoms"])


def _of(held: Mapping[tuple[str, str], JobResult], row: JobRow) -> Mapping[str, Any]:
    """The results of a job's first output that computed an energy, else of any."""
    own = [one.results for (job_id, _), one in held.items() if job_id == row.job.id]
    computed = (one for one in own if one.get("energy_total") is not None and one.get("energy_kind") != WAVE_FUNCTION)
    return next(computed, own[0] if own else {})


def _formula(results: Mapping[str, Any]) -> tuple[str, int]:
    """The formula unit of a cell, elements in the order of the alphabet, and how many of it the cell holds."""
    counts: dict[str, int] = {}
    for atom in (results.get("geometry") or {}).get("atoms") or []:
        counts[atom["symbol"]] = counts.get(atom["symbol"], 0) + 1
    units = math.gcd(*counts.values()) if counts else 0
    return "".join(f"{name}{count // units if count > units else ''}" for name, count in sorted(counts.items())), units


def _facts(row: JobRow) -> dict[str, Any]:
    job = row.job
    resources = {key: value for key, value in job.resources.items() if value}
    return {"cluster": row.cluster, "owner": row.owner, "template": job.template_id, **job.parameters, **resources}


def _text(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "; ".join(" ".join(str(cell) for cell in line.values()) for line in value)
    return " ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)
