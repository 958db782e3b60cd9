"""Symmetry, cells and band paths against published decks and outputs."""

from __future__ import annotations

import numpy as np
import pytest

from app.crystal.structures.bulk import (
    Bulk,
    StructureError,
    full_cell,
    lattice_vectors,
    minimal_parameters,
    number,
    read_bulk,
)
from app.crystal.structures.kpaths import standard_path


def bulk(group: int, atoms: list[list[object]], **cell: float) -> Bulk:
    rows = [dict(zip(("element", "x", "y", "z"), atom, strict=True)) for atom in atoms]
    return read_bulk({"space_group": group, "atoms": rows, **cell})


MGO = [["Mg", 0.0, 0.0, 0.0], ["O", 0.5, 0.5, 0.5]]


@pytest.mark.parametrize(
    ("group", "rhombohedral", "names"),
    [
        (1, False, ("a", "b", "c", "alpha", "beta", "gamma")), (14, False, ("a", "b", "c", "beta")),
        (62, False, ("a", "b", "c")), (136, False, ("a", "c")), (167, False, ("a", "c")), (167, True, ("a", "alpha")),
        (194, False, ("a", "c")), (225, False, ("a",)),
    ],
)  # fmt: skip
def test_minimal_parameters(group: int, rhombohedral: bool, names: tuple[str, ...]) -> None:
    assert minimal_parameters(group, rhombohedral) == names


def test_rock_salt_has_the_primitive_cell_that_crystal_prints() -> None:
    lattice, numbers, positions = bulk(225, MGO, a=4.21).primitive
    assert np.allclose(lattice, [[0, 2.105, 2.105], [2.105, 0, 2.105], [2.105, 2.105, 0]])
    assert numbers == [12, 8]
    assert np.allclose(positions, [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_corundum_has_the_rhombohedral_cell_that_crystal_prints() -> None:
    corundum = bulk(167, [["Al", 0, 0, 0.35216], ["O", 0.30624, 0, 0.25]], a=4.7602, c=12.9933)
    lattice, numbers, _ = corundum.primitive
    assert np.allclose(lattice[0], [2.3801, 1.37415137570, 4.3311])
    assert numbers == [13] * 4 + [8] * 6
    assert corundum.multiplicities == [4, 6]
    assert corundum.electrons == 100


def test_diamond_in_the_standard_setting_and_in_the_first() -> None:
    one = bulk(227, [["Si", 0.125, 0.125, 0.125]], a=5.42)
    assert one.multiplicities == [2]
    other = read_bulk(
        {"space_group": 227, "a": 5.42, "origin": "first", "atoms": [{"element": "14", "x": 0.0, "y": 0.0, "z": 0.0}]}
    )
    assert other.multiplicities == [2]
    assert other.flags == "0 0 1"


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        ([["Mg", 0.0, 0.0, 0.0], ["O", 0.0, 0.0, 0.01]], "within 0.04 Å"),
        ([["Mg", 0.0, 0.0, 0.0], ["O", 0.5, 0.5, 0.0]], "row 1 .Mg. and row 2 .O."),
        ([["Qq", 0.0, 0.0, 0.0]], "not an element"),
    ],
)
def test_impossible_structures_are_named(atoms: list[list[object]], words: str) -> None:
    with pytest.raises(StructureError, match=words) as caught:
        bulk(225, atoms, a=4.21)
    assert caught.value.field == "atoms"


def test_angles_that_close_no_cell() -> None:
    with pytest.raises(StructureError, match="do not form"):
        lattice_vectors((5, 5, 5, 30, 30, 100))
    with pytest.raises(StructureError, match="is required"):
        full_cell(62, {"a": 5.0})


def test_numbers_for_a_deck() -> None:
    assert [number(value) for value in (0, 0.5, 1 / 3, 4.21, -1e-4)] == [
        "0.0",
        "0.5",
        "0.3333333333",
        "4.21",
        "-0.0001",
    ]


# Integer coordinates of published decks, in the primitive cell of CRYSTAL.
@pytest.mark.parametrize(
    ("crystal", "shrink", "title", "first"),
    [
        (bulk(225, MGO, a=4.21), 8, "G-X-U|K-G-L-W-X", "0 0 0  4 0 4"),
        (bulk(229, [["Cr", 0.0, 0.0, 0.0]], a=2.87), 4, "G-H-N-G-P-H|P-N", "0 0 0  2 -2 2"),
        (bulk(194, [["Mg", 1 / 3, 2 / 3, 0.25]], a=3.2, c=5.2), 6, "G-M-K-G-A-L-H-A|L-M|H-K", "0 0 0  3 0 0"),
        (bulk(221, [["Po", 0.0, 0.0, 0.0]], a=3.3), 2, "G-X-M-G-R-X|R-M", "0 0 0  0 1 0"),
    ],
)
def test_band_paths(crystal: Bulk, shrink: int, title: str, first: str) -> None:
    path = standard_path(crystal)
    assert (path.shrink, path.title, path.segments[0].record) == (shrink, title, first)


def test_every_space_group_expands() -> None:
    """An atom in a general position makes as many images as the group has operations on the primitive cell."""
    for group in range(1, 231):
        cell = {"a": 21.3, "b": 24.6, "c": 27.9, "alpha": 81.0, "beta": 97.0, "gamma": 104.0}
        general = bulk(group, [["Ne", 0.1234, 0.2841, 0.3917]], **cell)
        _, numbers, _ = general.primitive
        assert 1 <= len(numbers) <= 48
        assert len(set(map(tuple, np.round(general.primitive[2], 6)))) == len(numbers)
