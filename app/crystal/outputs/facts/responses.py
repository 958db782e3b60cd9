"""Answers to strain and changes of volume."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Elasticity:
    """Elastic constants in GPa, 6 × 6 in Voigt's order; averages (Hill) in GPa, Poisson's ratio without unit."""

    constants: list[list[float]] = field(default_factory=list)
    bulk_modulus: float | None = None
    shear_modulus: float | None = None
    youngs_modulus: float | None = None
    poisson_ratio: float | None = None


@dataclass
class EnergyVolume:
    """An equation of state: volumes in Å³ and energies in hartree, per primitive cell."""

    volumes: list[float] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
