"""Band structures against the recorded files."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from app.crystal.properties.bands import BandError, read_bands


def test_bands_of_mgo(recorded: Path) -> None:
    """The file's own gap is that of the output: 7.12 eV, direct at Γ."""
    found = read_bands((recorded / "c17-mgo-band" / "band_mgo.BAND").read_text())
    assert found.energies.shape == (1, 26, 201)
    assert found.nodes == [
        (0.0, "(0,0,0)/4"),
        (0.78846, "(2,0,2)/4"),
        (1.4713, "(2,2,2)/4"),
        (2.1541, "(0,0,0)/4"),
        (3.0356, "(2,1,3)/4"),
    ]
    summary = found.summary()
    assert summary.fermi_energy == -0.15202
    assert summary.valence_top == pytest.approx(-0.15202, abs=1e-4)
    assert (summary.conduction_bottom - summary.valence_top) * 27.2114 == pytest.approx(7.1237, abs=2e-3)  # type: ignore[operator]
    assert len(summary.means) == 26
    assert np.argmin(found.energies[0, 10]) == 0


def test_two_spins_and_letters(recorded: Path) -> None:
    both = read_bands((recorded / "c17-mgo-spin-band" / "mgo_SPIN_BAND_dat.BAND").read_text())
    assert both.energies.shape[0] == 2
    assert np.allclose(both.energies[0], both.energies[1])
    letters = read_bands((recorded / "c14-nacl-hf-band-doss" / "NaCl_dat.BAND").read_text())
    assert [name for _, name in letters.nodes] == ["A"] * 5
    assert letters.fermi is None


def test_a_cut_or_foreign_file_is_refused(recorded: Path) -> None:
    text = (recorded / "c17-graphene-band" / "graphene.BAND").read_text()
    chance = random.Random(1)
    for _ in range(60):
        cut = text[: chance.randrange(len(text) - 60)]
        with pytest.raises(BandError):
            read_bands(cut)
    with pytest.raises(BandError):
        read_bands("# NKPT 999999 NBND 999999 NSPIN 9\n")
    with pytest.raises(BandError):
        read_bands(text.replace("-0.10117E+02", "nonsense", 1))
