"""What an output says of electrons beside their energy: counts and group of the cell, nuclei, level shifter, smearing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.corpus.paper import Paper


@dataclass(frozen=True)
class Counts:
    """Per cell: atoms, shells, orbitals, electrons, core electrons, operators."""

    atoms: int
    shells: int
    orbitals: int
    electrons: int
    core: int
    operators: int


def counts(paper: Paper, numbers: Counts) -> None:
    """The box before the SCF; what stands to the right of each count belongs to the method."""
    rows = (
        (" N. OF ATOMS PER CELL", numbers.atoms, "COULOMB OVERLAP TOL         (T1) 10**   -7"),
        (" NUMBER OF SHELLS", numbers.shells, "COULOMB PENETRATION TOL     (T2) 10**   -7"),
        (" NUMBER OF AO", numbers.orbitals, "EXCHANGE OVERLAP TOL        (T3) 10**   -7"),
        (" N. OF ELECTRONS PER CELL", numbers.electrons, "EXCHANGE PSEUDO OVP (F(G))  (T4) 10**   -7"),
        (" CORE ELECTRONS PER CELL", numbers.core, "EXCHANGE PSEUDO OVP (P(G))  (T5) 10**  -14"),
        (" N. OF SYMMETRY OPERATORS", numbers.operators, "POLE ORDER IN MONO ZONE                  4"),
    )
    paper.headed(*(f"{name}{count:{31 - len(name)}d}  {rest}" for name, count, rest in rows))


def space_group(paper: Paper, symbol: str, operators: int, centre: bool = True) -> None:
    kind = "(CENTROSYMMETRIC)   " if centre else "(NONCENTROSYMMETRIC)"
    paper.line(
        f" SPACE GROUP {kind:<25} :  {symbol:<16}", "", f" NUMBER OF SYMMETRY OPERATORS         :  {operators:3d}"
    )


def layer_group(paper: Paper, number: int, symbol: str, operators: int) -> None:
    paper.line(f" TWO-SIDED PLANE GROUP N. {number:2d}          :  {symbol:<16}", " CORRESPONDING SPACE GROUP N. 183")
    paper.line("", f" NUMBER OF SYMMETRY OPERATORS         :  {operators:3d}")


def ghosts(paper: Paper, atoms: Sequence[tuple[int, int]], listed: bool = True) -> None:
    """Atoms by place and atomic number that keep their basis set alone; without `listed` only how many they are."""
    paper.rule()
    paper.line(f" * ATOMS TRANSFORMED INTO GHOSTS :{len(atoms):4d}")
    if listed:
        for start in range(0, len(atoms), 8):
            paper.line("".join(f"{place:4d}({number:3d})" for place, number in atoms[start : start + 8]))
    paper.line(" SYMMETRY MAY BE BROKEN", "")


def pseudopotentials(paper: Paper, charges: dict[int, float]) -> None:
    """By atomic number, what is left of the charge of the nucleus."""
    paper.headed(" *** PSEUDOPOTENTIAL INFORMATION ***")
    for number, charge in charges.items():
        paper.line(
            "", f" ATOMIC NUMBER {number:3d}, NUCLEAR CHARGE {charge:6.3f}, GIVEN IN INPUT       PSEUDOPOTENTIAL"
        )
        paper.line("   TYPE       EXPONENT      COEFF.    N      EXPONENT      COEFF.    N")
        paper.line("  W0 TMS     1.2345000   -2.3456000   0     6.7890000  -12.3400000   0", "")


def shifter(paper: Paper, shift: float, locked: bool) -> None:
    """The level shifter as the box of the method names it."""
    paper.line(f" EIGENVALUE LEVEL SHIFTING OF {shift:6.3f} HARTREE")
    if locked:
        paper.line(" LOCKING - FERMI ENERGY ALTERED BY LEVEL SHIFTER")


def smeared(paper: Paper, width: float, energy: float, entropy: float) -> float:
    """The block of Fermi smearing, hartree; the energy that the program then prints as the total one."""
    free = energy - width * entropy
    mean = (energy + free) / 2
    paper.line("", " FINITE TEMPERATURE DFT CALCULATION ", f" TEMPERATURE      (T)    {width:.12E} HARTREE ")
    paper.line(f" ENERGY           (E)   {energy:.12E}", f" FREE ENERGY      (F)   {free:.12E}")
    paper.line(f" ELECTRON ENTROPY (S)    {entropy:.12E}", f" (E(T)+F(T))/2    (E0)  {mean:.12E}", "", "")
    return mean


def without_leading_zeros(text: str) -> str:
    """The same as a build prints it that leaves out the zero before a point: ` 0.515` becomes `  .515`."""
    return re.sub(r" (-?)0\.(?=\d+(?:[^.\d]|$))", r"  \1.", text)


def band_numbers(paper: Paper, first: int, last: int) -> None:
    """Which bands BAND computes, as its box tells."""
    inside = f"  FROM BAND {first:3d} TO BAND {last:3d}"
    paper.line(f" *{inside:<77}*")
