"""Several volumes in one output: equation of state, quasi-harmonic approximation."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class EquationFit:
    """The program's own fit: V0 in Å³ and E0 in hartree per cell, B0 in GPa, B' without unit (polynomials have none)."""

    form: str
    volume: float
    energy: float
    bulk_modulus: float
    derivative: float | None = None


@dataclass
class EnergyVolume:
    """An equation of state: volumes in Å³ and energies in hartree, per primitive cell.

    `fits` are those of the program through all points; `fit` is that of Birch and Murnaghan, or the first where it is missing.
    """

    volumes: list[float] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
    fit: EquationFit | None = None
    fits: list[EquationFit] = field(default_factory=list)


@dataclass
class VolumeState:
    """What was computed at one of several volumes (Å³): energy in hartree, frequencies (first mode, last mode, cm⁻¹)."""

    volume: float
    energy: float | None = None
    frequencies_cm1: list[list[float]] | None = None


@dataclass
class ThermalTable:
    """A table of the quasi-harmonic approximation. `columns` are the headings with their units as printed.

    `order` is that of the polynomials, `pressure_gpa` that of the table; None in a row is a number that did not fit its place.
    """

    title: str
    order: int | None = None
    pressure_gpa: float | None = None
    columns: list[str] = field(default_factory=list)
    rows: list[list[float | None]] = field(default_factory=list)
