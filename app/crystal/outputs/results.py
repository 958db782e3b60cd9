"""What is read from an output, as one versioned schema that page, REST, client and exports share.

`Results` are the facts: small, kept in the database. What grows with the calculation stands in `series`.
docs/developer/results.md explains every field.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, is_dataclass
from math import isfinite
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from app.crystal.outputs.facts.contents import Contents
from app.crystal.outputs.facts.elasticity import Elasticity
from app.crystal.outputs.facts.electrons import BandSummary, Populations, Smearing
from app.crystal.outputs.facts.geometry import Geometry, Optimization
from app.crystal.outputs.facts.polarisation import Dielectric, Polarisation
from app.crystal.outputs.facts.pressure import ExternalLoad, Forces, Stress
from app.crystal.outputs.facts.properties import CriticalPoint, Diffraction, WaveFunction
from app.crystal.outputs.facts.vibrations import (
    Dispersion,
    IsotopicMass,
    LongitudinalMode,
    Mode,
    PhononCell,
    RamanConditions,
    Thermodynamics,
)
from app.crystal.outputs.facts.volumes import EnergyVolume, ThermalTable, VolumeState

SCHEMA_VERSION = 3
WAVE_FUNCTION = "wave function"
"""Kind of the energy that properties repeats: of the SCF that made its wave function."""


@dataclass
class Results:
    """Everything small that one output tells. Energies in hartree, gap in eV, frequencies in cm⁻¹, wall time in s."""

    schema_version: int = SCHEMA_VERSION
    program: str | None = None
    release: str | None = None
    program_version: str | None = None
    preview: bool = False
    title: str | None = None
    dimensionality: int | None = None
    hamiltonian: str | None = None
    energy_scf: float | None = None
    """Of the first SCF: without dispersion, without the entropy of smearing."""
    energy_total: float | None = None
    energy_kind: str | None = None
    """Hamiltonian, corrections, and `(E+F)/2` where it is the mean of energy and free energy of smeared electrons."""
    energy_dispersion: float | None = None
    energy_gcp: float | None = None
    smearing: Smearing | None = None
    enthalpy: float | None = None
    """E + pV under a pressure that was set; the energies above are without it."""
    external: ExternalLoad | None = None
    stress: Stress | None = None
    forces: Forces | None = None
    scf_cycles: int | None = None
    scf_converged: bool | None = None
    optimization: Optimization | None = None
    gap_ev: float | None = None
    gap_kind: str | None = None
    gap_spin_ev: dict[str, float] | None = None
    gap_spin_kind: dict[str, str] | None = None
    conducting: bool | None = None
    """On the k-point mesh of the last SCF, or of NEWK."""
    fermi_energy: float | None = None
    fermi_energy_doubt: str | None = None
    """Why it is not told although the output prints one."""
    k_mesh: list[int] | None = None
    contents: Contents | None = None
    geometry: Geometry | None = None
    populations: Populations | None = None
    frequencies_cm1: list[list[float]] | None = None
    modes: list[Mode] | None = None
    imaginary_modes: int | None = None
    """At Γ; those of other k points are counted in `dispersion`."""
    longitudinal_modes: list[LongitudinalMode] = field(default_factory=list)
    dispersion: Dispersion | None = None
    phonon_cell: PhononCell | None = None
    isotopes: list[IsotopicMass] = field(default_factory=list)
    raman_conditions: RamanConditions | None = None
    zero_point_energy: float | None = None
    thermodynamics: list[Thermodynamics] = field(default_factory=list)
    dielectric: Dielectric | None = None
    polarisation: Polarisation | None = None
    elasticity: Elasticity | None = None
    energy_volume: EnergyVolume | None = None
    volumes: list[VolumeState] = field(default_factory=list)
    thermal_tables: list[ThermalTable] = field(default_factory=list)
    wave_function: WaveFunction | None = None
    critical_points: list[CriticalPoint] | None = None
    diffraction: Diffraction | None = None
    bands: BandSummary | None = None
    band_numbers: list[int] | None = None
    """First and last band that BAND computed."""
    wall_time_s: float | None = None
    """Of all programs of the run that the output tells of: crystal, and properties after it."""
    program_times_s: list[float] = field(default_factory=list)
    normal_end: bool = False
    aborted: bool = False
    """The program's last stage is ERR."""
    verdict: str = "incomplete"
    diagnosis: str | None = None
    diagnosis_code: str | None = None
    remedy: str | None = None
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def own_energy(self) -> float | None:
        """The energy that this output computed: properties repeats that of the wave function, without all corrections."""
        return None if self.energy_kind == WAVE_FUNCTION else self.energy_total

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which knows no NaN and no infinity: what was not finite is unknown."""
        document: dict[str, Any] = _finite(asdict(self))
        return document


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
        """The parts that are known, as plain values for JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def shape_of_results() -> dict[str, Any]:
    """What `Results` holds, for those who name a value before there is one: by name its kind, or a shape of its own.

    Kinds: number, boolean, text, list, mapping.
    """
    return _shape(Results)


def _shape(owner: type) -> dict[str, Any]:
    return {name: _kind(hint) for name, hint in get_type_hints(owner).items()}


def _kind(hint: Any) -> Any:
    parts = [part for part in get_args(hint) if part is not NoneType] if get_origin(hint) is UnionType else [hint]
    kind = parts[0]
    if is_dataclass(kind):
        return _shape(kind)  # type: ignore[arg-type]
    if kind in (int, float):
        return "number"
    return {bool: "boolean", str: "text", dict: "mapping", list: "list"}.get(get_origin(kind) or kind, "any")
