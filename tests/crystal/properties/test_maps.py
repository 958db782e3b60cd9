"""Maps in a plane: where each value belongs, what it is of, and nothing of a map that is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.constants import BOHR
from app.crystal.properties.maps import MapError, read_maps
from tests.support.corpus.analyses import plane_map
from tests.support.corpus.figures import block

CORNERS = ((0.0, 2.0, 0.0), (0.0, 0.0, 0.0), (3.0, 0.0, 0.0))
VALUES = [[0.25, 1.5, -2.0, 4.0], [8.0, 16.0, 32.0, 64.0], [0.5, 0.125, 0.0, -1.0]]


def test_values_stand_where_the_program_put_them() -> None:
    found = read_maps(plane_map(VALUES, CORNERS, (1.0, 1.0), 0.5))
    assert len(found) == 1
    one = found[0]
    assert one.values.tolist() == VALUES
    assert one.corners.tolist() == [list(corner) for corner in CORNERS]
    assert (one.steps, one.cosine, one.name, one.unit) == ((1.0, 1.0), 0.5, "map 1", "a.u.")


@pytest.mark.parametrize(
    ("deck", "states", "names"),
    [
        ("ECHG\n0\nEND\nPOTM\n0\nEND", (0, 0), ["electron density", "electrostatic potential"]),
        ("ECHG\n0\nEND\nPOTM\n0\nEND", (1, 1, 1), ["electron density", "spin density", "electrostatic potential"]),
        ("CLAS", (0,), ["classical electrostatic potential"]),
        ("ECHG", (0, 0), ["map 1", "map 2"]),
        ("BAND", (0,), ["map 1"]),
    ],
)
def test_the_deck_names_them_where_it_fits(deck: str, states: tuple[int, ...], names: list[str]) -> None:
    text = "".join(plane_map(VALUES, CORNERS, (1.0, 1.0), state=state) for state in states)
    assert [one.name for one in read_maps(text, deck)] == names


def test_other_blocks_may_stand_between() -> None:
    bands = block(0, "BAND", 2, 1, 0.1, -0.25, (-1.0, 1.0), (0, 0, 0, 1, 0, 0), [-0.5, 0.125])
    one = plane_map(VALUES, CORNERS, (1.0, 1.0))
    assert len(read_maps(bands + one + bands + one)) == 2


def test_a_cut_map_is_left_out() -> None:
    whole = plane_map(VALUES, CORNERS, (1.0, 1.0))
    # The atoms and the lattice behind the values are not needed.
    end = whole.index("  12 MG")
    for size in range(60, end - 1):
        with pytest.raises(MapError):
            read_maps(whole[:size])
        assert len(read_maps(whole + whole[:size])) == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "-%-0MAPN99999999990.00000E+00 1.00000E-01 1.00000E-01\n",
        plane_map(VALUES, CORNERS, (0.0, 1.0)), plane_map(VALUES, CORNERS, (1.0, 1.0), 1.0),
        plane_map(VALUES, CORNERS, (1.0, 1.0)).replace(" 3.20000E+01", "************"),
        plane_map(VALUES, CORNERS, (1.0, 1.0)).replace(" 3.20000E+01", "         NaN"),
        plane_map(VALUES, CORNERS, (1.0, 1.0)) * 41, plane_map([[1.0, 2.0]], CORNERS, (1.0, 1.0)),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(MapError):
        read_maps(text)


def test_a_thinner_copy() -> None:
    values = np.arange(101 * 40, dtype=float).reshape(101, 40)
    thin = read_maps(plane_map(values.tolist(), CORNERS, (0.5, 0.25)))[0].thinned(40)
    assert thin.values.shape == (34, 40)
    assert thin.steps == (1.5, 0.25)
    assert thin.values[1, 1] == values[3, 1]


@given(st.integers(2, 9), st.integers(2, 9), st.randoms(use_true_random=False))
def test_any_map_is_read_back(rows: int, columns: int, chance: object) -> None:
    draw = np.random.default_rng(chance.getrandbits(32))  # type: ignore[attr-defined]
    values = draw.normal(0, 10.0 ** draw.integers(-9, 9), (rows, columns))
    found = read_maps(plane_map(values.tolist(), CORNERS, (0.5, 0.25), -0.25))[0]
    assert np.allclose(found.values, values, rtol=1e-5, atol=0)


def test_places_in_the_plane() -> None:
    one = read_maps(plane_map(VALUES, CORNERS, (1.0, 1.0)))[0]
    x, y = one.places()
    # From A at the top down to B, and from B to C.
    assert (x[2, 0], y[2, 0]) == (0.0, 0.0)
    assert (x[2, 3], y[0, 0]) == (pytest.approx(3 * BOHR), pytest.approx(2 * BOHR))
    skew = ((1.0, math.sqrt(3), 0.0), (0.0, 0.0, 0.0), (3.0, 0.0, 0.0))
    x, y = read_maps(plane_map(VALUES, skew, (1.0, 1.0), 0.5))[0].places()
    assert (x[0, 0], y[0, 0]) == (pytest.approx(BOHR), pytest.approx(math.sqrt(3) * BOHR))
    # Of a thinner copy every value stays where it is.
    values = np.arange(101 * 40, dtype=float).reshape(101, 40)
    corners = ((0.0, 50.0, 0.0), (0.0, 0.0, 0.0), (9.75, 0.0, 0.0))
    whole = read_maps(plane_map(values.tolist(), corners, (0.5, 0.25)))[0]
    thin = whole.thinned(40)
    assert np.allclose(thin.places()[0], whole.places()[0][::3])
    assert np.allclose(thin.places()[1], whole.places()[1][::3])


def test_corners_elsewhere_are_refused() -> None:
    for corners, steps in ((CORNERS, (2.0, 1.0)), (((0.0, 2.0, 0.0), (0.0, 0.0, 0.0), (0.0, 3.0, 0.0)), (1.0, 1.0))):
        with pytest.raises(MapError, match="corners"):
            read_maps(plane_map(VALUES, corners, steps))[0].places()
