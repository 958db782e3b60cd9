"""Answers that name single atoms of the cell: is each of them there, and does its basis set have as many shells as are filled?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.crystal.decks.reading import read_basis
from app.crystal.structures.geometries import Geometry, Structure
from app.errors import FieldError

_RANGES = ("ghosts", "fragment")
"""Fields with numbers and ranges such as 1-3,7."""
_COLUMNS = {
    "atomspin": ("atom",), "eigshift": ("atom",), "isotopes": ("atom",), "molecules": ("atom",), "occupations": ("atom",),
    "frozen_bonds": ("a", "b"), "frozen_angles": ("a", "b", "c"),
}  # fmt: skip
"""Tables, and the columns of them that hold atoms."""
_REBUILDS = ("termination", "rolling")
"""Fields of templates that cut or roll the cell: its atoms are then others than those of the structure."""


class AtomError(ValueError):
    """An answer names what the cell or the basis set does not have; `error` names its field."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(error.reason)
        self.error = error


def rebuilds_cell(values: Mapping[str, Any]) -> bool:
    """Are the atoms that are computed others than those of the structure in the form?"""
    return any(key in values for key in _REBUILDS)


def check_atoms(values: Mapping[str, Any], geometry: Geometry, expand: Callable[[str], list[int]]) -> None:
    """Look at every answer that names atoms.

    Args:
        expand: `1-3,7` as numbers.

    Raises:
        AtomError: the first that names an atom which is not in the cell, or fills shells that the basis does not have.
    """
    for field, number in _named(values, expand):
        if geometry.atoms is not None and number > geometry.atoms and not rebuilds_cell(values):
            reason = f"names atom {number}, but the cell has only {geometry.atoms}"
            raise AtomError(FieldError(field, reason, str(number)))
    _check_shells(values, geometry)


def _named(values: Mapping[str, Any], expand: Callable[[str], list[int]]) -> Iterator[tuple[str, int]]:
    """Fields with the numbers of atoms in them."""

    def expanded(field: str, text: str) -> Iterator[tuple[str, int]]:
        try:
            yield from ((field, number) for number in expand(text))
        except ValueError as error:
            raise AtomError(FieldError(field, str(error), text[:40])) from error

    for field in _RANGES:
        if values.get(field):
            yield from expanded(field, str(values[field]))
    for field, columns in _COLUMNS.items():
        yield from ((field, row[column]) for row in values.get(field) or () for column in columns)
    for row in values.get("pairs") or ():
        for side in ("a", "b"):
            numbers = list(expanded("pairs", str(row[side])))
            yield from numbers if row[f"of_{side}"] == "atoms" else ()
    if values.get("atom") is not None:
        yield "atom", values["atom"]


def _check_shells(values: Mapping[str, Any], geometry: Geometry) -> None:
    """CHEMOD reads as many occupations as the atom's basis set has shells; of an internal set they are not known here."""
    rows, structure = values.get("occupations") or (), geometry.structure
    if not rows or structure is None or geometry.supercell or geometry.external or not values.get("basis_text"):
        return
    shells = {block.atomic_number: len(block.shells) for block in read_basis(str(values["basis_text"]))[0]}
    numbers = _in_order(structure)
    for row in rows:
        filled, own = row["electrons"].count("/") + 1, shells.get(numbers[row["atom"] - 1])
        if own is not None and own != filled:
            reason = (
                f"gives atom {row['atom']} {filled} occupations, but its basis set has {own} shells: give one for each"
            )
            raise AtomError(FieldError("occupations", reason, row["electrons"]))


def _in_order(structure: Structure) -> list[int]:
    """Atomic numbers of the primitive cell in CRYSTAL's order: the images of one atom of the asymmetric unit together."""
    return [z for z, count in zip(structure.numbers, structure.multiplicities, strict=True) for _ in range(count)]
