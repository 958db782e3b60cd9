"""A structure as a picture needs it: a cell and the atoms in it, those on its borders repeated."""

from __future__ import annotations

from typing import Any

import numpy as np
import spglib

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import Bulk, Matrix, lattice_vectors, operations_of, setting_of
from app.crystal.structures.geometries import Structure

MAX_ATOMS = 400
_BORDER = 1e-3


def view_of(structure: Structure) -> dict[str, Any]:
    """`lattice` (rows, Å), `dimension`, `atoms` as [symbol, x, y, z] in Å, and `label`; the conventional cell of a crystal."""
    lattice, numbers, fractions = _conventional(structure) if isinstance(structure, Bulk) else structure.primitive
    shown: list[str] = []
    places: list[Matrix] = []
    for z, fraction in zip(numbers, fractions, strict=True):
        if len(shown) > MAX_ATOMS:
            break
        for shift in _borders(fraction, structure.dimension):
            shown.append(SYMBOLS[z])
            places.append((fraction + shift) @ lattice)
    atoms = [[symbol, *(round(float(part), 4) for part in place)] for symbol, place in zip(shown, places, strict=True)]
    return {
        "dimension": structure.dimension,
        "lattice": [[round(float(part), 5) for part in row] for row in lattice],
        "atoms": atoms[:MAX_ATOMS],
        "label": _label(structure, len(structure.primitive[1])),
        "cut": len(atoms) > MAX_ATOMS,
    }


def _label(structure: Structure, atoms: int) -> str:
    count = f"{atoms} atom{'s' if atoms != 1 else ''}"
    if isinstance(structure, Bulk):
        kind = spglib.get_spacegroup_type(
            setting_of(structure.space_group, structure.first_origin, structure.rhombohedral)
        )
        symbol = kind.international_short if kind is not None else ""
        return f"{symbol} ({structure.space_group}), {count} in the primitive cell"
    return f"{structure.kind.lower()}, {count}{' in the cell' if structure.dimension else ''}"


def _conventional(bulk: Bulk) -> tuple[Matrix, list[int], Matrix]:
    """All atoms of the conventional cell."""
    rotations, translations, _ = operations_of(bulk.space_group, bulk.first_origin, bulk.rhombohedral)
    lattice = lattice_vectors(bulk.cell)
    numbers: list[int] = []
    places: list[Matrix] = []
    for z, position in zip(bulk.numbers, bulk.positions, strict=True):
        images = rotations @ np.array(position) + translations
        images -= np.floor(images + 1e-6)
        apart = images[:, None, :] - images[None, :, :]
        same = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2) < 1e-3
        unique = images[~np.any(np.tril(same, -1), axis=1)]
        numbers += [z] * len(unique)
        places.append(unique)
        if len(numbers) > MAX_ATOMS:
            break
    return lattice, numbers, np.concatenate(places)


def _borders(fraction: Matrix, dimension: int) -> list[Matrix]:
    """Translations that bring an atom on a face, an edge or a corner to the opposite ones."""
    shifts = [np.zeros(3)]
    for axis in range(dimension):
        if abs(fraction[axis]) < _BORDER:
            step = np.eye(3)[axis]
            shifts += [shift + step for shift in shifts]
    return shifts
