"""CIFs as the world writes them: random groups, settings, spellings, rounding, order, comments and folding.

What is read is compared with gemmi's own reading of the same file and with spglib: composition, group, shortest contact, volume.
"""

from __future__ import annotations

import re
from collections import Counter

import gemmi
import numpy as np
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import Matrix, StructureError
from app.crystal.structures.cif.reading import read_cif
from app.crystal.structures.importers import read_structure
from tests.crystal.structures.cifs import loop

ROWS = [row for row in gemmi.spacegroup_table() if row.number > 1]
ELEMENTS = ("K", "Ca", "Se", "Br", "Sn")


class Author:
    """Writes one crystal in a manner of its own."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.row = ROWS[int(self.chance.integers(len(ROWS)))]
        self.operations = list(self.row.operations())
        self.lattice, self.cell = self._cell()
        self.sites = self._sites()

    def maybe(self, share: float = 0.5) -> bool:
        return bool(self.chance.random() < share)

    def pick(self, *options: str) -> str:
        return options[int(self.chance.integers(len(options)))]

    def _cell(self) -> tuple[Matrix, list[float]]:
        rough = np.array([[9.1, 0, 0], [0.9, 10.3, 0], [-1.1, 1.3, 11.7]]) * (len(self.operations) / 8 + 1) ** (1 / 3)
        rough = rough * self.chance.uniform(0.9, 1.1, 3)[:, None]
        turns = np.array([operation.rot for operation in self.operations]) / gemmi.Op.DEN
        metric = np.einsum("nji,jk,nkl->il", turns, rough @ rough.T, turns) / len(turns)
        lengths = np.sqrt(np.diag(metric))
        angles = np.degrees(np.arccos([metric[i, j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]))
        return np.linalg.cholesky(metric), [*lengths.round(5).tolist(), *angles.round(4).tolist()]

    def images(self, place: Matrix) -> Matrix:
        """The different images of a place."""
        every = np.array([operation.apply_to_xyz(place.tolist()) for operation in self.operations]) % 1
        apart = every[:, None] - every
        same = np.linalg.norm((apart - np.round(apart)) @ self.lattice, axis=2) < 1e-4
        return every[~np.tril(same, -1).any(axis=1)]

    def _special(self) -> Matrix:
        """A place on the element of one random operation, where that has one."""
        place = self.chance.uniform(0, 1, 3)
        operation = self.operations[int(self.chance.integers(len(self.operations)))]
        other, path = place, []
        for _ in range(6):
            path.append(other)
            moved = np.array(operation.apply_to_xyz(other.tolist()))
            other = moved - np.round(moved - place)
            if np.abs(other - place).max() < 1e-9:
                break
        return np.mean(path, axis=0)

    def _sites(self) -> list[tuple[str, Matrix]]:
        """Sites whose atoms keep 1.2 Å apart; some on special positions."""
        chosen: list[tuple[str, Matrix]] = []
        atoms = np.zeros((0, 3))
        wanted = int(self.chance.integers(1, 5))
        for _ in range(400):
            place = self._special() if self.maybe(0.6) else self.chance.uniform(0, 1, 3)
            together = np.concatenate([atoms, self.images(place)])
            if shortest(together, self.lattice) > 1.2:
                chosen.append((ELEMENTS[len(chosen)], place))
                atoms = together
            if len(chosen) == wanted:
                break
        return chosen

    def number(self, value: float, digits: int) -> str:
        text = f"{value:.{digits}f}"
        if self.maybe(0.2):
            text += f"({self.chance.integers(1, 20)})"
        if self.maybe(0.1) and text.startswith("0."):
            text = text[1:]
        return f"'{text}'" if self.maybe(0.1) else text

    def symbol(self) -> str:
        choice = self.row.ext.strip("\0 ")
        text = self.row.hm
        if self.maybe(0.3):
            text = text.replace(" ", "_" if self.maybe() else "")
        if self.maybe(0.2):
            text = text.upper() if self.maybe() else text.lower()
        if choice:
            text += self.pick(":", " :") + choice
        return f'"{text}"' if self.maybe(0.3) else f"'{text}'"

    def triplet(self, operation: gemmi.Op) -> str:
        text = operation.triplet()
        if self.maybe(0.3):
            text = text.upper()
        if self.maybe(0.3):
            text = text.replace(",", " , ")
        if self.maybe(0.2):
            text = text.replace("1/2", "0.5").replace("1/4", ".25")
        return f"'{text}'"

    def table(self, names: list[str], rows: list[list[str]]) -> str:
        order = self.chance.permutation(len(names))
        names = [names[at] for at in order]
        rows = [[row[at] for at in order] for row in rows]
        if self.maybe(0.3):
            names = [name.upper() if self.maybe() else name for name in names]
        text = loop(names, rows)
        if self.maybe(0.3):
            # A row may go on in the next line, and lines may hold anything between the words.
            text = text.replace(" ", "\n") if self.maybe() and "'" not in text else text.replace("\n", "  \n\t")
        return text

    def symmetry(self) -> str:
        operations = [self.operations[at] for at in self.chance.permutation(len(self.operations))]
        tag = self.pick("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
        rows = [[str(at + 1), self.triplet(operation)] for at, operation in enumerate(operations)]
        listed = self.table([tag.rpartition("_")[0].replace("_as", "").replace("_operation", "") + "_id", tag], rows)
        named = f"{self.pick('_symmetry_space_group_name_H-M', '_space_group_name_H-M_alt')} {self.symbol()}\n"
        hall = f"_symmetry_space_group_name_Hall '{self.row.hall}'\n"
        number = f"_symmetry_Int_Tables_number {self.row.number}\n"
        return "".join(
            [
                *([number] if self.maybe() else []),
                *(
                    (self.pick(listed, named + listed, listed + hall),)
                    if self.maybe()
                    else (self.pick(named, hall, hall + named),)
                ),
            ]
        )

    def write(self) -> str:
        """The file."""
        names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
        cell = [f"_cell_{name} {self.number(value, 5)}\n" for name, value in zip(names, self.cell, strict=True)]
        digits = int(self.chance.integers(4, 7))
        rows = [
            [
                f"{element}{at}",
                f"{element}{self.pick('', '2+', '1-')}",
                *(self.number(part, digits) for part in place),
                "1",
            ]
            for at, (element, place) in enumerate(self.sites)
        ]
        columns = [
            f"_atom_site_{name}" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
        ]
        parts = [
            "".join(cell[at] for at in self.chance.permutation(6)),
            self.symmetry(),
            self.table(columns, rows),
            self.table(["_atom_site_aniso_label", "_atom_site_aniso_U_11"], [[row[0], "0.01(2)"] for row in rows]),
            "_publ_section_comment\n;\n data_of loop_ _cell_length_a 3 ' \" # nothing\n;\n",
            "# a comment with 'quotes' and loop_\n",
            "_journal_year ?\n",
            self.table(["_geom_bond_atom_site_label_1", "_geom_bond_distance"], [["K0", "2.5(1)"], ["K0", "."]]),
        ]
        text = (
            "data_"
            + self.pick("I", "made-up", "1000001", "x[1]")
            + "\n"
            + "".join(parts[at] for at in self.chance.permutation(8))
        )
        if self.maybe(0.2):
            text = "data_global\n_audit_creation_method none\n" + text
        return text.replace("\n", "\r\n") if self.maybe(0.2) else text


def shortest(places: Matrix, lattice: Matrix) -> float:
    """The shortest distance between two atoms, Å."""
    steps = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T
    apart = places[:, None] - places
    apart -= np.round(apart)
    lengths = np.linalg.norm((apart[:, :, None] + steps) @ lattice, axis=3)
    return float(lengths[lengths > 1e-6].min(initial=99.0)) if (lengths < 1e-6).sum() == len(places) else 0.0


def check(seed: int) -> None:
    author = Author(seed)
    if not author.sites:
        return
    text = author.write()
    content = read_cif(text)
    # gemmi takes no number in quotes.
    document = gemmi.cif.read_string(re.sub(r"'(-?[\d.]+(?:\(\d+\))?)'", r"\1", text))
    block = next(block for block in document if block.find_values("_atom_site_label"))
    small = gemmi.make_small_structure_from_block(block)
    if small.spacegroup is None or small.spacegroup.hall != author.row.hall:
        # gemmi does not read all spellings; its tables have the group.
        small.spacegroup = author.row
    small.setup_cell_images()
    theirs = small.get_all_unit_cell_sites()
    counted = Counter(site.element.name for site in theirs)
    assert content.cell.counts == counted
    numbers, places = content.whole
    assert Counter(SYMBOLS[z] for z in numbers) == counted
    assert abs(np.linalg.det(content.lattice)) - small.cell.volume < 1e-3 * small.cell.volume
    their_places = np.array([[site.fract.x, site.fract.y, site.fract.z] for site in theirs])
    apart = places[:, None] - their_places
    assert (np.abs(apart - np.round(apart)).max(axis=2).min(axis=1) < 2e-4).all()
    own, other = shortest(places, content.lattice), shortest(their_places, author.lattice)
    assert abs(own - other) < 0.01, (own, other)
    expected = np.concatenate([author.images(place) for _, place in author.sites])
    kinds = [SYMBOLS.index(element) for element, place in author.sites for _ in author.images(place)]
    dataset = spglib.get_symmetry_dataset((author.lattice.tolist(), expected.tolist(), kinds), 1e-3)
    found = read_structure(text.encode(), "made.cif", 1e-3)
    assert dataset is not None and found.group == dataset.number
    assert content.group == author.row.number
    assert not any("moved" in note and "0.1" in note for note in found.notes)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_what_is_read_is_what_gemmi_and_spglib_read(seed: int) -> None:
    check(seed)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_a_damaged_file_is_read_or_refused_in_words(seed: int, damage: int) -> None:
    text = Author(seed).write()
    chance = np.random.default_rng(damage)
    for _ in range(int(chance.integers(1, 6))):
        at = int(chance.integers(len(text)))
        size = int(chance.integers(0, 40))
        piece = ("", "\0", "loop_\n", "data_x\n", ";\n", "'", "9e99", "-", "?", "\u00e9", text[at : at + 200])
        text = text[:at] + piece[int(chance.integers(len(piece)))] + text[at + size :]
    try:
        found = read_structure(text.encode(), "made.cif")
    except StructureError as error:
        assert error.field in ("file", "tolerance") and 5 < len(str(error)) < 700
    else:
        assert found.structure.numbers
