"""Structures from files: the crystal that a deck describes is the one that was imported, for every space group."""

from __future__ import annotations

import io
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from app.crystal.decks.checker import check_deck
from app.crystal.decks.contents import crystal_of
from app.crystal.decks.reading import read_deck
from app.crystal.structures.bulk import Bulk, Matrix, StructureError, crystal_system, full_cell, minimal_parameters
from app.crystal.structures.importers import MAX_BYTES, Imported, guess_format, read_structure, standardise
from app.library.templates import TemplateLibrary
from tests.support.corpus import CORPUS

LIBRARY = TemplateLibrary()
CELLS = {"a": 7.1, "b": 8.3, "c": 9.2, "alpha": 77.0, "beta": 101.0, "gamma": 94.0}


def crystal(group: int) -> Bulk:
    """Three elements on general positions: no symmetry but that of the group."""
    scale = 1.3 if crystal_system(group) in ("triclinic", "monoclinic", "orthorhombic") else 2.0
    given = {name: CELLS[name] * (scale if name in "abc" else 1) for name in minimal_parameters(group)}
    chance = np.random.default_rng(group)
    for _ in range(1000):
        first, second, third = (tuple(row) for row in chance.uniform(0.02, 0.48, (3, 3)).round(4).tolist())
        found = Bulk(group, full_cell(group, given), (12, 8, 14), (first, second, third))
        try:
            found.check()
        except StructureError:
            continue
        return found
    raise AssertionError(group)


def fingerprint(
    lattice: Matrix, numbers: list[int], positions: Matrix, reach: float = 7.0
) -> dict[tuple[int, int], Matrix]:
    """All distances below `reach` (Å) around each kind of atom, sorted, for one atom on average: isometric crystals agree."""
    lengths = np.linalg.norm(np.linalg.inv(lattice), axis=0)
    cells = [range(-int(np.ceil(reach * length)) - 1, int(np.ceil(reach * length)) + 2) for length in lengths]
    shifts = np.array(np.meshgrid(*cells)).reshape(3, -1).T
    found: dict[tuple[int, int], list[Matrix]] = {}
    kinds = np.array(numbers)
    for index, number in enumerate(numbers):
        for other in sorted(set(numbers)):
            apart = (positions[kinds == other] - positions[index])[:, None, :] + shifts
            distances = np.linalg.norm(apart.reshape(-1, 3) @ lattice, axis=1)
            near = np.sort(distances[(distances < reach) & (distances > 1e-3)])
            found.setdefault((number, other), []).append(near)
    # Images of one site agree; sites are told apart by their shells.
    return {pair: np.sort(np.concatenate(lists)) for pair, lists in found.items()}


def same(first: dict[tuple[int, int], Matrix], second: dict[tuple[int, int], Matrix], copies: float) -> None:
    assert first.keys() == second.keys()
    for pair, distances in first.items():
        other = second[pair]
        wanted = np.repeat(other, round(copies)) if copies >= 1 else other
        own = distances if copies >= 1 else np.repeat(distances, round(1 / copies))
        assert len(own) == len(wanted), pair
        assert np.abs(own - wanted).max(initial=0.0) < 1e-4, pair


def deck_crystal(found: Imported) -> Bulk:
    """Through the form's values, the deck's text and back."""
    answers = LIBRARY.get("scf").spec.example | found.parameters | {"spin": False, "basis_set": "STO-3G"}
    text = LIBRARY.render("scf", answers).decks["scf.d12"]
    assert [finding for finding in check_deck(text) if finding.severity == "error"] == []
    again = crystal_of(read_deck(text))
    assert again is not None
    return again


@pytest.mark.parametrize("group", range(1, 231))
def test_every_space_group_comes_back_from_its_deck(group: int) -> None:
    wanted = crystal(group)
    lattice, numbers, positions = wanted.primitive
    # As a file would have it: other vectors of the same lattice, turned in space, another origin, atoms in another order.
    other = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]]) @ lattice
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    places = (positions @ lattice) @ np.linalg.inv(other) + np.array([0.13, 0.41, 0.07])
    order = np.random.default_rng(group).permutation(len(numbers))
    file = io.StringIO()
    atoms = Atoms(numbers=np.array(numbers)[order], cell=other @ turn, scaled_positions=places[order], pbc=True)
    ase.io.write(file, atoms, format="vasp", direct=True, sort=True)
    found = read_structure(file.getvalue().encode(), "POSCAR", 1e-4)
    assert found.group == group
    again = deck_crystal(found)
    assert again.space_group == group
    own = again.primitive
    assert len(own[1]) == len(numbers)
    if len(numbers) <= 48:
        same(fingerprint(*own), fingerprint(lattice, numbers, positions), 1.0)
    # Once more from the deck: nothing moves any more.
    twice, _ = standardise(own[0], own[1], own[2], 1e-4)
    assert (twice.space_group, len(twice.numbers)) == (group, len(again.numbers))
    assert np.allclose(twice.cell, again.cell, atol=1e-6)


MGO = """data_MgO
_cell_length_a 4.21
_cell_length_b 4.21
_cell_length_c 4.21
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Mg1 Mg 0 0 0
O1 O 0.5 0.5 0.5
"""


PARTLY = MGO.replace("_atom_site_fract_x", "_atom_site_occupancy\n_atom_site_fract_x")
PARTLY = PARTLY.replace("Mg1 Mg 0", "Mg1 Mg 0.5 0").replace("O1 O 0.5", "O1 O 1.0 0.5")


def test_a_cif_becomes_a_crystal() -> None:
    found = read_structure(MGO.encode(), "mgo.cif")
    assert (found.group, found.structure.cell[0], found.symbol) == (225, 4.21, "Fm-3m")
    (oxygen, place), magnesium = sorted(zip(found.structure.numbers, found.structure.positions, strict=True))
    assert magnesium == (12, (0.0, 0.0, 0.0))
    # Any of the images of one half along an edge.
    assert oxygen == 8 and set(place) <= {0.0, 0.5} and sum(place) % 1 == 0.5
    assert found.title.startswith("MgO Fm-3m") and found.atoms_in_file == 8


def test_the_tolerance_decides_on_the_symmetry() -> None:
    vectors = [[0, 2.105, 2.105], [2.105, 0, 2.105], [2.105, 2.105, 0.004]]
    rough = Atoms("MgO", cell=vectors, scaled_positions=[[0] * 3, [0.5] * 3], pbc=True)
    file = io.StringIO()
    ase.io.write(file, rough, format="vasp")
    data = file.getvalue().encode()
    assert read_structure(data, "POSCAR", 0.02).group == 225
    assert read_structure(data, "POSCAR", 1e-4).group < 225


def test_files_of_the_program_are_read() -> None:
    found = read_structure((CORPUS / "mgo-scf/fort.34").read_bytes(), "fort.34")
    assert (found.group, found.format) == (225, "fort.34")
    assert abs(found.structure.cell[0] - 4.24) < 1e-6
    # Of an optimisation the geometry at its end.
    found = read_structure((CORPUS / "mgo-opt/main.out").read_bytes(), "mgo.out")
    assert (found.group, found.format) == (225, "CRYSTAL output")
    assert abs(found.structure.cell[0] - 3.9632128) < 1e-6
    quartz = read_structure((CORPUS / "quartz-freq/main.out").read_bytes(), "quartz.out")
    assert (quartz.group, sum(quartz.structure.multiplicities)) == (154, 9)
    ice = read_structure((CORPUS / "dry-ice-ir/main.out").read_bytes(), "ice.out")
    assert (ice.group, len(ice.structure.numbers)) == (205, 2)
    graphene = read_structure((CORPUS / "graphene/main.out").read_bytes(), "graphene.out")
    assert (graphene.structure.dimension, graphene.symbol, len(graphene.structure.numbers)) == (2, "p6/mmm", 1)
    slab = read_structure((CORPUS / "slab-scf/main.gui").read_bytes(), "slab.gui")
    assert (slab.structure.dimension, sum(slab.structure.multiplicities), len(slab.structure.numbers)) == (2, 3, 2)
    molecule = read_structure((CORPUS / "molecule/main.out").read_bytes(), "molecule.out")
    assert (molecule.structure.dimension, len(molecule.structure.numbers)) == (0, 8)
    tube = read_structure((CORPUS / "tube/main.out").read_bytes(), "tube.out")
    assert (tube.structure.dimension, sum(tube.structure.multiplicities)) == (1, 12)
    # Without symmetry a magnetic order keeps its atoms.
    nio = (CORPUS / "nio-scf/fort.34").read_bytes()
    assert len(read_structure(nio, "fort.34", symmetry=False).structure.numbers) == 4
    assert len(read_structure(nio, "fort.34").structure.numbers) < 4


@pytest.mark.parametrize(
    ("data", "name", "field", "words"),
    [
        (b"", "a.cif", "file", "is empty"),
        (b"x" * (MAX_BYTES + 1), "a.cif", "file", "larger than"),
        (b"\x00\xff" * 500, "a.cif", "file", "cannot be read as CIF|contains no atoms"),
        (b"hello world", "notes.txt", "file", "not in a known format"),
        (b"data_x\n_cell_length_a 4.2\n", "a.cif", "file", "cannot be read|contains no"),
        (MGO.replace("4.21", "nan").encode(), "a.cif", "file", "_cell_length_a is 'nan'"),
        (PARTLY.encode(), "a.cif", "file", "partly occupied"),
        (b"2\n\nH 0 0 0\nH 0 0 0.1\n", "h2.xyz", "atoms", "come within"),
        (b"9 1 1\n1 0 0\n0 1 0\n0 0 1\n0\n1\n1 0 0 0\n", "fort.34", "file", "dimension 9"),
        (b"3\n\nH 0 0\n", "h.xyz", "file", "cannot be read"),
        (MGO.encode() + b"loop_\n_a\n" + b"1\n" * 200000, "a.cif", None, ""),
    ],
)  # fmt: skip
def test_malformed_files_are_refused_in_words(data: bytes, name: str, field: str | None, words: str) -> None:
    if field is None:
        assert read_structure(data, name).group == 225
        return
    with pytest.raises(StructureError, match=words) as caught:
        read_structure(data, name)
    assert caught.value.field in (field, "tolerance")


def test_a_file_cannot_unfold_into_a_crowd() -> None:
    rows = "".join(f"C{n} C {n * 0.618 % 1} {n * 0.755 % 1} {n * 0.57 % 1}\n" for n in range(60))
    with pytest.raises(StructureError, match="at most 2000"):
        read_structure((MGO + rows).encode(), "bomb.cif")


@pytest.mark.parametrize("tolerance", [0, -1, 1, float("nan"), float("inf")])
def test_a_tolerance_out_of_range_is_named(tolerance: float) -> None:
    with pytest.raises(StructureError) as caught:
        read_structure(MGO.encode(), "a.cif", tolerance)
    assert caught.value.field == "tolerance"


def test_names_do_not_reach_the_deck() -> None:
    found: Any = read_structure(MGO.encode(), "../../etc/a;rm -rf $(x)\n`y`.cif")
    assert found.title.isprintable() and not set(found.title) & set(";$`\n")


def test_formats_are_guessed() -> None:
    assert guess_format("x", MGO) == "cif"
    assert guess_format("CONTCAR", "") == "vasp"
    assert guess_format("x.gui", "") == "crystal"
    assert guess_format("x.txt", "title\n1.0\n1 0 0\n0 1 0\n0 0 1\nMg\n1\nDirect\n0 0 0\n") == "vasp"
