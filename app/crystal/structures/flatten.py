"""Vectors and atoms with fewer than three periodic directions become a slab, a polymer or a molecule of CRYSTAL.

A slab keeps the symmetry of its layer group. Since published outputs confirm CRYSTAL's settings of few layer groups, an
imported slab is written as EXTERNAL, which carries its operators along; polymers and molecules are written without symmetry.
"""

from __future__ import annotations

import numpy as np
import spglib
import spglib.error

from app.crystal.structures.bulk import Matrix, StructureError, number, tidy_fraction
from app.crystal.structures.fort34 import External
from app.crystal.structures.lowdimensional import LowDimensional, layer_operations, layer_parameters

_KIND = {2: "slab", 1: "polymer", 0: "molecule"}
_GROUP = {2: "layer_group", 1: "rod_group", 0: "point_group"}


def low_dimensional_parameters(structure: LowDimensional) -> dict[str, object]:
    """Values of the fields that say group and cell."""
    values: dict[str, object] = {
        "system": _KIND[structure.dimension],
        _GROUP[structure.dimension]: structure.group,
    }
    if structure.dimension == 2:
        cell = dict(zip(("a", "b", "gamma"), structure.cell, strict=True))
        values |= {name: float(number(cell[name])) for name in layer_parameters(structure.group)}
        values["geometry_as"] = "external" if structure.group > 1 else "keywords"
    elif structure.dimension == 1:
        values["a"] = float(number(structure.cell[0]))
    return values


def flatten(external: External, dimension: int, tolerance: float | None) -> tuple[LowDimensional, str, list[str]]:
    """The structure, the symbol of its group, and remarks; `tolerance` None: without symmetry."""
    if dimension == 0:
        places = external.places - external.places.mean(axis=0)
        return LowDimensional(0, 1, (), external.numbers, _rows(places, 0)), "C1", []
    vectors, places = external.vectors, external.places
    if dimension == 1:
        frame = _frame(vectors[0], vectors[1])
        places = places @ frame.T
        places[:, 1:] -= places[:, 1:].mean(axis=0)
        length = float(np.linalg.norm(vectors[0]))
        places[:, 0] /= length
        return LowDimensional(1, 1, (length,), external.numbers, _rows(places, 1)), "p1", []
    return _slab(vectors, places, external.numbers, tolerance)


def _slab(
    vectors: Matrix, places: Matrix, numbers: tuple[int, ...], tolerance: float | None
) -> tuple[LowDimensional, str, list[str]]:
    frame = _frame(vectors[0], vectors[1])
    vectors, places = vectors @ frame.T, places @ frame.T
    cell = vectors[:2, :2]
    heights = _unwrapped(places[:, 2], float(np.linalg.norm(vectors[2])))
    heights -= (heights.max() + heights.min()) / 2
    plane = places[:, :2] @ np.linalg.inv(cell)
    if tolerance is not None:
        slab = _symmetric(cell, plane, heights, numbers, tolerance)
        if slab is not None:
            return (*slab, [])
    a, b = (float(np.linalg.norm(row)) for row in cell)
    gamma = float(np.degrees(np.arccos(cell[0] @ cell[1] / a / b)))
    rows = _rows(np.column_stack([plane, heights]), 2)
    notes = [] if tolerance is None else ["its layer group could not be written in a standard setting"]
    return LowDimensional(2, 1, (a, b, gamma), numbers, rows), "p1", notes


def _symmetric(
    cell: Matrix, plane: Matrix, heights: Matrix, numbers: tuple[int, ...], tolerance: float
) -> tuple[LowDimensional, str] | None:
    """The slab in the first setting of its layer group; None where that does not give back its atoms."""
    depth = float(np.ptp(heights)) + 20.0
    lattice = np.zeros((3, 3))
    lattice[:2, :2], lattice[2, 2] = cell, depth
    positions = np.column_stack([plane, heights / depth])
    try:
        dataset = spglib.get_layergroup((lattice.tolist(), positions.tolist(), list(numbers)), 2, tolerance)
    except spglib.error.SpglibError:
        return None
    if dataset is None or int(dataset.number) < 2:
        return None
    group = int(dataset.number)
    standard = np.array(dataset.std_lattice)
    a, b = (float(np.linalg.norm(row)) for row in standard[:2])
    gamma = float(np.degrees(np.arccos(standard[0] @ standard[1] / a / b)))
    places = np.array(dataset.std_positions)
    places[:, 2] = (places[:, 2] - np.round(places[:, 2])) * float(np.linalg.norm(standard[2]))
    kinds = [int(z) for z in dataset.std_types]
    chosen = _independent(places, kinds, group, standard, tolerance)
    slab = LowDimensional(
        2,
        group,
        (round(a, 8), round(b, 8), round(gamma, 8)),
        tuple(kinds[index] for index in chosen),
        _rows(places[chosen], 2),
    )
    try:
        slab.check()
    except StructureError:
        return None
    centred = layer_operations(group)[2] == "C"
    whole = sum(slab.multiplicities) == len(kinds) // (2 if centred else 1)
    return (slab, str(dataset.international)) if whole else None


def _independent(places: Matrix, kinds: list[int], group: int, lattice: Matrix, tolerance: float) -> list[int]:
    """One atom of each orbit; z in Å."""
    rotations, translations, _ = layer_operations(group)
    left, chosen = set(range(len(places))), []
    for index in range(len(places)):
        if index not in left:
            continue
        chosen.append(index)
        # The third column holds Å: operations do not mix it with the plane.
        images = (rotations @ places[index]) + translations * np.array([1, 1, 0])
        for other in list(left):
            apart = images - places[other]
            apart[:, :2] -= np.round(apart[:, :2])
            apart[:, :2] = apart[:, :2] @ lattice[:2, :2]
            if kinds[other] == kinds[index] and np.linalg.norm(apart, axis=1).min() < 10 * max(tolerance, 1e-3):
                left.discard(other)
        left.discard(index)
    return chosen


def _frame(first: Matrix, second: Matrix) -> Matrix:
    """Rows x, y, z: x along the first vector, y in the plane of both."""
    x = first / np.linalg.norm(first)
    z = np.cross(first, second)
    z /= np.linalg.norm(z)
    return np.array([x, np.cross(z, x), z])


def _unwrapped(heights: Matrix, period: float) -> Matrix:
    """Heights without the jump that a slab across the cell's border has: the cell is cut in its widest gap."""
    reduced = heights - period * np.floor(heights / period)
    ordered = np.sort(reduced)
    gaps = np.append(np.diff(ordered), ordered[0] + period - ordered[-1])
    widest = int(np.argmax(gaps))
    if widest < len(gaps) - 1:
        reduced = np.where(reduced > ordered[widest] + 1e-9, reduced - period, reduced)
    return reduced


def _rows(places: Matrix, periodic: int) -> tuple[tuple[float, float, float], ...]:
    """Ten digits; fractions in [0, 1) and simple ones exactly."""
    rows = []
    for place in places.tolist():
        tidied = [
            tidy_fraction(value) if axis < periodic else round(value, 8) + 0.0 for axis, value in enumerate(place)
        ]
        rows.append((tidied[0], tidied[1], tidied[2]))
    return tuple(rows)
