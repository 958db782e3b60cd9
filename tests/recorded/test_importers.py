"""Structures out of recorded files."""

from __future__ import annotations

from pathlib import Path

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
