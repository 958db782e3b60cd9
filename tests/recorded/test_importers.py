"""Structures out of recorded files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import StructureError
from app.crystal.structures.importers import read_structure


def test_recorded_files_of_crystal_are_read(recorded: Path) -> None:
    file = recorded / "c17-mgo-sto3g-external-scf/fort.34"
    found = read_structure(file.read_bytes(), "fort.34")
    assert (found.group, found.format) == (225, "fort.34")
    assert abs(found.structure.cell[0] - 4.21) < 1e-6
    found = read_structure((recorded / "c22-mgo-b3lyp-opt/out_mgoOpt.out").read_bytes(), "mgo.out")
    assert (found.group, found.format) == (225, "CRYSTAL output")
    graphene = read_structure((recorded / "c17-graphene-band/graphene.out").read_bytes(), "graphene.out")
    assert (graphene.structure.dimension, graphene.symbol, len(graphene.structure.numbers)) == (2, "p6/mmm", 1)
    rippled = read_structure((recorded / "c23-slab-hse06-archer2/6x6-mv.gui").read_bytes(), "6x6-mv.gui")
    assert (rippled.group, sum(rippled.structure.multiplicities)) == (77, 72)
    molecule = read_structure((recorded / "c22-molecule-pbe0-d3-gcp/mole-scf.out").read_bytes(), "mole-scf.out")
    assert (molecule.structure.dimension, len(molecule.structure.numbers)) == (0, 20)
    tube = read_structure((recorded / "c14-nanotube-scf/test_nano07_3.out").read_bytes(), "tube.out")
    assert (tube.structure.dimension, sum(tube.structure.multiplicities)) == (1, 24)
    # Without symmetry a magnetic order keeps its atoms.
    nio = (recorded / "c17-nio-afm-scf/fort.34").read_bytes()
    assert len(read_structure(nio, "fort.34", symmetry=False).structure.numbers) == 4


CIFS = Path(__file__).parents[3] / "shared" / "cases" / "cifs"


def in_cell(name: str) -> tuple[int, int, dict[str, int], str]:
    """Space group, atoms of the file's cell, atoms of the primitive cell by element, and notes."""
    found = read_structure((CIFS / name).read_bytes(), name)
    counts: Counter[str] = Counter()
    for z, count in zip(found.structure.numbers, found.structure.multiplicities, strict=True):
        counts[SYMBOLS[z]] += count
    return found.group, found.atoms_in_file, dict(counts), "; ".join(found.notes)


@pytest.mark.skipif(not CIFS.is_dir(), reason="the small cases are not there")
def test_the_small_cases_of_cifs() -> None:
    assert in_cell("p21c-symbol-with-operations.cif")[:3] == (14, 12, {"Si": 4, "O": 8})
    assert in_cell("pbnm-number-62-without-operations.cif")[:3] == (62, 20, {"Ca": 4, "Ti": 4, "O": 12})
    lattice, _, positions = read_structure(
        (CIFS / "pbnm-number-62-without-operations.cif").read_bytes(), "pbnm.cif"
    ).structure.primitive
    apart = positions[:, None] - positions
    lengths = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2)
    assert 1.8 < lengths[lengths > 0].min() < 2.0
    assert in_cell("origin-choice-2-without-operations.cif")[:3] == (227, 8, {"Si": 2})
    group, atoms, counts, notes = in_cell("operations-without-identity.cif")
    assert (group, atoms, counts) == (33, 8, {"Zn": 4, "O": 4}) and "identity" in notes
    assert in_cell("three-digits-third.cif")[:3] == (194, 2, {"Zn": 2})
    with pytest.raises(StructureError, match=r"Ba and Sr.*mixed site"):
        in_cell("mixed-site-without-occupancy.cif")
