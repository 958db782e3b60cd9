"""From the fields of a form to a structure: crystal, slab, polymer, molecule, or the contents of a fort.34."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from app.crystal.elements import atomic_number
from app.crystal.structures.bulk import Matrix, StructureError, Symmetry, read_bulk
from app.crystal.structures.fort34 import External, read_fort34, write_fort34
from app.crystal.structures.lowdimensional import GROUPS, LowDimensional, layer_parameters

DIMENSIONS = {"crystal": 3, "slab": 2, "polymer": 1, "molecule": 0}


class Structure(Protocol):
    """What every kind of structure says of itself. Lattices are rows in Å, positions fractions of the primitive cell."""

    @property
    def kind(self) -> str:
        """The first keyword of its deck: CRYSTAL, SLAB, POLYMER, MOLECULE or EXTERNAL."""

    @property
    def dimension(self) -> int:
        """Number of periodic directions."""

    @property
    def records(self) -> tuple[str, ...]:
        """The lines of the deck from the kind to the last atom."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Atomic numbers of the asymmetric unit."""

    @property
    def elements(self) -> list[str]:
        """Symbols of the elements, by atomic number."""

    @property
    def multiplicities(self) -> list[int]:
        """Atoms of the primitive cell that each atom of the asymmetric unit makes."""

    @property
    def primitive(self) -> tuple[Matrix, list[int], Matrix]:
        """Primitive vectors (rows, Å), atomic numbers and fractional coordinates (n, 3)."""

    @property
    def electrons(self) -> int | None:
        """Electrons of the neutral primitive cell; None: not known."""

    @property
    def symmetry(self) -> Symmetry:
        """The operators of its group in Cartesian form."""


@dataclass(frozen=True)
class Geometry:
    """A structure as a deck writes it: by keywords or as EXTERNAL with fort.34, perhaps as a supercell."""

    structure: Structure | None
    """None where EXTERNAL reads a file that is not known yet, such as the result of a step before."""
    external: bool = False
    supercell: tuple[tuple[int, ...], ...] = ()
    conventional: Mapping[int, int] = field(default_factory=dict)
    """Numbers under which the deck lists elements whose basis set says so: Z + 200 with a pseudopotential."""

    @property
    def records(self) -> tuple[str, ...]:
        """The lines of the deck from the kind of structure on, the supercell included."""
        lines = ("EXTERNAL",) if self.external or self.structure is None else self._own_records(self.structure)
        if not self.supercell:
            return lines
        return (*lines, "SUPERCEL", *(" ".join(map(str, row)) for row in self.supercell))

    def _own_records(self, structure: Structure) -> tuple[str, ...]:
        """The structure's own lines; the last are its atoms."""
        first = len(structure.records) - len(structure.numbers)
        atoms = (
            f"{self.conventional.get(z, z)} {line.split(maxsplit=1)[1]}"
            for z, line in zip(structure.numbers, structure.records[first:], strict=True)
        )
        return (*structure.records[:first], *atoms)

    @property
    def copies(self) -> int:
        """Primitive cells in the cell that is computed."""
        return abs(round(np.linalg.det(np.array(self.supercell)))) if self.supercell else 1

    @property
    def fort34(self) -> str:
        """The text of fort.34 with the operators of the group that was asked for, which may be lower than the atoms' own."""
        assert self.structure is not None
        lattice, numbers, positions = self.structure.primitive
        listed = [self.conventional.get(z, z) for z in numbers]
        return write_fort34(lattice, listed, positions, self.structure.dimension, self.structure.symmetry)

    @property
    def electrons(self) -> int | None:
        """Electrons of the cell that is computed, where they are known."""
        own = self.structure.electrons if self.structure is not None else None
        return None if own is None else own * self.copies

    @property
    def atoms(self) -> int | None:
        """Atoms of the cell that is computed, a supercell included; None: not known."""
        if self.structure is None or self.structure.electrons is None:
            return None
        return len(self.structure.primitive[1]) * self.copies


def read_geometry(values: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Geometry:
    """The structure of a template's field values.

    Args:
        files: contents of attached files by field, where they are at hand.

    Raises:
        StructureError: names the field at fault.
    """
    kind = values.get("system", "crystal")
    if kind == "external":
        text = (files or {}).get("geometry_file")
        structure: Structure | None = _from_file(text) if text is not None else None
        return Geometry(structure, True, read_supercell(values.get("supercell"), structure))
    structure = read_bulk(values) if kind == "crystal" else _low_dimensional(kind, values)
    external = values.get("geometry_as") == "external"
    return Geometry(structure, external, read_supercell(values.get("supercell"), structure))


def _from_file(data: bytes) -> External:
    try:
        return read_fort34(data.decode("utf-8", "replace"))
    except StructureError as error:
        raise StructureError("geometry_file", str(error)) from error


def _low_dimensional(kind: str, values: Mapping[str, Any]) -> LowDimensional:
    dimension = DIMENSIONS[kind]
    group = int(values.get({"slab": "layer_group", "polymer": "rod_group", "molecule": "point_group"}[kind], 1))
    if not 1 <= group <= GROUPS[dimension]:
        raise StructureError(f"{kind}_group", f"must be 1 to {GROUPS[dimension]}")
    cell: tuple[float, ...] = ()
    if kind == "slab":
        missing = [name for name in layer_parameters(group) if values.get(name) is None]
        if missing:
            raise StructureError(missing[0], f"is required for layer group {group}")
        a = values["a"]
        gamma = values["gamma"] if group <= 7 else 120.0 if group >= 65 else 90.0
        cell = (a, values["b"] if group <= 48 else a, gamma)
    elif kind == "polymer":
        cell = (values["a"],)
    rows = values["atoms"]
    try:
        numbers = tuple(atomic_number(str(row["element"])) for row in rows)
    except ValueError as error:
        raise StructureError("atoms", str(error)) from error
    positions = tuple((row["x"], row["y"], row["z"]) for row in rows)
    if any(abs(part) > 2 for place in positions for part in place[:dimension]):
        raise StructureError("atoms", f"of a {kind}: the first {dimension} coordinate(s) are fractions of the cell")
    if any(abs(part) > 200 for place in positions for part in place[dimension:]):
        raise StructureError("atoms", f"of a {kind}: a coordinate in Å is beyond 200")
    structure = LowDimensional(dimension, group, cell, numbers, positions)
    structure.check()
    return structure


def read_supercell(text: str | None, structure: Structure | None) -> tuple[tuple[int, ...], ...]:
    """The expansion matrix of a structure; of one that is not known yet the numbers tell the dimension."""
    return supercell_matrix(text, (structure.dimension,) if structure is not None else (1, 2, 3))


def supercell_matrix(text: str | None, sizes: tuple[int, ...], field: str = "supercell") -> tuple[tuple[int, ...], ...]:
    """As many factors as there are periodic directions, or all elements row after row; empty: no supercell.

    Raises:
        StructureError: at `field`.
    """
    if not text:
        return ()
    numbers = [int(part) for part in text.replace(",", " ").split()]
    for size in sizes:
        rows: tuple[tuple[int, ...], ...] | None = None
        if size and len(numbers) == size:
            rows = tuple(tuple(numbers[i] if i == j else 0 for j in range(size)) for i in range(size))
        elif size and len(numbers) == size * size:
            rows = tuple(tuple(numbers[i * size : (i + 1) * size]) for i in range(size))
        if rows is not None:
            if not 1 <= round(abs(np.linalg.det(np.array(rows)))) <= 1000:
                raise StructureError(field, "must make a cell of 1 to 1000 primitive cells")
            return rows
    wanted = " or ".join(f"{size} or {size * size}" for size in sizes if size)
    raise StructureError(field, f"must be {wanted} integers" if wanted else "is not possible for a molecule")
