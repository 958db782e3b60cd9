"""Suspicious distances by covalent radii, in crystals of any cell, and what the checker says of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crystal.decks.checker import check_deck
from app.crystal.structures.contacts import shortest_contact

CUBE = np.eye(3) * 6.0


@pytest.mark.parametrize(
    ("first", "second", "distance", "close"),
    [
        (1, 1, 0.74, False), (1, 8, 0.96, False), (7, 7, 1.10, False), (6, 8, 1.13, False), (6, 6, 1.20, False),
        (12, 8, 1.9, False), (55, 53, 3.3, False), (8, 8, 0.74, True), (12, 8, 1.1, True), (26, 26, 1.6, True),
        (0, 8, 0.2, False), (1, 1, 0.35, True),
    ],
)  # fmt: skip
def test_what_is_a_bond_depends_on_the_elements(first: int, second: int, distance: float, close: bool) -> None:
    positions = np.array([[0.1, 0.1, 0.1], [0.1 + distance / 6, 0.1, 0.1]])
    found = shortest_contact([first, second], positions, CUBE, 3)
    assert (found is not None) == close
    if found is not None:
        assert (found.first, found.second) == (0, 1)
        assert found.distance == pytest.approx(distance)


@settings(max_examples=60, deadline=None)
@given(
    cell=st.lists(st.floats(2.0, 9.0), min_size=3, max_size=3), skew=st.lists(st.floats(-2.5, 2.5), min_size=3, max_size=3),
    places=st.lists(st.tuples(*[st.floats(-1.5, 1.5)] * 3), min_size=1, max_size=5), dimension=st.integers(0, 3),
)  # fmt: skip
def test_the_closest_pair_is_that_of_all_pairs(
    cell: list[float], skew: list[float], places: list[tuple[float, float, float]], dimension: int
) -> None:
    """Against all images in a wide box, one by one."""
    lattice = np.diag(cell)
    lattice[1, 0], lattice[2, 0], lattice[2, 1] = skew
    for axis in range(dimension, 3):
        lattice[axis] = np.eye(3)[axis]
        lattice[:, axis] = np.eye(3)[axis]
    positions, numbers = np.array(places), [8] * len(places)
    steps = [range(-6, 7) if axis < dimension else (0,) for axis in range(3)]
    images = np.array(np.meshgrid(*steps)).reshape(3, -1).T
    apart = positions[:, None, None, :] - positions[None, :, None, :] + images
    apart[..., :dimension] -= np.round(positions[:, None, None, :] - positions[None, :, None, :])[..., :dimension]
    distances = np.linalg.norm(apart @ lattice, axis=-1)
    nearest = float(distances[distances > 1e-6].min(initial=np.inf))
    found = shortest_contact(numbers, positions, lattice, dimension)
    if found is None:
        assert nearest >= 0.65 * 1.32 - 1e-6
    else:
        assert found.distance == pytest.approx(nearest, abs=1e-6)


def deck(x: float, keyword: str = "") -> str:
    return (
        f"contact\nCRYSTAL\n0 0 0\n1\n5 5 5 90 90 90\n2\n12 0 0 0\n8 {x} 0 0\n{keyword}BASISSET\nPOB-TZVP-REV2\nDFT\nPBE0\n"
        "ENDDFT\nTOLINTEG\n7 7 7 7 14\nSHRINK\n4 8\nEND\n"
    )


def test_the_checker_warns_and_forbids_nothing() -> None:
    close = [found for found in check_deck(deck(0.2), "d12") if "come within" in found.message]
    assert [(found.severity, "1.00 Å" in found.message, "2.07 Å" in found.message) for found in close] == [
        ("warning", True, True)
    ]
    assert not [found for found in check_deck(deck(0.4), "d12") if "come within" in found.message]
    moved = deck(0.2, "ATOMREMO\n1\n1\n")
    assert not [found for found in check_deck(moved, "d12") if "come within" in found.message]
