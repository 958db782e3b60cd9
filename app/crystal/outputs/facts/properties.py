"""What the program properties reads and computes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class WaveFunction:
    """The wave function that properties read, as it tells it. Energies in hartree per cell.

    `total_energy` is that of the last SCF; whether dispersion and other corrections are in it, the program does not tell.
    `fermi_energy` has three digits; None where a placeholder stands.
    """

    total_energy: float | None = None
    kinetic_energy: float | None = None
    scf_cycles: int | None = None
    fermi_energy: float | None = None


@dataclass
class CriticalPoint:
    """Where the gradient of a field vanishes (TOPOND): its kind as rank and signature, `(3,-1)` for a bond.

    `field` is `density` or `laplacian` (of the density, with its sign changed). Position in Å, and in fractions of the
    conventional cell; density in e/bohr³, its Laplacian in e/bohr⁵, energy densities in hartree/bohr³.
    """

    rank: int
    signature: int
    field: str = "density"
    position: list[float] | None = None
    fractional: list[float] | None = None
    density: float | None = None
    laplacian: float | None = None
    kinetic_energy_density: float | None = None
    virial_density: float | None = None


@dataclass
class Diffraction:
    """A powder pattern (XRDSPEC): points, the range of 2θ in degrees, and where it is highest, with the Lorentz factor."""

    points: int = 0
    lowest_angle: float | None = None
    highest_angle: float | None = None
    strongest_angle: float | None = None
