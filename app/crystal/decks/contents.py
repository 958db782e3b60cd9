"""What the cell of a deck contains: the crystal that it describes, its atoms and electrons."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
import spglib

from app.crystal.decks.model import Atom, Deck, ElementBasis
from app.crystal.structures.bulk import (
    Bulk,
    Matrix,
    StructureError,
    full_cell,
    lattice_vectors,
    minimal_parameters,
    setting_of,
)

CHANGES_ATOMS = {
    "SUPERCEL", "SUPERCELL", "SUPERCON", "SCELCONF", "SCELPHONO", "SLABCUT", "SLAB", "ATOMREMO", "ATOMINSE", "ATOMSUBS",
    "MOLECULE", "CLUSTER", "CLUSTSIZE", "HYDROSUB", "MOLSPLIT", "NANOCRYST", "NANOROD", "NANOMULTI", "FULLE", "CONFCNT", "CONFRAND",
    "RUNCONFS", "SWCNTRE", "NANORE", "NANOTUBE", "SWCNT", "MOLEBSSE", "ATOMBSSE", "PRIMITIV", "WULFF",
}  # fmt: skip
"""Keywords after which the atoms of the cell are others than those listed."""


MAX_ASYMMETRIC = 300
"""Rows of a structure among which images of one another are looked for."""
SAME_PLACE = 0.02
"""Å within which an image of one atom is another: coordinates are typed with few digits."""


def crystal_of(deck: Deck, *, all_rows: bool = False) -> Bulk | None:
    """The bulk crystal that a deck describes before any keyword changes it; None: it is no such crystal.

    Rows that only repeat an image of an earlier one are left out, unless `all_rows`.

    Raises:
        StructureError: its cell or its atoms cannot be.
    """
    geometry = deck.geometry
    if geometry.symbol and not in_standard_setting(geometry.symbol, geometry.group):
        return None
    if geometry.kind != "CRYSTAL" or not geometry.atoms or geometry.group is None or geometry.flags[2] > 1:
        return None
    rhombohedral = bool(geometry.flags[1])
    names = minimal_parameters(geometry.group, rhombohedral)
    cell = full_cell(geometry.group, dict(zip(names, geometry.cell, strict=True)), rhombohedral)
    lattice_vectors(cell)
    atoms = geometry.atoms if all_rows else irreducible(deck)
    numbers = tuple(atomic_number(row[0]) for row in atoms)
    positions = tuple((x, y, z) for _, x, y, z in atoms)
    return Bulk(geometry.group, cell, numbers, positions, rhombohedral, geometry.flags[2] == 1)


def in_standard_setting(symbol: str, group: int | None) -> bool:
    """Does a space group symbol name the setting that its number stands for? `P B N M` is 62, but not as 62 is set."""
    kind = spglib.get_spacegroup_type(setting_of(group)) if group is not None else None
    if kind is None:
        return False
    names = (kind.international_short, kind.international_full, kind.international.split("=")[0])
    plain = {name.replace("_", "").replace(" ", "").upper() for name in names}
    if kind.number >= 195:
        plain |= {name.replace("-", "") for name in plain}
    return symbol.replace(" ", "").replace("_", "").upper() in plain


def atomic_number(conventional: int) -> int:
    """Z from CRYSTAL's conventional atomic number: Z + 100 k, or Z + 200 with a pseudopotential."""
    return (conventional - 200 if conventional > 200 else conventional) % 100


def irreducible(deck: Deck) -> list[Atom]:
    """The rows of the structure without those that are images of an earlier one."""
    left_out = set(redundant_atoms(deck))
    return [row for index, row in enumerate(deck.geometry.atoms) if index not in left_out]


def redundant_atoms(deck: Deck) -> list[int]:
    """Rows of the structure (from 0) that are symmetry images of an earlier row: CRYSTAL says NOT IRREDUCIBLE and goes on.

    Raises:
        StructureError: the crystal cannot be.
    """
    crystal = crystal_of(deck, all_rows=True)
    if crystal is None or len(crystal.numbers) > MAX_ASYMMETRIC:
        return []
    return list(_images(crystal, tuple(row[0] for row in deck.geometry.atoms)))


@lru_cache(maxsize=64)
def _images(crystal: Bulk, conventional: tuple[int, ...]) -> tuple[int, ...]:
    lattice, orbits = crystal.expand()
    redundant: list[int] = []
    kept: dict[int, list[Matrix]] = {}
    for row, (number, orbit) in enumerate(zip(conventional, orbits, strict=True)):
        earlier = kept.setdefault(number, [])
        if earlier:
            apart = np.concatenate(earlier) - orbit[0]
            if np.linalg.norm((apart - np.round(apart)) @ lattice, axis=1).min() < SAME_PLACE:
                redundant.append(row)
                continue
        earlier.append(orbit)
    return tuple(redundant)


def nuclear_charge(element: ElementBasis) -> float:
    """Electrons that an atom brings; a pseudopotential says how many it leaves."""
    return atomic_number(element.number) if element.number < 200 else element.core_charge or element.charge


def atoms_per_cell(deck: Deck) -> Counter[int] | None:
    """Atoms per primitive cell by conventional number, where the symmetry is known here."""
    rows = deck.geometry.atoms
    if deck.geometry.kind in ("MOLECULE", "SLAB", "POLYMER"):
        return Counter(row[0] for row in rows) if deck.geometry.group == 1 else None
    try:
        crystal = crystal_of(deck)
        multiplicities = crystal.multiplicities if crystal is not None else None
    except StructureError:
        return None
    if multiplicities is None:
        return None
    counts: Counter[int] = Counter()
    for row, multiplicity in zip(irreducible(deck), multiplicities, strict=True):
        counts[row[0]] += multiplicity
    return counts


def electrons_per_cell(deck: Deck) -> int | None:
    """Electrons per primitive cell, where they are known: no charge, nothing added or removed."""
    if deck.find("CHARGED", "GHOSTS", "CHEMOD") or any(entry.name in CHANGES_ATOMS for entry in deck.geometry.entries):
        return None
    counts = atoms_per_cell(deck)
    if not counts or any(number > 200 for number in counts):
        return None
    return sum(atomic_number(number) * count for number, count in counts.items())
