"""Answers to strain."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class WaveVelocities:
    """Seismic velocities in km/s along a direction: longitudinal, and both transverse ones."""

    direction: list[float]
    longitudinal: float
    transverse: list[float]


@dataclass
class Elasticity:
    """Elastic constants, 6 × 6 in Voigt's order for a crystal (GPa), 3 × 3 for a slab, 1 × 1 for a polymer (hartree per cell).

    `per_size` are the constants divided by the area of the cell (N/m) or by its length (N). Averages in GPa (Hill; those of Voigt
    and Reuss beside them), Poisson's ratio without unit.
    """

    constants: list[list[float]] = field(default_factory=list)
    unit: str | None = None
    per_size: list[list[float]] | None = None
    per_size_unit: str | None = None
    compliance: list[list[float]] | None = None
    compliance_unit: str | None = None
    bulk_modulus: float | None = None
    shear_modulus: float | None = None
    youngs_modulus: float | None = None
    poisson_ratio: float | None = None
    bulk_voigt: float | None = None
    shear_voigt: float | None = None
    bulk_reuss: float | None = None
    shear_reuss: float | None = None
    velocities: list[WaveVelocities] = field(default_factory=list)
