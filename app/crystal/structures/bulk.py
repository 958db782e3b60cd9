"""Bulk crystals as CRYSTAL describes them: space group, minimal cell, asymmetric unit. Symmetry comes from spglib.

Coordinates are fractions of the conventional cell of the standard setting: second origin choice where the tables have
two (CRYSTAL's `0 0 0`), unique axis b, hexagonal axes for R groups unless `rhombohedral`. The primitive vectors are
those that CRYSTAL prints (transformation matrices in published outputs for P, F, R).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import spglib
import spglib.error
from numpy.typing import NDArray

from app.crystal.elements import SYMBOLS, atomic_number

# spglib then raises its errors instead of printing warnings about the old way.
spglib.error.OLD_ERROR_HANDLING = False

R_GROUPS = (146, 148, 155, 160, 161, 166, 167)
TOLERANCE = 1e-3
"""Distance in Å below which two atoms are the same."""
SHORTEST_BOND = 0.4
"""Å; anything closer is a wrong structure, not chemistry."""
MAX_ATOMS = 2000
"""Atoms of a primitive cell."""

Matrix = NDArray[np.float64]


class StructureError(ValueError):
    """The structure cannot be: `field` names the input at fault, `remedy` what a person can do, `blocks` what else a file holds.

    `variants` are the ordered ones that a partly occupied structure leaves to choose from.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        remedy: str = "",
        blocks: tuple[str, ...] = (),
        variants: tuple[str, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.field = field
        self.remedy = remedy
        self.blocks = blocks
        self.variants = variants

    def __reduce__(self) -> tuple[type[StructureError], tuple[str, str, str, tuple[str, ...], tuple[str, ...]]]:
        # Errors of the reading process travel to the service.
        return StructureError, (self.field, str(self), self.remedy, self.blocks, self.variants)


def crystal_system(space_group: int) -> str:
    """The crystal system of a space group, 1 to 230."""
    limits = (
        (2, "triclinic"),
        (15, "monoclinic"),
        (74, "orthorhombic"),
        (142, "tetragonal"),
        (167, "trigonal"),
        (194, "hexagonal"),
        (230, "cubic"),
    )
    return next(name for limit, name in limits if space_group <= limit)


@lru_cache(maxsize=1)
def _symbols() -> dict[str, int]:
    """Hermann–Mauguin symbols without blanks, in upper case; the old form `Fm3m` where it is not ambiguous."""
    exact: dict[str, int] = {}
    old: dict[str, int] = {}
    for hall in range(1, 531):
        kind = spglib.get_spacegroup_type(hall)
        if kind is None:
            continue
        for text in (kind.international_short, kind.international_full, kind.international.split("=")[0]):
            symbol = text.replace("_", "").replace(" ", "").upper()
            exact.setdefault(symbol, kind.number)
            if kind.number >= 195:
                old.setdefault(symbol.replace("-", ""), kind.number)
    return {**old, **exact}


def space_group_of(symbol: str) -> int | None:
    """The number of a space group by its Hermann–Mauguin symbol as CRYSTAL writes it, `F M 3 M`; None: not known."""
    return _symbols().get(symbol.replace(" ", "").replace("_", "").upper())


def minimal_parameters(space_group: int, rhombohedral: bool = False) -> tuple[str, ...]:
    """The cell parameters that CRYSTAL reads for this group, in its order."""
    if rhombohedral:
        return ("a", "alpha")
    return {
        "triclinic": ("a", "b", "c", "alpha", "beta", "gamma"),
        "monoclinic": ("a", "b", "c", "beta"),
        "orthorhombic": ("a", "b", "c"),
        "tetragonal": ("a", "c"),
        "trigonal": ("a", "c"),
        "hexagonal": ("a", "c"),
        "cubic": ("a",),
    }[crystal_system(space_group)]


def full_cell(space_group: int, parameters: dict[str, float], rhombohedral: bool = False) -> tuple[float, ...]:
    """a, b, c (Å), α, β, γ (degrees) from the minimal parameters."""
    missing = [name for name in minimal_parameters(space_group, rhombohedral) if name not in parameters]
    if missing:
        raise StructureError(missing[0], f"is required for a {crystal_system(space_group)} cell")
    a = parameters["a"]
    if rhombohedral:
        return (a, a, a, parameters["alpha"], parameters["alpha"], parameters["alpha"])
    system = crystal_system(space_group)
    angles = {"trigonal": (90.0, 90.0, 120.0), "hexagonal": (90.0, 90.0, 120.0)}.get(system, (90.0, 90.0, 90.0))
    if system == "triclinic":
        angles = (parameters["alpha"], parameters["beta"], parameters["gamma"])
    elif system == "monoclinic":
        angles = (90.0, parameters["beta"], 90.0)
    return (a, parameters.get("b", a), parameters.get("c", a), *angles)


def lattice_vectors(cell: Sequence[float]) -> Matrix:
    """Rows are a, b, c in Å, a along x and b in the xy plane."""
    a, b, c = cell[:3]
    alpha, beta, gamma = np.radians(cell[3:])
    cx = np.cos(beta)
    cy = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    square = 1 - cx**2 - cy**2
    if not square > 1e-6:
        raise StructureError("alpha", "and the other angles do not form a cell")
    return np.array(
        [[a, 0, 0], [b * np.cos(gamma), b * np.sin(gamma), 0], [c * cx, c * cy, c * np.sqrt(square)]], dtype=float
    )


@lru_cache(maxsize=256)
def setting_of(space_group: int, first_origin: bool = False, rhombohedral: bool = False) -> int:
    """The Hall number of the setting that CRYSTAL uses: second origin, hexagonal axes, unique axis b."""
    own = [
        (hall, kind)
        for hall in range(1, 531)
        if (kind := spglib.get_spacegroup_type(hall)) is not None and kind.number == space_group
    ]
    wanted = "R" if rhombohedral else "1" if first_origin else "2"
    return next((hall for hall, kind in own if kind.choice == wanted), own[0][0])


@lru_cache(maxsize=256)
def operations_of(
    space_group: int, first_origin: bool = False, rhombohedral: bool = False
) -> tuple[Matrix, Matrix, str]:
    """Rotations (n, 3, 3), translations (n, 3) and centring letter of the setting that CRYSTAL uses."""
    hall = setting_of(space_group, first_origin, rhombohedral)
    symmetry, kind = spglib.get_symmetry_from_database(hall), spglib.get_spacegroup_type(hall)
    assert symmetry is not None and kind is not None
    centring = "P" if rhombohedral else kind.international_short[0]
    return (
        np.array(symmetry["rotations"], np.float64),
        np.array(symmetry["translations"], np.float64),
        centring,
    )


PRIMITIVE_VECTORS: dict[str, Matrix] = {
    "P": np.eye(3),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "C": np.array([[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]),
    "A": np.array([[1, 0, 0], [0, 0.5, 0.5], [0, -0.5, 0.5]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}
"""Rows: primitive vectors in terms of the conventional ones."""


CENTRINGS = {"P": 1, "A": 2, "B": 3, "C": 4, "F": 5, "I": 6, "R": 7}
SYSTEMS = {
    "triclinic": 1,
    "monoclinic": 2,
    "orthorhombic": 3,
    "tetragonal": 4,
    "trigonal": 5,
    "hexagonal": 5,
    "cubic": 6,
}
"""CRYSTAL's numbers of centrings and crystal systems."""


@dataclass(frozen=True)
class Symmetry:
    """Operators of a primitive cell in Cartesian form (rotation, translation in Å), with CRYSTAL's numbers beside them."""

    operators: tuple[tuple[Matrix, Matrix], ...]
    centring: int = 1
    system: int = 1


def cartesian(rotations: Matrix, translations: Matrix, lattice: Matrix) -> tuple[tuple[Matrix, Matrix], ...]:
    """Operators given in fractions of `lattice` (rows, Å), one of each rotation: centring translations are no operators."""
    back = np.linalg.inv(lattice.T)
    operators: dict[tuple[int, ...], tuple[Matrix, Matrix]] = {}
    for rotation, translation in zip(rotations, translations, strict=True):
        key = tuple(np.round(rotation).astype(int).ravel().tolist())
        shift = translation - np.round(translation)
        operators.setdefault(key, (lattice.T @ rotation @ back, shift @ lattice))
    return tuple(sorted(operators.values(), key=lambda operator: -float(np.trace(operator[0]))))


class Expanded(ABC):
    """What follows from a structure's images: of each atom of the asymmetric unit, in the primitive cell."""

    numbers: tuple[int, ...]

    @abstractmethod
    def expand(self) -> tuple[Matrix, list[Matrix]]:
        """Primitive vectors (rows, Å), and per atom of the asymmetric unit its images (n, 3) as fractions of them."""

    @property
    @abstractmethod
    def symmetry(self) -> Symmetry:
        """The operators of the group that the structure was given, whether or not its atoms have more."""

    @property
    def elements(self) -> list[str]:
        """Symbols of the elements, by atomic number."""
        return [SYMBOLS[z] for z in sorted(set(self.numbers))]

    @property
    def primitive(self) -> tuple[Matrix, list[int], Matrix]:
        """Primitive vectors (rows, Å), atomic numbers and fractional coordinates, images of one atom together."""
        lattice, orbits = self.expand()
        numbers = [z for z, orbit in zip(self.numbers, orbits, strict=True) for _ in orbit]
        return lattice, numbers, np.concatenate(orbits)

    @property
    def multiplicities(self) -> list[int]:
        """Atoms of the primitive cell that each atom of the asymmetric unit makes."""
        return [len(orbit) for orbit in self.expand()[1]]


@dataclass(frozen=True)
class Bulk(Expanded):
    """A three-dimensional crystal. `cell` is the full conventional cell; `atoms` the asymmetric unit."""

    space_group: int
    cell: tuple[float, ...]
    numbers: tuple[int, ...]
    positions: tuple[tuple[float, float, float], ...]
    rhombohedral: bool = False
    first_origin: bool = False

    kind = "CRYSTAL"
    dimension = 3

    @property
    def records(self) -> tuple[str, ...]:
        """The lines of the deck from the kind to the last atom."""
        rows = self.atom_lines
        return ("CRYSTAL", self.flags, str(self.space_group), self.cell_line, str(len(rows)), *rows)

    @property
    def flags(self) -> str:
        """The record IFLAG IFHR IFSO."""
        return f"0 {int(self.rhombohedral)} {int(self.first_origin)}"

    @property
    def cell_line(self) -> str:
        """The minimal parameters, as many decimals as were given."""
        names = minimal_parameters(self.space_group, self.rhombohedral)
        order = ("a", "b", "c", "alpha", "beta", "gamma")
        return " ".join(number(self.cell[order.index(name)]) for name in names)

    @property
    def atom_lines(self) -> list[str]:
        """`Z x y z` of the asymmetric unit."""
        rows = zip(self.numbers, self.positions, strict=True)
        return [f"{z} {number(x)} {number(y)} {number(w)}" for z, (x, y, w) in rows]

    def expand(self) -> tuple[Matrix, list[Matrix]]:
        """Primitive vectors (rows, Å) and the images of each atom, as fractions of them; cached."""
        return _expand(self)

    @property
    def symmetry(self) -> Symmetry:
        """The operators of the space group in Cartesian form."""
        rotations, translations, centring = operations_of(self.space_group, self.first_origin, self.rhombohedral)
        operators = cartesian(rotations, translations, lattice_vectors(self.cell))
        return Symmetry(operators, CENTRINGS[centring], SYSTEMS[crystal_system(self.space_group)])

    @property
    def electrons(self) -> int:
        """Electrons of the neutral primitive cell."""
        return sum(self.primitive[1])

    def check(self) -> None:
        """Raise StructureError where two atoms of the crystal coincide or nearly so."""
        lattice, numbers, positions = self.primitive
        owner = np.repeat(np.arange(len(self.numbers)), self.multiplicities)
        for i in (i for i in crowded(positions, lattice, 3) if i < len(numbers) - 1):
            distances = _distances(positions[i + 1 :] - positions[i], lattice)
            j = i + 1 + int(np.argmin(distances))
            if distances.min() < SHORTEST_BOND:
                raise StructureError(
                    "atoms",
                    f"row {owner[i] + 1} ({SYMBOLS[numbers[i]]}) and row {owner[j] + 1} ({SYMBOLS[numbers[j]]}) come "
                    f"within {distances.min():.2f} Å of each other: list each atom of the asymmetric unit once, in this "
                    "setting",
                )


@lru_cache(maxsize=512)
def _expand(bulk: Bulk) -> tuple[Matrix, list[Matrix]]:
    """Primitive vectors, and per atom of the asymmetric unit its images (n, 3) in the primitive cell.

    Raises:
        StructureError: they are too many; found out before all of them are made.
    """
    refuse_many(len(bulk.positions))
    rotations, translations, centring = operations_of(bulk.space_group, bulk.first_origin, bulk.rhombohedral)
    to_conventional = PRIMITIVE_VECTORS[centring]
    lattice = to_conventional @ lattice_vectors(bulk.cell)
    to_primitive = np.linalg.inv(to_conventional)
    orbits: list[Matrix] = []
    count = 0
    for position in bulk.positions:
        images = (rotations @ np.array(position) + translations) @ to_primitive
        images -= np.floor(images + 1e-9)
        if len(rotations) == 1:
            orbits.append(images)
            continue
        # Most operators leave an atom on a special position where it is: few images are left to be told apart by distance.
        _, first = np.unique(np.round(images, 8) + 0.0, axis=0, return_index=True)
        images = images[np.sort(first)]
        apart = images[:, None, :] - images[None, :, :]
        same = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2) < TOLERANCE
        # Keep an image unless an earlier one is the same.
        orbits.append(images[~np.any(np.tril(same, -1), axis=1)])
        count += len(orbits[-1])
        refuse_many(count)
    return lattice, orbits


def refuse_many(count: int) -> None:
    """Raise StructureError where `count` atoms are more than a primitive cell may have."""
    if count > MAX_ATOMS:
        raise StructureError("atoms", f"give more than {MAX_ATOMS} atoms in the primitive cell (the limit)")


def crowded(positions: Matrix, lattice: Matrix, dimension: int, shortest: float = SHORTEST_BOND) -> list[int]:
    """Atoms (fractional coordinates, in the order given) with another one, or an image of one, closer than `shortest` (Å).

    A tree finds them in a time that hardly grows faster than their number. Atoms that come within d of each other differ by at
    most d / h in a coordinate, h being the distance of the lattice planes: so many images beyond the cell's faces are enough.
    """
    if not len(positions):
        return []
    # Imported where it is used: the command line and the service's own process start without it.
    from scipy.spatial import cKDTree

    wrapped = positions.copy()
    wrapped[:, :dimension] -= np.floor(wrapped[:, :dimension])
    reach = shortest * np.linalg.norm(np.linalg.inv(lattice), axis=0)
    points = wrapped
    for axis in range(dimension):
        # In a cell so flat an atom is near its own image, so every atom is reported already.
        most = min(int(reach[axis]), 2) + 1
        steps = range(-most, most + 1)
        shifted = np.concatenate([points + step * np.eye(3)[axis] for step in steps])
        inside = (shifted[:, axis] >= -reach[axis]) & (shifted[:, axis] <= 1 + reach[axis])
        points = shifted[inside]
    near = cKDTree(points @ lattice).query_ball_point(wrapped @ lattice, shortest, return_length=True)
    return [int(index) for index in np.flatnonzero(near > 1)]


_NEIGHBOURS = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T


def _distances(apart: Matrix, lattice: Matrix) -> Matrix:
    """Shortest distances in Å for fractional differences (n, 3), over all images."""
    wrapped = apart - np.round(apart)
    shortest: Matrix = np.linalg.norm((wrapped[:, None, :] + _NEIGHBOURS) @ lattice, axis=2).min(axis=1)
    return shortest


def number(value: float) -> str:
    """A number for a deck: no exponent, no needless zeros, always a decimal point."""
    text = f"{value:.10f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def tidy_fraction(value: float) -> float:
    """A fraction in [0, 1) with ten digits; simple ones exactly."""
    wrapped = float(value - np.floor(value))
    for parts in (2, 3, 4, 6, 8, 12):
        if abs(wrapped * parts - round(wrapped * parts)) < 1e-8 * parts:
            wrapped = round(wrapped * parts) / parts
    return 0.0 if wrapped >= 1 - 1e-10 else round(wrapped, 10)


def read_bulk(values: Mapping[str, Any]) -> Bulk:
    """The crystal of a template's field values.

    Raises:
        StructureError: names the field at fault.
    """
    if values.get("space_group") is None:
        raise StructureError("space_group", "is required")
    group = int(values["space_group"])
    rhombohedral = bool(values.get("rhombohedral"))
    parameters: dict[str, float] = {
        name: values[name] for name in ("a", "b", "c", "alpha", "beta", "gamma") if values.get(name) is not None
    }
    cell = full_cell(group, parameters, rhombohedral)
    lattice_vectors(cell)
    try:
        numbers = tuple(atomic_number(str(row["element"])) for row in values["atoms"])
    except ValueError as error:
        raise StructureError("atoms", str(error)) from error
    positions = tuple((row["x"], row["y"], row["z"]) for row in values["atoms"])
    if any(abs(part) > 2 for place in positions for part in place):
        raise StructureError("atoms", "have coordinates beyond 2; they must be fractions of the conventional cell")
    first_origin = values.get("origin") == "first"
    bulk = Bulk(group, cell, numbers, positions, rhombohedral, first_origin)
    bulk.check()
    return bulk
