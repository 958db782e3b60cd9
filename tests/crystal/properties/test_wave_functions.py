"""Outputs of properties: title, and what they tell of the wave function that was read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.outputs.reader import OutputReader, read_output
from tests.support.corpus.crystals import MGO
from tests.support.corpus.outputs import Read, properties, wave_function
from tests.support.corpus.paper import Paper
from tests.support.corpus.states import Conductor, Insulator

BANNER = " EEEEEEEEEE STARTING  DATE 05 03 2026 TIME 09:00:00.0\n"


def test_the_energy_is_that_of_the_wave_function() -> None:
    found = read_output(properties(MGO, None, "ECHG", read=Read(-274.5, 273.25, -0.187, 11)).encode())
    assert (found.energy_total, found.energy_kind, found.own_energy) == (-274.5, "wave function", None)
    assert found.wave_function is not None
    assert (found.wave_function.kinetic_energy, found.wave_function.scf_cycles) == (273.25, 11)
    assert (found.fermi_energy, found.hamiltonian, found.verdict) == (-0.187, "DFT", "completed")
    # SCF cycles are those of this output, which has none.
    assert (found.scf_cycles, found.energy_scf) == (None, None)
    fock = read_output(properties(MGO, None, "ECHG", method="HARTREE-FOCK").encode())
    assert fock.hamiltonian == "HF"


@pytest.mark.parametrize("fermi", [1.0, -1.0])
def test_a_placeholder_is_no_fermi_energy(fermi: float) -> None:
    found = read_output(properties(MGO, None, "ECHG", read=Read(fermi=fermi)).encode())
    assert found.fermi_energy is None
    assert found.wave_function is not None and found.wave_function.fermi_energy is None


def test_a_level_shifter_makes_the_fermi_energy_doubtful() -> None:
    """What is kept with the wave function is shifted; what NEWK computes anew is not."""
    found = read_output(properties(MGO, None, "BAND", read=Read(fermi=-0.187, shift=0.3)).encode())
    assert found.fermi_energy is None
    assert found.fermi_energy_doubt is not None and "level shifter" in found.fermi_energy_doubt
    anew = read_output(properties(MGO, Insulator(10, -0.1812, 0.1014), "BAND", read=Read(shift=0.3)).encode())
    assert anew.fermi_energy == pytest.approx(-0.1812, abs=1e-6)


@pytest.mark.parametrize("state", [Insulator(10, -0.1812, 0.1014), Conductor(-0.1812)])
def test_a_fermi_energy_with_more_digits_wins(state: Insulator | Conductor) -> None:
    """Of NEWK, or of BAND; whenever the question is asked."""
    text = properties(MGO, state, "BAND", read=Read(fermi=-0.187))
    place = text.index(" KIN. ENERGY")
    reader = OutputReader()
    for piece in (text[:place], text[place : place + 400], text[place + 400 :]):
        reader.feed(piece.encode())
        reader.results()
    assert reader.results().fermi_energy == pytest.approx(-0.1812, abs=1e-6)
    band = properties(MGO, None, "BAND", read=Read(fermi=-0.187)).replace(
        " FROM BAND    1", " ENERGY RANGE (A.U.)  -46.60000 -   0.95000 EFERMI  -0.18693\n FROM BAND    1"
    )
    assert read_output(band.encode()).fermi_energy == -0.18693


def test_an_scf_in_the_same_output_has_the_better_energy() -> None:
    scf = BANNER + " MgO\n TOTAL ENERGY(DFT)(AU)(  9) -2.7512345678901E+02 DE-1.2E-09 tester 1.0E-10\n"
    found = read_output((scf + properties(MGO, None, "ECHG")).encode())
    assert (found.energy_total, found.energy_kind) == (-275.12345678901, "DFT")
    assert found.wave_function is not None and found.wave_function.total_energy == -274.0


def test_the_title_is_that_in_the_box() -> None:
    own = replace(MGO, title="Periclase, drawn by hand")
    noise = (
        " PROCESS            3  OF            8  WORKING", " INFORMATION **** SET_MPP **** PCRYSTAL CALCULATION",
        " WARNING **** NOTHING **** AT ALL",
    )  # fmt: skip
    for before in ((), noise):
        assert read_output(properties(own, None, "ECHG", before=before).encode()).title == "Periclase, drawn by hand"
    # crystal prints it without a box, behind the same words.
    plain = BANNER + "".join(f"{line}\n" for line in noise) + " Periclase\n\n CRYSTAL CALCULATION\n"
    assert read_output(plain.encode()).title == "Periclase"


def test_a_box_without_a_title() -> None:
    paper = Paper()
    paper.line(BANNER.rstrip("\n"), "")
    paper.rule()
    paper.line(" RESTART OPTION")
    wave_function(paper, Read(-99.5))
    found = read_output(paper.text.encode())
    assert (found.title, found.energy_total) == (None, -99.5)
    empty = properties(replace(MGO, title=""), None, "ECHG")
    assert read_output(empty.encode()).title is None


@given(
    st.floats(-9.9e4, -1e-2), st.floats(1e-2, 9.9e4), st.floats(-0.99, 0.99).filter(lambda fermi: abs(fermi) > 1e-3),
    st.integers(1, 999), st.text("ABCxyz 0123456789()/,-", min_size=1, max_size=70).filter(lambda text: text.strip(" -")),
)  # fmt: skip
def test_any_wave_function_is_read_back(energy: float, kinetic: float, fermi: float, cycles: int, title: str) -> None:
    text = properties(replace(MGO, title=title), None, "ECHG", read=Read(energy, kinetic, fermi, cycles))
    found = read_output(text.encode())
    assert found.title == title.strip()
    wave = found.wave_function
    assert wave is not None
    assert wave.total_energy == pytest.approx(energy, rel=1e-12)
    assert wave.kinetic_energy == pytest.approx(kinetic, rel=1e-12)
    assert (wave.scf_cycles, found.energy_total) == (cycles, wave.total_energy)
    assert wave.fermi_energy == pytest.approx(fermi, rel=6e-3)
