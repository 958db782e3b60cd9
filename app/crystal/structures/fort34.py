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
from app.crystal.structures.bulk import CENTRINGS, SYSTEMS, Matrix, StructureError, Symmetry, cartesian, crystal_system

VACUUM = 500.0
"""Å that CRYSTAL writes for directions without period."""
MAX_ATOMS = 2000
MAX_OPERATORS = 192


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
        """Every atom of the primitive cell is in the file."""
        return [1] * len(self.numbers)

    @property
    def primitive(self) -> tuple[Matrix, list[int], Matrix]:
        """Vectors (rows, Å), atomic numbers and fractional coordinates."""
        return self.vectors, list(self.numbers), self.places @ np.linalg.inv(self.vectors)

    @property
    def symmetry(self) -> Symmetry:
        """That of its atoms: the operators of the file it came from are not kept."""
        return found_symmetry(*self.primitive, self.dimension)

    @property
    def elements(self) -> list[str]:
        """Symbols of the elements, by atomic number."""
        return [SYMBOLS[z] for z in sorted(set(self.numbers))]

    @property
    def electrons(self) -> int:
        """Electrons of the neutral cell."""
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
            raise StructureError("file", f"has {count} atoms; 1 to {MAX_ATOMS} are allowed")
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
        raise StructureError("file", "contains numbers that are not finite")
    lengths = np.linalg.norm(lattice, axis=1)
    if lengths.min() < 0.5 or lengths.max() > 1000:
        raise StructureError("file", f"has a cell vector of {lengths.min():g} to {lengths.max():g} Å")
    if abs(np.linalg.det(lattice)) < 1e-3 * lengths.prod():
        raise StructureError("file", "has a flat cell")
    if np.abs(positions).max() > 1e4:
        raise StructureError("file", "has atoms far outside the cell")
    if not all(1 <= z < len(SYMBOLS) for z in numbers):
        raise StructureError("file", "names an element that does not exist")


def found_symmetry(
    lattice: Matrix, numbers: list[int], positions: Matrix, dimension: int, tolerance: float = 1e-3
) -> Symmetry:
    """The symmetry that spglib finds in a primitive cell (rows Å; fractional coordinates).

    Where a direction has no period only operators that keep the plane count; polymers and molecules get the identity alone.
    """
    nothing = Symmetry(((np.eye(3), np.zeros(3)),))
    if dimension < 2:
        return nothing
    try:
        dataset = spglib.get_symmetry_dataset((lattice.tolist(), positions.tolist(), numbers), symprec=tolerance)
    except spglib.error.SpglibError:
        return nothing
    if dataset is None:
        return nothing
    rotations, translations = np.array(dataset.rotations, float), np.array(dataset.translations, float)
    if dimension == 2:
        flat = ~(rotations[:, :2, 2].any(axis=1) | rotations[:, 2, :2].any(axis=1))
        rotations, translations = rotations[flat], translations[flat]
    pure = int(np.sum(np.all(rotations == np.eye(3), axis=(1, 2))))
    centring = CENTRINGS.get(str(dataset.international)[0], 1) if pure == 1 and dimension == 3 else 1
    operators = cartesian(rotations, translations, lattice)
    return Symmetry(operators, centring, SYSTEMS[crystal_system(int(dataset.number))])


def write_fort34(
    lattice: Matrix, numbers: list[int], positions: Matrix, dimension: int, symmetry: Symmetry | None = None
) -> str:
    """The text of fort.34 for a primitive cell (rows Å; fractional coordinates); without `symmetry` it is found."""
    symmetry = symmetry or found_symmetry(lattice, numbers, positions, dimension)
    head = f"{dimension:4d}{symmetry.centring:4d}{symmetry.system:4d}"
    lines = [head, *(_row(vector) for vector in lattice), f"{len(symmetry.operators):5d}"]
    for rotation, translation in symmetry.operators:
        lines += [*(_row(row) for row in rotation), _row(translation)]
    lines.append(f"{len(numbers):5d}")
    lines += [f"{z:5d}{_row(place)}" for z, place in zip(numbers, positions @ lattice, strict=True)]
    return "\n".join([*lines, ""])


def _row(values: Matrix) -> str:
    return "".join(f"{0.0 if abs(value) < 5e-13 else value:20.12E}" for value in values)
