"""Pressure from outside and inside: enthalpies are never taken for energies; stress and forces with their geometry."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crystal.outputs.convergence import judge_optimization
from app.crystal.outputs.reader import OutputReader, read_output
from app.crystal.outputs.results import Results
from app.crystal.outputs.series import OptimizationPoint
from tests.support.corpus import frame, optimization, responses
from tests.support.corpus.cases.energies import B3LYP, MGO, MGO_B3LYP
from tests.support.corpus.optimization import Point
from tests.support.corpus.outputs import opened
from tests.support.corpus.scf import cycles, scf_end

BOHR = 0.5291772083
DECK = "Magnesia, invented\nCRYSTAL\n0 0 0\n225\n4.24\n2\n12 0. 0. 0.\n8 0.5 0.5 0.5\nOPTGEOM\nEXTPRESS\n{}\nEND\nEND\n"
SCALES = (1.0, 0.995, 0.9925)
TEXT: list[str] = []
"""What was written last."""
CHANGES = (0.0, -0.0031, -0.0042)


def work_at(pressure: float, place: int) -> float:
    """pV in hartree at a point, by hand."""
    return pressure * round(MGO.scaled(SCALES[place]).volume, 6) / BOHR**3


def under_pressure(
    pressure: float,
    *,
    deck: bool,
    onelog: bool = False,
    later_scf: bool = False,
    converged: bool = True,
    deck_pressure: float | None = None,
    word: str = "EXTPRESS",
) -> tuple[OutputReader, list[float], list[float]]:
    """An optimisation of three points under a pressure: the reader, the energies and the enthalpies of its points."""
    energies = [MGO_B3LYP.energy + change for change in CHANGES]
    works = [work_at(pressure, place) for place in range(3)]
    enthalpies = [energy + work for energy, work in zip(energies, works, strict=True)]
    text = DECK.format(pressure if deck_pressure is None else deck_pressure).replace("EXTPRESS", word)
    paper = opened(MGO, B3LYP, "CRYSTAL23", deck=text if deck else "")
    optimization.heading(paper, "COORDINATE AND CELL", 1)
    cycles(paper, MGO, MGO_B3LYP)
    scf_end(paper, MGO_B3LYP, B3LYP)
    points = [
        Point(MGO.scaled(scale), enthalpy, (0.01 / (1 + place), 0.008 / (1 + place)))
        for place, (scale, enthalpy) in enumerate(zip(SCALES, enthalpies, strict=True))
    ]
    optimization.criteria(paper, points[0])
    for place, point in enumerate(points[1:], start=1):
        optimization.heading(paper, "COORDINATE AND CELL", place + 1)
        optimization.cells(paper, point.structure)
        if onelog:
            scf = replace(MGO_B3LYP, energy=energies[place])
            cycles(paper, point.structure, scf)
            scf_end(paper, scf, B3LYP)
        responses.load_work(paper, works[place])
        paper.line(f" TOTAL ENERGY(DFT)(AU)(   6) {point.energy:.13E}     DE (AU)  {-0.001:11.3E}", "")
        optimization.criteria(paper, point)
    optimization.opt_end(paper, points, converged)
    if later_scf:
        last = replace(MGO_B3LYP, energy=energies[-1])
        cycles(paper, points[-1].structure, last)
        scf_end(paper, last, B3LYP)
    frame.ended(paper)
    reader = OutputReader()
    reader.feed(paper.text.encode())
    TEXT[:] = [paper.text]
    return reader, energies, enthalpies


@pytest.mark.parametrize("onelog", [False, True])
@pytest.mark.parametrize("later_scf", [False, True])
def test_with_the_deck_in_the_output_energy_and_enthalpy_are_told_apart(onelog: bool, later_scf: bool) -> None:
    reader, energies, enthalpies = under_pressure(0.0017, deck=True, onelog=onelog, later_scf=later_scf)
    results = reader.results()
    assert results.energy_total == pytest.approx(energies[-1], abs=2e-8)
    assert results.enthalpy == pytest.approx(enthalpies[-1], abs=1e-9)
    optimum = results.optimization
    assert optimum is not None and optimum.energy == pytest.approx(energies[-1], abs=2e-8)
    assert optimum.enthalpy == pytest.approx(enthalpies[-1], abs=1e-9)
    load = results.external
    assert load is not None and load.kind == "pressure" and load.energy_uncertainty is None
    assert load.pressure_gpa == pytest.approx(0.0017 * 29421.0157, rel=1e-7)
    assert load.work == pytest.approx(enthalpies[-1] - energies[-1], abs=2e-8)


def test_no_curve_mixes_energies_and_enthalpies() -> None:
    reader, energies, enthalpies = under_pressure(0.0017, deck=True)
    points = reader.series.points
    assert [point.energy for point in points] == pytest.approx(energies, abs=2e-8)
    assert points[0].enthalpy is None
    assert [point.enthalpy for point in points[1:]] == pytest.approx(enthalpies[1:], abs=1e-9)
    assert points[2].delta == pytest.approx(energies[2] - energies[1], abs=5e-8)
    assert points[2].enthalpy_delta == pytest.approx(enthalpies[2] - enthalpies[1], abs=1e-9)


def test_without_the_deck_the_energy_is_told_with_its_doubt_and_no_point_has_one() -> None:
    reader, energies, enthalpies = under_pressure(0.0017, deck=False)
    results = reader.results()
    load = results.external
    assert load is not None and load.pressure_gpa is None and load.kind is None
    assert load.energy_uncertainty is not None and 0 < load.energy_uncertainty <= 5e-4
    assert results.energy_total is not None and results.energy_total != energies[-1]
    assert abs(results.energy_total - energies[-1]) <= load.energy_uncertainty
    assert [point.energy is None for point in reader.series.points] == [False, True, True]
    assert [point.enthalpy for point in reader.series.points[1:]] == pytest.approx(enthalpies[1:], abs=1e-9)


def test_a_later_scf_makes_the_energy_exact() -> None:
    reader, energies, enthalpies = under_pressure(0.0017, deck=False, later_scf=True)
    results = reader.results()
    assert results.energy_total == pytest.approx(energies[-1], abs=1e-12)
    assert results.external is not None and results.external.energy_uncertainty is None
    assert results.external.work == pytest.approx(enthalpies[-1] - energies[-1], abs=1e-9)


def test_an_enthalpy_never_stands_beside_the_energy_of_another_point() -> None:
    """An output that was cut behind the SCF of a point, before its enthalpy."""
    whole, energies, _ = under_pressure(0.0017, deck=True, onelog=True)
    cut = TEXT[0]
    place = cut.rindex(" TOTAL ENERGY CORRECTED")
    results = read_output(cut[:place].encode())
    assert results.energy_total == pytest.approx(energies[-1], abs=1e-9)
    assert results.enthalpy is None and results.external is None
    assert results.optimization is not None and results.optimization.enthalpy is None
    assert whole.results().enthalpy is not None


def test_an_optimisation_that_failed_under_pressure_tells_its_energy_too() -> None:
    reader, energies, enthalpies = under_pressure(0.0009, deck=True, converged=False)
    results = reader.results()
    assert results.optimization is not None and results.optimization.converged is False
    assert results.energy_total == pytest.approx(energies[-1], abs=2e-8)
    assert results.enthalpy == pytest.approx(enthalpies[-1], abs=1e-9)


def test_a_pressure_of_the_deck_that_contradicts_the_printed_work_is_not_used() -> None:
    """The deck that a wrapper copied may be another one."""
    reader, energies, _ = under_pressure(0.0017, deck=True, deck_pressure=0.0031)
    results = reader.results()
    assert results.external is not None and results.external.energy_uncertainty is not None
    assert results.energy_total == pytest.approx(energies[-1], abs=results.external.energy_uncertainty)
    assert results.external.pressure_gpa is None


def test_a_pressure_in_the_deck_alone_makes_no_enthalpy() -> None:
    paper = opened(MGO, B3LYP, "CRYSTAL23", deck=DECK.format(0.002))
    cycles(paper, MGO, MGO_B3LYP)
    scf_end(paper, MGO_B3LYP, B3LYP)
    frame.ended(paper)
    results = read_output(paper.text.encode())
    assert results.enthalpy is None and results.energy_total == MGO_B3LYP.energy


def test_a_stress_from_outside_is_no_pressure() -> None:
    reader, energies, enthalpies = under_pressure(0.0017, deck=True, word="EXTSTRESS")
    results = reader.results()
    assert results.external is not None and results.external.kind == "stress"
    assert results.external.pressure_gpa is None and results.external.energy_uncertainty is not None
    assert results.enthalpy == pytest.approx(enthalpies[-1], abs=1e-9)
    assert results.energy_total == pytest.approx(energies[-1], abs=results.external.energy_uncertainty)


def test_the_forecast_looks_at_what_is_minimised() -> None:
    """The energy falls all the time, the enthalpy turns at each point."""
    points = []
    for number in range(1, 11):
        row = f" RMS GRADIENT {0.01:13.6f}  THRESHOLD {0.0003:21.6f} CONVERGED NO"
        points.append(OptimizationPoint(number, -1.0, -0.01, -0.9, 0.01 * (-1) ** number, rows=[row]))
    assert judge_optimization(points, None).kind == "oscillating"
    for point in points:
        point.enthalpy = point.enthalpy_delta = None
    assert judge_optimization(points, None).kind != "oscillating"


@settings(max_examples=40, deadline=None)
@given(
    pressure=st.floats(-0.004, 0.02).filter(lambda value: abs(value) > 1e-5), onelog=st.booleans(), deck=st.booleans()
)
def test_any_pressure_is_taken_off(pressure: float, onelog: bool, deck: bool) -> None:
    reader, energies, enthalpies = under_pressure(pressure, deck=deck, onelog=onelog)
    results = reader.results()
    doubt = (results.external.energy_uncertainty if results.external else None) or 0.0
    assert results.energy_total is not None and abs(results.energy_total - energies[-1]) <= doubt + 5e-8
    assert results.enthalpy == pytest.approx(enthalpies[-1], abs=1e-9)


# -- stress and forces ---------------------------------------------------------------------------------------------

THREE = st.lists(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3), min_size=3, max_size=3)


def with_stress(
    forces: list[list[float]], gradient: list[list[float]], tensor: list[list[float]], pressure: float | None,
    points: int = 0,
) -> Results:  # fmt: skip
    paper = opened(MGO, B3LYP, "CRYSTAL22")
    if points:
        optimization.heading(paper, "CELL", 1)
    cycles(paper, MGO, MGO_B3LYP)
    scf_end(paper, MGO_B3LYP, B3LYP)
    responses.stress(paper, forces, gradient, tensor, pressure, MGO_B3LYP.energy + 0.001)
    for place in range(1, points):
        optimization.heading(paper, "CELL", place + 1)
    frame.ended(paper)
    reader = OutputReader()
    reader.feed(paper.text.encode())
    return reader.results()


@settings(max_examples=40, deadline=None)
@given(
    forces=st.lists(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3), min_size=1, max_size=6),
    gradient=THREE, tensor=THREE, pressure=st.none() | st.floats(-90, 300),
)  # fmt: skip
def test_stress_and_forces_are_told_with_their_signs(
    forces: list[list[float]], gradient: list[list[float]], tensor: list[list[float]], pressure: float | None
) -> None:
    results = with_stress(forces, gradient, tensor, pressure)
    stress, own = results.stress, results.forces
    assert stress is not None and own is not None
    for printed, read in ((forces, own.atoms), (gradient, stress.cell_gradient), (tensor, stress.tensor)):
        assert read == [pytest.approx(row, rel=1e-11, abs=1e-15) for row in printed]
    assert stress.pressure_gpa == (None if pressure is None else pytest.approx(pressure, rel=1e-3))
    assert stress.enthalpy == (None if pressure is None else pytest.approx(MGO_B3LYP.energy + 0.001))
    assert stress.of_last_geometry and own.of_last_geometry and results.enthalpy is None
    assert results.energy_total == pytest.approx(MGO_B3LYP.energy, abs=1e-12)


def test_stress_of_the_first_point_is_not_said_to_be_of_the_last() -> None:
    matrix = [[0.001, 0.0, 0.0], [0.0, 0.001, 0.0], [0.0, 0.0, 0.001]]
    results = with_stress([[0.0, 0.0, 0.1]], matrix, matrix, None, points=3)
    assert results.stress is not None and results.forces is not None
    assert (results.stress.point, results.stress.of_last_geometry) == (1, False)
    assert (results.forces.point, results.forces.of_last_geometry) == (1, False)
