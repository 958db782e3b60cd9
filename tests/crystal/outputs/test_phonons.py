"""Vibrations beyond one table at Γ: longitudinal modes, k points, supercells, Raman by direction, masses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.outputs.facts.vibrations import LongitudinalMode
from app.crystal.outputs.reader import OutputReader, read_output
from app.crystal.outputs.results import Results
from app.crystal.outputs.stability import final_imaginary, judge_stability
from app.crystal.outputs.stored import with_all_fields
from tests.support.corpus import vibrations
from tests.support.corpus.crystals import GRAPHENE, MGO, NACL, Site, Structure
from tests.support.corpus.dynamics import phonons
from tests.support.corpus.dynamics.phonons import Columns, Longitudinal
from tests.support.corpus.geometry import geometry
from tests.support.corpus.paper import Paper
from tests.support.corpus.vibrations import Functions, Mode

MODES = (Mode(3, 0.0, "F1u", "A"), Mode(3, 171.25, "F1u", "A", "I", 655.5))
LONGITUDINAL = Longitudinal(4, 6, 251.5, "F1u", 655.5, 80.25)


def read(paper: Paper) -> Results:
    return read_output(paper.text.encode())


def crystal(structure: Structure = NACL) -> Paper:
    paper = Paper()
    geometry(paper, structure)
    return paper


# -- transverse and longitudinal -----------------------------------------------------------------------------------------


def test_longitudinal_modes_stand_beside_the_transverse_ones() -> None:
    paper = crystal()
    phonons.modes(paper, MODES, "all")
    phonons.longitudinal(paper, [LONGITUDINAL], {"F1u": (0.0, 0.0, 1.0)})
    found = read(paper)
    assert found.frequencies_cm1 == [[1, 3, 0.0], [4, 6, 171.25]]
    assert found.modes is not None
    assert (found.modes[1].frequency_cm1, found.modes[1].ir_intensity) == (171.25, 655.5)
    assert found.longitudinal_modes == [LongitudinalMode(4, 6, 251.5, "F1u", 655.5, 80.25, [[0.0, 0.0, 1.0]])]


def test_longitudinal_modes_before_the_transverse_ones_and_imaginary() -> None:
    paper = crystal()
    phonons.longitudinal(paper, [replace(LONGITUDINAL, frequency=-95.5, shift=-12.5)])
    phonons.modes(paper, MODES, "all")
    found = read(paper)
    assert found.frequencies_cm1 == [[1, 3, 0.0], [4, 6, 171.25]]
    assert found.imaginary_modes == 0
    assert [(mode.frequency_cm1, mode.shift_cm1) for mode in found.longitudinal_modes] == [(-95.5, -12.5)]


def test_a_table_after_the_longitudinal_one_is_of_transverse_modes_again() -> None:
    paper = crystal()
    phonons.longitudinal(paper, [LONGITUDINAL])
    paper.line("    MODES         EIGV          FREQUENCIES     IRREP  IR   INTENS    RAMAN")
    paper.line(f"{vibrations.row(1, 3, 0.0)}  (F1u)   A (     0.00)   I")
    found = read(paper)
    assert found.frequencies_cm1 == [[1, 3, 0.0]]
    assert len(found.longitudinal_modes) == 1


@pytest.mark.parametrize("columns", ["all", "old", "irreps", "none"])
def test_the_columns_of_each_layout(columns: Columns) -> None:
    paper = crystal()
    phonons.modes(paper, MODES, columns)
    found = read(paper)
    assert found.frequencies_cm1 == [[1, 3, 0.0], [4, 6, 171.25]]
    assert found.modes is not None
    has_activities = columns in ("all", "old")
    assert found.modes[1].irrep == (None if columns == "none" else "F1u")
    assert found.modes[1].ir_active is (True if has_activities else None)
    assert found.modes[1].ir_intensity == (655.5 if has_activities else None)


def test_intensities_that_were_not_computed_are_not_zero() -> None:
    paper = crystal()
    phonons.modes(paper, [MODES[0], replace(MODES[1], intensity=0.0)], "all")
    found = read(paper).modes
    assert found is not None
    assert [mode.ir_intensity for mode in found] == [None, None]
    paper = crystal()
    phonons.modes(paper, [MODES[0], Mode(3, 500.0, "F2g", "I", "A")], "all")
    silent = read(paper).modes
    assert silent is not None
    assert [mode.ir_intensity for mode in silent] == [0.0, 0.0]


def test_intensities_that_come_later_are_told_though_the_page_looked_before() -> None:
    paper = crystal()
    phonons.modes(paper, [*MODES, Mode(1, 400.0, "A", "A", "I", 3.0)], "all")
    lines = paper.text.split("\n")
    cut = next(place for place, line in enumerate(lines) if "171.2500" in line)
    reader = OutputReader()
    reader.feed(("\n".join(lines[:cut]) + "\n").encode())
    reader.results()
    reader.feed("\n".join(lines[cut:]).encode())
    found = reader.results().modes
    assert found is not None
    assert [mode.ir_intensity for mode in found] == [0.0, 655.5, 3.0]


def test_another_calculation_of_frequencies_replaces_all_of_an_earlier_one() -> None:
    """As at the volumes of a quasi-harmonic run."""
    paper = crystal()
    for shift in (0.0, 25.0):
        vibrations.displacements(paper, NACL, -600.0, 3)
        modes = [MODES[0], replace(MODES[1], frequency=171.25 + shift)]
        phonons.modes(paper, modes, "all")
        phonons.longitudinal(paper, [replace(LONGITUDINAL, frequency=251.5 + shift)])
        if not shift:
            phonons.raman(paper, [(4, 6, 171.25, "F1u", (1.0, 1.0, 0.0))], [])
    found = read(paper)
    assert found.modes is not None
    assert [mode.frequency_cm1 for mode in found.modes] == [0.0, 196.25]
    assert [mode.frequency_cm1 for mode in found.longitudinal_modes] == [276.5]
    assert found.modes[1].raman_intensity is None


def test_k_points_of_another_calculation_replace_those_of_an_earlier_one() -> None:
    paper = crystal()
    for branches in (SOFT, SIX):
        vibrations.displacements(paper, NACL, -600.0, 3)
        phonons.points(paper, [((0, 0, 0), SIX), ((2, 0, 0), branches)])
    found = read(paper).dispersion
    assert found is not None
    assert (found.points, found.imaginary_modes) == (2, 0)


# -- k points and supercells ---------------------------------------------------------------------------------------------


def doubled(structure: Structure) -> Structure:
    """Two cells along the first vector, the atoms of the first one on top."""
    a, b, c = structure.lattice
    sites = [
        replace(site, place=((site.place[0] + shift) / 2, *site.place[1:]))
        for shift in (0.0, 1.0)
        for site in structure.sites
    ]
    long = tuple(2 * part for part in a)
    return replace(structure, lattice=(long, b, c), sites=tuple(sites), conventional=(), centring=1)  # type: ignore[arg-type]


SIX = (-0.1, 0.0, 0.05, 200.5, 200.5, 310.0)
SOFT = (-88.5, -12.0, 50.0, 190.0, 195.0, 300.0)


def test_what_is_imaginary_away_from_gamma_is_counted_apart() -> None:
    paper = crystal()
    vibrations.supercell(paper, 8)
    phonons.points(paper, [((0, 0, 0), SIX), ((2, 0, 0), SOFT), ((4, 0, 0), (-9.0, *SIX[1:])), ((2, 0, 0), SOFT)])
    found = read(paper)
    assert found.imaginary_modes == 0
    assert found.frequencies_cm1 == [[place, place, value] for place, value in enumerate(SIX, start=1)]
    assert found.dispersion is not None
    assert (found.dispersion.points, found.dispersion.imaginary_points, found.dispersion.imaginary_modes) == (4, 1, 2)
    assert (found.dispersion.lowest_cm1, found.dispersion.lowest_at) == (-88.5, [0.25, 0.0, 0.0])


def test_a_path_that_does_not_begin_at_gamma_has_its_modes_from_where_it_passes() -> None:
    paper = crystal()
    phonons.points(paper, [((4, 0, 0), SOFT), ((2, 0, 0), SOFT), ((0, 0, 0), SIX)])
    found = read(paper)
    assert found.modes is not None
    assert [mode.frequency_cm1 for mode in found.modes] == list(SIX)
    assert found.dispersion is not None
    assert (found.dispersion.imaginary_points, found.dispersion.lowest_at) == (2, None)


def test_k_points_without_gamma_are_no_modes_at_gamma() -> None:
    paper = crystal()
    phonons.points(paper, [((4, 0, 0), SOFT), ((2, 0, 0), SOFT)])
    found = read(paper)
    assert (found.modes, found.frequencies_cm1, found.imaginary_modes) == (None, None, None)
    assert found.phonon_cell is not None
    assert found.phonon_cell.atoms == 2


def with_functions(paper: Paper) -> Paper:
    vibrations.thermodynamics(paper, -275.25, 0.0125, [Functions(300.0, 0.101325, 0.004, 1e-6, 0.02, 0.03)])
    return paper


def test_modes_of_a_supercell_are_those_of_the_printed_small_cell() -> None:
    paper = crystal(MGO)
    geometry(paper, doubled(MGO))
    phonons.points(paper, [((0, 0, 0), SIX), ((1, 0, 0), SOFT)])
    found = read(with_functions(paper))
    cell = found.phonon_cell
    assert cell is not None
    assert cell.geometry is not None
    assert found.geometry is not None
    assert (cell.atoms, cell.multiple, cell.energy) == (2, 2, -275.25)
    assert (len(cell.geometry.atoms), len(found.geometry.atoms)) == (2, 4)
    assert cell.geometry.primitive_cell == pytest.approx(MGO.cell, abs=1e-6)
    assert found.thermodynamics[0].basis == "cell"


@pytest.mark.parametrize("structure", [MGO, GRAPHENE])
def test_the_small_cell_follows_from_the_supercell_where_only_that_is_printed(structure: Structure) -> None:
    paper = crystal(doubled(structure))
    rows = [[2, 0, 0], [0, 1, 0], [0, 0, int(structure.dimension == 3)]]
    phonons.supercell(paper, rows)
    phonons.points(paper, [((0, 0, 0), SIX), ((1, 0, 0), SOFT)])
    cell = read(paper).phonon_cell
    assert cell is not None
    assert cell.geometry is not None
    assert (cell.atoms, cell.multiple, cell.energy) == (2, 2, None)
    assert cell.geometry.primitive_cell == pytest.approx(structure.cell, abs=1e-6)
    for atom, site in zip(cell.geometry.atoms, structure.sites, strict=True):
        for place, wanted in zip((atom.x, atom.y, atom.z), site.place, strict=True):
            assert (place - wanted) % 1 == pytest.approx(0, abs=1e-6) or (place - wanted) % 1 == pytest.approx(
                1, abs=1e-6
            )


def test_a_supercell_that_does_not_fit_its_expansion_has_no_small_cell() -> None:
    paper = crystal(doubled(MGO))
    phonons.supercell(paper, [[3, 0, 0], [0, 1, 0], [0, 0, 1]])
    phonons.points(paper, [((0, 0, 0), SIX)])
    cell = read(paper).phonon_cell
    assert cell is not None
    assert (cell.multiple, cell.geometry) == (2, None)


def test_an_ordinary_cell_is_its_own() -> None:
    paper = crystal()
    phonons.modes(paper, MODES, "all")
    cell = read(with_functions(paper)).phonon_cell
    assert cell is not None
    assert (cell.atoms, cell.multiple, cell.energy, cell.geometry) == (2, 1, -275.25, None)


def test_frequencies_of_a_fragment_tell_no_cell() -> None:
    paper = crystal(doubled(MGO))
    paper.line(" FREQUENCIES COMPUTED ON A FRAGMENT OF    2  ATOMS")
    phonons.modes(paper, MODES, "all")
    assert read(paper).phonon_cell is None


def test_many_cells_are_not_all_kept() -> None:
    reader, base = OutputReader(), MGO.sites
    for count in range(1, 12):
        paper = crystal(replace(MGO, sites=tuple(Site(base[0].number, (part / 20, 0.0, 0.0)) for part in range(count))))
        reader.feed(paper.text.encode())
    assert len(reader._sheet.cells) <= 4


# -- Raman and masses ------------------------------------------------------------------------------------------------------


def test_raman_of_a_powder_and_of_a_crystal() -> None:
    paper = crystal()
    modes = [Mode(3, 0.0, "F1u", "A"), Mode(2, 310.5, "Eg", "I", "A"), Mode(1, 500.0, "Ag", "I", "A")]
    phonons.modes(paper, modes, "all")
    phonons.raman(
        paper, [(4, 5, 310.5, "Eg", (12.5, 7.5, 5.0)), (6, 6, 500.0, "Ag", (None, None, None))],
        [(4, 5, 310.5, "Eg", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)), (6, 6, 500.0, "Ag", (9.5, None, 0.0, 0.0, 0.0, 0.0))],
        " TEMPERATURE =  298.0 K, LASER WAVELENGTH =  514.0 NM",
    )  # fmt: skip
    found = read(paper)
    assert found.modes is not None
    _, eg, ag = found.modes
    assert (eg.raman_intensity, eg.raman_parallel, eg.raman_perpendicular) == (12.5, 7.5, 5.0)
    assert eg.raman_crystal == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert ag.raman_intensity is None
    assert ag.raman_crystal == [9.5, None, 0.0, 0.0, 0.0, 0.0]
    assert found.raman_conditions is not None
    assert (found.raman_conditions.temperature, found.raman_conditions.wavelength_nm) == (298.0, 514.0)


def test_masses_by_element_and_isotope() -> None:
    paper = crystal()
    phonons.masses(paper, [("MG", 23.985), ("O", 15.9949), ("O", 15.9949), ("O", 17.9992), ("H", 1.0078)])
    found = read(paper).isotopes
    assert {(one.symbol, one.mass): one.atoms for one in found} == {
        ("Mg", 23.985): 1, ("O", 15.9949): 2, ("O", 17.9992): 1, ("H", 1.0078): 1,
    }  # fmt: skip


# -- numbers at random ----------------------------------------------------------------------------------------------------


def rounded(low: float, high: float, digits: int) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: round(value, digits) + 0.0)


IRREPS = st.sampled_from(["A", "Ag", "Eu", "F1u", "B2g", "A''"])
MODE = st.builds(
    Mode,
    st.integers(1, 3),
    rounded(-999.0, 4500.0, 4),
    IRREPS,
    st.just("A"),
    st.sampled_from("AI"),
    rounded(0.01, 9e4, 2),
)


@given(st.lists(MODE, min_size=1, max_size=9), st.sampled_from(["all", "old", "irreps", "none"]), st.data())
def test_any_modes_are_read_back(modes: list[Mode], columns: Columns, data: st.DataObject) -> None:
    longitudinal = data.draw(
        st.lists(
            st.builds(
                lambda first, count, *rest: Longitudinal(first, first + count, *rest), st.integers(1, 900), st.integers(0, 2),
                rounded(-99.0, 4500.0, 4), IRREPS, rounded(0.0, 9e4, 1), rounded(-999.0, 999.0, 3),
            ),
            max_size=5, unique=True,
        )
    )  # fmt: skip
    paper = crystal()
    writers = [lambda: phonons.modes(paper, modes, columns)]
    if longitudinal:
        writers.append(lambda: phonons.longitudinal(paper, longitudinal))
    for write in data.draw(st.permutations(writers)):
        write()
    found = read(paper)
    assert found.modes is not None
    assert [(mode.last - mode.first + 1, mode.frequency_cm1) for mode in found.modes] == [
        (mode.count, mode.frequency) for mode in modes
    ]
    if columns in ("all", "old"):
        assert [(mode.irrep, mode.ir_intensity, mode.raman_active) for mode in found.modes] == [
            (mode.irrep, mode.intensity, mode.raman == "A") for mode in modes
        ]
    assert found.imaginary_modes == sum(mode.count for mode in modes if mode.frequency < -10)
    assert [
        Longitudinal(
            one.first, one.last, one.frequency_cm1, one.irrep or "", one.ir_intensity or 0.0, one.shift_cm1 or 0.0
        )
        for one in found.longitudinal_modes
    ] == longitudinal


PLACES = st.lists(st.tuples(*[st.integers(0, 7)] * 3), min_size=1, max_size=6, unique=True)


@given(PLACES, st.data())
def test_any_k_points_are_read_back(places: list[tuple[int, int, int]], data: st.DataObject) -> None:
    branches = st.lists(rounded(-999.0, 4500.0, 4), min_size=6, max_size=6)
    written = [(place, data.draw(branches)) for place in places]
    paper = crystal()
    vibrations.supercell(paper, 8)
    phonons.points(paper, written)
    reader = OutputReader()
    reader.feed(paper.text.encode())
    assert [(tuple(point.coordinates), list(point.frequencies)) for point in reader.series.phonons] == written
    found = reader.results()
    away = [value for place, values in written if any(place) for value in values]
    gamma = next((values for place, values in written if not any(place)), None)
    assert (found.modes and [mode.frequency_cm1 for mode in found.modes]) == gamma
    assert found.dispersion is not None
    assert found.dispersion.imaginary_modes == sum(1 for value in away if value < -10)
    assert found.dispersion.lowest_cm1 == min(away, default=None)


@given(
    st.lists(
        st.tuples(st.sampled_from(["H", "C", "SI"]), st.sampled_from([1.0078, 12.0, 28.9765])), min_size=1, max_size=30
    ),
    st.data(),
)
def test_any_masses_and_raman_intensities_are_read_back(atoms: list[tuple[str, float]], data: st.DataObject) -> None:
    value = st.one_of(st.none(), rounded(0.0, 999.0, 2))
    powder = data.draw(st.tuples(value, value, value))
    directions = data.draw(st.tuples(*[value] * 6))
    paper = crystal()
    phonons.masses(paper, atoms)
    phonons.modes(paper, [Mode(3, 250.0, "F2g", "I", "A")], "all")
    phonons.raman(paper, [(1, 3, 250.0, "F2g", powder)], [(1, 3, 250.0, "F2g", directions)])
    found = read(paper)
    assert sum(one.atoms for one in found.isotopes) == len(atoms)
    assert all(atoms.count((one.symbol.upper(), one.mass)) == one.atoms for one in found.isotopes)
    assert found.modes is not None
    mode = found.modes[0]
    assert (mode.raman_intensity, mode.raman_parallel, mode.raman_perpendicular) == powder
    assert mode.raman_crystal == list(directions)


# -- what they say -----------------------------------------------------------------------------------------------------------


def said(**stored: object) -> str:
    document = {
        "verdict": "completed",
        "modes": [{"first": 1, "last": 1, "frequency_cm1": -45.25}],
        "imaginary_modes": 1,
    }
    return " ".join(judge_stability(with_all_fields({**document, **stored})))


def test_imaginary_modes_are_judged_only_where_they_are_final() -> None:
    assert "1 imaginary mode at Γ, the lowest -45.25 cm⁻¹" in said(optimization={"converged": True})
    open_ended: list[dict[str, object]] = [{"verdict": "failed"}, {"verdict": "incomplete"}, {"scf_converged": False}]
    open_ended += [{"optimization": {"converged": how}} for how in (False, None)]
    for doubtful in open_ended:
        assert said(**doubtful).startswith("Stability is not judged: ")
        assert "imaginary" not in said(**doubtful)


def test_the_count_beside_the_table_of_modes_follows_the_same_rule() -> None:
    document = {"verdict": "completed", "imaginary_modes": 3}
    assert final_imaginary(with_all_fields(document)) == 3
    assert final_imaginary(with_all_fields({**document, "verdict": "incomplete"})) == 0
    assert final_imaginary(with_all_fields({**document, "optimization": {"converged": False}})) == 0
    assert final_imaginary(with_all_fields({"verdict": "completed"})) == 0


def test_without_an_optimisation_an_imaginary_mode_has_its_condition() -> None:
    assert "only if its geometry is a stationary point" in said()
    assert "stationary" not in said(imaginary_modes=0)
    assert "stationary" not in said(optimization={"converged": True})


def test_gamma_alone_does_not_speak_for_other_k_points() -> None:
    assert said(imaginary_modes=0) == "No imaginary mode at Γ; other k points were not computed."
    assert said(imaginary_modes=0, dimensionality=0) == "No imaginary mode at Γ."
    calm = {"points": 5, "imaginary_points": 0, "imaginary_modes": 0, "lowest_cm1": 12.5}
    assert (
        said(imaginary_modes=0, dispersion=calm)
        == "No imaginary mode at Γ. No imaginary mode at the other k points that were computed."
    )
    soft = {
        "points": 5,
        "imaginary_points": 1,
        "imaginary_modes": 2,
        "lowest_cm1": -88.5,
        "lowest_at": [0.25, 0.0, 0.5],
    }
    text = said(imaginary_modes=0, dispersion=soft)
    assert "2 imaginary modes at 1 other k point, the lowest -88.50 cm⁻¹ at (0.25 0 0.5)." in text
    assert said(modes=None, imaginary_modes=None) == ""
