"""A map in a plane as contours that a page draws: areas above each level, one over another, so that they darken. Pure.

Densities span many powers of ten, so levels are powers of two below the value that nearly all of the plane stays under; where the
values have both signs, the same levels with a minus sign are drawn in another colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from contourpy import FillType, contour_generator

from app.domain.drawing.charts import Box, Tick, nice_ticks

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 560, 62, 16, 16, 44
TALLEST = 700
LEVELS = 8
_NEARLY_ALL = 0.98
MOST_LETTERS = 300_000
"""Characters of all paths of one map; beyond, it is drawn from fewer values."""


@dataclass(frozen=True)
class Level:
    """The area where values are above a level, or below a negative one, as the `d` of an SVG path."""

    value: float
    path: str

    @property
    def negative(self) -> bool:
        """Whether it is drawn in the colour of negative values."""
        return self.value < 0


@dataclass(frozen=True)
class PlaneChart(Box):
    """Areas from the lowest level to the highest, and axes."""

    levels: list[Level]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str
    y_label: str


def plane_chart(
    x: Sequence[Sequence[float]], y: Sequence[Sequence[float]], values: Sequence[Sequence[float]], unit: str = "Å"
) -> PlaneChart | None:
    """Contours of values at places (x, y), both axes in `unit`; None where the values are all alike."""
    xs, ys, zs = (np.asarray(part, dtype=float) for part in (x, y, values))
    left, right, low, high = xs.min(), xs.max(), ys.min(), ys.max()
    if not (right > left and high > low) or zs.max() <= zs.min():
        return None
    scale = min((WIDTH - LEFT - RIGHT) / (right - left), (TALLEST - TOP - BOTTOM) / (high - low))
    across, down = LEFT + (xs - left) * scale, TOP + (high - ys) * scale
    bottom, end = TOP + (high - low) * scale, LEFT + (right - left) * scale
    levels = _areas(across, down, zs)
    while sum(len(level.path) for level in levels) > MOST_LETTERS and min(zs.shape) > 8:
        across, down, zs = across[::2, ::2], down[::2, ::2], zs[::2, ::2]
        levels = _areas(across, down, zs)
    return PlaneChart(
        levels,
        [Tick(LEFT + (at - left) * scale, f"{at:g}") for at in nice_ticks(float(left), float(right), 6)],
        [Tick(TOP + (high - at) * scale, f"{at:g}") for at in nice_ticks(float(low), float(high), 6)],
        f"along B→C / {unit}", f"across / {unit}",
        width=WIDTH, height=math.ceil(bottom) + BOTTOM, left=LEFT, right=math.floor(end), top=TOP, bottom=math.floor(bottom),
    )  # fmt: skip


def levels_of(values: Sequence[Sequence[float]]) -> list[float]:
    """Levels, by their size and then by their sign."""
    sizes = np.abs(np.asarray(values, dtype=float))
    top = float(np.quantile(sizes, _NEARLY_ALL)) or float(sizes.max())
    low, high = float(np.min(values)), float(np.max(values))
    wanted = [sign * top / 2**step for step in reversed(range(LEVELS)) for sign in (1, -1)]
    return [level for level in wanted if low < level < high]


def _areas(across: np.ndarray, down: np.ndarray, values: np.ndarray) -> list[Level]:
    # Its type of answers depends on a value, which type checkers do not see.
    generator: Any = contour_generator(across, down, values, fill_type=FillType.OuterOffset)
    areas = []
    for level in levels_of(values.tolist()):
        bounds = (level, math.inf) if level > 0 else (-math.inf, level)
        outlines, offsets = generator.filled(*bounds)
        path = "".join(_path(points, breaks) for points, breaks in zip(outlines, offsets, strict=True))
        if path:
            areas.append(Level(level, path))
    return areas


def _path(points: np.ndarray, breaks: np.ndarray) -> str:
    """Closed outlines of one area and its holes."""
    rings = [points[start:end] for start, end in pairwise(breaks)]
    return "".join("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in ring[:-1]) + "Z" for ring in rings)
