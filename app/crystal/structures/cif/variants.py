"""Ordered variants of a partly occupied structure, in the cell of its file: all arrangements, equal ones once.

Only what is exact: every kind of atom has a whole number of its positions. Arrangements that an operation of the file's group
turns into each other are one variant; how many they are stays with it. Nothing is sampled: too many are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial, prod

import numpy as np
import spglib
import spglib.error
from numpy.typing import NDArray

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import Matrix
from app.crystal.structures.cif.formula import formula_text
from app.crystal.structures.cif.operations import PARTS, Group, Integers
from app.crystal.structures.cif.partly import Shared, refusal
from app.crystal.structures.cif.unfolding import SHORTEST

MOST_ARRANGEMENTS = 20_000
MOST_VARIANTS = 24
MOST_ATOMS = 400
"""Atoms and partly occupied positions of the file's cell."""
WITHIN = 1e-3
"""Å within which the space group of a variant is told."""

Kinds = NDArray[np.uint8]
"""Rows of atomic numbers, one for each position; 0: empty."""


@dataclass(frozen=True, eq=False)
class Variant:
    """One arrangement for all that symmetry makes equal to it; atoms in the cell of the file."""

    numbers: list[int]
    positions: Matrix
    degeneracy: int


@dataclass(frozen=True, eq=False)
class Variants:
    """All ordered variants of a structure."""

    entries: tuple[Variant, ...]
    labels: tuple[str, ...]
    crowded: int
    """Arrangements left out, since two of their atoms come too near each other."""

    def find(self, choice: str) -> int | None:
        """The place of the variant of this label or number; None: there is none."""
        text = choice.strip()
        return next((at for at, label in enumerate(self.labels) if text in (label, label.partition(":")[0])), None)


def find_variants(
    numbers: Sequence[int], places: Matrix, shared: Sequence[Shared], group: Group, lattice: Matrix
) -> Variants:
    """The ordered variants of a structure.

    Args:
        numbers, places: atoms of the fully occupied sites in the file's cell, as fractions; lattice: of that cell.

    Raises:
        StructureError: there are none that are exact, or too many; names the sites.
    """
    sites = [site for entry in shared for site in entry.sites]
    positions = np.concatenate([entry.positions for entry in shared])
    _refuse_unbounded(len(numbers) + len(positions), shared, lattice)
    kinds = _arrangements(shared)
    allowed = kinds[~_crowded(kinds != 0, positions, places, lattice)]
    if not len(allowed):
        raise refusal(
            sites, f"positions within {SHORTEST} Å exclude each other, and no arrangement fills enough of them"
        )
    classes = _classes(allowed, _permutations(shared, group, lattice))
    if len(classes) > MOST_VARIANTS:
        raise refusal(sites, f"its cell has more than {MOST_VARIANTS} ordered variants")
    entries = tuple(
        Variant([*numbers, *row[row > 0].tolist()], np.concatenate([places, positions[row > 0]]), degeneracy)
        for row, degeneracy in classes
    )
    labels = tuple(f"{at}: {_label(entry, lattice, len(allowed))}" for at, entry in enumerate(entries, 1))
    return Variants(entries, labels, len(kinds) - len(allowed))


def _refuse_unbounded(atoms: int, shared: Sequence[Shared], lattice: Matrix) -> None:
    """Before any work: what is not exact, or would be too much of it."""
    sites = [site for entry in shared for site in entry.sites]
    for entry in shared:
        if entry.problem:
            raise refusal(sites, entry.problem)
    if atoms > MOST_ATOMS:
        raise refusal(
            sites, f"ordered variants are sought in cells of at most {MOST_ATOMS} atoms; this one has {atoms}"
        )
    if (1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)).min() <= 2 * SHORTEST:
        raise refusal(sites, "its cell is too flat to hold ordered variants")
    if prod(_ways(entry) for entry in shared) > MOST_ARRANGEMENTS:
        raise refusal(sites, f"its cell has more than {MOST_ARRANGEMENTS} arrangements of these atoms")


def _counts(entry: Shared) -> list[tuple[int, int]]:
    """Atomic numbers and how many atoms of each."""
    return sorted((number, round(count)) for number, count in entry.atoms.items())


def _ways(entry: Shared) -> int:
    """In how many ways the atoms can stand on their positions."""
    counts = [count for _, count in _counts(entry)]
    empty = len(entry.positions) - sum(counts)
    return factorial(len(entry.positions)) // prod(factorial(count) for count in (*counts, empty))


def _arrangements(shared: Sequence[Shared]) -> Kinds:
    """All of them, one in each row."""
    rows: Kinds = np.zeros((1, 0), np.uint8)
    for entry in shared:
        own = _own_arrangements(_counts(entry), len(entry.positions))
        rows = np.concatenate([np.repeat(rows, len(own), axis=0), np.tile(own, (len(rows), 1))], axis=1)
    return rows


def _own_arrangements(counts: Sequence[tuple[int, int]], size: int) -> Kinds:
    rows: Kinds = np.zeros((1, size), np.uint8)
    for number, count in counts:
        empty = np.nonzero(rows == 0)[1].reshape(len(rows), -1)
        chosen = np.array(list(combinations(range(empty.shape[1]), count)), dtype=int)
        filled = empty[:, chosen].reshape(-1, count)
        rows = np.repeat(rows, len(chosen), axis=0)
        rows[np.arange(len(rows))[:, None], filled] = number
    return rows


def _crowded(filled: NDArray[np.bool_], positions: Matrix, places: Matrix, lattice: Matrix) -> NDArray[np.bool_]:
    """Which arrangements bring two atoms too near each other.

    Lattice planes are more than twice that distance apart (`_refuse_unbounded`), so only the nearest image in each coordinate
    can be so near, and no atom is near its own image.
    """
    near = _near(positions, positions, lattice)
    np.fill_diagonal(near, val=False)
    beside = _near(positions, places, lattice).any(axis=1)
    crowded = filled.astype(np.float32) @ near.astype(np.float32) > 0
    found: NDArray[np.bool_] = np.any(filled & (crowded | beside), axis=1)
    return found


def _near(first: Matrix, second: Matrix, lattice: Matrix) -> NDArray[np.bool_]:
    apart = first[:, None] - second[None]
    near: NDArray[np.bool_] = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2) < SHORTEST
    return near


def _permutations(shared: Sequence[Shared], group: Group, lattice: Matrix) -> Integers:
    """What each operation makes of the positions: rows of places, each row once."""
    columns = []
    before = 0
    for entry in shared:
        moved = np.einsum("nij,pj->npi", group.rotations, entry.positions) + group.shifts[:, None] / PARTS
        targets = np.array([_nearest(images, entry.positions, lattice) for images in moved])
        if (np.sort(targets, axis=1) != np.arange(len(entry.positions))).any():
            raise refusal(entry.sites, "its operations do not bring these positions onto each other within the digits")
        columns.append(targets + before)
        before += len(entry.positions)
    rows: Integers = np.unique(np.concatenate(columns, axis=1), axis=0)
    return rows


def _nearest(images: Matrix, positions: Matrix, lattice: Matrix) -> Integers:
    apart = images[:, None] - positions[None]
    nearest: Integers = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2).argmin(axis=1)
    return nearest


def _classes(rows: Kinds, permutations: Integers) -> list[tuple[Kinds, int]]:
    """One arrangement of each class, and the size of the class; stops where there are too many."""
    seen: set[bytes] = set()
    found: list[tuple[Kinds, int]] = []
    for row in rows:
        if row.tobytes() in seen:
            continue
        equal = {image.tobytes() for image in row[permutations]}
        seen |= equal
        found.append((row, len(equal)))
        if len(found) > MOST_VARIANTS:
            break
    return found


def _label(variant: Variant, lattice: Matrix, total: int) -> str:
    """`Fe Mg3 O4, Pm-3m (221), 4 of 4 arrangements`: what the file's cell holds, and its space group."""
    content = formula_text(Counter(SYMBOLS[number] for number in variant.numbers))
    cell = (lattice.tolist(), variant.positions.tolist(), variant.numbers)
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=WITHIN)
    except spglib.error.SpglibError:
        found = None
    group = f"{found.international} ({found.number})" if found is not None else "space group not found"
    return f"{content}, {group}, {variant.degeneracy} of {total} arrangements"
