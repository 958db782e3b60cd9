"""Vibrations and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

IMAGINARY_CM1 = -10.0
"""Below this a mode counts as imaginary: translations and rotations come out as a few cm⁻¹ of either sign."""


@dataclass
class Mode:
    """A set of degenerate vibrations at Γ. Frequency in cm⁻¹, infrared intensity in km/mol, Raman in arbitrary units."""

    first: int
    last: int
    frequency_cm1: float
    irrep: str | None = None
    ir_active: bool | None = None
    ir_intensity: float | None = None
    raman_active: bool | None = None
    raman_intensity: float | None = None


@dataclass
class Thermodynamics:
    """At one temperature (K) and pressure (MPa): hartree per cell; entropy and heat capacity in mHa/(cell·K)."""

    temperature: float
    pressure: float
    thermal_energy: float | None = None
    pressure_volume: float | None = None
    temperature_entropy: float | None = None
    gibbs_energy: float | None = None
    """EL + E0 + ET + PV − TS."""
    entropy: float | None = None
    heat_capacity: float | None = None
