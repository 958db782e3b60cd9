"""fort.34 (.gui): a geometry with its symmetry operators, in Cartesian Å, as EXTERNAL reads it.

`dimension centring crystal-system`; three vectors (500 Å where not periodic); operators of four lines each; atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import spglib
import spglib.error

from app.crystal.elements import SYMBOLS
from app.crystal.records import Cursor, RecordError, number_of
from app.crystal.structures import Matrix, StructureError

VACUUM = 500.0
"""Å that CRYSTAL writes for directions without period."""
MAX_ATOMS = 2000
MAX_OPERATORS = 192
_SYSTEMS = {
    "triclinic": 1,
    "monoclinic": 2,
    "orthorhombic": 3,
    "tetragonal": 4,
    "hexagonal": 5,
    "trigonal": 5,
    "cubic": 6,
}


@dataclass(frozen=True)
class External:
    """A geometry by vectors and atoms: what EXTERNAL reads. Coordinates are Cartesian, Å."""

    dimension: int
    lattice: tuple[tuple[float, float, float], ...]
    numbers: tuple[int, ...]
    positions: tuple[tuple[float, float, float], ...]
    notes: tuple[str, ...] = ()
    """What the reader of a foreign format remarked."""

    kind = "EXTERNAL"
    records = ("EXTERNAL",)

    @property
    def vectors(self) -> Matrix:
        """Rows, Å."""
        return np.array(self.lattice)

    @property
    def places(self) -> Matrix:
        """Cartesian coordinates, Å."""
        return np.array(self.positions)

    @property
    def multiplicities(self) -> list[int]:
        """Every atom of the primitive cell stands in the file."""
        return [1] * len(self.numbers)

    @property
    def primitive(self) -> tuple[Matrix, list[int], Matrix]:
        """Vectors (rows, Å), atomic numbers and fractional coordinates."""
        return self.vectors, list(self.numbers), self.places @ np.linalg.inv(self.vectors)

    @property
    def elements(self) -> list[str]:
        return [SYMBOLS[z] for z in sorted(set(self.numbers))]

    @property
    def electrons(self) -> int:
        return sum(self.numbers)


def read_fort34(text: str) -> External:
    """The geometry in a fort.34; operators are passed over.

    Raises:
        StructureError: at `file`, with the line.
    """
    cursor = Cursor.of(text)
    try:
        dimension, _, _ = (int(part) for part in cursor.numbers(3, "dimension, centring, crystal type", integer=True))
        if not 0 <= dimension <= 3:
            raise StructureError("file", f"has the dimension {dimension}; 0 to 3 are possible")
        lattice = np.array([[number_of(part) for part in cursor.numbers(3, "a lattice vector")] for _ in range(3)])
        [operators] = cursor.numbers(1, "number of operators", integer=True)
        for _ in range(4 * min(max(int(operators), 0), MAX_OPERATORS)):
            cursor.numbers(3, "a row of an operator")
        [count] = cursor.numbers(1, "number of atoms", integer=True)
        if not 1 <= int(count) <= MAX_ATOMS:
            raise StructureError("file", f"holds {count} atoms; 1 to {MAX_ATOMS} are possible")
        rows = [[number_of(part) for part in cursor.numbers(4, "an atom: Z x y z")] for _ in range(int(count))]
    except RecordError as error:
        raise StructureError("file", f"cannot be read as fort.34: line {error.line}: {error}") from error
    numbers = [int(row[0]) % 100 for row in rows]
    positions = np.array([row[1:] for row in rows])
    refuse_impossible(lattice, numbers, positions)
    return External(dimension, _triples(lattice), tuple(numbers), _triples(positions))


def _triples(matrix: Matrix) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in matrix)


def refuse_impossible(lattice: Matrix, numbers: list[int], positions: Matrix) -> None:
    """What is no crystal must not reach spglib, which does not check."""
    if not (np.isfinite(lattice).all() and np.isfinite(positions).all()):
        raise StructureError("file", "holds numbers that are not finite")
    lengths = np.linalg.norm(lattice, axis=1)
    if lengths.min() < 0.5 or lengths.max() > 1000:
        raise StructureError("file", f"has a cell vector of {lengths.min():g} to {lengths.max():g} Å")
    if abs(np.linalg.det(lattice)) < 1e-3 * lengths.prod():
        raise StructureError("file", "has a flat cell")
    if np.abs(positions).max() > 1e4:
        raise StructureError("file", "has atoms far outside the cell")
    if not all(1 <= z < len(SYMBOLS) for z in numbers):
        raise StructureError("file", "names an element that does not exist")


def operators_in(
    lattice: Matrix, numbers: list[int], positions: Matrix, dimension: int, tolerance: float
) -> tuple[list[tuple[Matrix, Matrix]], int]:
    """Cartesian operators (rotation, translation in Å) of a primitive cell, and CRYSTAL's number of the crystal system.

    Where a direction has no period only operators without its translations are kept; polymers and molecules get the
    identity alone.
    """
    identity = [(np.eye(3), np.zeros(3))]
    if dimension < 2:
        return identity, 1
    try:
        dataset = spglib.get_symmetry_dataset((lattice.tolist(), positions.tolist(), numbers), symprec=tolerance)
    except spglib.error.SpglibError:
        return identity, 1
    if dataset is None:
        return identity, 1
    found, seen = [], set()
    back = np.linalg.inv(lattice.T)
    for rotation, translation in zip(dataset.rotations, dataset.translations, strict=True):
        key = tuple(np.array(rotation).ravel())
        if dimension == 2 and (np.any(np.array(rotation)[:2, 2]) or np.any(np.array(rotation)[2, :2])):
            continue
        if key in seen:
            continue
        seen.add(key)
        shift = np.array(translation, float)
        # A translation that brings back the same cell is none, but that of a layer along its normal is real.
        shift -= np.round(shift)
        found.append((lattice.T @ np.array(rotation, float) @ back, lattice.T @ shift))
    found.sort(key=lambda operator: -float(np.trace(operator[0])))
    return found, _SYSTEMS[_system(int(dataset.number))]


def _system(group: int) -> str:
    from app.crystal.structures import crystal_system

    return crystal_system(group)


def write_fort34(
    lattice: Matrix, numbers: list[int], positions: Matrix, dimension: int, tolerance: float = 1e-3
) -> str:
    """The text of fort.34 for a primitive cell (rows Å; fractional coordinates), with the operators found within `tolerance`."""
    operators, system = operators_in(lattice, numbers, positions, dimension, tolerance)
    lines = [f"{dimension:4d}{1:4d}{system:4d}", *(_row(vector) for vector in lattice), f"{len(operators):5d}"]
    for rotation, translation in operators:
        lines += [*(_row(row) for row in rotation), _row(translation)]
    lines.append(f"{len(numbers):5d}")
    lines += [f"{z:5d}{_row(place)}" for z, place in zip(numbers, positions @ lattice, strict=True)]
    return "\n".join([*lines, ""])


def _row(values: Matrix) -> str:
    return "".join(f"{0.0 if abs(value) < 5e-13 else value:20.12E}" for value in values)
