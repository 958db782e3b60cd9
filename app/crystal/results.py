"""What is read from an output, as one versioned schema that page, REST and command line share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA_VERSION = 1
HARTREE_EV = 27.211386245988
"""CODATA 2018."""


@dataclass
class Optimization:
    """State of a geometry optimisation. Energies in hartree, dispersion included where the functional has it."""

    converged: bool | None = None
    points: int = 0
    energy: float | None = None


@dataclass
class Atom:
    """Label, atomic number and position: fractional along periodic directions, Å along the others."""

    number: int
    symbol: str
    x: float
    y: float
    z: float
    asymmetric: bool


@dataclass
class Geometry:
    """Last geometry printed. Cells are a, b, c in Å and α, β, γ in degrees; volume in Å³."""

    primitive_cell: list[float] | None = None
    conventional_cell: list[float] | None = None
    volume: float | None = None
    atoms: list[Atom] = field(default_factory=list)
    optimized: bool = False


@dataclass
class Results:
    """Everything read from one output. Energies in hartree, gap in eV, frequencies in cm⁻¹, wall time in s."""

    schema_version: int = SCHEMA_VERSION
    program: str | None = None
    release: str | None = None
    program_version: str | None = None
    preview: bool = False
    title: str | None = None
    dimensionality: int | None = None
    hamiltonian: str | None = None
    energy_scf: float | None = None
    energy_total: float | None = None
    energy_kind: str | None = None
    scf_cycles: int | None = None
    scf_converged: bool | None = None
    optimization: Optimization | None = None
    gap_ev: float | None = None
    gap_kind: str | None = None
    gap_spin_ev: dict[str, float] | None = None
    fermi_energy: float | None = None
    k_mesh: list[int] | None = None
    geometry: Geometry | None = None
    frequencies_cm1: list[list[float]] | None = None
    wall_time_s: float | None = None
    normal_end: bool = False
    verdict: str = "incomplete"
    diagnosis: str | None = None
    diagnosis_code: str | None = None
    remedy: str | None = None
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Progress:
    """Where a running calculation is. `cycle` counts SCF cycles, `point` optimisation points."""

    phase: str = "waiting"
    cycle: int | None = None
    energy: float | None = None
    delta: float | None = None
    point: int | None = None
    step: int | None = None
    steps: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}
