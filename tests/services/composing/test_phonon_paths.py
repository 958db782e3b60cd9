"""Where a path of phonons turns, repeats a point, or jumps."""

from __future__ import annotations

from array import array

import numpy as np

from app.crystal.outputs.series import PhononPoint
from app.services.results.vibrations import phonon_path


def path(*points: tuple[int, int, int]) -> list[PhononPoint]:
    return [PhononPoint(list(point), 1.0, array("d", [1.0 * place, 2.0 * place])) for place, point in enumerate(points)]


def test_lines_that_turn_and_repeat_their_ends() -> None:
    first = [(n, 0, 0) for n in range(0, 9, 2)]
    second = [(8, n, 0) for n in range(0, 9, 2)]
    found = phonon_path(path(*first, *second), np.eye(3), [16, 16, 16])
    assert found is not None
    distances, branches, nodes = found
    assert nodes == [(0.0, "Γ"), (8.0, "(1/2 0 0)"), (16.0, "(1/2 1/2 0)")]
    assert len(distances) == len(branches[0]) == 10


def test_a_jump_takes_no_room_and_bears_both_names() -> None:
    found = phonon_path(
        path((0, 0, 0), (2, 0, 0), (4, 0, 0), (0, 40, 0), (0, 38, 0), (0, 36, 0)), np.eye(3), [80, 80, 80]
    )
    assert found is not None
    assert found[2] == [(0.0, "Γ"), (4.0, "(1/20 0 0)|(0 1/2 0)"), (8.0, "(0 9/20 0)")]


def test_a_long_line_after_a_short_one_is_no_jump() -> None:
    found = phonon_path(path((0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 8, 0), (2, 16, 0), (2, 24, 0)), np.eye(3))
    assert found is not None
    assert [name for _, name in found[2]] == ["Γ", "(2 0 0)", "(2 24 0)"]
    assert found[0][-1] == 26.0


def test_points_that_are_no_path_are_not_drawn() -> None:
    assert phonon_path(path((0, 0, 0), (0, 0, 0), (0, 0, 0)), np.eye(3)) is None
    assert phonon_path(path((0, 0, 0)), np.eye(3)) is None
