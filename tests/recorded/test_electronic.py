"""Densities of states and fort.25: against the recorded files, and against each other."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from app.crystal.properties.bands import BandError, read_bands
from app.crystal.properties.dos import DosError, projection_names, read_dos
from app.crystal.properties.fort25 import bands_of, dos_of, read_blocks


def test_both_files_of_one_calculation_agree(recorded: Path) -> None:
    """The program writes bands and densities twice, in different forms."""
    folder = recorded / "c14-nacl-hf-band-doss"
    blocks = read_blocks((folder / "NaCl.f25").read_text())
    bands, plain = bands_of(blocks), read_bands((folder / "NaCl_dat.BAND").read_text())
    assert bands.energies.shape == plain.energies.shape
    # Twelve columns hold six digits: of −104.758 Ha a millihartree.
    assert np.allclose(bands.energies, plain.energies, atol=2e-3)
    assert np.allclose(bands.energies[:, 2:], plain.energies[:, 2:], atol=6e-4)
    assert np.allclose(bands.distances, plain.distances, atol=3e-3)
    dos = dos_of(blocks)
    old = read_dos((folder / "NaCl_dat.DOSS").read_text())
    assert old.fermi is None
    assert np.allclose(old.from_fermi(dos.fermi).energies, dos.energies, atol=1e-3)
    assert np.allclose(old.densities, dos.densities, rtol=1e-3, atol=1e-2)


def test_spins_and_projections(recorded: Path) -> None:
    dos = dos_of(read_blocks((recorded / "c17-nio-afm-doss/fort.25").read_text()))
    assert dos.densities.shape == (2, 3, 1002)
    assert (dos.densities[1] >= -1e-6).all()
    # An antiferromagnet: both spins have as many states.
    total = dos.densities[:, 2].sum(axis=1)
    assert total[0] == pytest.approx(total[1], rel=1e-3)
    deck = (recorded / "c17-nio-afm-doss/INPUT").read_text()
    assert projection_names(deck, {}) == ["orbitals 38–41, 43–46", "orbitals 14–18, 32–36"]
    copper = read_dos((recorded / "cu-doss-spin/doss_cu.DOSS").read_text())
    assert (copper.densities >= 0).all()


def test_paths_that_jump(recorded: Path) -> None:
    found = bands_of(read_blocks((recorded / "c17-mgo-fort25/fort.25").read_text()))
    assert [name for _, name in found.nodes] == [
        "(0,0,0)", "(4,0,4)", "(5,2,5)|(3,3,6)", "(0,0,0)", "(4,4,4)", "(4,2,6)", "(4,0,4)",
    ]  # fmt: skip


@pytest.mark.parametrize("file", ["c17-mgo-fort25/fort.25", "c17-mgo-doss-dft/mgo_DOSS_dat.DOSS"])
def test_a_cut_file_is_refused(recorded: Path, file: str) -> None:
    text = (recorded / file).read_text()
    chance = random.Random(file)
    for _ in range(60):
        cut = text[: chance.randrange(len(text) - 200)]
        with pytest.raises((DosError, BandError, ValueError)):
            if file.endswith("25"):
                # A file that ends between two blocks is whole: then only the number of blocks tells.
                blocks = read_blocks(cut)
                assert len(blocks) < 9
                raise ValueError("cut")
            read_dos(cut)
