"""Jobs beside each other: only what differs between them, and their energies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.db.repositories import jobs
from app.db.repositories.jobs import JobFilter, JobRow
from app.domain.permissions import Actor, require
from app.errors import InvalidInput
from app.services.context import Context

MAX_JOBS = 50


@dataclass(frozen=True)
class Comparison:
    """Jobs, and for each parameter that differs its label and one value per job. Energies in hartree."""

    rows: list[JobRow]
    differing: list[tuple[str, list[str]]]
    energies: list[float | None]
    per_atom: list[float | None]
    relative: list[float | None]
    """To the lowest one: per cell where all cells hold equally many atoms, else per atom."""
    relative_per_atom: bool


async def compare(context: Context, actor: Actor, ids: Sequence[str]) -> Comparison:
    """What differs between jobs.

    Raises:
        InvalidInput: fewer than two jobs exist, or too many were named.
    """
    require(actor, "job.read")
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MAX_JOBS:
        raise InvalidInput(f"{len(wanted)} jobs were chosen.", hint=f"Tick at most {MAX_JOBS}.")
    async with context.database.read() as session:
        found = [
            row for job_id in wanted if (row := next(iter(await jobs.listing(session, JobFilter(id=job_id))), None))
        ]
    if len(found) < 2:
        raise InvalidInput("A comparison needs at least two jobs.", hint="Tick them in the list of jobs.")
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
    lowest = min((value for value in basis if value is not None), default=None)
    relative = [value - lowest if value is not None and lowest is not None else None for value in basis]
    return Comparison(found, differing, energies, per_atom, relative, not same)


def _facts(row: JobRow) -> dict[str, Any]:
    job = row.job
    resources = {key: value for key, value in job.resources.items() if value}
    return {"cluster": row.cluster, "owner": row.owner, "template": job.template_id, **job.parameters, **resources}


def _text(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "; ".join(" ".join(str(cell) for cell in line.values()) for line in value)
    return " ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)
