"""From sites and a group to the atoms of the cell. A rounded site is put onto the special position that it must be on.

0.333 means one third where an operation of the group brings the atom so near itself that both cannot be: nearer than any two
atoms are, and no farther than the digits leave open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import MAX_ATOMS, Matrix, StructureError, crowded
from app.crystal.structures.cif.elements import MAKE_ORDERED
from app.crystal.structures.cif.operations import Group
from app.crystal.structures.cif.sites import Site

CHECK_SYMMETRY = (
    "Either a coordinate or the symmetry is not what was meant, or the sites are alternatives of a disorder: compare with the "
    "source of the structure."
)
SHORTEST = 0.6
"""Å; no two atoms are nearer (H–H is 0.74)."""
SAME = 0.02
"""Å within which two rows of one element are the same atom, listed twice."""
FARTHEST = 0.3
"""Å by which a site may be put onto a special position that the file's multiplicity, or formula and Z, prove."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Atoms of a primitive cell: `lattice` (rows, Å), numbers, fractions, and the row of each in the file."""

    lattice: Matrix
    numbers: list[int]
    positions: Matrix
    owners: list[int]
    copies: int
    """Primitive cells in the file's cell."""
    remarks: tuple[str, ...] = ()
    multiplicities: dict[int, int] = field(default_factory=dict)
    """Of each row, in the file's cell."""

    @property
    def counts(self) -> Counter[str]:
        """Atoms of the file's cell by element."""
        return Counter({SYMBOLS[z]: n * self.copies for z, n in Counter(self.numbers).items()})


def unfold(sites: Sequence[Site], group: Group, lattice: Matrix, *, proved: bool = False) -> Cell:
    """All atoms of the primitive cell.

    Args:
        lattice: of the file's cell, rows in Å. proved: put sites onto special positions beyond their digits too; for a caller
            who holds the result against what the file declares.

    Raises:
        StructureError: atoms come too near each other, or are too many; names the sites.
    """
    basis = group.primitive
    to_primitive = np.linalg.inv(basis).astype(np.float64)
    primitive = basis @ lattice
    crowd = _Crowd(primitive)
    moved: list[tuple[str, float]] = []
    twice: list[str] = []
    for at, site in enumerate(sites):
        place, far = special_place(site, group, lattice, to_primitive, proved=proved)
        if crowd.has(place @ to_primitive, site.number):
            twice.append(site.label)
            continue
        if far > 2e-4:
            moved.append((site.label, far))
        crowd.add(_images(place, group, to_primitive, primitive), site.number, at)
    copies = round(1 / np.linalg.det(basis))
    _refuse_contacts(crowd, sites)
    remarks = [_moved(moved)] if moved else []
    if twice:
        remarks.append(f"{_some(twice)} {'are' if len(twice) > 1 else 'is'} listed twice, and counted once")
    multiplicities = {row: count * copies for row, count in Counter(crowd.owners).items()}
    return Cell(primitive, crowd.numbers, crowd.positions.copy(), crowd.owners, copies, tuple(remarks), multiplicities)


class _Crowd:
    """Atoms of a primitive cell, one orbit after the other."""

    def __init__(self, lattice: Matrix) -> None:
        self.lattice = lattice
        self.numbers: list[int] = []
        self.owners: list[int] = []
        self._places = np.zeros((MAX_ATOMS, 3))
        self._kinds = np.zeros(MAX_ATOMS, dtype=int)

    @property
    def positions(self) -> Matrix:
        """Fractions of the primitive cell."""
        return self._places[: len(self.numbers)]

    def has(self, place: Matrix, number: int) -> bool:
        """Is there an atom of this element already, at this place?"""
        own = self.positions[self._kinds[: len(self.numbers)] == number] - place
        return bool((np.linalg.norm((own - np.round(own)) @ self.lattice, axis=1) < SAME).any())

    def add(self, images: Matrix, number: int, owner: int) -> None:
        """The images of a site; raises where there are too many atoms."""
        before, after = len(self.numbers), len(self.numbers) + len(images)
        if after > MAX_ATOMS:
            raise StructureError(
                "file", f"has more than {MAX_ATOMS} atoms in the primitive cell; at most {MAX_ATOMS} are allowed"
            )
        self._places[before:after], self._kinds[before:after] = images, number
        self.numbers += [number] * len(images)
        self.owners += [owner] * len(images)


def _some(names: Sequence[str]) -> str:
    return ", ".join(name[:20] for name in names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _moved(moved: list[tuple[str, float]]) -> str:
    farthest = max(far for _, far in moved)
    names = _some([label for label, _ in moved])
    return f"{names} moved onto special positions, by up to {farthest:.4f} Å: the file's digits are rounded"


def special_place(
    site: Site, group: Group, lattice: Matrix, to_primitive: Matrix, *, proved: bool = False
) -> tuple[Matrix, float]:
    """The exact place of a site, and by how many Å it differs from the one that is written."""
    rotations, shifts = group.representatives
    apart = (rotations @ site.place + shifts - site.place) @ to_primitive
    whole = np.round(apart) @ np.linalg.inv(to_primitive)
    apart = rotations @ site.place + shifts - whole - site.place
    near = np.linalg.norm(apart @ lattice, axis=1) < SHORTEST
    if not proved:
        near &= (np.abs(apart) <= np.abs(rotations - np.eye(3)) @ site.reach + 1e-6).all(axis=1)
    if near.sum() < 2:
        return site.place, 0.0
    place: Matrix = site.place + apart[near].mean(axis=0)
    again = rotations[near] @ place + shifts[near] - whole[near] - place
    far = float(np.linalg.norm((place - site.place) @ lattice))
    if np.abs(again).max() > 1e-6 or (proved and far > FARTHEST):
        # What brings it near itself leaves no point where it is.
        return site.place, 0.0
    return place, far


def _images(place: Matrix, group: Group, to_primitive: Matrix, primitive: Matrix) -> Matrix:
    """The different images of a place, as fractions of the primitive cell."""
    rotations, shifts = group.representatives
    images = (rotations @ place + shifts) @ to_primitive
    images -= np.floor(images + 1e-9)
    if len(images) == 1:
        return images
    apart = images[:, None, :] - images[None, :, :]
    same = np.linalg.norm((apart - np.round(apart)) @ primitive, axis=2) < 1e-4
    different: Matrix = images[~np.any(np.tril(same, -1), axis=1)]
    return different


def _refuse_contacts(crowd: _Crowd, sites: Sequence[Site]) -> None:
    near = crowded(crowd.positions, crowd.lattice, 3, SHORTEST)
    if not near:
        return
    first = near[0]
    steps = np.array(np.meshgrid(*[(-2, -1, 0, 1, 2)] * 3)).reshape(3, -1).T
    apart = crowd.positions[near] - crowd.positions[first]
    images = (apart - np.round(apart))[:, None, :] + steps
    lengths = np.linalg.norm(images @ crowd.lattice, axis=2)
    lengths[0, np.abs(images[0]).sum(axis=1) < 1e-9] = np.inf
    shortest = lengths.min(axis=1)
    second = near[int(np.argmin(shortest))]
    raise _too_near(sites[crowd.owners[first]], sites[crowd.owners[second]], float(shortest.min()))


def _too_near(first: Site, second: Site, distance: float) -> StructureError:
    one, other = _named(first), _named(second)
    if first is second:
        words = f"has the site {one} within {distance:.2f} Å of its own image, fully occupied"
        return StructureError("file", words, CHECK_SYMMETRY)
    if first.number != second.number and distance < SHORTEST / 3:
        words = f"puts {one} and {other} on one place without occupancies: a mixed site that does not say its shares"
        return StructureError("file", words, MAKE_ORDERED)
    return StructureError("file", f"has {one} and {other} within {distance:.2f} Å of each other", CHECK_SYMMETRY)


def _named(site: Site) -> str:
    symbol = SYMBOLS[site.number]
    return site.label if site.label == symbol else f"{site.label[:20]} ({symbol})"
