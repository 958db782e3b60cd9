"""Geometries and their optimisation."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Optimization:
    """State of a geometry optimisation. Energies in hartree, dispersion included where the functional has it.

    Gradients (hartree/bohr) and displacements (bohr) are those of the last point that printed them.
    """

    converged: bool | None = None
    points: int = 0
    energy: float | None = None
    enthalpy: float | None = None
    """With a load from outside this is what is minimised."""
    max_gradient: float | None = None
    rms_gradient: float | None = None
    max_displacement: float | None = None
    rms_displacement: float | None = None


@dataclass(slots=True)
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
    """Last geometry printed. Cells are a, b, c in Å and α, β, γ in degrees; volume in Å³, density in g/cm³.

    `lattice` are the vectors of the primitive cell as rows in Å, in the axes that displacements of vibrations refer to.
    """

    primitive_cell: list[float] | None = None
    conventional_cell: list[float] | None = None
    volume: float | None = None
    lattice: list[list[float]] | None = None
    atoms: list[Atom] = field(default_factory=list)
    optimized: bool = False
    density: float | None = None
