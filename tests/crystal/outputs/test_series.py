"""What grows with a calculation, and what a calculation tells beside its energy."""

from __future__ import annotations

import pytest

from app.crystal.outputs import series as limits
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.series import Criterion, Series, scf_columns
from tests.support.corpus import CORPUS, frame, vibrations
from tests.support.corpus.cases.energies import MGO_SCF, NIO_SCF
from tests.support.corpus.cases.vibrations import branches
from tests.support.corpus.paper import Paper
from tests.support.corpus.vibrations import Mode, vector


def read(name: str) -> OutputReader:
    reader = OutputReader()
    reader.feed((CORPUS / name).read_bytes())
    reader.results()
    return reader


def test_cycles_with_gap_and_tester() -> None:
    found = read("mgo-scf/main.out").series
    [run] = found.scf
    assert list(run.cycles) == list(range(8))
    assert list(run.energies) == [float(f"{energy:.12E}") for energy in MGO_SCF.energies]
    # The difference that the first cycle prints is its energy.
    assert run.deltas[0] != run.deltas[0]
    assert list(run.deltas[1:]) == list(MGO_SCF.deltas)
    # The gap of the guess is printed before the first cycle ends.
    assert run.gaps[0] != run.gaps[0]
    assert run.gaps[1] == pytest.approx((0.3047 - 0.12 + 0.1512 + 0.06) * 27.211386, abs=1e-4)
    assert run.gaps[7] == 12.4027
    assert run.testers[1] != run.testers[1] and run.testers[7] > 0
    assert (run.converged, run.ended, found.tolerance, found.max_cycles) == (True, "CONVERGENCE ON ENERGY", 1e-7, 50)


def test_gaps_where_no_line_tells_them() -> None:
    """CRYSTAL14 prints the edges alone; where a level shifter moves the empty bands, their distance is no gap."""
    [old] = read("mgo-crystal14/main.out").series.scf
    assert old.gaps[5] == pytest.approx((0.4251 + 0.2914 - 0.06 * 0.35**4) * 27.211386, abs=1e-3)
    [shifted] = read("tube/main.out").series.scf
    assert all(gap != gap for gap in shifted.gaps)
    spins = read("mgo-spin/main.out").series.scf[0]
    # Of both spins the smaller one.
    assert spins.gaps[6] == 6.816


def test_points_with_their_thresholds_and_geometries() -> None:
    found = read("mgo-opt/main.out")
    points, frames = found.series.points, found.series.frames
    assert [point.number for point in points] == [frame.point for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert points[1].energy == -271.15123456789
    assert points[1].delta == pytest.approx(-2.7778e-02, abs=1e-6)
    second = points[1].criteria
    assert second["max_gradient"] == Criterion(0.151234, 0.00045, False)
    assert second["rms_displacement"] == Criterion(0.087654, 0.0012, False)
    assert set(points[0].criteria) == {"max_gradient", "rms_gradient"}
    assert all(one.met for one in points[-1].criteria.values())
    assert [frame.cell[0] for frame in frames if frame.cell][:2] == [
        2.99813275,
        pytest.approx(2.99813275 * 0.957, abs=1e-8),
    ]
    assert frames[0].atoms() == [(12, "MG", 0.0, 0.0, 0.0, True), (8, "O", -0.5, -0.5, -0.5, True)]
    optimization = found.results().optimization
    assert optimization is not None
    assert optimization.rms_gradient == points[-1].criteria["rms_gradient"].value


def test_the_first_point_includes_dispersion_as_all_others_do() -> None:
    """Without it the curve would jump by tens of millihartree at the second point."""
    text = (CORPUS / "dry-ice-ir/main.out").read_bytes()
    heading = b"\n COORDINATE AND CELL OPTIMIZATION - POINT    1\n"
    place = text.index(b"\n CYC   0")
    reader = OutputReader()
    reader.feed(text[:place] + heading + text[place : text.index(b"MAX ABS(DGRAD)")])
    results = reader.results()
    assert results.energy_scf == -754.1234567891
    assert results.energy_dispersion == pytest.approx(-0.0512345678901)
    assert reader.series.points[0].energy == results.energy_total == -754.17469135699
    # An SCF within a later point is without it, and is not that point's energy.
    reader.feed(b"\n COORDINATE AND CELL OPTIMIZATION - POINT    2\n")
    reader.feed(b" TOTAL ENERGY(DFT)(AU)(   9) -7.5412000000000E+02 DE-1.0E-08 tester 1.0E-09\n")
    assert reader.series.points[1].energy is None
    reader.feed(b" TOTAL ENERGY(DFT)(AU)(   9) -7.5418000000000E+02     DE (AU)   -5.309E-03\n")
    assert (reader.series.points[1].energy, reader.results().energy_kind) == (-754.18, "DFT+DISP")


def test_charges_and_spins() -> None:
    nio = read("nio-scf/main.out").results().populations
    assert nio is not None
    # The analysis at the end has three digits and comes last.
    assert nio.electrons == [27.601, 27.602, 8.399, 8.398]
    assert nio.charges == [0.399, 0.398, -0.399, -0.398]
    assert nio.spins == [1.712, -1.711, -0.031, 0.03]
    cut = (CORPUS / "nio-scf/main.out").read_bytes().split(b"MULLIKEN POPULATION ANALYSIS - NO.")[0]
    reader = OutputReader()
    reader.feed(cut)
    found = reader.results().populations
    assert found is not None
    assert found.spins == pytest.approx(NIO_SCF.spins, abs=1e-5)
    assert found.electrons == pytest.approx(NIO_SCF.charges, abs=1e-4)
    ghosts = read("elastic-failed/main.out").results().populations
    assert ghosts is not None
    # A pseudopotential (Z above 200) hides a core; a second basis set of an element (Z above 100) hides nothing.
    assert ghosts.charges == [None, pytest.approx(-0.25, abs=1e-5), pytest.approx(-0.25, abs=1e-5)]
    many = read("dry-ice-ir/main.out").results().populations
    assert many is not None and len(many.electrons) == 12


def test_modes_with_irreps_intensities_and_displacements() -> None:
    found = read("dry-ice-ir/main.out")
    results = found.results()
    assert results.modes is not None
    strongest = max(results.modes, key=lambda mode: mode.ir_intensity or 0)
    assert (strongest.first, strongest.last, strongest.irrep, strongest.ir_intensity) == (34, 36, "Fu", 3901.25)
    assert (strongest.ir_active, strongest.raman_active, strongest.raman_intensity) == (True, False, None)
    assert {mode.first: mode.raman_intensity for mode in results.modes if mode.raman_active} == {
        7: 12.5, 9: 8.25, 18: 4.0, 29: 60.0, 32: 1000.0,
    }  # fmt: skip
    assert results.imaginary_modes == 0
    assert results.zero_point_energy == 0.0512
    cold, warm = results.thermodynamics
    assert (cold.temperature, warm.temperature, warm.pressure) == (100.0, 298.15, 0.101325)
    assert (warm.thermal_energy, warm.pressure_volume, warm.entropy, warm.heat_capacity) == (
        0.0131,
        3.8e-6,
        0.0941,
        0.0651,
    )
    assert warm.temperature_entropy == pytest.approx(298.15 * 0.0941e-3, abs=1e-12)
    assert warm.gibbs_energy == pytest.approx(
        -754.17469135699 + 0.0512 + 0.0131 + 3.8e-6 - 298.15 * 0.0941e-3, abs=1e-11
    )
    vectors = found.series.vibrations()
    assert (len(vectors), {len(one) for one in vectors}) == (36, {36})
    assert list(vectors[13]) == [round(part, 4) for part in vector(13, 36)]
    quartz = read("quartz-freq/main.out").series.vibrations()
    assert (len(quartz), {len(one) for one in quartz}) == (27, {27})


def test_vectors_that_were_cut_are_no_vectors() -> None:
    data = (CORPUS / "quartz-freq/main.out").read_bytes()
    reader = OutputReader()
    reader.feed(data[: data.index(b"AT.   5", data.index(b"FREQ(CM**-1)    495.68"))])
    assert len(reader.series.vibrations()) == 12


def test_phonon_branches() -> None:
    found = read("graphene-phonons/main.out").series
    assert (len(found.phonons), found.phonon_shrink) == (123, [240, 240, 240])
    for point in found.phonons[1:4]:
        assert list(point.frequencies) == [round(value, 4) for value in branches(tuple(point.coordinates))]
    assert found.phonons[1].coordinates == [2, 2, 0]
    assert list(found.phonons[0].frequencies) == [0.0, 0.0, 0.0, 840.0, 1640.0, 1640.0]


def test_what_raman_could_not_compute_is_not_a_number() -> None:
    paper = Paper()
    frame.started(paper, "t")
    modes = [Mode(3, 0.0, "Fu", "A"), Mode(3, -522.9, "Fg", "I", "A"), Mode(2, 610.5, "Eg", "I", "A", powder=12.0)]
    vibrations.modes(paper, modes)
    vibrations.raman(paper, modes)
    reader = OutputReader()
    reader.feed(paper.text.encode())
    found = reader.results().modes
    assert found is not None
    assert [mode.raman_intensity for mode in found] == [None, None, 12.0]
    assert reader.results().imaginary_modes == 3


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CYCLES", 30)
    monkeypatch.setattr(limits, "MAX_FRAME_ATOMS", 20)
    monkeypatch.setattr(limits, "MAX_POINTS", 8)
    # One long run: at a second start it would begin anew.
    data = (CORPUS / "mgo-opt-onelog/main.out").read_bytes().replace(b"EEEEEEEEEE STARTING", b"EEEEEEEEEE GOING ON")
    reader = OutputReader()
    for _ in range(6):
        reader.feed(data)
    found: Series = reader.series
    # Of those that were forgotten the last cycle each, and the one that runs.
    assert sum(len(run.cycles) for run in found.scf) <= 30 + 24 + 9
    assert len(found.scf) == 24
    assert found.forgotten > 0
    assert len(found.frames) <= 10
    assert len(found.points) <= 8


def test_columns_of_an_scf_are_json() -> None:
    [run] = read("mgo-crystal14/main.out").series.scf
    columns = scf_columns(run, since=3)
    assert (columns["since"], columns["cycle"], columns["converged"]) == (3, [3, 4, 5], True)
    assert columns["energy"][-1] == -274.5678901234
    assert scf_columns(run)["delta"][0] is None and scf_columns(run)["gap"][0] is None


@pytest.mark.parametrize(
    ("line", "tolerance"),
    [
        (" WEIGHT OF F(I) IN F(I+1)      30% CONVERGENCE ON ENERGY        10**- 9", 1e-9),
        (" INFORMATION **** TOLDEE **** SCF TOL ON TOTAL ENERGY SET TO          11", 1e-11),
        (" INFORMATION **** TOLDEE **** CONVERGENCE CRITERION FOR ENERGY MODIFIED: 10**-           8", 1e-8),
    ],
)
def test_the_tolerance_of_the_scf(line: str, tolerance: float) -> None:
    reader = OutputReader()
    reader.feed(f"{line}\n".encode())
    assert reader.series.tolerance == tolerance


def test_spins_of_the_cycle_before_the_last_charges_are_kept() -> None:
    """An output that is cut between both tables, however it was fed."""
    data = (CORPUS / "nio-opt-cut/main.out").read_bytes()
    cut = data[: data.rindex(b"TOTAL ATOMIC SPINS") - 2]
    assert cut.count(b"TOTAL ATOMIC SPINS") > 0
    found = []
    for size in (len(cut), 997):
        reader = OutputReader()
        for place in range(0, len(cut), size):
            reader.feed(cut[place : place + size])
        populations = reader.results().populations
        assert populations is not None
        found.append(populations.spins)
    assert len(found[0]) == 4
    assert found[0] == found[1]
