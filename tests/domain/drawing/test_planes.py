"""Maps as contours: what is inside of which level, where it stands, and how much of a page it may take."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.drawing.planes import LEVELS, MOST_LETTERS, TALLEST, WIDTH, levels_of, plane_chart


def grid(size: int, span: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    along = np.linspace(0, span, size)
    x, y = np.meshgrid(along, along)
    return x, y


def drawn(values: np.ndarray, size: int, span: float = 4.0):  # type: ignore[no-untyped-def]
    x, y = grid(size, span)
    return plane_chart(x.tolist(), y.tolist(), values.tolist())


def test_a_hill_has_one_area_for_each_level() -> None:
    x, y = grid(60)
    chart = drawn(np.exp(-((x - 2) ** 2 + (y - 2) ** 2)), 60)
    assert len(chart.levels) == LEVELS
    values = [level.value for level in chart.levels]
    assert values == sorted(values) and values[0] > 0
    for level in chart.levels:
        assert level.path.count("M") == 1 and level.path.endswith("Z")
    # Each area lies within the one below it: it has fewer points across.
    spans = [max(float(part.split(",")[0]) for part in level.path.strip("MZ").split("L")) for level in chart.levels]
    assert spans == sorted(spans, reverse=True)


def test_both_signs_have_the_same_levels() -> None:
    x, _ = grid(40)
    values = x - 2
    sizes = levels_of(values.tolist())
    assert sorted(level for level in sizes if level > 0) == sorted(-level for level in sizes if level < 0)
    chart = drawn(values, 40)
    assert {level.negative for level in chart.levels} == {True, False}
    # Positive values stand to the right.
    right = next(level for level in reversed(chart.levels) if not level.negative)
    assert min(float(part.split(",")[0]) for part in right.path.strip("MZ").split("L")) > chart.left + 100


def test_pictures_have_sane_sizes() -> None:
    noise = np.random.default_rng(1).normal(size=(250, 250))
    x, y = grid(250)
    chart = plane_chart(x.tolist(), y.tolist(), noise.tolist())
    assert chart is not None
    assert sum(len(level.path) for level in chart.levels) <= MOST_LETTERS
    x, y = grid(10)
    for factor in (1e-3, 1e3):
        tall = plane_chart(x.tolist(), (y * factor).tolist(), (x * y).tolist())
        assert tall is not None
        assert tall.width == WIDTH and 0 < tall.height <= TALLEST + 50


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_nothing_is_drawn_of_what_is_alike(value: float) -> None:
    assert drawn(np.full((10, 10), value), 10) is None
    x, y = grid(10)
    assert plane_chart((x * 0).tolist(), y.tolist(), (x * y).tolist()) is None
