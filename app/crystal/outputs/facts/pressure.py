"""Pressure from outside and inside: enthalpy, stress, forces."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ExternalLoad:
    """What EXTPRESS or EXTSTRESS adds to the energy at the last geometry that printed it.

    `work` in hartree per cell: pV under a pressure. `energy_uncertainty` in hartree: not null where the energy without the work
    follows only from the printed contribution, which has three digits.
    """

    kind: str | None = None
    """pressure or stress, where the output tells it."""
    pressure_gpa: float | None = None
    """As set by EXTPRESS."""
    work: float | None = None
    energy_uncertainty: float | None = None


@dataclass
class Stress:
    """Stress tensor in hartree/bohr³ with the program's sign: negative under compression.

    `pressure_gpa` and `enthalpy` (hartree, E + pV of that pressure) are the program's own; it prints none where the stress is not
    hydrostatic. `cell_gradient` are -dE/da in hartree/bohr, a row for each lattice vector.
    """

    tensor: list[list[float]] = field(default_factory=list)
    pressure_gpa: float | None = None
    enthalpy: float | None = None
    cell_gradient: list[list[float]] = field(default_factory=list)
    point: int | None = None
    of_last_geometry: bool = True


@dataclass
class Forces:
    """Forces on the atoms in hartree/bohr, Cartesian, in the order of the atoms; `point` of an optimisation they belong to."""

    atoms: list[list[float]] = field(default_factory=list)
    point: int | None = None
    of_last_geometry: bool = True
