"""Answers to electric fields: in the columns of each version, static and not, with numbers at random, and where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.outputs.facts.polarisation import FieldResponse, Polarisation
from app.crystal.outputs.reader import read_output
from app.crystal.outputs.results import Results
from tests.support.corpus import frame
from tests.support.corpus.crystals import MGO, SLAB, UREA, Structure
from tests.support.corpus.dynamics import fields
from tests.support.corpus.dynamics.fields import Response
from tests.support.corpus.geometry import geometry
from tests.support.corpus.paper import Paper

Tensor = list[list[float]]
AXES = ("XX", "XY", "XZ", "YY", "YZ", "ZZ")
STATIC = Response(0.0, [[21.5, 0.25, 0.0], [0.25, 20.5, 0.0], [0.0, 0.0, 18.75]],
                  [[2.5, 0.125, 0.0], [0.125, 2.25, 0.0], [0.0, 0.0, 4.0]])  # fmt: skip
DRIVEN = Response(2.5, [[25.0, 0.5, 0.0], [0.5, 24.0, 0.0], [0.0, 0.0, 22.0]],
                  [[3.0, 0.25, 0.0], [0.25, 2.75, 0.0], [0.0, 0.0, 4.5]],
                  [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.25]],
                  [[0.05, 0.0, 0.0], [0.0, 0.05, 0.0], [0.0, 0.0, 0.02]])  # fmt: skip


def results(write: Callable[[Paper], None], structure: Structure = MGO) -> Results:
    paper = Paper()
    frame.banner(paper)
    frame.started(paper, structure.title)
    geometry(paper, structure)
    write(paper)
    frame.ended(paper)
    return read_output(paper.text.encode())


def polarisation(found: Results) -> Polarisation:
    assert found.polarisation is not None
    return found.polarisation


@pytest.mark.parametrize("write", [fields.linear14, lambda paper, one: fields.linear(paper, [one])], ids=["14", "17"])
def test_the_columns_of_each_version(write: Callable[[Paper, Response], None]) -> None:
    found = results(lambda paper: write(paper, STATIC))
    assert found.dielectric is not None
    assert found.dielectric.electronic == STATIC.epsilon
    assert polarisation(found).polarizability == STATIC.alpha
    assert polarisation(found).responses[0].polarizability_imaginary is None
    indices = found.dielectric.refractive_indices
    assert indices is not None
    assert indices[2] == 2.0
    assert indices[0] ** 2 + indices[1] ** 2 == pytest.approx(2.5 + 2.25, abs=1e-5)


@pytest.mark.parametrize("order", [(STATIC, DRIVEN), (DRIVEN, STATIC)])
@pytest.mark.parametrize("together", [True, False])
def test_a_field_that_oscillates_does_not_replace_the_static_one(order: tuple[Response, ...], together: bool) -> None:
    def write(paper: Paper) -> None:
        for responses in [list(order)] if together else [[one] for one in order]:
            fields.linear(paper, responses)

    found = results(write)
    assert found.dielectric is not None
    assert found.dielectric.electronic == STATIC.epsilon
    static, driven = polarisation(found).responses
    assert (static.frequency_ev, driven.frequency_ev) == (0.0, 2.5)
    assert driven.dielectric == DRIVEN.epsilon
    assert driven.dielectric_imaginary == DRIVEN.epsilon_imaginary
    assert driven.polarizability_imaginary == DRIVEN.alpha_imaginary
    # A field that is absorbed has no plain refractive index.
    assert driven.refractive_indices is None


def test_fields_at_another_geometry_replace_those_of_an_earlier_one() -> None:
    def write(paper: Paper) -> None:
        fields.linear(paper, [DRIVEN, replace(STATIC, alpha=DRIVEN.alpha)])
        geometry(paper, MGO.scaled(1.05))
        fields.linear(paper, [STATIC])

    found = polarisation(results(write))
    assert (found.polarizability, len(found.responses)) == (STATIC.alpha, 1)


def test_only_fields_that_oscillate() -> None:
    found = results(lambda paper: fields.linear(paper, [DRIVEN]))
    assert found.dielectric is None
    assert polarisation(found).polarizability is None
    assert len(polarisation(found).responses) == 1


def test_a_later_table_without_frequencies_is_of_an_unknown_one() -> None:
    def write(paper: Paper) -> None:
        fields.linear14(paper, STATIC)
        fields.linear14(paper, DRIVEN)

    found = results(write)
    assert found.dielectric is not None
    assert found.dielectric.electronic == STATIC.epsilon
    assert len(polarisation(found).responses) == 1


@pytest.mark.parametrize("structure", [UREA, SLAB])
@pytest.mark.parametrize("epsilon", [STATIC.epsilon, None])
def test_molecules_and_slabs_have_a_polarizability_only(structure: Structure, epsilon: Tensor | None) -> None:
    """A dielectric tensor would be that of a cell with 500 Å of nothing in it."""
    found = results(lambda paper: fields.linear(paper, [Response(0.0, STATIC.alpha, epsilon)]), structure)
    assert polarisation(found).polarizability == STATIC.alpha
    assert found.dielectric is None


def test_components_that_vanish_are_not_printed_and_those_that_are_missing_are_not_zero() -> None:
    found = results(lambda paper: fields.linear(paper, [STATIC], ("XX", "XY", "YY", "ZZ")))
    assert found.dielectric is not None
    assert found.dielectric.electronic == STATIC.epsilon
    assert results(lambda paper: fields.linear(paper, [STATIC], ("XX", "XY", "YY"))).polarisation is None


def test_what_is_printed_as_stars_is_not_told() -> None:
    paper = Paper()
    fields.linear(paper, [STATIC])
    text = paper.text.replace("      4.0000", "************", 1)
    found = read_output(text.encode())
    assert found.dielectric is None


def test_born_charges_whose_numbers_touch() -> None:
    charges = [
        ("MG", [[-12.5, -1.25, -0.5], [1.5, -2.0, 0.0], [0.0, 0.0, 2.5]]),
        ("O", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    ]
    found = polarisation(results(lambda paper: fields.born(paper, charges)))
    assert [(one.atom, one.symbol, one.charge) for one in found.born_charges] == [(1, "Mg", -4.0), (2, "O", 1.0)]
    assert [one.tensor for one in found.born_charges] == [tensor for _, tensor in charges]


def test_oscillator_strengths_and_the_tensors_that_they_add_up_to() -> None:
    one, two = (
        [[0.5, 0.0, 0.0], [0.0, 0.25, 0.0], [0.0, 0.0, 0.0]],
        [[-100.12345, -200.5, 0.0], [-200.5, 0.0, 0.0], [0.0, 0.0, 3.0]],
    )
    total = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(one, two, strict=True)]

    def write(paper: Paper) -> None:
        fields.oscillators(paper, [(4, one), (17, two)], total)
        fields.static(paper, [[3.0, 0.0, 0.0]] * 3, [[9.0, 0.0, 0.0]] * 3)

    found = results(write)
    strengths = polarisation(found).oscillator_strengths
    assert [(strength.mode, strength.tensor) for strength in strengths] == [(4, one), (17, two)]
    assert found.dielectric is not None
    assert found.dielectric.vibrational == total
    assert (found.dielectric.from_input, found.dielectric.static) == ([[3.0, 0.0, 0.0]] * 3, [[9.0, 0.0, 0.0]] * 3)
    assert found.dielectric.electronic is None


def test_second_order_by_component_with_its_unit() -> None:
    found = polarisation(results(lambda paper: fields.second_order(paper, {"XXZ": (-12.5, 1.25), "ZZZ": (30.0, -2.5)})))
    assert [(one.component, one.beta, one.chi2) for one in found.second_order] == [
        ("XXZ", -12.5, 1.25),
        ("ZZZ", 30.0, -2.5),
    ]
    assert found.chi2_unit == "PM/V"


def test_an_output_cut_in_its_table_tells_no_tensor() -> None:
    paper = Paper()
    geometry(paper, MGO)
    fields.linear(paper, [STATIC])
    lines = paper.text.split("\n")
    last = next(place for place, line in enumerate(lines) if " ZZ " in line)
    assert read_output("\n".join([*lines[:last], ""]).encode()).polarisation is None


def rounded(low: float, high: float, digits: int) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: round(value, digits) + 0.0)


def symmetric(part: st.SearchStrategy[float]) -> st.SearchStrategy[Tensor]:
    return st.lists(part, min_size=6, max_size=6).map(
        lambda six: [[six[0], six[1], six[2]], [six[1], six[3], six[4]], [six[2], six[4], six[5]]]
    )


TENSORS = symmetric(rounded(-999.0, 999.0, 4))
ANY_TENSOR = st.lists(st.lists(rounded(-9.9, 9.9, 4), min_size=3, max_size=3), min_size=3, max_size=3)
FREQUENCIES = st.lists(st.integers(1, 9000).map(lambda part: part / 1000), unique=True, max_size=3)


@given(TENSORS, st.one_of(st.none(), TENSORS), FREQUENCIES, st.data())
def test_any_response_is_read_back(
    alpha: Tensor, epsilon: Tensor | None, others: list[float], data: st.DataObject
) -> None:
    imaginary = symmetric(rounded(0.0, 9.0, 4))
    written = [Response(0.0, alpha, epsilon)] + [
        Response(frequency, data.draw(TENSORS), None if epsilon is None else data.draw(TENSORS), data.draw(imaginary),
                 None if epsilon is None else data.draw(imaginary))
        for frequency in others
    ]  # fmt: skip
    shuffled = data.draw(st.permutations(written))
    found = results(lambda paper: fields.linear(paper, shuffled))
    assert [_without_index(one) for one in polarisation(found).responses] == [
        FieldResponse(one.frequency, one.alpha, _none(one.alpha_imaginary), one.epsilon, _none(one.epsilon_imaginary))
        for one in sorted(written, key=lambda one: one.frequency)
    ]
    assert polarisation(found).polarizability == alpha
    assert (found.dielectric and found.dielectric.electronic) == epsilon
    old = results(lambda paper: fields.linear14(paper, written[0]))
    assert polarisation(old).polarizability == alpha
    assert (old.dielectric and old.dielectric.electronic) == epsilon


def _without_index(response: FieldResponse) -> FieldResponse:
    return FieldResponse(
        response.frequency_ev, response.polarizability, response.polarizability_imaginary, response.dielectric,
        response.dielectric_imaginary,
    )  # fmt: skip


def _none(tensor: list[list[float]] | None) -> Tensor | None:
    return tensor if tensor and any(value for row in tensor for value in row) else None


@given(
    st.lists(st.tuples(st.sampled_from(["H", "MG", "O"]), ANY_TENSOR), min_size=1, max_size=12),
    st.dictionaries(st.integers(1, 999), symmetric(rounded(-99.0, 99.0, 5)), min_size=1, max_size=8),
    st.dictionaries(st.text("XYZ", min_size=3, max_size=3), st.tuples(rounded(-9e4, 9e4, 4), rounded(-9e4, 9e4, 4)), min_size=1),
)  # fmt: skip
def test_any_charges_and_strengths_are_read_back(
    charges: list[tuple[str, Tensor]], strengths: dict[int, Tensor], components: dict[str, tuple[float, float]]
) -> None:
    total = [[0.25, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.75]]

    def write(paper: Paper) -> None:
        fields.born(paper, charges)
        fields.oscillators(paper, list(strengths.items()), total)
        fields.second_order(paper, components)

    found = results(write)
    assert found.dielectric is not None
    assert found.dielectric.vibrational == total
    read = polarisation(found)
    assert [(one.symbol.upper(), one.tensor) for one in read.born_charges] == charges
    assert {one.mode: one.tensor for one in read.oscillator_strengths} == strengths
    assert {one.component: (one.beta, one.chi2) for one in read.second_order} == components
