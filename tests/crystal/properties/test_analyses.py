"""Critical points and powder patterns in outputs of properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.constants import BOHR
from app.crystal.outputs.reader import OutputReader, read_output
from app.crystal.outputs.sections.analyses import MAX_POINTS
from app.crystal.outputs.series import MAX_DIFFRACTION
from tests.support.corpus.analyses import Critical, critical_point, powder_pattern
from tests.support.corpus.paper import Paper

BOND = Critical(-1, (1.0, 0.5, -2.0), (0.125, 0.25, -0.5), 0.2749, -0.8265)


def test_a_bond() -> None:
    paper = Paper()
    critical_point(paper, 1, BOND)
    critical_point(paper, 2, BOND, of_laplacian=True)
    found = read_output(paper.text.encode()).critical_points
    assert found is not None
    for point, field in zip(found, ("density", "laplacian"), strict=True):
        assert (point.rank, point.signature, point.field) == (3, -1, field)
        assert point.position == pytest.approx([BOHR, BOHR / 2, -2 * BOHR])
        assert point.fractional == [0.125, 0.25, -0.5]
        assert (point.density, point.laplacian) == (0.2749, -0.8265)
        assert (point.kinetic_energy_density, point.virial_density) == (0.05, -0.2)


def test_points_are_bounded() -> None:
    paper = Paper()
    for number in range(MAX_POINTS + 20):
        critical_point(paper, number, BOND)
    found = read_output(paper.text.encode()).critical_points
    assert found is not None and len(found) == MAX_POINTS


def test_lines_without_a_point_say_nothing() -> None:
    """Kinetic energy densities stand elsewhere too."""
    paper = Paper()
    critical_point(paper, 1, BOND)
    text = "\n".join(line for line in paper.lines if "CP TYPE" not in line) + "\n"
    assert read_output(text.encode()).critical_points is None


@pytest.mark.parametrize("rule", [False, True])
def test_a_powder_pattern(rule: bool) -> None:
    paper = Paper()
    rows = [(10.0, 1.0, 5.0, 4.5), (36.5, 90.25, 100.0, 98.0), (42.0, 100.0, 80.0, 75.5)]
    powder_pattern(paper, [(1.0, 2.0, 3.0, 4.0)], rule)
    powder_pattern(paper, rows, rule)
    reader = OutputReader()
    reader.feed(paper.text.encode())
    found = reader.results().diffraction
    # The last one counts.
    assert reader.series.diffraction == rows
    assert found is not None
    assert (found.points, found.lowest_angle, found.highest_angle, found.strongest_angle) == (3, 10.0, 42.0, 36.5)


def test_a_pattern_is_bounded_and_ends_where_it_is_none() -> None:
    paper = Paper()
    powder_pattern(paper, [(90.0, 1.0, 2.0, 3.0)] * (MAX_DIFFRACTION + 5))
    reader = OutputReader()
    reader.feed(paper.text.encode())
    assert len(reader.series.diffraction) == MAX_DIFFRACTION
    for row in ("   10.0  1.0  *****  3.0", "  999.0  1.0  2.0  3.0", " NaN 1.0 2.0 3.0", " 1.0 2.0"):
        text = (
            f"    2THETA    INTENS  INTENS-LP INTENS-LP-DW\n\n   12.0  1.0  2.0  3.0\n{row}\n   14.0  1.0  2.0  3.0\n"
        )
        reader = OutputReader()
        reader.feed(text.encode())
        assert reader.series.diffraction == [(12.0, 1.0, 2.0, 3.0)], row


NUMBERS = st.floats(-999, 999).map(lambda value: float(f"{value:.4E}"))


@given(
    st.lists(
        st.builds(
            Critical, st.sampled_from([-3, -1, 1, 3]), st.tuples(NUMBERS, NUMBERS, NUMBERS),
            st.tuples(NUMBERS, NUMBERS, NUMBERS), NUMBERS, NUMBERS, NUMBERS, NUMBERS,
        ),
        min_size=1, max_size=5,
    ),
    st.booleans(),
)  # fmt: skip
def test_any_points_are_read_back(points: list[Critical], of_laplacian: bool) -> None:
    paper = Paper()
    for number, point in enumerate(points, start=1):
        critical_point(paper, number, point, of_laplacian)
    found = read_output(paper.text.encode()).critical_points
    assert found is not None
    assert [point.signature for point in found] == [point.signature for point in points]
    for read, point in zip(found, points, strict=True):
        assert read.position == pytest.approx([part * BOHR for part in point.position])
        assert (read.fractional, read.density) == (list(point.fractions), point.density)
        assert read.laplacian == point.laplacian
        assert (read.kinetic_energy_density, read.virial_density) == (point.kinetic, point.virial)


@given(st.lists(st.tuples(st.floats(0, 180), *[st.floats(0, 99999)] * 3), min_size=1, max_size=60))
def test_any_pattern_is_read_back(rows: list[tuple[float, float, float, float]]) -> None:
    paper = Paper()
    powder_pattern(paper, rows)
    reader = OutputReader()
    reader.feed(paper.text.encode())
    assert len(reader.series.diffraction) == len(rows)
    for read, written in zip(reader.series.diffraction, rows, strict=True):
        assert read == pytest.approx(written, abs=6e-4)
