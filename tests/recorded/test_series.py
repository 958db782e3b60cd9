"""What grows with a calculation, and what it tells beside its energy: against the recorded outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.outputs import series as limits
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.series import Criterion, Series


def read(path: Path) -> OutputReader:
    reader = OutputReader()
    reader.feed(path.read_bytes())
    reader.results()
    return reader


def test_cycles_with_gap_and_tester(recorded: Path) -> None:
    found = read(recorded / "c17-mgo-sto3g-rhf-scf/main.out").series
    [run] = found.scf
    assert list(run.cycles) == list(range(8))
    assert run.deltas[0] != run.deltas[0]
    assert run.deltas[1] == -4.93e-01
    # The gap of the guess is printed before the first cycle ends.
    assert run.gaps[0] != run.gaps[0]
    assert (run.gaps[1], run.gaps[7]) == (5.1162, 12.6917)
    assert (run.converged, run.ended, found.tolerance, found.max_cycles) == (True, "CONVERGENCE ON ENERGY", 1e-6, 50)


def test_points_with_their_thresholds_and_geometries(recorded: Path) -> None:
    found = read(recorded / "c17-mgo-sto3g-opt/main.out")
    points, frames = found.series.points, found.series.frames
    assert [point.number for point in points] == [frame.point for frame in frames] == [1, 2, 3, 4, 5, 6]
    assert points[1].energy == -271.25359848987
    assert points[1].delta == pytest.approx(-3.545e-02, abs=1e-5)
    second = points[1].criteria
    assert second["max_gradient"] == Criterion(0.221641, 0.00045, False)
    assert set(points[0].criteria) == {"max_gradient", "rms_gradient"}
    assert all(one.met for one in points[-1].criteria.values())
    assert [frame.cell[0] for frame in frames if frame.cell][:2] == [2.97691955, 2.82724429]
    optimization = found.results().optimization
    assert optimization is not None
    assert optimization.rms_gradient == points[-1].criteria["rms_gradient"].value


def test_every_scf_of_one_log(recorded: Path) -> None:
    runs = read(recorded / "c22-mgo-b3lyp-opt-onelog/out_mgoOptONELOG.out").series.scf
    assert [(run.point, len(run.cycles), run.converged) for run in runs] == [
        (1, 8, True),
        (2, 7, True),
        (3, 6, True),
        (4, 4, True),
    ]


def test_the_first_point_includes_dispersion_as_all_others_do(recorded: Path) -> None:
    """Without it the curve would jump by tens of millihartree at the second point."""
    text = (recorded / "c22-dryice-ir/spec_dryIceIR.out").read_bytes()
    heading = b"\n COORDINATE AND CELL OPTIMIZATION - POINT    1\n"
    place = text.index(b"\n CYC   0")
    reader = OutputReader()
    reader.feed(text[:place] + heading + text[place : text.index(b"MAX ABS(DGRAD)")])
    results = reader.results()
    assert results.energy_scf == pytest.approx(-754.22471149753)
    assert results.energy_dispersion == pytest.approx(-0.051734242764)
    assert reader.series.points[0].energy == results.energy_total == pytest.approx(-754.27644574029)


def test_charges_and_spins(recorded: Path) -> None:
    nio = read(recorded / "c17-nio-afm-scf/main.out").results().populations
    assert nio is not None
    # The analysis at the end has three digits and comes last.
    assert nio.electrons == [27.602, 27.603, 8.398, 8.397]
    assert nio.charges == [0.398, 0.397, -0.398, -0.397]
    assert nio.spins == [3.057, -3.057, -0.072, 0.072]
    cut = (recorded / "c17-nio-afm-scf/main.out").read_bytes().split(b"MULLIKEN POPULATION ANALYSIS - NO.")[0]
    reader = OutputReader()
    reader.feed(cut)
    found = reader.results().populations
    assert found is not None
    assert found.spins == [3.0566533, -3.0565699, -0.0717952, 0.0717119]
    cores = read(recorded / "c17-elastic-failed/failed_elastic.out").results().populations
    assert cores is not None
    # Of the pseudopotential's atoms the 36 electrons outside of the core count.
    assert cores.charges == [2.7084101, 2.7084101, 2.7084101, -4.5230271, -3.6022033]


def test_modes_with_irreps_intensities_and_displacements(recorded: Path) -> None:
    found = read(recorded / "c22-dryice-ir/spec_dryIceIR.out")
    results = found.results()
    assert results.modes is not None
    strongest = max(results.modes, key=lambda mode: mode.ir_intensity or 0)
    assert (strongest.first, strongest.last, strongest.irrep, strongest.ir_intensity) == (34, 36, "Fu", 3840.7)
    assert (strongest.ir_active, strongest.raman_active) == (True, False)
    assert results.imaginary_modes == 0
    assert results.zero_point_energy == 0.050570294031
    [state] = results.thermodynamics
    assert (state.temperature, state.pressure, state.gibbs_energy) == (298.15, 0.101325, -754.240704101842)
    assert (state.entropy, state.heat_capacity) == (0.093942612098, 0.064771805098)
    assert results.dielectric is not None
    assert results.dielectric.electronic == [[1.9384, 0, 0], [0, 1.9384, 0], [0, 0, 1.9384]]
    assert results.dielectric.vibrational is not None
    assert results.dielectric.vibrational[2][2] == 0.33259
    vectors = found.series.vibrations()
    assert (len(vectors), {len(one) for one in vectors}) == (36, {36})
    quartz = read(recorded / "c06-quartz-freq/qua_hf_2d_f.out").series.vibrations()
    assert list(quartz[3][:3]) == [-0.0178, 0.0103, 0.0]
    assert (len(quartz), {len(one) for one in quartz}) == (27, {27})


def test_phonon_branches(recorded: Path) -> None:
    found = read(recorded / "c22-graphene-phonon-band/phono_Gstrain0Band.out").series
    assert (len(found.phonons), found.phonon_shrink) == (123, [240, 240, 240])
    assert found.phonons[1].coordinates == [2, 2, 0]
    assert list(found.phonons[1].frequencies) == [0.7719, 32.4818, 51.1755, 831.7432, 1655.5376, 1657.3527]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch, recorded: Path) -> None:
    monkeypatch.setattr(limits, "MAX_CYCLES", 30)
    monkeypatch.setattr(limits, "MAX_FRAME_ATOMS", 20)
    monkeypatch.setattr(limits, "MAX_POINTS", 8)
    data = (recorded / "c22-mgo-b3lyp-opt-onelog/out_mgoOptONELOG.out").read_bytes()
    reader = OutputReader()
    reader.feed(data)
    # Without the program's name, which would begin all anew.
    _, _, course = data.partition(b" GEOMETRY FOR WAVE FUNCTION")
    for _ in range(5):
        reader.feed(b" GEOMETRY FOR WAVE FUNCTION" + course)
    found: Series = reader.series
    assert sum(len(run.cycles) for run in found.scf) < 30 + 24
    assert len(found.scf) == 24
    assert found.forgotten > 0
    assert len(found.frames) <= 10
    assert len(found.points) <= 8


def test_spins_of_the_cycle_before_the_last_charges_are_kept(recorded: Path) -> None:
    """An output that is cut between both tables, however it was fed."""
    data = (recorded / "c17-nio-afm-opt-walltime/main.out").read_bytes()
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
