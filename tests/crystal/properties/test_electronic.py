"""Densities of states, fort.25 and cube files: against the models that wrote them, and against each other."""

from __future__ import annotations

import random

import numpy as np
import pytest

from app.crystal.properties.bands import BandError, read_bands
from app.crystal.properties.cubes import CubeError, read_cube
from app.crystal.properties.dos import DosError, projection_names, read_dos
from app.crystal.properties.fort25 import bands_of, dos_of, read_blocks
from tests.support.corpus import CORPUS
from tests.support.corpus.cases.figures import MGO_FERMI, NACL_FERMI
from tests.support.corpus.electronic import MAGNESIA, cosines, density


def test_both_files_of_one_calculation_agree() -> None:
    """The program writes bands and densities twice, in different forms."""
    folder = CORPUS / "nacl-crystal14"
    blocks = read_blocks((folder / "main.f25").read_text())
    bands, plain = bands_of(blocks), read_bands((folder / "main.BAND").read_text())
    assert bands.energies.shape == plain.energies.shape
    assert bands.fermi == NACL_FERMI
    # Twelve columns hold six digits: of −104 Ha a millihartree.
    assert np.allclose(bands.energies, plain.energies, atol=1e-3)
    assert np.allclose(bands.energies[:, 3:], plain.energies[:, 3:], atol=1e-4)
    assert np.allclose(bands.distances, plain.distances, atol=1e-4)
    dos = dos_of(blocks)
    old = read_dos((folder / "main.DOSS").read_text())
    assert old.fermi is None
    assert np.allclose(old.from_fermi(dos.fermi).energies, dos.energies, atol=1e-4)
    assert np.allclose(old.densities, dos.densities, rtol=1e-3, atol=1e-2)
    # Which energies are meant is known by then: a second time changes nothing.
    known = old.from_fermi(dos.fermi)
    assert known.from_fermi(1.0) is known
    assert old.from_fermi(None) is old


def test_densities_are_those_of_the_model() -> None:
    found = read_dos((CORPUS / "mgo-dos" / "main.DOSS").read_text())
    assert (found.densities.shape, found.fermi) == ((1, 3, 302), MGO_FERMI)
    assert (found.energies[0], found.energies[-1]) == (-0.55, 0.95)
    model = np.array(density(cosines(MAGNESIA), found.energies.tolist()))
    assert np.allclose(found.densities[0, 2], model, rtol=1e-2, atol=0.3)
    assert np.allclose(found.densities[0, :2].sum(axis=0), found.densities[0, 2], rtol=1e-3, atol=1e-3)


def test_both_spins_are_counted_upwards() -> None:
    """The files write the second one below zero, for a picture that mirrors it."""
    plain = read_dos((CORPUS / "mgo-spin-dos" / "main.DOSS").read_text())
    blocks = dos_of(read_blocks((CORPUS / "mgo-spin-dos" / "fort.25").read_text()))
    assert (plain.densities.shape, blocks.densities.shape) == ((2, 3, 202), (2, 3, 302))
    for found in (plain, blocks):
        assert (found.densities >= 0).all()
        occupied = found.energies < 0
        # Below the Fermi energy both spins have as many states; the other one's empty band lies lower.
        total = found.densities[:, 2]
        assert total[0, occupied].sum() == pytest.approx(total[1, occupied].sum(), rel=1e-3)
        edge = (found.energies > 0.2) & (found.energies < 0.26)
        assert total[1, edge].sum() > 1.05 * total[0, edge].sum()


def test_paths_that_jump() -> None:
    blocks = read_blocks((CORPUS / "mgo-fort25/fort.25").read_text())
    found = bands_of(blocks)
    assert [name for _, name in found.nodes] == ["(0,0,0)", "(4,0,4)", "(5,2,5)|(3,3,6)", "(0,0,0)", "(4,4,4)"]
    assert dos_of(blocks).densities.shape == (1, 3, 302)
    with pytest.raises(BandError, match="contains no bands"):
        bands_of([block for block in blocks if block.kind == "DOSS"])
    with pytest.raises(DosError, match="no density of states"):
        dos_of([block for block in blocks if block.kind == "BAND"])


@pytest.mark.parametrize("file", ["mgo-fort25/fort.25", "mgo-dos/main.DOSS"])
def test_a_cut_file_is_refused(file: str) -> None:
    text = (CORPUS / file).read_text()
    whole = len(read_blocks(text)) if file.endswith("25") else 0
    chance = random.Random(file)
    for _ in range(60):
        cut = text[: chance.randrange(len(text) - 200)]
        with pytest.raises((DosError, BandError, ValueError)):
            if whole:
                # A file that ends between two blocks is whole: then only the number of blocks tells.
                assert len(read_blocks(cut)) < whole
                raise ValueError("cut")
            read_dos(cut)


def test_foreign_files_are_refused() -> None:
    for text in ("", "hello", "# NEPTS 9999999 NPROJ 9 NSPIN 2\n", "# NEPTS 1 NPROJ 1 NSPIN 1\n 1.0 x\n"):
        with pytest.raises(DosError):
            read_dos(text)
    for text in (
        "",
        "hello",
        "-%-0BAND99999999990.00000E+00 1.31565E-01-1.47330E-01\n",
        "-%-0BAND    1    1 0.00000E+00",
    ):
        with pytest.raises(ValueError):
            read_blocks(text)


def test_names_of_projections() -> None:
    deck = "NEWK\n8 8\n1 0\nDOSS\n2 100 -1 -1 1 14 0\n-0.3 0.3\n-1 1\n-2 2 3\nEND\n"
    assert projection_names(deck, {1: "Mg", 2: "O", 3: "O"}) == ["Mg", "O"]
    assert projection_names(deck, {1: "Mg", 2: "O", 3: "O", 4: "O"}) == ["Mg", "O (2–3)"]
    assert projection_names(deck, {}) == ["atoms 1", "atoms 2–3"]
    assert projection_names("BAND\n", {}) == projection_names("DOSS\nx\n", {}) == []


def cube(nx: int = 4, ny: int = 3, nz: int = 2) -> str:
    values = " ".join(f"{n / 10:.4E}" for n in range(nx * ny * nz))
    head = f"density\nof MgO\n2 0.0 0.0 0.0\n{nx} 0.5 0 0\n{ny} 0 0.5 0\n{nz} 0 0 0.5\n"
    return head + "12 12.0 0 0 0\n8 8.0 1.0 1.0 1.0\n" + values + "\n"


def test_cube_files() -> None:
    found = read_cube(cube())
    assert found.values.shape == (4, 3, 2)
    assert found.values[3, 2, 1] == pytest.approx(2.3)
    assert found.atoms[1] == (8, 1.0, 1.0, 1.0)
    thin = read_cube(cube(40, 40, 40)).thinned(1000)
    assert thin.values.shape == (10, 10, 10)
    assert thin.steps[0][0] == pytest.approx(2.0)
    again = read_cube(thin.as_text())
    assert np.allclose(again.values, thin.values, rtol=1e-4)
    for wrong in ("", cube()[:-30], cube().replace("4 0.5", "x 0.5"), cube().replace("4 0.5", "40000000 0.5")):
        with pytest.raises(CubeError):
            read_cube(wrong)
