"""What is read from an output, as one versioned schema that page, REST and command line share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

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
class BandSummary:
    """Bands along a path: energies in hartree, on the absolute scale of the calculation. Edges are None for a metal."""

    count: int = 0
    spins: int = 1
    points: int = 0
    fermi_energy: float | None = None
    valence_top: float | None = None
    conduction_bottom: float | None = None
    means: list[float] = field(default_factory=list)
    """Of each band of the first spin, over the path."""


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
    bands: BandSummary | None = None
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


def shape_of_results() -> dict[str, Any]:
    """What `Results` holds, for those who name a value before there is one: by name its kind, or a shape of its own.

    Kinds: number, boolean, text, list, mapping.
    """
    return _shape(Results)


def _shape(owner: type) -> dict[str, Any]:
    return {name: _kind(hint) for name, hint in get_type_hints(owner).items()}


def _kind(hint: Any) -> Any:
    parts = [part for part in get_args(hint) if part is not NoneType] if get_origin(hint) is UnionType else [hint]
    found = parts[0]
    if is_dataclass(found):
        return _shape(found)  # type: ignore[arg-type]
    if found in (int, float):
        return "number"
    return {bool: "boolean", str: "text", dict: "mapping", list: "list"}.get(get_origin(found) or found, "any")
