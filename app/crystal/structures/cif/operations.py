"""Symmetry operations of a CIF: read, proved to be a group, and held against the cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import gemmi
import numpy as np
import spglib
import spglib.error
from numpy.typing import NDArray

from app.crystal.structures.bulk import Matrix, StructureError

Integers = NDArray[np.int64]
PARTS = 24
"""Translations are counted in parts of a cell edge, as all space groups allow."""
MOST = 768
"""Operations of one file: four times those of the largest cell of the tables."""
LONGEST = 120
"""Characters of one operation."""
_DECIMAL = re.compile(r"\d*\.\d+|\d+\.(?!\d)")
_NEAR = 0.004
"""How far `0.33` is from the fraction that it means."""
WRONG_CELL = 0.01
"""Share by which a cell may miss the symmetry of its operations; above, one of the two is wrong."""


@dataclass(frozen=True, eq=False)
class Group:
    """Rotations (n, 3, 3) and translations (n, 3) in 24ths that form a group."""

    rotations: Integers
    shifts: Integers

    @cached_property
    def pure(self) -> Integers:
        """Translations without rotation, in 24ths: the centring."""
        same = np.all(self.rotations == np.eye(3, dtype=int), axis=(1, 2))
        shifts: Integers = self.shifts[same]
        return shifts

    @cached_property
    def representatives(self) -> tuple[Integers, Matrix]:
        """One operation of each rotation; translations as fractions of the cell."""
        _, first = np.unique(self.rotations.reshape(-1, 9), axis=0, return_index=True)
        return self.rotations[first], self.shifts[first] / PARTS

    @cached_property
    def primitive(self) -> Matrix:
        """Rows: vectors of a primitive cell in terms of those of the file's cell."""
        return _basis(self.pure) / PARTS

    @cached_property
    def keys(self) -> frozenset[bytes]:
        """What tells two groups apart."""
        return frozenset(_rows(self.rotations, self.shifts))

    @property
    def order(self) -> int:
        """Number of operations of the file's cell."""
        return len(self.shifts)

    def number(self, lattice: Matrix) -> int:
        """The number of the space group; 0: not recognised."""
        try:
            kind = spglib.get_spacegroup_type_from_symmetry(
                self.rotations.astype(np.intc), self.shifts / PARTS, lattice.tolist()
            )
        except spglib.error.SpglibError:
            return 0
        return int(kind.number) if kind is not None else 0

    @cached_property
    def name(self) -> str:
        """The symbol of its setting, where the tables have it."""
        operations = []
        for rotation, shift in zip(self.rotations.tolist(), self.shifts.tolist(), strict=True):
            operation = gemmi.Op()
            operation.rot = [[part * gemmi.Op.DEN for part in row] for row in rotation]
            operation.tran = shift
            operations.append(operation)
        known = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(operations))
        return str(known.xhm()) if known is not None else ""


@lru_cache(maxsize=600)
def hall_group(symbol: str) -> Group:
    """The group of a Hall symbol; raises ValueError."""
    try:
        operations = list(gemmi.symops_from_hall(symbol))
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    return _of_operations(operations)


def read_operations(texts: Sequence[str]) -> tuple[Group, bool]:
    """The group of a file's operations, and whether its identity had to be added.

    Raises:
        StructureError: one cannot be read, or they form no group.
    """
    if len(texts) > MOST:
        raise StructureError("file", f"lists {len(texts)} symmetry operations; at most {MOST} are read")
    group = _of_operations([_operation(text) for text in texts])
    if any(abs(round(np.linalg.det(rotation))) != 1 for rotation in group.rotations):
        raise StructureError("file", "lists a symmetry operation that changes volumes")
    if _closed(group):
        return group, False
    with_identity = Group(
        np.concatenate([np.eye(3, dtype=int)[None], group.rotations]),
        np.concatenate([np.zeros((1, 3), dtype=int), group.shifts]),
    )
    identity = next(iter(_rows(with_identity.rotations[:1], with_identity.shifts[:1])))
    if identity not in group.keys and _closed(with_identity):
        return with_identity, True
    raise StructureError(
        "file",
        f"lists {group.order} symmetry operations that form no group: the product of two of them is not in the list",
    )


def _operation(text: str) -> gemmi.Op:
    compact = re.sub(r"[\s'\"()\[\]_;]", "", text[:LONGEST]).lower().replace("\u2212", "-")
    triplet = _DECIMAL.sub(_fraction, compact)
    try:
        operation = gemmi.Op(triplet)
    except (RuntimeError, ValueError):
        operation = None
    if operation is None or any(part % gemmi.Op.DEN for row in operation.rot for part in row):
        raise StructureError("file", f"lists the symmetry operation {text.strip()[:40]!r}, which cannot be read")
    return operation


def _fraction(match: re.Match[str]) -> str:
    parts = float(match[0]) * PARTS
    return f"{round(parts)}/{PARTS}" if abs(parts - round(parts)) < _NEAR * PARTS else match[0]


def _of_operations(operations: Sequence[gemmi.Op]) -> Group:
    rotations = np.array([operation.rot for operation in operations]) // gemmi.Op.DEN
    shifts = np.array([operation.tran for operation in operations]) % PARTS
    rows = np.concatenate([rotations.reshape(-1, 9), shifts], axis=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    first = np.sort(first)
    return Group(rotations[first].astype(int), shifts[first].astype(int))


def _rows(rotations: Integers, shifts: Integers) -> list[bytes]:
    table = np.concatenate([rotations.reshape(-1, 9), shifts % PARTS], axis=1).astype(np.int8)
    return [row.tobytes() for row in table]


def _closed(group: Group) -> bool:
    """Is each product of two operations one of them?"""
    for rotation, shift in zip(group.rotations, group.shifts, strict=True):
        products = _rows(rotation @ group.rotations, group.shifts @ rotation.T + shift)
        if not group.keys.issuperset(products):
            return False
    return True


def _basis(shifts: Integers) -> Matrix:
    """A basis of the lattice that the cell's edges and these translations make (24ths): Euclid, column after column."""
    rows = [list(map(int, row)) for row in (*np.eye(3, dtype=int) * PARTS, *shifts)]
    for column in range(3):
        while True:
            left = sorted((row for row in rows[column:] if row[column]), key=lambda row: abs(row[column]))
            rest = [row for row in rows[column:] if not row[column] and any(row)]
            if len(left) == 1:
                rows[column:] = left + rest
                break
            pivot = left[0]
            reduced = [
                [part - row[column] // pivot[column] * own for part, own in zip(row, pivot, strict=True)]
                for row in left[1:]
            ]
            rows[column:] = [pivot, *reduced, *rest]
    for at in (1, 0):
        for behind in range(at + 1, 3):
            times = round(rows[at][behind] / rows[behind][behind])
            rows[at] = [part - times * own for part, own in zip(rows[at], rows[behind], strict=True)]
    basis: Matrix = np.array(rows[:3], float)
    if np.linalg.det(basis) < 0:
        basis[2] *= -1
    return basis


def fitted(metric: Matrix, group: Group) -> tuple[Matrix, float]:
    """The metric averaged over the group, and by which share the file's own is off."""
    rotations = group.representatives[0].astype(float)
    turned = np.einsum("nji,jk,nkl->nil", rotations, metric, rotations)
    mean: Matrix = turned.mean(axis=0)
    lengths = np.sqrt(np.diag(metric))
    return mean, float((np.abs(turned - metric) / np.outer(lengths, lengths)).max())
