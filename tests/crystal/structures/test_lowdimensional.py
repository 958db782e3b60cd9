"""Slabs, polymers and molecules: every layer group there and back, and vectors with symmetry operators."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import spglib

from app.crystal.structures.bulk import Bulk, StructureError
from app.crystal.structures.flatten import flatten
from app.crystal.structures.fort34 import External, found_symmetry, read_fort34, write_fort34
from app.crystal.structures.geometries import read_geometry
from app.crystal.structures.lowdimensional import LowDimensional, layer_operations, layer_parameters


def slab(group: int) -> LowDimensional:
    """Two elements on general positions."""
    names = layer_parameters(group)
    cell = (7.3, 8.9 if "b" in names else 7.3, 97.0 if "gamma" in names else 120.0 if group >= 65 else 90.0)
    chance = np.random.default_rng(group)
    for _ in range(2000):
        rows = chance.uniform(0.03, 0.47, (2, 3)).round(4) * np.array([1, 1, 4])
        found = LowDimensional(2, group, cell, (12, 8), tuple((x, y, z) for x, y, z in rows.tolist()))
        try:
            found.check()
        except StructureError:
            continue
        return found
    raise AssertionError(group)


def distances(lattice: np.ndarray, numbers: list[int], positions: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Sorted distances below 6 Å between pairs of elements, over the images in the plane."""
    shifts = np.array([(i, j, 0) for i in range(-3, 4) for j in range(-3, 4)])
    found: dict[tuple[int, int], list[float]] = {}
    for z, place in zip(numbers, positions, strict=True):
        for other, far in zip(numbers, positions, strict=True):
            apart = np.linalg.norm((far - place + shifts) @ lattice, axis=1)
            found.setdefault((z, other), []).extend(apart[(apart > 1e-6) & (apart < 6)])
    return {pair: np.sort(values) for pair, values in found.items()}


@pytest.mark.parametrize("group", range(1, 81))
def test_every_layer_group_goes_there_and_back(group: int) -> None:
    made = slab(group)
    lattice, numbers, positions = made.primitive
    places = positions @ lattice
    external = External(2, tuple(map(tuple, lattice.tolist())), tuple(numbers), tuple(map(tuple, places.tolist())))
    back, _, notes = flatten(external, 2, 1e-3)
    ours = distances(*made.primitive)
    theirs = distances(*back.primitive)
    assert ours.keys() == theirs.keys()
    for pair, values in ours.items():
        assert len(values) == len(theirs[pair])
        assert np.allclose(values, theirs[pair], atol=1e-4)
    assert back.group == group or notes, (back.group, notes)
    # Through the text of fort.34 too, whatever the setting.
    again = read_fort34(write_fort34(*back.primitive, 2))
    assert again.dimension == 2 and sorted(again.numbers) == sorted(numbers)
    assert (
        np.allclose(np.linalg.norm(again.vectors[:2], axis=1), np.linalg.norm(lattice[:2], axis=1), atol=1e-6) or notes
    )


def test_settings_are_those_that_spglib_names() -> None:
    for group in (2, 8, 18, 35, 49, 61, 77, 80):
        rotations, translations, _ = layer_operations(group)
        metric = np.mean([r.T @ np.diag([9.6, 9.6 if group > 48 else 18.5, 900.0]) @ r for r in rotations], axis=0)
        if group >= 65:
            metric[0, 1] = metric[1, 0] = -metric[0, 0] / 2
        lattice = np.linalg.cholesky(metric)
        images = [rotations @ np.array(seed) + translations for seed in ((0.137, 0.291, 0.043), (0.411, 0.087, 0.019))]
        kinds = [1] * len(rotations) + [2] * len(rotations)
        found = spglib.get_layergroup((lattice.tolist(), np.concatenate(images).tolist(), kinds), 2, 1e-4)
        assert found.number == group


def test_operators_of_a_slab_keep_its_plane() -> None:
    graphene = LowDimensional(2, 80, (2.46, 2.46, 120.0), (6,), ((1 / 3, 2 / 3, 0.0),))
    for symmetry in (graphene.symmetry, found_symmetry(*graphene.primitive, 2)):
        assert (len(symmetry.operators), symmetry.system) == (24, 5)
        for rotation, _ in symmetry.operators:
            assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-8)
            assert np.allclose(rotation[:2, 2], 0) and np.allclose(rotation[2, :2], 0)


def operators_of(text: str) -> set[tuple[float, ...]]:
    """Operators of a fort.34 as twelve numbers each, whatever their order."""
    lines = [[float(part) for part in line.split()] for line in text.splitlines()]
    count = int(lines[4][0])
    blocks = (lines[5 + 4 * index : 9 + 4 * index] for index in range(count))
    return {tuple(round(number, 6) + 0.0 for row in block for number in row) for block in blocks}


def test_fort34_of_rock_salt_has_the_operators_of_a_cube() -> None:
    """Every exchange of the axes with every choice of signs: 48, none with a shift."""
    cube = set()
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        rows = [[signs[row] * (order[row] == column) for column in range(3)] for row in range(3)]
        cube.add(tuple(number + 0.0 for row in (*rows, [0.0] * 3) for number in row))
    magnesia = Bulk(225, (4.21, 4.21, 4.21, 90, 90, 90), (12, 8), ((0, 0, 0), (0.5, 0.5, 0.5)))
    ours = write_fort34(*magnesia.primitive, 3, magnesia.symmetry)
    assert ours.split("\n")[0].split() == ["3", "5", "6"]
    assert len(cube) == 48
    assert operators_of(ours) == operators_of(write_fort34(*magnesia.primitive, 3)) == cube


def test_fort34_keeps_the_lower_symmetry_that_was_asked_for() -> None:
    # Two nickel atoms that are equal by symmetry, listed without it: their spins may differ, so no operator may join them.
    order = [["Ni", 0, 0, 0], ["Ni", 0.5, 0.5, 0.5], ["O", 0.25, 0.25, 0.25], ["O", 0.75, 0.75, 0.75]]
    rows = [dict(zip(("element", "x", "y", "z"), row, strict=True)) for row in order]
    cell = {"a": 2.9472, "b": 2.9472, "c": 5.1046, "alpha": 73.22, "beta": 73.22, "gamma": 60.0}
    values = {"system": "crystal", "space_group": 1, "atoms": rows, "geometry_as": "external", **cell}
    text = read_geometry(values).fort34
    assert len(operators_of(text)) == 1
    assert read_fort34(text).numbers == (28, 28, 8, 8)


def test_impossible_low_dimensional_structures_are_refused() -> None:
    with pytest.raises(StructureError, match="come within"):
        LowDimensional(0, 1, (), (1, 1), ((0, 0, 0), (0, 0, 0.1))).check()
    with pytest.raises(StructureError, match="cannot have the group"):
        LowDimensional(1, 100, (4.0,), (1,), ((0, 0, 0),)).check()
    # Atoms of a polymer that meet across the border of the cell.
    with pytest.raises(StructureError, match="come within"):
        LowDimensional(1, 1, (4.0,), (1, 1), ((0.01, 0, 0), (0.99, 0, 0))).check()
