"""All 230 space groups through CIFs, each in two settings, with operations and by a symbol alone.

gemmi applies the operations on its own, spglib tells the group of the atoms: both must agree with what was read.
"""

from __future__ import annotations

from functools import cache

import gemmi
import numpy as np
import pytest
import spglib

from app.crystal.structures.bulk import Matrix
from app.crystal.structures.cif.reading import read_cif
from app.crystal.structures.importers import read_structure
from tests.crystal.structures.cifs import write_cif

Sites = list[tuple[str, float, float, float]]


@cache
def settings(number: int) -> tuple[tuple[str, dict[str, object]], ...]:
    """Hall symbols of two settings, each with what a CIF without operations says of it."""
    rows = [row for row in gemmi.spacegroup_table_itb() if row.number == number]
    chosen = [(row.hall, {"_space_group_name_H-M_alt": f"'{row.xhm()}'"}) for row in dict.fromkeys((rows[0], rows[-1]))]
    if len(chosen) == 1:
        # The tables have one setting only: another origin, which a Hall symbol can tell.
        moved = f"{rows[0].hall.partition(' (')[0]} (x+1/8,y-1/4,z+1/6)"
        chosen.append((moved, {"_space_group_name_Hall": f"'{moved}'"}))
    return tuple(chosen)


def cell_of(operations: gemmi.GroupOps) -> tuple[list[float], Matrix]:
    """Parameters and vectors (rows, Å) of a cell that has this symmetry and no more."""
    rough = np.array([[9.1, 0, 0], [0.9, 10.3, 0], [-1.1, 1.3, 11.7]]) * (len(operations) / 8 + 1) ** (1 / 3)
    rotations = np.array([operation.rot for operation in operations]) / gemmi.Op.DEN
    metric = np.einsum("nji,jk,nkl->il", rotations, rough @ rough.T, rotations) / len(rotations)
    lengths = np.sqrt(np.diag(metric))
    angles = np.degrees(np.arccos([metric[i, j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]))
    return [*lengths.round(9).tolist(), *angles.round(9).tolist()], np.linalg.cholesky(metric)


def sites_of(operations: gemmi.GroupOps, lattice: Matrix, seed: int) -> tuple[Sites, list[int], Matrix]:
    """Two sites on general positions, and all atoms of the cell as gemmi makes them."""
    chance = np.random.default_rng(seed)
    steps = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T
    while True:
        sites = [(label, *chance.uniform(0, 1, 3).round(4).tolist()) for label in ("Se1", "K1")]
        places = np.array([operation.apply_to_xyz(list(site[1:])) for site in sites for operation in operations]) % 1
        apart = places - places[[0, len(operations)]][:, None]
        lengths = np.linalg.norm((apart[:, :, None] + steps) @ lattice, axis=3).min(axis=2)
        if np.sort(lengths, axis=1)[:, 1].min() > 0.9:
            return sites, [34] * len(operations) + [19] * len(operations), places


@pytest.mark.parametrize("number", range(1, 231))
def test_every_group_in_two_settings(number: int) -> None:
    for hall, told in settings(number):
        operations = gemmi.symops_from_hall(hall)
        cell, lattice = cell_of(operations)
        sites, numbers, places = sites_of(operations, lattice, number)
        dataset = spglib.get_symmetry_dataset((lattice.tolist(), places.tolist(), numbers), 1e-4)
        assert dataset is not None and dataset.number == number
        texts = [
            write_cif(cell, sites, operations=[operation.triplet() for operation in operations]),
            write_cif(cell, sites, items=told),
        ]
        for text in texts:
            content = read_cif(text)
            assert content.group == number
            own_numbers, own_places = content.whole
            assert sorted(own_numbers) == sorted(numbers)
            apart = own_places[:, None] - places[None]
            nearest = np.abs(apart - np.round(apart)).max(axis=2)
            assert nearest.min(axis=1).max() < 1e-6 and nearest.min(axis=0).max() < 1e-6
            assert [numbers[at] for at in nearest.argmin(axis=1)] == own_numbers
            volume = abs(np.linalg.det(content.cell.lattice)) * content.cell.copies
            assert volume == pytest.approx(abs(np.linalg.det(lattice)), rel=1e-6)
        found = read_structure(texts[1].encode(), "made.cif", 1e-4)
        assert (found.group, found.atoms_in_file) == (number, len(numbers))
