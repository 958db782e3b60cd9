"""What the cell of a deck contains: the crystal that it describes, its atoms and electrons."""

from __future__ import annotations

from collections import Counter

from app.crystal.decks.model import Deck, ElementBasis
from app.crystal.structures.bulk import Bulk, StructureError, full_cell, lattice_vectors, minimal_parameters

CHANGES_ATOMS = {
    "SUPERCEL", "SUPERCELL", "SUPERCON", "SCELCONF", "SCELPHONO", "SLABCUT", "SLAB", "ATOMREMO", "ATOMINSE", "ATOMSUBS",
    "NANOTUBE", "SWCNT", "MOLEBSSE", "ATOMBSSE", "PRIMITIV", "WULFF",
}  # fmt: skip
"""Keywords after which the atoms of the cell are others than those listed."""


def crystal_of(deck: Deck) -> Bulk | None:
    """The bulk crystal that a deck describes before any keyword changes it; None: it is no such crystal.

    Raises:
        StructureError: its cell or its atoms cannot be.
    """
    geometry = deck.geometry
    if geometry.kind != "CRYSTAL" or not geometry.atoms or geometry.group is None or geometry.flags[2] > 1:
        return None
    rhombohedral = bool(geometry.flags[1])
    names = minimal_parameters(geometry.group, rhombohedral)
    cell = full_cell(geometry.group, dict(zip(names, geometry.cell, strict=True)), rhombohedral)
    lattice_vectors(cell)
    atoms = geometry.atoms
    numbers = tuple(atomic_number(row[0]) for row in atoms)
    positions = tuple((x, y, z) for _, x, y, z in atoms)
    return Bulk(geometry.group, cell, numbers, positions, rhombohedral, geometry.flags[2] == 1)


def atomic_number(conventional: int) -> int:
    """Z from CRYSTAL's conventional atomic number: Z + 100 k, or Z + 200 with a pseudopotential."""
    return (conventional - 200 if conventional > 200 else conventional) % 100


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
    for row, multiplicity in zip(rows, multiplicities, strict=True):
        counts[row[0]] += multiplicity
    return counts


def electrons_per_cell(deck: Deck) -> int | None:
    """Electrons per primitive cell, where they are known: no charge, nothing added or removed."""
    if deck.find("CHARGED") or any(entry.name in CHANGES_ATOMS for entry in deck.geometry.entries):
        return None
    counts = atoms_per_cell(deck)
    if not counts or any(number > 200 for number in counts):
        return None
    return sum(atomic_number(number) * count for number, count in counts.items())
