"""Slabs, polymers and molecules as CRYSTAL describes them: group, cell of the periodic directions, atoms.

Periodic coordinates are fractions, the others Å. Layer groups are those of the International Tables, volume E, in the
order that CRYSTAL uses; rod and point groups are taken as given, so their images are known only for group 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import spglib

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import (
    CENTRINGS,
    PRIMITIVE_VECTORS,
    SHORTEST_BOND,
    TOLERANCE,
    Expanded,
    Matrix,
    StructureError,
    Symmetry,
    cartesian,
    crowded,
    number,
    refuse_many,
)
from app.crystal.structures.fort34 import VACUUM

KINDS = {2: "SLAB", 1: "POLYMER", 0: "MOLECULE"}
GROUPS = {2: 80, 1: 99, 0: 47}
"""Highest group by dimension."""


def layer_parameters(group: int) -> tuple[str, ...]:
    """The cell parameters that CRYSTAL reads for this layer group."""
    return ("a", "b", "gamma") if group <= 7 else ("a", "b") if group <= 48 else ("a",)


_LAYER_SYSTEMS = ((2, 1), (18, 2), (48, 3), (64, 4), (80, 5))
"""Highest layer group of each crystal system, with CRYSTAL's number of the system."""
_SETTINGS = (
    1, 2, 3, 4, 5, 8, 9, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 35,
    37, 38, 39, 40, 42, 43, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62, 64, 65, 67, 68,
    70, 72, 74, 76, 77, 79, 80, 81, 82, 83, 84, 85, 87, 88, 89, 90, 91, 92, 93, 94,
    95, 96, 98, 99, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116,
)  # fmt: skip
"""spglib's number of the first setting of each layer group; its table counts them from -1."""


@lru_cache(maxsize=128)
def layer_operations(group: int) -> tuple[Matrix, Matrix, str]:
    """Rotations (n, 3, 3), translations (n, 3) and centring letter of a layer group's first setting."""
    symmetry = spglib.get_symmetry_from_database(-_SETTINGS[group - 1])
    assert symmetry is not None
    rotations = np.array(symmetry["rotations"], np.float64)
    translations = np.array(symmetry["translations"], np.float64)
    same = np.all(rotations == np.eye(3), axis=(1, 2))
    centred = bool(np.any(np.abs(translations[same] - np.array([0.5, 0.5, 0])).max(axis=1) < 1e-6))
    return rotations, translations, "C" if centred else "P"


@dataclass(frozen=True)
class LowDimensional(Expanded):
    """A slab (2), a polymer (1) or a molecule (0)."""

    dimension: int
    group: int
    cell: tuple[float, ...]
    """a, b (Å), γ (degrees) of a slab; a of a polymer; empty for a molecule."""
    numbers: tuple[int, ...]
    positions: tuple[tuple[float, float, float], ...]

    @property
    def kind(self) -> str:
        """SLAB, POLYMER or MOLECULE."""
        return KINDS[self.dimension]

    @property
    def records(self) -> tuple[str, ...]:
        """The lines of the deck from the kind to the last atom."""
        lines = [self.kind, str(self.group)]
        if self.dimension == 2:
            order = ("a", "b", "gamma")
            lines.append(" ".join(number(self.cell[order.index(name)]) for name in layer_parameters(self.group)))
        elif self.dimension == 1:
            lines.append(number(self.cell[0]))
        rows = zip(self.numbers, self.positions, strict=True)
        lines += [str(len(self.numbers)), *(f"{z} {number(x)} {number(y)} {number(w)}" for z, (x, y, w) in rows)]
        return tuple(lines)

    @property
    def lattice(self) -> Matrix:
        """Conventional vectors, rows in Å; 500 Å where nothing repeats."""
        vectors = np.diag([VACUUM] * 3)
        if self.dimension == 2:
            a, b, gamma = self.cell
            angle = np.radians(gamma)
            vectors[0] = [a, 0, 0]
            vectors[1] = [b * np.cos(angle), b * np.sin(angle), 0]
        elif self.dimension == 1:
            vectors[0, 0] = self.cell[0]
        return vectors

    @property
    def known(self) -> bool:
        """Are the images of the atoms known here?"""
        return self.dimension == 2 or self.group == 1

    def expand(self) -> tuple[Matrix, list[Matrix]]:
        """Primitive vectors (rows, Å) and the images of each atom, as fractions of them; cached."""
        return _expand(self)

    @property
    def symmetry(self) -> Symmetry:
        """The operators of the layer group; of rods and molecules the identity alone."""
        if self.dimension < 2:
            return Symmetry(((np.eye(3), np.zeros(3)),))
        rotations, translations, centring = layer_operations(self.group)
        system = next(number for limit, number in _LAYER_SYSTEMS if self.group <= limit)
        return Symmetry(cartesian(rotations, translations, self.lattice), CENTRINGS[centring], system)

    @property
    def electrons(self) -> int | None:
        """Electrons of the neutral primitive cell; None where its atoms are not known."""
        return sum(self.primitive[1]) if self.known else None

    def check(self) -> None:
        """Raise StructureError where two atoms coincide or nearly so."""
        if not 1 <= self.group <= GROUPS[self.dimension]:
            raise StructureError("atoms", f"cannot have the group {self.group}: 1 to {GROUPS[self.dimension]}")
        if not self.known:
            return
        lattice, numbers, positions = self.primitive
        for index in (index for index in crowded(positions, lattice, self.dimension) if index):
            apart = positions[:index] - positions[index]
            apart[:, : self.dimension] -= np.round(apart[:, : self.dimension])
            distances = np.linalg.norm(apart @ lattice, axis=1)
            if distances.min() < SHORTEST_BOND:
                other = int(np.argmin(distances))
                raise StructureError(
                    "atoms",
                    f"come within {distances.min():.2f} Å of each other ({SYMBOLS[numbers[other]]} and "
                    f"{SYMBOLS[numbers[index]]}): list each atom once; coordinates along non-periodic directions are in Å",
                )


@lru_cache(maxsize=256)
def _expand(structure: LowDimensional) -> tuple[Matrix, list[Matrix]]:
    refuse_many(len(structure.positions))
    lattice = structure.lattice
    fractions = np.array(structure.positions, float)
    fractions[:, structure.dimension :] /= VACUUM
    if structure.dimension < 2:
        return lattice, [row[None, :] for row in fractions]
    rotations, translations, centring = layer_operations(structure.group)
    to_primitive = np.linalg.inv(PRIMITIVE_VECTORS[centring])
    lattice = PRIMITIVE_VECTORS[centring] @ lattice
    orbits: list[Matrix] = []
    count = 0
    for place in fractions:
        images = (rotations @ place + translations) @ to_primitive
        images[:, :2] -= np.floor(images[:, :2] + 1e-9)
        apart = images[:, None, :] - images[None, :, :]
        apart[..., :2] -= np.round(apart[..., :2])
        same = np.linalg.norm(apart @ lattice, axis=2) < TOLERANCE
        orbits.append(images[~np.any(np.tril(same, -1), axis=1)])
        count += len(orbits[-1])
        refuse_many(count)
    return lattice, orbits
