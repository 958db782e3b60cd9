"""Several volumes in one output: the result is the state of least energy, and each entry is told of its volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crystal.outputs.reader import OutputReader, read_output
from app.crystal.outputs.results import Results
from app.crystal.outputs.sections.volumes import GEOMETRY_FIELDS
from tests.support.corpus import frame, optimization, responses, vibrations
from tests.support.corpus.cases.energies import MGO, MGO_SCF, RHF
from tests.support.corpus.geometry import geometry
from tests.support.corpus.optimization import Point
from tests.support.corpus.outputs import opened
from tests.support.corpus.paper import Paper
from tests.support.corpus.scf import Scf, cycles, scf_end
from tests.support.corpus.states import Insulator
from tests.support.corpus.vibrations import Functions, Mode

FORMS = (
    "MURNAGHAN 1944", "BIRCH-MURNAGHAN 1947", "POIRIER-TARANTOLA 1998", "VINET 1987", "THIRD ORDER POLYNOMIAL",
    "FOURTH ORDER POLYNOMIAL", "FIFTH ORDER POLYNOMIAL",
)  # fmt: skip


def scf_of(energy: float, gap: float = 0.4) -> Scf:
    return replace(MGO_SCF, energy=energy, state=Insulator(10, -0.15, -0.15 + gap))


def begun(energy: float, program: str = "CRYSTAL17", deck: str = "") -> Paper:
    paper = opened(MGO, RHF, program, deck=deck)
    computed(paper, 1.0, scf_of(energy, 0.25))
    return paper


def computed(paper: Paper, scale: float, scf: Scf) -> None:
    cycles(paper, MGO.scaled(scale), scf)
    scf_end(paper, scf, RHF)


def optimised(paper: Paper, scale: float, energy: float) -> None:
    """An optimisation of the atoms at one volume: the first point is computed where the last volume was."""
    points = [Point(MGO.scaled(scale), energy + 0.01, (0.01, 0.01)), Point(MGO.scaled(scale), energy, (1e-4, 1e-4))]
    optimization.heading(paper, "COORDINATE", 1)
    optimization.cells(paper, points[0].structure)
    cycles(paper, points[0].structure, scf_of(energy + 0.01))
    scf_end(paper, scf_of(energy + 0.01), RHF)
    optimization.criteria(paper, points[0])
    optimization.later_points(paper, points, "COORDINATE", RHF)
    optimization.opt_end(paper, points)


def curve(energies: Sequence[float], scales: Sequence[float]) -> list[tuple[float, float]]:
    return sorted((MGO.scaled(scale).volume, energy) for scale, energy in zip(scales, energies, strict=True))


def read(paper: Paper) -> Results:
    frame.ended(paper)
    return read_output(paper.text.encode())


def equation_of_state(
    energies: Sequence[float], scales: Sequence[float], optimise: bool, program: str = "CRYSTAL17", table: bool = True
) -> Paper:
    """Volume by volume, with or without an optimisation of the atoms, then the sorted table."""
    paper = begun(energies[0], program)
    for scale, energy in zip(scales[1:], energies[1:], strict=True):
        if optimise:
            optimised(paper, scale, energy)
        else:
            geometry(paper, MGO.scaled(scale), "FINAL OPTIMIZED GEOMETRY")
            computed(paper, scale, scf_of(energy))
    if table:
        responses.volumes(paper, curve(energies, scales))
    return paper


SCALES = (1.0, 0.98, 0.99, 1.01, 1.02)


@pytest.mark.parametrize("optimise", [False, True])
@pytest.mark.parametrize("least", range(5))
def test_energy_cell_and_gap_are_those_of_the_least_energy(least: int, optimise: bool) -> None:
    energies = [-271.0 - (0.125 if place == least else 0.001 * place) for place in range(5)]
    results = read(equation_of_state(energies, SCALES, optimise))
    assert results.energy_total == pytest.approx(energies[least], abs=1e-9)
    assert results.geometry is not None
    assert results.geometry.volume == pytest.approx(MGO.scaled(SCALES[least]).volume, abs=2e-6)
    if results.gap_ev is not None and not optimise:
        assert results.gap_ev == pytest.approx((0.25 if least == 0 else 0.4) * 27.2114, rel=1e-3)
    assert [state.volume for state in results.volumes] == [
        pytest.approx(MGO.scaled(scale).volume, abs=2e-6) for scale in SCALES
    ]
    assert [state.energy for state in results.volumes] == pytest.approx(energies, abs=1e-9)
    if results.optimization is not None:
        assert results.optimization.energy == results.energy_total and results.optimization.max_gradient is None


def test_a_minimum_at_a_volume_that_was_not_printed_has_no_geometry() -> None:
    paper = equation_of_state([-271.0, -271.01], SCALES[:2], optimise=False, table=False)
    responses.volumes(paper, [(16.25, -271.5), (MGO.volume, -271.0)])
    results = read(paper)
    assert results.energy_total == -271.5
    assert results.geometry is None and results.gap_ev is None and results.populations is None


def test_looking_at_a_growing_output_changes_nothing() -> None:
    energies = [-271.0, -271.25, -271.125, -271.0625, -270.5]
    paper = equation_of_state(energies, SCALES, optimise=True)
    frame.ended(paper)
    data = paper.text.encode()
    reader = OutputReader()
    for start in range(0, len(data), 997):
        reader.feed(data[start : start + 997])
        reader.results()
    assert reader.results() == read_output(data)


def test_an_optimisation_is_one_state_even_where_its_first_point_was_lower() -> None:
    paper = begun(-271.5)
    optimised(paper, 0.99, -271.25)
    results = read(paper)
    assert results.energy_total == pytest.approx(-271.25) and results.volumes == []
    assert results.geometry is not None and results.geometry.volume == pytest.approx(MGO.scaled(0.99).volume, abs=2e-6)


def test_a_second_run_in_the_file_is_not_another_volume() -> None:
    paper = begun(-271.5)
    frame.ended(paper)
    other = opened(MGO.scaled(1.02), RHF)
    computed(other, 1.02, scf_of(-271.25))
    frame.ended(other)
    results = read_output((paper.text + other.text).encode())
    assert results.volumes == [] and results.energy_total == pytest.approx(-271.25)


NUMBERS = st.floats(0.01, 900)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(5, 900), st.floats(-9000, -1)), min_size=2, max_size=14),
    fits=st.lists(st.tuples(NUMBERS, st.floats(-9000, -1), NUMBERS, st.floats(-9, 90)), min_size=7, max_size=7),
)
def test_the_programs_fits_are_read_back(
    rows: list[tuple[float, float]], fits: list[tuple[float, float, float, float]]
) -> None:
    paper = begun(-271.5)
    printed = [(form, fit[:3] if "POLYNOMIAL" in form else fit) for form, fit in zip(FORMS, fits, strict=True)]
    responses.volumes(paper, rows, printed)
    paper.line(" +++++++ FITTING WITHOUT THE LAST POINTS +++++++", "")
    results = read(paper)
    equation = results.energy_volume
    assert equation is not None and equation.fit is not None and equation.fit.form == FORMS[1]
    assert equation.volumes == pytest.approx([volume for volume, _ in rows], abs=6e-6)
    assert equation.energies == pytest.approx([energy for _, energy in rows], abs=6e-10)
    assert [fit.form for fit in equation.fits] == list(FORMS)
    for fit, (volume, energy, bulk, derivative) in zip(equation.fits, fits, strict=True):
        assert (fit.volume, fit.energy, fit.bulk_modulus) == (
            pytest.approx(volume, abs=6e-5), pytest.approx(energy, abs=6e-9), pytest.approx(bulk, abs=6e-3),
        )  # fmt: skip
        assert fit.derivative == (None if "POLYNOMIAL" in fit.form else pytest.approx(derivative, abs=6e-3))


# -- quasi-harmonic approximation ----------------------------------------------------------------------------------


def quasi_harmonic(energies: Sequence[float], scales: Sequence[float]) -> Paper:
    paper = begun(energies[0], deck="Magnesia, invented\nCRYSTAL\nQHA\nEND\n")
    for place, (scale, energy) in enumerate(zip(scales, energies, strict=True)):
        optimised(paper, scale, energy)
        computed(paper, scale, scf_of(energy))
        vibrations.begun(paper, 2)
        vibrations.modes(paper, [Mode(3, 0.0, "F1u"), Mode(3, 400.0 + place, "F1u")])
        states = [Functions(kelvin, 0.101325, 0.001, 1e-6, 0.01, 0.02) for kelvin in (10.0, 20.0)]
        vibrations.thermodynamics(paper, energy, 0.01 + 0.001 * place, states)
    return paper


def test_each_volume_has_its_own_frequencies_and_functions() -> None:
    energies, scales = [-271.5, -271.625, -271.25], (0.99, 1.0, 1.01)
    results = read(quasi_harmonic(energies, scales))
    volumes = [round(MGO.scaled(scale).volume, 6) for scale in scales]
    assert [entry.volume for entry in results.thermodynamics] == [v for v in volumes for _ in range(2)]
    by_volume = {state.volume: state.frequencies_cm1 for state in results.volumes if state.frequencies_cm1}
    assert by_volume == {volume: [[1, 3, 0.0], [4, 6, 400.0 + n]] for n, volume in enumerate(volumes)}
    assert results.energy_total == pytest.approx(-271.625) and results.zero_point_energy == pytest.approx(0.011)
    assert results.frequencies_cm1 == [[1, 3, 0.0], [4, 6, 401.0]]


TITLES = (
    "THERMAL PROPERTIES FROM GRUNEISEN PARAMETERS", "THERMAL PROPERTIES FROM HELMHOLTZ FREE ENERGY",
    "THERMAL PROPERTIES FROM HELMHOLTZ FREE ENERGY AT P =   5.00 GPa", "PRESSURE-VOLUME-TEMPERATURE RELATION",
    "LINEAR THERMAL EXPANSION OF CONVENTIONAL LATTICE PARAMETERS",
)  # fmt: skip
COLUMNS = ("T(K)", "V(A^3)", "K (GPa)", "ALPHA(10^-6/K)", "CV(J/molK)", "S(J/molK)", "GRUNEISEN")


@settings(max_examples=40, deadline=None)
@given(
    title=st.sampled_from(TITLES), order=st.none() | st.integers(1, 5),
    rows=st.integers(2, 7).flatmap(
        lambda n: st.lists(st.lists(st.none() | st.floats(-900, 9000), min_size=n, max_size=n), min_size=1, max_size=30)
    ),
)  # fmt: skip
def test_tables_over_temperature_are_read_back(title: str, order: int | None, rows: list[list[float | None]]) -> None:
    rows = [[1.0 if row[0] is None else row[0], *row[1:]] for row in rows]
    paper = begun(-271.5)
    responses.thermal(paper, title, COLUMNS[: len(rows[0])], rows, order)
    [table] = read(paper).thermal_tables
    assert table.title == title.partition(" AT P")[0] and table.order == order
    assert table.pressure_gpa == (5.0 if "GPa" in title else None)
    assert table.columns == list(COLUMNS[: len(rows[0])])
    assert table.rows == [[value if value is None else pytest.approx(value, abs=6e-5) for value in row] for row in rows]


def test_a_table_whose_headings_do_not_fit_its_numbers_is_left_out() -> None:
    paper = begun(-271.5)
    responses.thermal(paper, TITLES[1], ("T(K)", "V(A^3)"), [[10.0, 20.0, 30.0]])
    assert read(paper).thermal_tables == []


def test_energies_behind_the_modes_of_a_volume_count_again() -> None:
    """Without a word of QHA: the cells alone tell that there are two."""
    paper = begun(-271.5)
    vibrations.begun(paper, 2)
    vibrations.displacements(paper, MGO, -271.5, 2)
    vibrations.modes(paper, [Mode(3, 0.0, "F1u"), Mode(3, 400.0, "F1u")])
    geometry(paper, MGO.scaled(1.01))
    computed(paper, 1.01, scf_of(-271.75))
    vibrations.modes(paper, [Mode(3, 0.0, "F1u"), Mode(3, 375.0, "F1u")])
    results = read(paper)
    assert [state.energy for state in results.volumes] == pytest.approx([-271.5, -271.75])
    assert results.energy_total == pytest.approx(-271.75)
    assert results.frequencies_cm1 == [[1, 3, 0.0], [4, 6, 375.0]]


def test_points_and_geometries_of_several_volumes_are_not_one_course() -> None:
    energies = [-271.0, -271.25, -271.125]
    paper = equation_of_state(energies, SCALES[:3], optimise=True)
    frame.ended(paper)
    reader = OutputReader()
    reader.feed(paper.text.encode())
    points = reader.series.points
    assert [(point.run, point.number) for point in points] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert points[2].delta is None and points[3].delta == pytest.approx(-0.01, abs=1e-9)
    assert len({(kept.run, kept.point) for kept in reader.series.frames}) == len(reader.series.frames)


def test_every_field_of_the_results_belongs_to_a_geometry_or_to_the_run() -> None:
    """A new field has to be put into one of both lists: else it is told of the last volume instead of the best."""
    of_the_run = {
        "schema_version", "program", "release", "program_version", "preview", "title", "dimensionality", "hamiltonian",
        "energy_scf", "scf_cycles", "scf_converged", "optimization", "k_mesh", "contents", "isotopes", "raman_conditions",
        "thermodynamics", "elasticity", "energy_volume", "volumes", "thermal_tables", "wave_function", "critical_points",
        "diffraction", "bands", "band_numbers", "wall_time_s", "program_times_s", "normal_end", "aborted", "verdict", "diagnosis",
        "diagnosis_code", "remedy", "warnings", "errors",
    }  # fmt: skip
    assert {item.name for item in fields(Results)} - set(GEOMETRY_FIELDS) == of_the_run


def test_an_equation_of_state_that_was_cut_tells_its_least_energy_too() -> None:
    paper = equation_of_state([-271.5, -271.25, -271.0], SCALES[:3], optimise=False, table=False)
    results = read_output(paper.text.encode())
    assert results.energy_total == pytest.approx(-271.5) and len(results.volumes) == 3
    assert results.geometry is not None and results.geometry.volume == pytest.approx(MGO.volume, abs=1e-6)
