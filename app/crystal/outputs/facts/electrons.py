"""Bands and populations."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class BandSummary:
    """Bands along a path: energies in hartree, on the absolute scale of the calculation. Edges are None for a metal.

    `filled` are the bands that the electrons fill, of each spin; empty where they could not be counted: then the Fermi energy of
    the file, which has five digits and is that of a mesh, says what is filled.
    """

    count: int = 0
    spins: int = 1
    points: int = 0
    fermi_energy: float | None = None
    valence_top: float | None = None
    conduction_bottom: float | None = None
    filled: list[int] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    """Of each band of the first spin, over the path."""


@dataclass
class Populations:
    """Mulliken's, of the last SCF cycle that printed them: electrons, charges and spins (α − β) by atom, in |e|.

    A charge is that of the nucleus less the electrons. That of the nucleus is 0 of a ghost, without the core where there is a
    pseudopotential, and None, as is the charge, where the output does not tell it.
    """

    electrons: list[float] = field(default_factory=list)
    charges: list[float | None] = field(default_factory=list)
    spins: list[float] = field(default_factory=list)
    nuclear_charges: list[float | None] = field(default_factory=list)


@dataclass
class Smearing:
    """Fermi smearing, of the last SCF that printed it: all in hartree.

    `energy` is E, `free_energy` F = E − TS, `mean_energy` (E + F)/2, which the program prints as the total energy.
    """

    width: float | None = None
    energy: float | None = None
    free_energy: float | None = None
    entropy_term: float | None = None
    """TS."""
    mean_energy: float | None = None
