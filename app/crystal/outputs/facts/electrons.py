"""Bands and populations."""

from __future__ import annotations

from dataclasses import dataclass, field


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
class Populations:
    """Mulliken's, of the last SCF cycle that printed them: electrons, charges and spins (α − β) by atom, in |e|.

    A charge is None for an atom whose nuclear charge the output does not tell (ghosts, pseudopotentials).
    """

    electrons: list[float] = field(default_factory=list)
    charges: list[float | None] = field(default_factory=list)
    spins: list[float] = field(default_factory=list)
