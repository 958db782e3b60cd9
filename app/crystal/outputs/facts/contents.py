"""What the cell holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Contents:
    """Counts per primitive cell as the program prints them before the SCF.

    `group` is the Hermann–Mauguin symbol as printed (`F M 3 M`), of the kind `group_kind`; None where editing of the geometry
    changed the number of operators. `electrons` are those of the calculation, without what pseudopotentials stand for.
    """

    atoms: int | None = None
    shells: int | None = None
    orbitals: int | None = None
    electrons: int | None = None
    core_electrons: int | None = None
    symmetry_operators: int | None = None
    unpaired: float | None = None
    """α − β electrons, as properties prints them of open shells."""
    group: str | None = None
    group_kind: str | None = None
    group_number: int | None = None
