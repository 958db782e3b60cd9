"""Vibrations and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.crystal.outputs.facts.geometry import Geometry

IMAGINARY_CM1 = -10.0
"""Below this a mode counts as imaginary: translations and rotations come out as a few cm⁻¹ of either sign."""


@dataclass
class Mode:
    """A set of degenerate vibrations at Γ, transverse optical where that matters.

    Frequency in cm⁻¹; infrared intensity in km/mol, None where it was not computed (the program then prints zeros); Raman in
    arbitrary units: of a powder in all, parallel and perpendicular, and of a single crystal by
    direction: xx, xy, xz, yy, yz, zz.
    """

    first: int
    last: int
    frequency_cm1: float
    irrep: str | None = None
    ir_active: bool | None = None
    ir_intensity: float | None = None
    raman_active: bool | None = None
    raman_intensity: float | None = None
    raman_parallel: float | None = None
    raman_perpendicular: float | None = None
    raman_crystal: list[float | None] | None = None


@dataclass
class LongitudinalMode:
    """A longitudinal optical vibration: frequency and its distance from the transverse one (both cm⁻¹), intensity in km/mol.

    `directions` are those of the wave vector for its irrep, Cartesian, where the output names them.
    """

    first: int
    last: int
    frequency_cm1: float
    irrep: str | None = None
    ir_intensity: float | None = None
    shift_cm1: float | None = None
    directions: list[list[float]] = field(default_factory=list)


@dataclass
class Dispersion:
    """Phonons at k points: how many points, and what is imaginary away from Γ. Frequencies in cm⁻¹.

    `lowest_at` counts in reciprocal vectors of the primitive cell; None where the shrinking factors were not printed.
    """

    points: int = 0
    imaginary_points: int = 0
    imaginary_modes: int = 0
    lowest_cm1: float | None = None
    lowest_at: list[float] | None = None


@dataclass
class PhononCell:
    """The cell that modes and thermodynamic functions belong to. With SCELPHONO it is not the one that was computed.

    `energy` is the program's EL: the electronic energy of this cell in hartree. `multiple` is how many of it the computed cell
    holds. `geometry` is None where the output does not show this cell.
    """

    atoms: int
    multiple: int = 1
    energy: float | None = None
    geometry: Geometry | None = None


@dataclass
class IsotopicMass:
    """The mass (u) that was taken for some atoms of an element."""

    symbol: str
    mass: float
    atoms: int


@dataclass
class RamanConditions:
    """For which Raman's intensities were computed: temperature in K, wavelength of the laser in nm."""

    temperature: float | None = None
    wavelength_nm: float | None = None


@dataclass
class Thermodynamics:
    """At one temperature (K) and pressure (MPa): hartree per cell; entropy and heat capacity in mHa/(cell·K).

    `basis` is what the columns are headed by: `cell`, or what the program wrote instead.
    """

    temperature: float
    pressure: float
    thermal_energy: float | None = None
    pressure_volume: float | None = None
    temperature_entropy: float | None = None
    gibbs_energy: float | None = None
    """EL + E0 + ET + PV − TS."""
    entropy: float | None = None
    heat_capacity: float | None = None
    basis: str = "cell"
    volume: float | None = None
    """Å³, where the output goes through several."""
