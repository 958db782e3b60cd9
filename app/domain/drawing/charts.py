"""Small charts as numbers: ticks and places, which a page draws as SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.drawing.spectra import Spectrum

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 92, 16, 16, 44


@dataclass(frozen=True, kw_only=True)
class Box:
    """Size of a picture, and where its axes end."""

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Point:
    """Where a value stands in the picture, in its units, and the value in words."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Series:
    """One line of a chart, in pixels."""

    name: str
    points: list[Point]

    @property
    def path(self) -> str:
        """The points as SVG's `points` attribute takes them."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: its place in pixels and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart(Box):
    """Everything a page needs to draw lines over an axis. `offset` was taken off the y values, so that ticks stay short."""

    series: list[Series]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str
    y_label: str
    offset: float
    band: tuple[float, float] | None
    """Top and height of the band of the tolerance."""


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers within [low, high], about `count` of them."""
    if high <= low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(
    lines: Sequence[tuple[str, Sequence[tuple[float, float, str]]]],
    x_label: str,
    y_label: str,
    *,
    x_names: Sequence[str] = (),
    tolerance: float = 0.0,
) -> Chart | None:
    """A chart of lines, each a name with (x, y, words); None where there is nothing to draw.

    Args:
        x_names: names of places 0, 1, 2 … where the axis is not one of numbers.
        tolerance: half the height of the band that is drawn around the last value of the first line.
    """
    xs = [x for _, points in lines for x, _, _ in points]
    ys = [y for _, points in lines for _, y, _ in points]
    if not xs:
        return None
    span = max(ys) - min(ys)
    # A common part of all values would hide the digits that differ.
    offset = math.floor(min(ys) * 10) / 10 if span < abs(min(ys)) * 0.01 else 0.0
    low, high = min(ys) - offset, max(ys) - offset
    margin = 0.08 * (high - low) or max(abs(high) * 1e-3, 1e-8)
    low, high = low - margin, high + margin
    left, right = (min(xs), max(xs)) if max(xs) > min(xs) else (min(xs) - 1, max(xs) + 1)

    def across(x: float) -> float:
        return LEFT + 8 + (x - left) / (right - left) * (WIDTH - RIGHT - LEFT - 16)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - BOTTOM - TOP)

    band = None
    if tolerance and lines[0][1]:
        centre = lines[0][1][-1][1] - offset
        top = max(down(min(centre + tolerance, high)), TOP)
        band = (top, max(1.0, down(max(centre - tolerance, low)) - top))
    x_ticks = (
        [Tick(across(index), name) for index, name in enumerate(x_names)]
        if x_names
        else [
            Tick(across(x), f"{x:g}") for x in (sorted(set(xs)) if len(set(xs)) <= 12 else nice_ticks(left, right, 8))
        ]
    )
    return Chart(
        [Series(name, [Point(across(x), down(y - offset), words) for x, y, words in points]) for name, points in lines],
        x_ticks,
        [Tick(down(y), f"{y:.6g}") for y in nice_ticks(low, high)],
        x_label,
        y_label,
        offset,
        band,
    )


@dataclass(frozen=True)
class CurveChart(Box):
    """A curve with sticks under it, all in the units of the picture."""

    path: str
    sticks: list[tuple[float, float, str]]
    """Place, top, and the line in words."""
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str
    y_label: str


def spectrum_chart(spectrum: Spectrum, x_label: str, y_label: str) -> CurveChart:
    """A broadened spectrum with its lines as sticks, the highest of which is as high as the curve."""
    low, high = spectrum.wavenumbers[0], spectrum.wavenumbers[-1]
    most = max(spectrum.intensities) or 1.0
    strongest = max((height for _, height in spectrum.lines), default=1.0) or 1.0

    def across(x: float) -> float:
        return LEFT + (x - low) / (high - low) * (WIDTH - RIGHT - LEFT)

    def down(share: float) -> float:
        return HEIGHT - BOTTOM - share * 0.95 * (HEIGHT - BOTTOM - TOP)

    path = " ".join(
        f"{across(x):.1f},{down(y / most):.1f}" for x, y in zip(spectrum.wavenumbers, spectrum.intensities, strict=True)
    )
    sticks = [
        (across(at), down(height / strongest), f"{at:.2f} cm⁻¹: {height:g}")
        for at, height in spectrum.lines
        if low <= at <= high
    ]
    return CurveChart(
        path,
        sticks,
        [Tick(across(x), f"{x:g}") for x in nice_ticks(low, high, 8)],
        [Tick(down(y / most), f"{y:g}") for y in nice_ticks(0.0, most)],
        x_label,
        y_label,
    )
