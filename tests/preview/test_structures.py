"""Symmetry and geometry are right if the energy is: from a CIF through form and deck, and straight from the CIF."""

from __future__ import annotations

import io
from typing import Any

import ase.io
import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.spacegroup import crystal

from app.crystal.structures.importers import read_structure
from app.library.templates import TemplateLibrary
from app.preview.deck import read_deck
from app.preview.scf import make_cell

pytest.importorskip("pyscf")
pytestmark = pytest.mark.preview
LIBRARY = TemplateLibrary()

CRYSTALS = {
    "cubic F": crystal(["Ne", "He"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[4.08, 4.08, 4.08, 90, 90, 90]),
    "cubic P": crystal(["Ne", "He"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=221, cellpar=[2.6, 2.6, 2.6, 90, 90, 90]),
    "hexagonal": crystal(
        ["He", "H"], [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.378)], spacegroup=186, cellpar=[2.5, 2.5, 4.1, 90, 90, 120]
    ),
    "trigonal R": crystal(["Ne", "He"], [(0, 0, 0), (0, 0, 0.48)], spacegroup=160, cellpar=[3.1, 3.1, 7.4, 90, 90, 120]),
    "tetragonal I": crystal(["He", "H"], [(0, 0, 0), (0, 0, 0.36)], spacegroup=139, cellpar=[2.9, 2.9, 5.2, 90, 90, 90]),
    "orthorhombic C": crystal(
        ["F", "H"], [(0, 0.27, 0.06), (0, 0.11, 0.1)], spacegroup=36, cellpar=[3.42, 5.52, 4.31, 90, 90, 90]
    ),
    "monoclinic": crystal(["H"], [(0.04, 0.06, 0.05)], spacegroup=14, cellpar=[3.6, 4.1, 3.9, 90, 104, 90]),
    "triclinic": crystal(["H"], [(0.06, 0.05, 0.07)], spacegroup=2, cellpar=[3.1, 3.3, 3.6, 84, 97, 103]),
}  # fmt: skip


def energy(cell: Any) -> float:
    """Hartree–Fock at Γ; the basis set is small, the geometry is what counts."""
    from pyscf.pbc import scf

    method = scf.RHF(cell).density_fit()
    method.conv_tol = 1e-10
    method.chkfile = None
    return float(method.kernel())


def cell_of(atoms: Atoms) -> Any:
    """The primitive cell that spglib finds, as PySCF's object: nothing of CrystalDeck is in it."""
    from pyscf.pbc import gto

    found = spglib.find_primitive((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers), symprec=1e-4)
    lattice, positions, numbers = found
    symbols = Atoms(numbers=numbers).get_chemical_symbols()
    places = [(symbol, tuple(place)) for symbol, place in zip(symbols, positions @ lattice, strict=True)]
    cell = gto.Cell(a=lattice, atom=places, basis="sto-3g", unit="A", verbose=0, precision=1e-10)
    cell.exp_to_discard = None
    return cell.build()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CRYSTALS)
def test_the_energy_through_the_deck_is_that_of_the_cif(name: str) -> None:
    buffer = io.BytesIO()
    ase.io.write(buffer, CRYSTALS[name], format="cif")
    straight = ase.io.read(io.StringIO(buffer.getvalue().decode()), format="cif")
    found = read_structure(buffer.getvalue(), "a.cif")
    parameters = found.parameters | {"basis_set": "STO-3G", "method": "HF", "shrink": 1, "gilat": 1}
    deck = read_deck(LIBRARY.render("scf", parameters).decks["scf.d12"])
    cell = make_cell(deck)
    cell.precision = 1e-10
    assert np.isclose(cell.vol, cell_of(straight).vol, rtol=1e-6)
    assert energy(cell.build()) == pytest.approx(energy(cell_of(straight)), abs=1e-6)
