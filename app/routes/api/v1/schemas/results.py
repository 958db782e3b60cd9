"""Shapes of REST answers about results of several jobs beside each other; energies in hartree."""

from __future__ import annotations

from pydantic import BaseModel

from app.domain.studies import Study
from app.services.results.comparison import Comparison


class StudyTable(BaseModel):
    """A quantity over a parameter, as differences to its last value, and from which value on they stay within `tolerance`."""

    parameter: str
    of: str
    unit: str
    values: list[str]
    differences: list[float]
    tolerance: float
    reached: str | None


class ComparisonTable(BaseModel):
    """Values of what differs, in the order of `jobs`. Hartree, eV, Å³; relative energies to the lowest one of the same formula."""

    jobs: list[str]
    differing: dict[str, list[str]]
    energies: list[float | None]
    per_atom: list[float | None]
    relative: list[float | None]
    relative_per_atom: bool
    formulas: list[str]
    per_formula: list[float | None]
    gaps: list[float | None]
    volumes: list[float | None]
    study: StudyTable | None = None


def study_table(study: Study) -> StudyTable:
    """A convergence study as the comparison answers."""
    return StudyTable(
        parameter=study.key, of=study.name, unit=study.quantity.unit, values=study.values, differences=study.differences,
        tolerance=study.tolerance, reached=study.reached or None,
    )  # fmt: skip


def comparison_table(found: Comparison) -> ComparisonTable:
    """A comparison as its route answers."""
    return ComparisonTable(
        jobs=[row.job.id for row in found.rows], differing=dict(found.differing), energies=found.energies,
        per_atom=found.per_atom, relative=found.relative, relative_per_atom=found.relative_per_atom,
        formulas=found.formulas, per_formula=found.per_formula, gaps=found.gaps, volumes=found.volumes,
        study=study_table(found.study) if found.study else None,
    )  # fmt: skip
